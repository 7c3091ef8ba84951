/* The inside of a store. */
#ifndef USHER_STORE_STATE_H
#define USHER_STORE_STATE_H

#include <sqlite3.h>

#include "store.h"

#define STORE_ID      0x75736872	/* "ushr" */
#define STORE_ID_TEXT "1970497650"

enum { STORE_UPDATE, STORE_INSERT, STORE_PROGRAM, STORE_PROGRAM_NEW, STORE_STATEMENTS };

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[STORE_STATEMENTS];
	int64_t rows;
};

/* 0 or -errno for a result of SQLite. */
int store_errno(int result);

#endif
