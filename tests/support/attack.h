/* What the modes of attack share; attack.c says what they are. */
#ifndef USHER_ATTACK_H
#define USHER_ATTACK_H

#include <stdbool.h>
#include <stddef.h>

#define PATH_SIZE 200

struct mode {
	const char *name;
	void (*flip)(bool bad);
	void (*try)(void);
	const char *good, *bad;	/* names in OPEN and SECRET for the paths, addresses and descriptors */
};

extern char open_dir[PATH_SIZE / 2], secret_dir[PATH_SIZE / 2];
extern char good_path[PATH_SIZE], bad_path[PATH_SIZE];	/* of this mode */
extern _Atomic unsigned long reached;
extern int shared_fd;		/* what fd_flip() flips */

/* attack_names.c */
extern const struct mode more_modes[];
extern const size_t n_more_modes;

const char *in(const char *dir, const char *name);
void success(const char *mode, const char *how);
void make_file(const char *path, const char *text);
/* Closes FD. */
void read_and_judge(const char *mode, int fd);

void link_flip(bool bad);	/* OPEN/link leads to the good or the bad path */
void link_dir_flip(bool bad);	/* OPEN/dlink leads to OPEN/dir or SECRET */
void fd_flip(bool bad);

#endif
