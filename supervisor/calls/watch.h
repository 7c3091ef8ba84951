/* inotify, fanotify and file handles: what else takes a path. */
#ifndef USHER_CALLS_WATCH_H
#define USHER_CALLS_WATCH_H

#include "request.h"

int inotify_add_watch_fetch(struct request *req);
int inotify_add_watch_serve(struct request *req);
int fanotify_mark_fetch(struct request *req);
int fanotify_mark_serve(struct request *req);
/* read of files, list of directories */
int watch_judge(struct request *req);

int name_to_handle_at_fetch(struct request *req);
int name_to_handle_at_serve(struct request *req);

#endif
