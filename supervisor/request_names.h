/* The names of a request: where they start, and what they lead to. */
#ifndef USHER_REQUEST_NAMES_H
#define USHER_REQUEST_NAMES_H

#include "request.h"

/* What relative names start from, and the target's root. Read before the target's credentials are worn, which may not be allowed to.
 * 0 or -errno. */
int request_bases(struct request *req);
/* Fills req->objects. AGAIN: the second time, when only what was lexical is still open. What comes after an error is not looked up:
 * nothing is asked of it, and nothing is served. 0, or -errno: that the call ends with, whatever is decided. */
int request_resolve(struct request *req, enum resolve_level level, bool again);
/* What the call ends with, if it is allowed, since a name leads nowhere; or 0. */
int request_resolve_error(const struct request *req);
/* Some object is still only lexical. */
bool request_lexical(const struct request *req);

#endif
