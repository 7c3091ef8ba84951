/*
 * The same script of probe commands natively and under usher: what the probe says and what is left of the tree must be equal.
 *
 * Both start in live->dir, made anew by PREPARE before each run (NULL: nothing changes it). The policy is live_policy()'s.
 * A script is one command a line, see probe_script.c. COMPARE_ALL lets everything be, and has all of it brokered.
 */
#ifndef USHER_COMPARE_H
#define USHER_COMPARE_H

#include "live.h"

#define COMPARE_ALL                                                          \
	"files { default deny EACCES; allow all /; cover all; deny all $dir/never/**; }\n" \
	"limits { capabilities all; }\n"

void compare_script(struct live *live, void (*prepare)(struct live *live), const char *script);
/* Any program; ARGV as for live_run(). */
void compare_run(struct live *live, void (*prepare)(struct live *live), const char *const *argv);
/* Without usher; fills *live as live_run() does. */
int live_native(struct live *live, const char *const *argv);
/* `probe script` under usher with SCRIPT in live->dir; its answers, "LINE => answer" each, must contain each line of EXPECTED. */
void script_expect(struct live *live, const char *script, const char *expected);
/* Makes live->dir empty, also where its owner may not look. */
void live_clear(struct live *live);
int compare_teardown(void **state);
/* Names, types, modes, owners, sizes, links, and the beginnings of contents below live->dir; free(). */
char *live_snapshot(const struct live *live);

#endif
