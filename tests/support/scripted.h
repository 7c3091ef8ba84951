/*
 * Tests whose binary is the program as well: `TEST DIR NAME` runs the program NAME of the test's table in DIR. A program says what
 * happens to it, a line at a time, and the case knows what it must say.
 */
#ifndef USHER_TESTS_SCRIPTED_H
#define USHER_TESTS_SCRIPTED_H

#include "live.h"

struct scripted { const char *name; void (*run)(void); };

/* First in main(); PROGRAMS ends with { 0 }. Returns where cases are to be run: those that argv[1], if any, stands for. */
void scripted_begin(int argc, char **argv, const struct scripted *programs);
/* Runs the program NAME under usher: with --unshare NAMESPACES, unless that is NULL. */
void scripted_run(struct live *live, const char *name, const char *namespaces);
/* It says EXPECTED and ends with 0; and outside no more is mounted than was. */
void scripted_expect(struct live *live, const char *policy, const char *name, const char *namespaces, const char *expected);

/* For the programs: "WHAT: ok", or the name of errno if RESULT is negative. */
void say(const char *what, long result);
/* The same of open(2). */
void say_open(const char *path, int flags);
void send_fd(int to, int fd);
int receive_fd(int from);

#endif
