/* What an open asks for: which of them are trapped at all, and struct open_how as the kernel reads and checks it. */
#include "calls/open_how.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "calls/open.h"
#include "harden.h"
#include "plan.h"

/* The kernel's number: the C library's is 0 where files are always large. */
#ifdef __x86_64__
#define KERNEL_O_LARGEFILE UINT64_C(0100000)
#else
#define KERNEL_O_LARGEFILE ((uint64_t)__O_LARGEFILE)
#endif
#define FLAGS_VALID \
	((uint64_t)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | \
		    O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE) | KERNEL_O_LARGEFILE)
#define FLAGS_PATH ((uint64_t)(O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC))
#define RESOLVE_VALID \
	((uint64_t)(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | \
		    RESOLVE_CACHED))

/* ---- trapped ---- */

/* openat2(2) has its flags in memory, creat(2) always writes. */
#define NOT_ONLY_READS ((uint64_t)(unsigned)(O_ACCMODE | O_CREAT | O_TRUNC) | TMPFILE_BIT)

static int flag_rows(const struct plan *plan, struct filter_rows *rows, int nr, uint8_t flags)
{
	struct filter_row row = { .nr = nr, .step = FILTER_BROKER, .kind = FILTER_NOTIFY };
	int err = filter_rows_add(rows, &row);

	if (err || !plan->reads)
		return err;
	row.kind = FILTER_ALLOW;
	row.n_tests = 1;
	row.tests[0] = (struct filter_test){ .arg = flags, .mask = NOT_ONLY_READS };
	return filter_rows_add(rows, &row);
}

#ifdef __x86_64__
int open_rows(const struct plan *plan, struct filter_rows *rows)
{
	return flag_rows(plan, rows, SYS_open, 1);
}

bool open_trapped(const struct plan *plan, const uint64_t *args)
{
	return !plan->reads || args[1] & NOT_ONLY_READS;
}
#endif

int openat_rows(const struct plan *plan, struct filter_rows *rows)
{
	return flag_rows(plan, rows, SYS_openat, 2);
}

bool openat_trapped(const struct plan *plan, const uint64_t *args)
{
	return !plan->reads || args[2] & NOT_ONLY_READS;
}

/* ---- fetch ---- */

/* As the kernel's build_open_flags(): what it refuses is refused before the path is looked at. */
static int how_check(struct open_how *how)
{
	if (how->flags & ~FLAGS_VALID || how->resolve & ~RESOLVE_VALID)
		return -EINVAL;
	if ((how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) == (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how_makes(how) ? how->mode & ~UINT64_C(07777) : how->mode)
		return -EINVAL;
	if (how_has(how, O_DIRECTORY | O_CREAT))
		return -EINVAL;
	if (how->flags & TMPFILE_BIT && (!how_has(how, O_DIRECTORY) || !how_writes(how)))
		return -EINVAL;
	if (how_has(how, O_PATH) && how->flags & ~FLAGS_PATH)
		return -EINVAL;
	/* Ours to say at any time: the caller tries again without it. Reading, it changes nothing. */
	if (how->resolve & RESOLVE_CACHED && (how_makes(how) || how_has(how, O_TRUNC)))
		return -EAGAIN;
	how->resolve &= ~(uint64_t)RESOLVE_CACHED;
	if (!how_has(how, O_PATH))
		how->flags |= KERNEL_O_LARGEFILE;
	return 0;
}

static int how_fetch(struct request *req, int dirfd_arg, int path_arg)
{
	struct open_how *how = &req->args.open.how;
	enum name_mode mode = how_has(how, O_NOFOLLOW) ? NAME_NOFOLLOW : NAME_FOLLOW;
	struct name *name = &req->names[req->n_names];
	int err = how_check(how);

	if (err)
		return err;
	if (how_has(how, O_CREAT))
		mode = how->flags & (O_EXCL | O_NOFOLLOW) ? NAME_ENTRY : NAME_CREATE;
	err = fetch_name(req, dirfd_arg, path_arg, mode, false);
	if (err)
		return err;
	name->directory = how_has(how, O_DIRECTORY);
	name->makes = how_has(how, O_CREAT);
	name->resolve = how->resolve;
	if (how->resolve & RESOLVE_IN_ROOT && name->path[0] == '/') {
		/* Begins at dirfd: relative to it. Nothing but slashes is that directory, which need not be searched for it. */
		size_t skip = strspn(name->path, "/");
		memmove(name->path, name->path + skip, name->len - skip + 1);
		if (name->len > skip)
			name->len -= skip;
		else
			name->directory = true;
	}
	return 0;
}

static int open_fetch_old(struct request *req, int dirfd_arg, int path_arg, uint64_t flags, uint64_t mode)
{
	struct open_how *how = &req->args.open.how;

	how->flags = (uint32_t)flags & FLAGS_VALID;
	if (how->flags & O_PATH)
		how->flags &= FLAGS_PATH;
	how->mode = how_makes(how) ? mode & 07777 : 0;
	how->resolve = 0;
	/* Let go on: the kernel copies the path itself, and refuses it itself. */
	if (how->flags & O_PATH)
		return 0;
	return how_fetch(req, dirfd_arg, path_arg);
}

#ifdef __x86_64__
int open_fetch(struct request *req)
{
	return open_fetch_old(req, -1, 0, req->notif.data.args[1], req->notif.data.args[2]);
}

int creat_fetch(struct request *req)
{
	return open_fetch_old(req, -1, 0, O_CREAT | O_WRONLY | O_TRUNC, req->notif.data.args[1]);
}
#endif

int openat_fetch(struct request *req)
{
	return open_fetch_old(req, 0, 1, req->notif.data.args[2], req->notif.data.args[3]);
}

int openat2_fetch(struct request *req)
{
	struct open_how *how = &req->args.open.how;
	uint64_t addr = req->notif.data.args[2], size = req->notif.data.args[3];
	char buf[4096];
	int err;

	if (size < sizeof(*how))
		return -EINVAL;
	if (size > sizeof(buf))
		return -E2BIG;
	err = fetch_bytes(req, addr, buf, (size_t)size);
	if (err)
		return err;
	memcpy(how, buf, sizeof(*how));
	for (uint64_t i = sizeof(*how); i < size; i++)
		if (buf[i])
			return -E2BIG;
	/* Here flags are in memory, so that letting it go on would not mean O_PATH, and ADDFD cannot install such a descriptor:
	 * programs then walk with openat(2). */
	if (how_has(how, O_PATH) && !how_check(how))
		return -ENOSYS;
	return how_fetch(req, 0, 1);
}
