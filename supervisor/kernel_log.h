/*
 * What the filter and Landlock did by themselves and the kernel logged (audit records 1326, 1423, 1424): joined into the audit log where
 * they can be read, which takes CAP_AUDIT_READ in the first namespaces. Of the filter's the kernel tells the number of the call and not its
 * arguments. Landlock's are written only while the kernel's audit is on (landlock_event.h).
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


struct kernel_log;
struct loop;
struct landlock_event;
/* On the loop's thread. */
struct kernel_log_to {
	void (*seccomp)(void *ctx, const struct kernel_event *event);
	void (*landlock)(void *ctx, const struct landlock_event *event);
	void (*lost)(void *ctx);	/* some messages are missing */
};
/* 0, or -errno: -EPERM, -EPROTONOSUPPORT, ...: they cannot be read here. TO is borrowed. LOOP may be NULL: it is only tried. */
int kernel_log_open(struct kernel_log **log, struct loop *loop, const struct kernel_log_to *to, void *ctx);
/* While loop_run() is not running, before loop_free(). What comes until it is quiet for WAIT_MS is told. LOG may be NULL. */
void kernel_log_close(struct kernel_log *log, int wait_ms);

#endif
