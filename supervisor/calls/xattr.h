/* Extended attributes and inode flags, by path and by descriptor. */
#ifndef USHER_CALLS_XATTR_H
#define USHER_CALLS_XATTR_H

#include "filter.h"
#include "request.h"

int setxattr_fetch(struct request *req);
int lsetxattr_fetch(struct request *req);
int fsetxattr_fetch(struct request *req);
int setxattrat_fetch(struct request *req);
int setxattr_serve(struct request *req);
void setxattr_release(struct request *req);

int getxattr_fetch(struct request *req);
int lgetxattr_fetch(struct request *req);
int getxattrat_fetch(struct request *req);
int getxattr_serve(struct request *req);

int listxattr_fetch(struct request *req);
int llistxattr_fetch(struct request *req);
int listxattrat_fetch(struct request *req);
int listxattr_serve(struct request *req);

int removexattr_fetch(struct request *req);
int lremovexattr_fetch(struct request *req);
int fremovexattr_fetch(struct request *req);
int removexattrat_fetch(struct request *req);
int removexattr_serve(struct request *req);

int file_getattr_fetch(struct request *req);
int file_getattr_serve(struct request *req);
int file_setattr_fetch(struct request *req);
int file_setattr_serve(struct request *req);

/* ioctl(fd, FS_IOC_SETFLAGS or FS_IOC_FSSETXATTR, ...) */
#define INODE_FLAGS_TESTS 3
extern const struct filter_test inode_flags_tests[INODE_FLAGS_TESTS];
int inode_flags_fetch(struct request *req);
int inode_flags_serve(struct request *req);

#endif
