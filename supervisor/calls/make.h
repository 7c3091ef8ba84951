/* socket(2), and which of its calls are trapped. */
#ifndef USHER_CALLS_MAKE_H
#define USHER_CALLS_MAKE_H

#include "harden.h"
#include "request.h"

int socket_rows(const struct plan *plan, struct filter_rows *rows);
bool socket_trapped(const struct plan *plan, const uint64_t *args);
int socketpair_rows(const struct plan *plan, struct filter_rows *rows);
bool socketpair_trapped(const struct plan *plan, const uint64_t *args);
int socketpair_serve(struct request *req);
int socket_make_fetch(struct request *req);
int socket_make_serve(struct request *req);

#endif
