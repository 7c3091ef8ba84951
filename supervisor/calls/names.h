/* Calls that make names (nodes.c: mkdir, mknod, symlink), and that remove, move and add them (names.c: rmdir, unlink, rename, link). */
#ifndef USHER_CALLS_NAMES_H
#define USHER_CALLS_NAMES_H

#include "request.h"

#ifdef __x86_64__
int mkdir_fetch(struct request *req);
int mknod_fetch(struct request *req);
int symlink_fetch(struct request *req);
int rmdir_fetch(struct request *req);
int unlink_fetch(struct request *req);
int rename_fetch(struct request *req);
int link_fetch(struct request *req);
#endif
int mkdirat_fetch(struct request *req);
int mkdir_serve(struct request *req);

int mknodat_fetch(struct request *req);
int mknod_judge(struct request *req);
int mknod_serve(struct request *req);

int symlinkat_fetch(struct request *req);
int symlink_serve(struct request *req);

int unlinkat_fetch(struct request *req);
int unlink_serve(struct request *req);

int renameat_fetch(struct request *req);
int renameat2_fetch(struct request *req);
int rename_judge(struct request *req);
int rename_serve(struct request *req);

int linkat_fetch(struct request *req);
int link_judge(struct request *req);
int link_serve(struct request *req);

#endif
