/* connect, bind, listen, accept and sends with an address: made on the target's own socket, AF_UNIX pathnames as paths. */
#ifndef USHER_CALLS_UNIX_H
#define USHER_CALLS_UNIX_H

#include "request.h"

int connect_fetch(struct request *req);
int connect_serve(struct request *req);
int bind_fetch(struct request *req);
int bind_serve(struct request *req);
int sendto_fetch(struct request *req);
int sendmsg_fetch(struct request *req);
int sendmmsg_fetch(struct request *req);
int send_serve(struct request *req);
int listen_fetch(struct request *req);
int listen_serve(struct request *req);
int accept_fetch(struct request *req);
int accept_serve(struct request *req);
void socket_release(struct request *req);

#endif
