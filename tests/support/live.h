/*
 * Live tests: a real program under a real `usher run`, one case at a time.
 *
 *	static void denies_git(void **state)
 *	{
 *		struct live *live = *state;
 *		live_file(live, "www/.git/config", 0644, "x");
 *		live_policy(live, LIVE_BASE "allow ro $dir/www/; deny ro $dir/www/.git/;");
 *		live_expect(live, "EACCES", "open", live_path(live, "www/.git/config"), "r", NULL);
 *		assert_int_equal(live_audited(live, "deny", "/.git/config"), 1);
 *	}
 *	... cmocka_unit_test_setup_teardown(denies_git, live_setup, live_teardown)
 *
 * live_expect() runs the little program of probe.c; its commands and answers are described there. live_run() runs any
 * program. Both leave status, output, and messages in *live until the next run; what the audit log says is read by
 * live_audit() and live_audited(). Every binary runs twice: as root, and as nobody (as_nobody.c). Use live_root() where
 * that matters. Paths come from the build, or from USHER_TEST_USHER and USHER_TEST_PROBE.
 */
#ifndef USHER_LIVE_H
#define USHER_LIVE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sys/types.h>

#include <cmocka.h>

struct live {
	char dir[64];		/* /tmp/usher-live-XXXXXX: 0755, gone after the test; no symlink in it; $dir in policies */
	char policy[80];	/* the file that live_policy() wrote: beside, not below, dir */
	char audit[80];
	const char *options[32];	/* more options for `usher run`, NULL-ended; --no-... and so on */
	const char *input;	/* what the program reads from stdin; NULL: /dev/null */

	int status;		/* of the last run: as a shell says, 128+N for signals */
	char *out, *err;	/* what it said, NUL-ended */
	size_t out_len, err_len;
};

/* The programs of libc and this test's own may run; no rule lets anything in $dir. A files section is a union: add more. */
#define LIVE_BASE                                                                       \
	"files { default deny EACCES;\n"                                                \
	"  allow rx /usr/, /lib/, /lib64/, /bin/, /sbin/, $probe;\n"                    \
	"  allow read /etc/ld.so.cache, /etc/ld.so.preload, /etc/nsswitch.conf, /etc/passwd, /etc/group;\n"	\
	"  allow read,write,append /dev/null, /dev/zero, /dev/tty; allow read /dev/urandom;\n"	\
	"  allow read /proc/self/**;\n"                                                 \
	"}\n"

int live_setup(void **state);
int live_teardown(void **state);
bool live_root(void);
/* From here on what this test mounts is seen by nobody else: others look at every mount of the machine. False: only root can. */
bool live_apart(void);
/* For --unshare: what a mount namespace takes. */
const char *live_own_space(void);
const char *live_usher(void);
const char *live_probe(void);
/* A program or directory that lies beside this test (as_nobody copies them there): in one of 8 turns of static memory. */
const char *live_tool(const char *name);
/* The same, or OTHERWISE if there is none. */
const char *live_beside(const char *name, const char *otherwise);
/* For --user: from here on live_probe() is a copy that everybody may run, for the build may lie where only we may look. */
void live_share_probe(const struct live *live);

/* "DIR/name": in one of 16 turns of static memory. */
const char *live_path(const struct live *live, const char *name);
/* Makes directories and the file; returns live_path(). */
const char *live_file(const struct live *live, const char *name, mode_t mode, const char *content);
const char *live_mkdir(const struct live *live, const char *name, mode_t mode);
const char *live_symlink(const struct live *live, const char *to, const char *name);
/* The whole of a file, NUL-ended, malloc'ed; NULL if it is not there. */
char *live_read(const char *path);

/* Writes the policy: "syntax 1; policy live; set $dir = ...; set $probe = ...;" and TEXT. */
void live_policy(struct live *live, const char *text);
/* usher run -p POLICY --audit AUDIT OPTIONS -- ARGV. The status is returned too. */
int live_run(struct live *live, const char *const *argv);
/* The same with a list ended by NULL. */
int live_runl(struct live *live, const char *program, ...);
/* `sh -c SCRIPT` */
int live_sh(struct live *live, const char *script);
/* usher with any arguments. */
int live_usher_run(struct live *live, const char *const *argv);
/* The probe's answer to one command must be EXPECTED; asserts. Ended by NULL. */
void live_expect(struct live *live, const char *expected, ...);
/* Starts without waiting; ends with live_finish(). For signals, terminals, and kills. Returns usher's pid. */
pid_t live_start(struct live *live, const char *const *argv);
int live_finish(struct live *live);

/* A TCP socket of the test's own that listens at 127.0.0.1:*PORT, a free one. */
int live_serve(unsigned *port);

/* The audit log, NULL if there is none; free(). */
char *live_audit(const struct live *live);
/* How many records have this action and, unless it is NULL, a details.path (or .spelled) that ends in PATH. */
unsigned live_audited(const struct live *live, const char *action, const char *path);

#endif
