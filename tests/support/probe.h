/* What the parts of the probe share. Commands are rows of tables that end with a row without a name. */
#ifndef USHER_PROBE_H
#define USHER_PROBE_H

#include <sys/types.h>

struct command {
	const char *name;
	int args;		/* -1: any number */
	void (*run)(char **arg);
};

extern const struct command call_commands[];		/* probe_call.c: raw calls, odd pointers, whole answers */
extern const struct command exec_commands[];		/* probe_exec.c */
extern const struct command socket_commands[];		/* probe_socket.c */
extern const struct command net_commands[];		/* probe_net.c */
extern const struct command scene_commands[];		/* probe_scene.c: several threads or processes */
extern const struct command lease_commands[];	/* probe_lease.c: opens that break leases */
extern const struct command wait_commands[];		/* probe_wait.c: opens that wait, and signals */

/* "ok", "ok RESULT", or the name of errno. */
void answer(long result);
void answer_text(const char *text, ssize_t len);
/* Decimal, 0x, 0-octal, "cwd". */
long number(const char *text);
int open_flags(const char *text);
int run_command(char **argv, int argc);
/* Commands from stdin, one a line. In a word \e is nothing (an empty path), \xHH a byte, \s a space, <N*TEXT> is TEXT N times. */
int run_script(void);
/* The commands of the input as they come: one answer each, for somebody who waits for it. */
int run_talk(void);
void cmd_again(char **arg);
/* A scene's check: says so and ends the probe if it does not hold. */
void probe_check(int holds, const char *what, int line);
#define CHECK(holds) probe_check(!!(holds), #holds, __LINE__)

#endif
