/* The descriptors that a program gets beside 0, 1 and 2: --pass-fd and socket activation. */
#ifndef USHER_RUN_FDS_H
#define USHER_RUN_FDS_H

#include "cli.h"

struct run_fds {
	int *list;		/* owned; sorted, without doubles after run_fds_settle() */
	size_t n;
	bool activation;	/* LISTEN_PID was ours */
};

/* --pass-fd TEXT. 0, or CLI_RUN_FAILED after a message. */
int run_fds_add(struct run_fds *fds, const char *text, const struct cli *cli);
/* Adds LISTEN_FDS, closes whatever else was inherited, and sees to it that 0, 1, 2 are taken. As above. */
int run_fds_settle(struct run_fds *fds, const struct cli *cli);
/* Is one of those that the program will have a socket? */
bool run_fds_socket(const struct run_fds *fds);
/* A unix one, over which descriptors may come? */
bool run_fds_unix(const struct run_fds *fds);
/* The supervisor's own copies: nobody who waits for the end of a pipe is to wait for usher. 2 stays, for messages. */
void run_fds_close(const struct run_fds *fds);
void run_fds_free(struct run_fds *fds);

#endif
