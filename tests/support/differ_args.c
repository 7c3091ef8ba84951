/* Arguments: what programs pass, what they pass by mistake, and what only a test would. */
#include "differ_args.h"

#include <linux/openat2.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <utime.h>

void args_put(struct made *made, long value)
{
	made->arg[made->n++] = value;
}

long args_int(struct actor *actor, int value)
{
	long wide = rng_one(&actor->rng, 2) ? (long)value : (long)(unsigned)value;
	if (rng_one(&actor->rng, 24))
		wide ^= (long)UINT64_C(0x5a5a5a5a00000000);
	return wide;
}

uint32_t args_bits(struct rng *rng, const uint32_t *bits, size_t n, unsigned chance)
{
	uint32_t all = 0;
	for (size_t i = 0; i < n; i++)
		if (rng_one(rng, chance))
			all |= bits[i];
	return all;
}
static void make_dirfd(struct actor *actor, struct made *made, bool second)
{
	int slot, fd;
	if (!second)
		made->slot = -1;
	switch (rng_below(&actor->rng, 16)) {
	case 0:
		fd = rng_one(&actor->rng, 2) ? 999 : -1;
		break;
	case 1: case 2: case 3: case 4: case 5: case 6:
		slot = slot_pick(actor);
		fd = actor->slot[slot];
		if (!second)
			made->slot = slot;
		fprintf(actor->out, "s%d=", slot);
		break;
	default:
		fd = AT_FDCWD;
		break;
	}
	fprintf(actor->out, "%d ", fd);
	args_put(made, args_int(actor, fd));
}

static void make_fd(struct actor *actor, struct made *made)
{
	int slot = slot_pick(actor), fd = actor->slot[slot];
	made->slot = slot;
	fprintf(actor->out, "s%d=%d ", slot, fd);
	args_put(made, args_int(actor, fd));
}

static uint32_t open_flags(struct rng *rng)
{
	static const uint32_t usual[] = {
		O_RDONLY, O_RDONLY | O_DIRECTORY, O_WRONLY, O_RDWR, O_WRONLY | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_WRONLY | O_CREAT | O_TRUNC,
		O_RDONLY | O_NOFOLLOW, O_WRONLY | O_APPEND, O_PATH, O_PATH | O_NOFOLLOW, O_RDWR | O_TMPFILE, O_RDONLY | O_CREAT,
	}, bits[] = {
		O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK, O_DSYNC, O_SYNC & ~O_DSYNC, O_ASYNC, O_DIRECT, 0100000,
		O_DIRECTORY, O_NOFOLLOW, O_NOATIME, O_CLOEXEC, O_PATH, O_TMPFILE & ~O_DIRECTORY,
	};
	uint32_t flags = usual[rng_below(rng, COUNT(usual))];
	if (rng_one(rng, 3))
		flags |= O_CLOEXEC;
	if (rng_one(rng, 4))
		flags |= PICK_BITS(rng, bits, 10);
	if (rng_one(rng, 40))
		flags |= 1U << rng_below(rng, 32);
	return flags;
}

static int mode(struct rng *rng)
{
	static const uint16_t usual[] = { 0644, 0755, 0600, 0777, 0700, 0000, 0444, 02755, 01777, 04711, 0070, 0007, 06777 };
	int value = usual[rng_below(rng, COUNT(usual))];
	return rng_one(rng, 20) ? (int)rng_next(rng) & 0x1ffff : value;
}

static void make_how(struct actor *actor, struct made *made)
{
	static const uint32_t resolve[] = { RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT };
	struct rng *rng = &actor->rng;
	struct open_how how = { .flags = open_flags(rng) };
	static const uint16_t sizes[] = { 24, 0, 23, 25, 32, 4096, 4097 };
	size_t size = sizes[rng_one(rng, 12) ? rng_below(rng, COUNT(sizes)) : 0], space = size > sizeof(how) ? size : sizeof(how);
	how.flags &= ~(uint64_t)O_PATH;		/* fidelity: openat2 with O_PATH answers ENOSYS */
	if (how.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) || rng_one(rng, 20))
		how.mode = (uint64_t)mode(rng);
	if (rng_one(rng, 2))
		how.resolve = PICK_BITS(rng, resolve, 4);
	if (rng_one(rng, 60))
		how.flags |= UINT64_C(1) << (32 + rng_below(rng, 32));
	if (rng_one(rng, 60))
		how.resolve |= UINT64_C(1) << (6 + rng_below(rng, 58));
	char *at = memory_edge(actor, 3, space);
	memset(at, rng_one(rng, 4) ? 1 : 0, space);
	memcpy(at, &how, sizeof(how));
	made->flags = (int)how.flags;
	made->in_root = how.resolve & RESOLVE_IN_ROOT;
	fprintf(actor->out, "{%llo %llo %llx} %zu%s ", (unsigned long long)how.flags, (unsigned long long)how.mode,
		(unsigned long long)how.resolve, size, space > sizeof(how) && at[sizeof(how)] ? "+" : "");
	args_put(made, rng_one(rng, 40) ? 0 : (long)(uintptr_t)at);
	args_put(made, (long)size);
}

