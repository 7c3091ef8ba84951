/*
 * Where the control sockets of supervisors are: NAME.sock in /run/usher (root) or $XDG_RUNTIME_DIR/usher, a directory of
 * its owner's alone. A supervisor holds a lock on NAME.lock for as long as it lives: whoever has the lock owns the name, and a
 * socket without somebody who holds its lock is stale.
 */
#ifndef USHER_CONTROL_SOCKET_H
#define USHER_CONTROL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#define CONTROL_NAME_MAX 64

/* The directory of our own sockets, malloc'ed; NULL: none can be had (no XDG_RUNTIME_DIR). */
char *control_dir(void);
/* The directories that no child may reach, of sockets and of evidence: the I-th, malloc'ed, empty where there is none, NULL past the last. */
char *control_forbidden(size_t i);
/* Makes the directory of our sockets, so that it is there when usher's own files are looked up. */
void control_dir_make(void);
/* Letters, digits, . _ - and neither dot nor dash in front. */
bool control_name_good(const char *name);

struct control_socket {
	int listener, lock;	/* owned; -1: none */
	char *path, *lock_path;
};

/* Takes NAME. 0, -EADDRINUSE: another supervisor has it; or another -errno. *WHAT says what failed. */
int control_socket_open(struct control_socket *socket, const char *name, const char **what);
/* The socket at PATH is removed if nobody holds its name. True if it was. */
bool control_socket_sweep(const char *path);
/* And gives it up. */
void control_socket_close(struct control_socket *socket);

#endif
