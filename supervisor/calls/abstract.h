/*
 * Abstract socket names. Landlock keeps a child to those of its own domain, but the supervisor, which
 * connects for it, is outside of that: so it is looked up here who bound the name.
 */
#ifndef USHER_CALLS_ABSTRACT_H
#define USHER_CALLS_ABSTRACT_H

#include "calls/socket.h"

struct sandbox;
/* FD was just bound for the tree: if to an abstract name, remember that. */
void abstract_bound(struct sandbox *sandbox, int fd);
/* To a socket like FD, ADDRESS is none but that of somebody in the tree, or no abstract name at all. */
bool abstract_inside(struct sandbox *sandbox, int fd, const struct address *address);
/* 0, or -EPERM (with req->refused_by) if ADDRESS is an abstract name that nobody in the tree has bound. */
int abstract_reach(struct request *req, const struct address *address);
/* For sandbox_close(). */
void abstract_free(struct sandbox *sandbox);

#endif
