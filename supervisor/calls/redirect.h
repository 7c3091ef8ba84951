/*
 * What takes the place of a connect: another address or an errno; and getpeername(2), which goes on telling what was asked for.
 */
#ifndef USHER_CALLS_REDIRECT_H
#define USHER_CALLS_REDIRECT_H

#include "filter.h"
#include "harden.h"
#include "request.h"

struct redirects;
struct sandbox;

/* Errors in DIAGS for a redirect or answer about addresses that cannot be served. */
void redirect_check(const struct policy_rule *rule, struct policy_diags *diags);
/* Rules of POLICY redirect connects. */
bool redirect_any(const struct policy *policy);

/* The decision on REQ's peer is neither allow nor deny: as serve. */
int redirect(struct request *req);
/* FD is about to be connected to what was asked for. */
void redirect_forget(struct sandbox *sandbox, int fd);
void redirects_free(struct redirects *redirects);

int getpeername_fetch(struct request *req);
int getpeername_serve(struct request *req);
/* getsockopt(2) of SO_PEERNAME. */
int peername_rows(const struct plan *plan, struct filter_rows *rows);
bool peername_trapped(const struct plan *plan, const uint64_t *args);
int peername_fetch(struct request *req);
int peername_serve(struct request *req);

#endif
