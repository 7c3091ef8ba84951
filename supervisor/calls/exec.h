/* execve, execveat: judged by the program's path, then handed to the exec gate. */
#ifndef USHER_CALLS_EXEC_H
#define USHER_CALLS_EXEC_H

#include "request.h"

int execve_fetch(struct request *req);
int execveat_fetch(struct request *req);
int exec_judge(struct request *req);
int exec_serve(struct request *req);

#endif
