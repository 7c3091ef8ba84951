/*
 * What the filter did by itself and the kernel logged (audit records 1326): joined into the audit log where they can be read, which takes
 * CAP_AUDIT_READ in the first namespaces. The kernel tells the number of the call and not its arguments.
 */
#ifndef USHER_KERNEL_LOG_H
#define USHER_KERNEL_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct kernel_event {
	pid_t pid;
	uid_t uid;
	int nr, signal;
	uint32_t action;	/* SECCOMP_RET_LOG, ..._KILL_PROCESS, ... without data */
	int64_t realtime_ns;
	char exe[256];
};

/* TEXT: what follows "type=1326 ", or a message of the kernel. False: it is no such record, or of another machine's calls. */
bool kernel_event_parse(const char *text, struct kernel_event *event);

struct kernel_log;
struct loop;
/* On the loop's thread. LOST: so many messages are missing (EVENT is NULL then), 0 otherwise. */
typedef void kernel_log_fn(void *ctx, const struct kernel_event *event, bool lost);
/* 0, or -errno: -EPERM, -EPROTONOSUPPORT, ...: they cannot be read here. LOOP may be NULL: it is only tried. */
int kernel_log_open(struct kernel_log **log, struct loop *loop, kernel_log_fn *fn, void *ctx);
/* While loop_run() is not running, before loop_free(). What comes until it is quiet for WAIT_MS is told. LOG may be NULL. */
void kernel_log_close(struct kernel_log *log, int wait_ms);

#endif
