/* sock_diag(7): what the kernel says of one AF_UNIX socket. */
#ifndef USHER_CALLS_DIAG_H
#define USHER_CALLS_DIAG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Which socket: never used again, unlike a number or a name. */
struct diag_socket { uint32_t ino; uint64_t cookie; };

int diag_socket(int fd, struct diag_socket *which);
/* The network namespace that socket FD lives in: a number that no other ever gets. 0 or -errno. */
int diag_network(int fd, uint64_t *cookie);
/* Attribute ATTR (UNIX_DIAG_*), asked for by SHOW (UDIAG_SHOW_*): its length, or -ENOENT: no such socket or
 * no such attribute. */
ssize_t diag_unix(const struct diag_socket *which, uint32_t show, uint16_t attr, void *value, size_t size);

#endif
