/*
 * What Landlock writes into the kernel's audit log (Linux 6.15): a denial names the domain that denied, and a record of the domain,
 * which comes right behind its first denial, names who made it. Documentation/admin-guide/LSM/landlock.rst
 */
#ifndef USHER_LANDLOCK_EVENT_H
#define USHER_LANDLOCK_EVENT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define AUDIT_LANDLOCK_DENIAL 1423
#define AUDIT_LANDLOCK_MAKER  1424

struct landlock_event {
	uint64_t domain;	/* never given twice */
	int64_t realtime_ns;
	bool maker;		/* a domain is told of, and no denial */
	pid_t pid;		/* .maker: who put itself into it */
	char exe[256];
	char blockers[128];	/* else: "fs.read_file", "fs.make_reg,fs.refer", "net.connect_tcp", "scope.signal", "ptrace", ... */
	char path[PATH_MAX];	/* "": it is about none */
	char dev[32];
	uint64_t inode;
	char address[64];
	int port;		/* -1: none */
};

/* TYPE and TEXT of an audit message. False: it is no such record, or tells that a domain has ended. */
bool landlock_event_parse(struct landlock_event *event, int type, const char *text);
/* What was denied in the words of rules: its file operations (0: it is about no file) and those of TCP sockets. */
uint32_t landlock_event_ops(const struct landlock_event *event);

/* Why no denials of Landlock of version ABI can be seen here: words; NULL: they can, as far as can be told. */
const char *landlock_unseen(int abi);

#endif
