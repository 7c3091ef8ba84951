/*
 * How much was counted and how much of that was written, in a page of a file: it outlives a supervisor that is killed, so that
 * the next one can say how much was lost. The file is locked while it is in use, and goes when all was written.
 */
#ifndef USHER_LEDGER_H
#define USHER_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ledger_page {
	_Atomic uint64_t counted, written;
	int64_t run;
};

struct ledger {
	char *path;
	int fd;			/* owned; -1: not open */
	struct ledger_page *page;
};

/* *LOST and *RUN: what the last one left unwritten, and in which run; 0 if it ended well. 0, -EBUSY: another process has it, or -errno. */
int ledger_open(struct ledger *ledger, const char *path, uint64_t *lost, int64_t *run);
/* Removes the file if everything is WRITTEN. */
void ledger_close(struct ledger *ledger, bool written);

#endif
