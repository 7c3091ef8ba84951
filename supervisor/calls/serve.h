/* What the serve functions of the file family share. */
#ifndef USHER_CALLS_SERVE_H
#define USHER_CALLS_SERVE_H

#include "request.h"

/* Object I has a pin afterwards. 0, or -errno as the answer (-EINEXACT: resolve exactly). */
int serve_pin(struct request *req, unsigned i);
/* The name in the parent, with the slash that was spelled after it: the kernel has rules for that. */
const char *serve_last(const struct object *object, char name[NAME_MAX + 2]);
/* This thread's umask becomes the target's: for what is created. 0 or -errno. */
int serve_umask(struct request *req);
/* Has the target a free descriptor number? -EMFILE if not: decided before anything is changed (3.3). */
int serve_room(struct request *req);
/* A file of SIZE bytes is to have LENGTH: the target's RLIMIT_FSIZE, with its signal (ours would stop us). 0 or -EFBIG. */
int serve_file_limit(struct request *req, int64_t size, int64_t length);
/* The decision becomes a denial with ERR (positive) by RULE (or NULL) about OP. Returns -ERR. */
int serve_deny(struct request *req, int err, enum policy_op op, const struct policy_rule *rule);
/* A descriptor of the target ("" with AT_EMPTY_PATH) as the next name; an O_PATH descriptor is refused later if REAL. */
int fetch_descriptor(struct request *req, int arg);
/* As fetch_name(), but with EMPTY_OK a null pointer is "" too (6.11). */
int fetch_name_or_null(struct request *req, int dirfd_arg, int arg, enum name_mode mode, bool empty_ok);
/* True if object I is what a descriptor names and that is an O_PATH one. */
bool serve_path_only(const struct request *req, unsigned i);

#endif
