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
	return made->empty_path && !actor->path[0].len ? made->slot : -1;
}

_Atomic unsigned events_unsure;

static bool changes_names(const struct call *call)
{
	static const char *const beginnings[] = { "mk", "rm", "unlink", "rename", "link", "symlink" };
	for (size_t i = 0; i < COUNT(beginnings); i++)
		if (strncmp(call->name, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static bool in_procfs(const struct path *path)
{
	return !path->unusable && (strncmp(path->text, "/proc/", 6) == 0 || strncmp(path->text, "/dev/fd", 7) == 0);
}

static bool is_rename(const struct call *call)
{
	return strncmp(call->name, "rename", 6) == 0;
}

static bool too_long(const struct path *path)
{
	for (const char *at = path->text; *at; at += strspn(at, "/")) {
		size_t len = strcspn(at, "/");
		if (len > NAME_MAX)
			return true;
		at += len;
	}
	return false;
}

static bool dot_last(const struct path *path)
{
	return path->len && path->text[path->len - 1] == '.';
}

static bool reads_through(const struct call *call)
{
	return call->see == SEE_VALUE || call->see == SEE_LIST || call->number == SYS_inotify_add_watch;
}

/* 1: to read, 2: to write. */
static int wanted(int flags)
{
	return (flags & O_ACCMODE) == O_ACCMODE ? 3 : (flags & O_ACCMODE) + 1;
}

/* Where what a descriptor was opened for decides, and not the rights to the file that has no name any more. */
static bool known_nameless(const struct call *call, const struct made *made, int fd)
{
	bool other_names;
	if (fd < 0 || !descriptor_nameless(fd, &other_names))
		return false;
	int held = fcntl(fd, F_GETFL);
	held = held & O_PATH ? 0 : wanted(held);
	if (call->number == SYS_truncate)
		return !(held & 2);
	if (reads_through(call))
		return !(held & 1);
	/* "A file that lost the name it was opened by and has others is reopened for reading at most, and gets no new name." */
	if (other_names)
		held &= 1;
	/* "Objects without a path can be reopened with the access that is held, not with more." */
	if (call_opens(call))
		return (wanted(made->flags) & ~held) || made->flags & O_TRUNC || (made->flags & O_TMPFILE) == O_TMPFILE;
	return is_link(call) && (other_names || !(held & 2));
}

static bool known_open(const struct actor *actor, const struct made *made)
{
	const struct path *path = &actor->path[0];
	bool other_names;
	/* Descriptors above a lowered limit are not counted for who has other ids: it is made, and then cannot be handed over. */
	if (made->flags & (O_CREAT | O_TRUNC) && actor->other_ids && descriptors_full())
		return true;
	/* Usher refuses the slash before it knows whether there is a directory where that should be made. */
	if ((made->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) && path->len && path->text[path->len - 1] == '/')
		return true;
	/* IN_ROOT a slash is nothing, and for usher a dot, which asks for the right to search. */
	if (path->len && strspn(path->text, "/") == path->len)
		return true;
	/* Of a directory that is gone usher looks no dot up. */
	return made->slot >= 0 && strchr(path->text, '.') && descriptor_nameless(actor->slot[made->slot], &other_names);
}

bool known_step(const struct actor *actor, const struct call *call, const struct made *made)
{
	int slot = meant_slot(actor, made);
	bool access = strstr(call->name, "access");
	if (call_opens(call) && known_open(actor, made))
		return true;
	/* Of a descriptor newer kernels do not look at the flags. */
	if (call->see == SEE_STAT || call->see == SEE_STATX)
		return made->unknown_flags && made->empty_path;
	/* As for names there, see known_error(). */
	if ((access || (actor->other_ids && actor->path[0].slot < 0)) && in_procfs(&actor->path[0]))
		return true;
	/* The same, all that is done from there. */
	if (call->number == SYS_chdir && ((in_procfs(&actor->path[0]) && actor->path[0].slot < 0) || strstr(actor->path[0].text, "l.fd")))
		return true;
	/* Usher looks there as well. */
	if (call->number == SYS_inotify_add_watch && (in_procfs(&actor->path[0]) || strstr(actor->path[0].text, "l.fd")))
		return true;
	/* Since 6.10 a descriptor that was opened with other credentials may not be linked, which cannot be seen from outside. */
	if (is_link(call) && actor->other_ids && made->empty_path)
		return true;
	return slot >= 0 && known_nameless(call, made, actor->slot[slot]);
}

const char *known_error(const struct actor *actor, const struct call *call, const struct made *made, int err)
{
	/* "At the limit of descriptors an open of a missing name, or below a wrong dirfd, answers ENOENT, EBADF or ENOTDIR." */
	if (call_opens(call) && descriptors_full()) {
		events_unsure++;	/* it may have been opened, which could not be said in the end */
		return "an error where EMFILE comes first";
	}
	/* "Of two names both are read before either is looked up"; so is the descriptor of inotify_add_watch. */
	if (strchr(call->args, 'q') && (actor->path[1].unusable || made->wrong_dirfd))
		return "an error of what cannot be";
	if (made->wrong_inotify)
		return "an error of what cannot be";
	/* Its own procfs is open to a process whatever the modes say; not to usher, which is another. */
	if (changes_names(call) && (in_procfs(&actor->path[0]) || (strchr(call->args, 'q') && in_procfs(&actor->path[1]))))
		return "an error of procfs";
	if (actor->other_ids && in_procfs(&actor->path[0]))
		return "an error of procfs";
	if ((err == EACCES || err == EPERM || err == EOPNOTSUPP || (err == EISDIR && call->number == SYS_truncate)) && in_procfs(&actor->path[0]))
		return "EACCES, EPERM or EOPNOTSUPP";
	/* The kernel asks for the right to search the directory before it refuses to leave it by "..". */
	if (call->number == SYS_openat2 && strstr(actor->path[0].text, "..") && (err == EACCES || err == EXDEV || err == ENOTDIR))
		return "EACCES, EXDEV or ENOTDIR";
	/* Of a last name that is too long the kernel says so when it has come to look for it. */
	if ((is_rename(call) || call_opens(call) || strncmp(call->name, "unlink", 6) == 0) && (too_long(&actor->path[0]) || too_long(&actor->path[1])))
		return "an error where a name is too long";
	/* "... and gets no new name (EXDEV)"; where it could have none anyway, the kernel says that. */
	if (is_link(call) && (err == EXDEV || err == ENOENT || err == EPERM))
		return "EXDEV, ENOENT or EPERM";
	/* A directory that is gone may not be cut; usher says that of all that has no name. */
	if (call->number == SYS_truncate && dot_last(&actor->path[0]) && (err == EISDIR || err == EACCES))
		return "EISDIR or EACCES";
	return strerrorname_np(err) ? strerrorname_np(err) : "an unknown error";
}