static void make_at_flags(struct actor *actor, struct made *made)
{
	static const uint32_t bits[] = { AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH };
	struct rng *rng = &actor->rng;
	uint32_t flags = 0;
	if (rng_one(rng, 2))
		flags = bits[rng_below(rng, COUNT(bits))];
	if (actor->path[0].len == 0)
		flags |= rng_one(rng, 6) ? 0 : AT_EMPTY_PATH;
	if (rng_one(rng, 4))
		flags |= PICK_BITS(rng, bits, 4);
	if (rng_one(rng, 60))
		flags |= 1U << rng_below(rng, 32);
	made->empty_path = flags & AT_EMPTY_PATH;
	fprintf(actor->out, "at %x ", flags);
	args_put(made, args_int(actor, (int)flags));
}

void args_buffer(struct actor *actor, struct made *made, size_t len)
{
	made->size = len;
	made->buffer = memory_edge(actor, 2, len);
	memset(made->buffer, 0xaa, len);
	if (rng_one(&actor->rng, 40)) {
		fprintf(actor->out, "bad ");
		made->buffer = NULL;
		args_put(made, rng_one(&actor->rng, 2) ? 0 : (long)(uintptr_t)memory_edge(actor, 2, len / 2));
		return;
	}
	args_put(made, (long)(uintptr_t)made->buffer);
}

void args_input(struct actor *actor, struct made *made, const void *bytes, size_t len)
{
	void *at = memory_edge(actor, 3, len);
	memcpy(at, bytes, len);
	if (rng_one(&actor->rng, 50)) {
		fprintf(actor->out, "bad ");
		at = memory_edge(actor, 3, len / 2);
	}
	args_put(made, (long)(uintptr_t)at);
}

static int64_t some_second(struct rng *rng)
{
	static const int64_t seconds[] = { 0, 1, 86400, 500000000, 999999999, -1, 5000000000, 123456 };
	return seconds[rng_below(rng, COUNT(seconds))];
}

static void make_timespecs(struct actor *actor, struct made *made)
{
	static const long parts[] = { 0, 0, 1, 999999999, UTIME_NOW, UTIME_OMIT, 1000000000, -1 };
	struct timespec times[2];
	struct rng *rng = &actor->rng;
	if (rng_one(rng, 5)) {
		fprintf(actor->out, "NULL ");
		return args_put(made, 0);
	}
	for (int i = 0; i < 2; i++) {
		times[i] = (struct timespec){ .tv_sec = some_second(rng), .tv_nsec = parts[rng_below(rng, COUNT(parts))] };
		fprintf(actor->out, "%lld.%ld ", (long long)times[i].tv_sec, times[i].tv_nsec);
	}
	args_input(actor, made, times, sizeof(times));
}

static void make_timevals(struct actor *actor, struct made *made)
{
	static const long parts[] = { 0, 0, 1, 999999, 1000000, -1 };
	struct timeval times[2];
	struct rng *rng = &actor->rng;
	if (rng_one(rng, 5)) {
		fprintf(actor->out, "NULL ");
		return args_put(made, 0);
	}
	for (int i = 0; i < 2; i++) {
		times[i] = (struct timeval){ .tv_sec = some_second(rng), .tv_usec = parts[rng_below(rng, COUNT(parts))] };
		fprintf(actor->out, "%lld.%ld ", (long long)times[i].tv_sec, (long)times[i].tv_usec);
	}
	args_input(actor, made, times, sizeof(times));
}

