/* /proc/PID/mountinfo. */
#ifndef USHER_MOUNTINFO_H
#define USHER_MOUNTINFO_H

#include <stdio.h>

/* NAME (mountinfo, cgroup) in the directory DIR of procfs, or NULL. */
FILE *mountinfo_open(int dir, const char *name);
/* How many lines PATH has. */
unsigned mountinfo_count(const char *path);
/* A path as it is written there (\040) becomes what it is, in its place. */
void mountinfo_unescape(char *path);

#endif
