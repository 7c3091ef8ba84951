/*
 * What is known to differ, as narrowly as can be said: steps that are left out, and errors that are not told apart. What stands in
 * quotation marks is of docs/fidelity.md.
 */
#include "differ_call.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

static bool is_link(const struct call *call)
{
	return call->number == SYS_linkat || strcmp(call->name, "link") == 0;
}

/* The first path is nothing but a descriptor of ours. */
static int meant_slot(const struct actor *actor, const struct made *made)
{
	if (actor->path[0].slot >= 0 && actor->path[0].ends)
		return actor->path[0].slot;
	/* "." of a directory that was removed is reached by its descriptor alone, too; ".." of what is the root for a call. */
	if (made->in_root && strspn(actor->path[0].text, "./") == strlen(actor->path[0].text))
		return made->slot;
	return (made->empty_path && !actor->path[0].len) || strcmp(actor->path[0].text, ".") == 0 ? made->slot : -1;
}

struct unsure *unsure;

/* Where others look too: usher, and whoever else uses the machine. */
static bool is_public(const struct actor *actor, const struct path *path)
{
	bool below = strncmp(path->text, actor->root, strlen(actor->root)) == 0;
	return (path->text[0] == '/' && !below) || strstr(path->text, "l.fd") || strstr(path->text, "l.root");
}

static bool in_procfs(const struct path *path)
{
	return !path->unusable && (strncmp(path->text, "/proc/", 6) == 0 || strncmp(path->text, "/dev/fd", 7) == 0);
}

/* "In its own /proc/self/fd a process may do all that the modes deny": what of that is possible at all does not change anything. */
bool own_fd(const struct actor *actor, const struct path *path)
{
	if (actor->root_user && !actor->other_ids)
		return false;
	return (in_procfs(path) && strstr(path->text, "/fd")) || strstr(path->text, "l.fd");
}

/* 1: to read, 2: to write. */
static int wanted(int flags)
{
	return (flags & O_ACCMODE) == O_ACCMODE ? 3 : (flags & O_ACCMODE) + 1;
}

/* Of attributes. */
static bool changes(const struct call *call)
{
	static const char *const parts[] = { "chmod", "chown", "utim", "setxattr", "removexattr", "setattr" };
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(call->name, parts[i]))
			return true;
	return false;
}

/* Where what a descriptor was opened for decides, and not the rights to the file that has no name any more. */
static bool known_nameless(const struct call *call, const struct made *made, int fd)
{
	bool other_names;
	if (options.all_allowed || fd < 0 || !descriptor_nameless(fd, &other_names))
		return false;
	int held = fcntl(fd, F_GETFL);
	held = held & O_PATH || (held & O_ACCMODE) == O_ACCMODE ? 0 : wanted(held);	/* for ioctl(2) alone: nothing */
	if (call->number == SYS_truncate)
		return !(held & 2);
	if (call->number == SYS_inotify_add_watch)
		return !(held & 1);
	/* "... nor is it changed through a descriptor." */
	if (other_names && changes(call))
		return true;
	/* Through the number of an O_PATH one. */
	if (call->see == SEE_VALUE || call->see == SEE_LIST)
		return !held;
	/* "A file that lost the name it was opened by and has others is reopened for reading at most, and gets no new name." */
	if (other_names)
		held &= 1;
	/* "Objects without a path can be reopened with the access that is held, not with more." */
	if (call_opens(call))
		return (wanted(made->flags) & ~held) || made->flags & O_TRUNC || (made->flags & O_TMPFILE) == O_TMPFILE;
	return is_link(call) && (other_names || !(held & 2));
}

/* "What has no path is not executed where exec is limited at all." */
bool known_start(const struct actor *actor, const struct made *made)
{
	int slot = meant_slot(actor, made);
	bool other_names;
	return !options.all_allowed && slot >= 0 && actor->slot[slot] >= 0 && descriptor_nameless(actor->slot[slot], &other_names);
}

bool known_step(const struct actor *actor, const struct call *call, const struct made *made)
{
	int slot = meant_slot(actor, made);
	/* access(W_OK), utimensat(NULL), marks, and all that is done from there. */
	if ((strstr(call->name, "access") || strstr(call->name, "utim") || call->number == SYS_chdir || call->number == SYS_fanotify_mark) &&
	    own_fd(actor, &actor->path[0]))
		return true;
	/* Of a name to itself. */
	if (strncmp(call->name, "rename", 6) == 0 && own_fd(actor, &actor->path[0]) && own_fd(actor, &actor->path[1]))
		return true;
	/* Usher looks there as well. */
	if (call->number == SYS_inotify_add_watch && is_public(actor, &actor->path[0]))
		return true;
	/* Since 6.10 a descriptor that was opened with other credentials may not be linked, which cannot be seen from outside. */
	if (is_link(call) && (actor->other_ids || actor->child) && made->empty_path)
		return true;
	/* "... nor is it changed through a descriptor." */
	if (call->args[0] == 'f' && changes(call)) {
		bool other_names;
		return !options.all_allowed && made->slot >= 0 && actor->slot[made->slot] >= 0 &&
		       descriptor_nameless(actor->slot[made->slot], &other_names) && other_names;
	}
	return slot >= 0 && known_nameless(call, made, actor->slot[slot]);
}

const char *known_error(const struct actor *actor, const struct call *call, int err)
{
	if (own_fd(actor, &actor->path[0]) || own_fd(actor, &actor->path[1]))
		return "an error of procfs";
	/* It was opened all the same, and closed when there was no number for it. */
	if (call_opens(call) && err == EMFILE) {
		unsure->events++;
		unsure->links++;
	}
	return strerrorname_np(err) ? strerrorname_np(err) : "an unknown error";
}