static void make_utimbuf(struct actor *actor, struct made *made)
{
	struct utimbuf times = { .actime = some_second(&actor->rng), .modtime = some_second(&actor->rng) };
	fprintf(actor->out, "%lld %lld ", (long long)times.actime, (long long)times.modtime);
	args_input(actor, made, &times, sizeof(times));
}

static void make_statx_mask(struct actor *actor, struct made *made)
{
	static const uint32_t masks[] = { 0x7ff, 0, 0xfff, 0x1fff, STATX_BASIC_STATS, STATX_TYPE, STATX_SIZE, STATX_BTIME, 0xffffffff, 0x80000000, 0x1000, 0x3fff };
	uint32_t mask = masks[rng_below(&actor->rng, COUNT(masks))];
	fprintf(actor->out, "mask %x ", mask);
	args_put(made, args_int(actor, (int)mask));
}

static void make_inotify(struct actor *actor, struct made *made)
{
	int fd = actor->slot[10];
	if (rng_one(&actor->rng, 10))
		fd = rng_one(&actor->rng, 2) ? actor->slot[slot_pick(actor)] : 999;
	fprintf(actor->out, "%d ", fd);
	args_put(made, args_int(actor, fd));
}

static void make_inotify_mask(struct actor *actor, struct made *made)
{
	static const uint32_t bits[] = {
		IN_ALL_EVENTS, IN_ATTRIB, IN_CREATE | IN_DELETE, IN_ONLYDIR, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_MASK_ADD, IN_MASK_CREATE, IN_ONESHOT, IN_MODIFY,
		IN_OPEN | IN_CLOSE, 1 << 20,
	};
	uint32_t mask = PICK_BITS(&actor->rng, bits, 4);
	fprintf(actor->out, "mask %x ", mask);
	args_put(made, args_int(actor, (int)mask));
}

static void make_marks(struct actor *actor, struct made *made)
{
	int fd = actor->marks;
	if (rng_one(&actor->rng, 10))
		fd = rng_one(&actor->rng, 2) ? actor->slot[slot_pick(actor)] : 999;
	fprintf(actor->out, "%d ", fd);
	args_put(made, args_int(actor, fd));
}

/* Flags and mask. Not of mounts and file systems: those are refused. */
static void make_marks_mask(struct actor *actor, struct made *made)
{
	static const uint32_t commands[] = { FAN_MARK_ADD, FAN_MARK_ADD, FAN_MARK_ADD, FAN_MARK_REMOVE, FAN_MARK_FLUSH, 0, 3 }, flags[] = {
		FAN_MARK_DONT_FOLLOW, FAN_MARK_ONLYDIR, FAN_MARK_IGNORED_MASK, FAN_MARK_IGNORED_SURV_MODIFY, FAN_MARK_EVICTABLE, FAN_MARK_IGNORE, 1 << 20,
	}, bits[] = { FAN_OPEN, FAN_CLOSE, FAN_MODIFY, FAN_ATTRIB, FAN_CREATE, FAN_DELETE_SELF, FAN_ONDIR, FAN_EVENT_ON_CHILD, FAN_OPEN_PERM, 1 << 24 };
	struct rng *rng = &actor->rng;
	uint32_t flag = commands[rng_below(rng, COUNT(commands))] | PICK_BITS(rng, flags, 6);
	uint32_t mask = PICK_BITS(rng, bits, 4);
	if (rng_one(rng, 2))
		mask &= FAN_OPEN | FAN_CLOSE | FAN_MODIFY;
	fprintf(actor->out, "marks %x mask %x ", flag, mask);
	args_put(made, args_int(actor, (int)flag));
	args_put(made, (long)mask);
}

/* 20 bytes of numbers follow; how many the kernel needs is an answer too. */
static void make_handle(struct actor *actor, struct made *made)
{
	static const uint32_t sizes[] = { 128, 128, 0, 1, 8, 129 };
	uint32_t size = sizes[rng_below(&actor->rng, COUNT(sizes))];
	fprintf(actor->out, "handle %u ", size);
	args_buffer(actor, made, 8 + 136);
	memcpy(memory_edge(actor, 2, 8 + 136), &size, sizeof(size));
	int *mount = memory_edge(actor, 3, 8);	/* 64 bits of it are asked for by a flag */
	memset(mount, 0xaa, 8);
	args_put(made, (long)(uintptr_t)mount);
}

static void make_type_and_mode(struct actor *actor, struct made *made)
{
	static const mode_t types[] = { 0, S_IFREG, S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFDIR, S_IFLNK, 0150000 };
	unsigned value = types[rng_below(&actor->rng, COUNT(types))] | (unsigned)mode(&actor->rng);
	fprintf(actor->out, "mode %o ", value);
	args_put(made, args_int(actor, (int)value));
}

static void make_device(struct actor *actor, struct made *made)
{
	/* Nothing that a block device could be: opened, it might be written. */
	const unsigned devices[] = { 0, (unsigned)makedev(1, 3), (unsigned)makedev(1, 5), (unsigned)makedev(1, 7), 0xfff00000 };
	unsigned device = devices[rng_below(&actor->rng, COUNT(devices))];
	if ((made->arg[made->n - 1] & S_IFMT) == S_IFBLK)
		device = 0;
	fprintf(actor->out, "device %x ", device);
	args_put(made, args_int(actor, (int)device));
}

static void make_small(struct actor *actor, struct made *made, char letter)
{
	static const int ids[] = { -1, -1, 0, 1234, 99, 65534, -2 };
	static const int64_t lengths[] = { 0, 1, 100, 5000, 1 << 20, -1, INT64_MAX, INT64_C(1) << 40 };
	static const int modes[] = { 0, 1, 2, 4, 6, 7, 8, -1 };
	struct rng *rng = &actor->rng;
	int value = 0;
	switch (letter) {
	case 'm':
		value = mode(rng);
		fprintf(actor->out, "mode %o ", value);
		break;
	case 'a':
		value = modes[rng_below(rng, rng_one(rng, 10) ? COUNT(modes) : 6)];
		break;
	case 'u':
		value = ids[rng_below(rng, COUNT(ids))];
		break;
	case 'R':
		value = rng_one(rng, 2) ? 0 : (int)rng_below(rng, rng_one(rng, 4) ? 16 : 5);
		break;
	case 'o':
		value = made->flags = (int)open_flags(rng);
		fprintf(actor->out, "flags %o ", value);
		break;
	default:
		args_put(made, lengths[rng_below(rng, COUNT(lengths) - (rng_one(rng, 2) ? 3 : 0))]);
		fprintf(actor->out, "%ld ", made->arg[made->n - 1]);
		return;
	}
	if (!strchr("mo", letter))
		fprintf(actor->out, "%d ", value);
	args_put(made, args_int(actor, value));
}

void args_make(struct actor *actor, struct made *made, char letter)
{
	static const int sizes[] = { 4096, 4096, 4096, 1, 5, 0, -1 };
	int size;
	switch (letter) {
	case 'd': case 'D':
		return make_dirfd(actor, made, letter == 'D');
	case 'f':
		return make_fd(actor, made);
	case 'p': case 'q':
		path_make(actor, letter == 'q');
		fputc(' ', actor->out);
		return args_put(made, (long)(uintptr_t)actor->path[letter == 'q'].addr);
	case 't':
		path_target(actor, 0);
		fputc(' ', actor->out);
		return args_put(made, (long)(uintptr_t)actor->path[0].addr);
	case 'O':
		return make_how(actor, made);
	case 'A':
		return make_at_flags(actor, made);
	case 'T':
		return make_timespecs(actor, made);
	case 'V':
		return make_timevals(actor, made);
	case 'U':
		return make_utimbuf(actor, made);
	case 's':
		return args_buffer(actor, made, sizeof(struct stat));
	case 'x':
		return args_buffer(actor, made, sizeof(struct statx));
	case 'F':
		return args_buffer(actor, made, sizeof(struct statfs));
	case 'b':
		size = sizes[rng_below(&actor->rng, COUNT(sizes))];
		fprintf(actor->out, "size %d ", size);
		args_buffer(actor, made, size > 0 ? (size_t)size : 1);
		return args_put(made, args_int(actor, size));
	case 'M':
		return make_statx_mask(actor, made);
	case 'N': case 'v': case 'w': case 'e': case 'E': case 'c': case 'C':
		return args_xattr(actor, made, letter);
	case 'i':
		return make_inotify(actor, made);
	case 'I':
		return make_inotify_mask(actor, made);
	case 'g':
		return make_marks(actor, made);
	case 'y':
		return make_marks_mask(actor, made);
	case 'h':
		return make_handle(actor, made);
	case 'k':
		return make_type_and_mode(actor, made);
	case 'r':
		return make_device(actor, made);
	default:
		return make_small(actor, made, letter);
	}
}
