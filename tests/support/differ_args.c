/* Arguments: what programs pass, what they pass by mistake, and what only a test would. */
#include "differ_args.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

static void arg(struct made *made, long value)
{
	made->arg[made->n++] = value;
}

/* The kernel looks at half of it. */
static long int_arg(struct actor *actor, int value)
{
	long wide = rng_one(&actor->rng, 2) ? (long)value : (long)(unsigned)value;
	if (rng_one(&actor->rng, 24))
		wide ^= (long)UINT64_C(0x5a5a5a5a00000000);
	return wide;
}

static uint32_t pick_bits(struct rng *rng, const uint32_t *bits, size_t n, unsigned chance)
{
	uint32_t all = 0;
	for (size_t i = 0; i < n; i++)
		if (rng_one(rng, chance))
			all |= bits[i];
	return all;
}
#define PICK_BITS(rng, bits, chance) pick_bits(rng, bits, COUNT(bits), chance)

static bool is_directory(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
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
	made->wrong_dirfd = second && fd != AT_FDCWD && !is_directory(fd);
	fprintf(actor->out, "%d ", fd);
	arg(made, int_arg(actor, fd));
}

static void make_fd(struct actor *actor, struct made *made)
{
	int slot = slot_pick(actor), fd = actor->slot[slot];
	made->slot = slot;
	fprintf(actor->out, "s%d=%d ", slot, fd);
	arg(made, int_arg(actor, fd));
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
	if (how.resolve & RESOLVE_IN_ROOT)	/* usher compares the mounts of links with the real root's */
		how.resolve &= ~(uint64_t)RESOLVE_NO_XDEV;
	if (rng_one(rng, 60))
		how.flags |= UINT64_C(1) << (32 + rng_below(rng, 32));
	if (rng_one(rng, 60))
		how.resolve |= UINT64_C(1) << (6 + rng_below(rng, 58));
	char *at = memory_edge(actor, 3, space);
	memset(at, rng_one(rng, 4) ? 1 : 0, space);
	memcpy(at, &how, sizeof(how));
	made->flags = (int)how.flags;
	fprintf(actor->out, "{%llo %llo %llx} %zu%s ", (unsigned long long)how.flags, (unsigned long long)how.mode,
		(unsigned long long)how.resolve, size, space > sizeof(how) && at[sizeof(how)] ? "+" : "");
	arg(made, rng_one(rng, 40) ? 0 : (long)(uintptr_t)at);
	arg(made, (long)size);
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
	made->eaccess = flags & AT_EACCESS;
	made->unknown_flags = flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH);
	fprintf(actor->out, "at %x ", flags);
	arg(made, int_arg(actor, (int)flags));
}

/* LEN bytes to be filled at the end of memory, or where none are. */
static void make_buffer(struct actor *actor, struct made *made, size_t len)
{
	made->size = len;
	made->buffer = memory_edge(actor, 2, len);
	memset(made->buffer, 0xaa, len);
	if (rng_one(&actor->rng, 40)) {
		fprintf(actor->out, "bad ");
		made->buffer = NULL;
		arg(made, rng_one(&actor->rng, 2) ? 0 : (long)(uintptr_t)memory_edge(actor, 2, len / 2));
		return;
	}
	arg(made, (long)(uintptr_t)made->buffer);
}

/* Something to be read; or where nothing is. */
static void make_input(struct actor *actor, struct made *made, const void *bytes, size_t len)
{
	void *at = memory_edge(actor, 3, len);
	memcpy(at, bytes, len);
	if (rng_one(&actor->rng, 50)) {
		fprintf(actor->out, "bad ");
		at = memory_edge(actor, 3, len / 2);
	}
	arg(made, (long)(uintptr_t)at);
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
		return arg(made, 0);
	}
	for (int i = 0; i < 2; i++) {
		times[i] = (struct timespec){ .tv_sec = some_second(rng), .tv_nsec = parts[rng_below(rng, COUNT(parts))] };
		fprintf(actor->out, "%lld.%ld ", (long long)times[i].tv_sec, times[i].tv_nsec);
	}
	make_input(actor, made, times, sizeof(times));
}

static void make_timevals(struct actor *actor, struct made *made)
{
	static const long parts[] = { 0, 0, 1, 999999, 1000000, -1 };
	struct timeval times[2];
	struct rng *rng = &actor->rng;
	if (rng_one(rng, 5)) {
		fprintf(actor->out, "NULL ");
		return arg(made, 0);
	}
	for (int i = 0; i < 2; i++) {
		times[i] = (struct timeval){ .tv_sec = some_second(rng), .tv_usec = parts[rng_below(rng, COUNT(parts))] };
		fprintf(actor->out, "%lld.%ld ", (long long)times[i].tv_sec, (long)times[i].tv_usec);
	}
	make_input(actor, made, times, sizeof(times));
}

static void make_utimbuf(struct actor *actor, struct made *made)
{
	struct utimbuf times = { .actime = some_second(&actor->rng), .modtime = some_second(&actor->rng) };
	fprintf(actor->out, "%lld %lld ", (long long)times.actime, (long long)times.modtime);
	make_input(actor, made, &times, sizeof(times));
}

static void make_xattr_name(struct actor *actor, struct made *made)
{
	static const char *const names[] = {
		"user.test", "user.test", "user.other", "user.", "trusted.test", "security.test", "system.posix_acl_access", "system.posix_acl_default",
		"security.capability", "none.test", "user", "", "system.other",
	};
	struct rng *rng = &actor->rng;
	char text[300];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", names[rng_below(rng, COUNT(names))]);
	if (rng_one(rng, 30)) {		/* the longest is 255 */
		len = 255 + rng_below(rng, 2);
		memset(text, 'x', len);
		memcpy(text, "user.", 5);
		text[len] = '\0';
	}
	put_text(actor->out, text, len);
	fputc(' ', actor->out);
	void *at = memory_edge(actor, 1, len + 1);
	memcpy(at, text, len + 1);
	arg(made, rng_one(rng, 60) ? 1 : (long)(uintptr_t)at);
}

/* Value and size; of which a few are ACLs, right and wrong ones. */
static size_t some_value(struct rng *rng, unsigned char *value)
{
	static const unsigned char acl[] = {
		2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 7, 0, 0x39, 5, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255,
		16, 0, 3, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255,
	};
	if (rng_one(rng, 2)) {
		memcpy(value, acl, sizeof(acl));
		if (rng_one(rng, 6))
			value[rng_below(rng, sizeof(acl))] ^= 2;
		return sizeof(acl) - (rng_one(rng, 8) ? 8 : 0);
	}
	memset(value, 'v', 2000);
	return rng_one(rng, 10) ? 2000 : rng_below(rng, 20);
}

static uint32_t xattr_flags(struct rng *rng)
{
	return rng_one(rng, 3) ? rng_below(rng, 4) : rng_one(rng, 40) ? 16 : 0;
}

static void make_xattr_value(struct actor *actor, struct made *made)
{
	unsigned char value[2000];
	size_t len = some_value(&actor->rng, value);
	uint32_t flags = xattr_flags(&actor->rng);
	bool huge = rng_one(&actor->rng, 60);
	fprintf(actor->out, "%llx:%zu%s %x ", (unsigned long long)hash_bytes(0, value, len), len, huge ? " huge" : "", flags);
	make_input(actor, made, value, len);
	arg(made, huge ? 65537 : (long)len);
	arg(made, int_arg(actor, (int)flags));
}

static size_t some_size(struct rng *rng)
{
	static const uint16_t sizes[] = { 1000, 1000, 1000, 0, 1, 5, 12, 44 };
	return sizes[rng_below(rng, COUNT(sizes))];
}

static void make_xattr_buffer(struct actor *actor, struct made *made)
{
	size_t size = some_size(&actor->rng);
	fprintf(actor->out, "size %zu ", size);
	make_buffer(actor, made, size);
	arg(made, (long)size);
}

static void make_xattr_args(struct actor *actor, struct made *made, bool get)
{
	struct {
		uint64_t value;
		uint32_t size, flags;
		uint64_t more;
	} args = { 0 };
	struct made inner = { 0 };
	static const uint8_t sizes[] = { 16, 16, 16, 16, 16, 24, 0, 15 };
	size_t size = sizes[rng_below(&actor->rng, COUNT(sizes))];
	if (get) {
		make_xattr_buffer(actor, &inner);
		inner.arg[2] = rng_one(&actor->rng, 40);
		made->buffer = inner.buffer;
		made->size = inner.size;
	} else {
		unsigned char value[2000];
		size_t len = some_value(&actor->rng, value);
		inner.arg[1] = (long)len;
		inner.arg[2] = (long)xattr_flags(&actor->rng);
		inner.arg[0] = (long)(uintptr_t)memcpy(memory_edge(actor, 2, len), value, len);
		fprintf(actor->out, "%llx:%zu ", (unsigned long long)hash_bytes(0, value, len), len);
	}
	args.value = (uint64_t)inner.arg[0];
	args.size = (uint32_t)inner.arg[1];
	args.flags = (uint32_t)inner.arg[2];
	args.more = rng_one(&actor->rng, 2);
	fprintf(actor->out, "flags %x args %zu/%d ", args.flags, size, (int)args.more);
	make_input(actor, made, &args, size > 16 ? size : 16);
	arg(made, (long)size);
}

static void make_statx_mask(struct actor *actor, struct made *made)
{
	static const uint32_t masks[] = { 0x7ff, 0, 0xfff, 0x1fff, STATX_BASIC_STATS, STATX_TYPE, STATX_SIZE, STATX_BTIME, 0xffffffff, 0x80000000, 0x1000, 0x3fff };
	uint32_t mask = masks[rng_below(&actor->rng, COUNT(masks))];
	fprintf(actor->out, "mask %x ", mask);
	arg(made, int_arg(actor, (int)mask));
}

static void make_inotify(struct actor *actor, struct made *made)
{
	int fd = actor->slot[10];
	made->wrong_inotify = rng_one(&actor->rng, 10);
	if (made->wrong_inotify)
		fd = rng_one(&actor->rng, 2) ? actor->slot[slot_pick(actor)] : 999;
	fprintf(actor->out, "%d ", fd);
	arg(made, int_arg(actor, fd));
}

static void make_inotify_mask(struct actor *actor, struct made *made)
{
	static const uint32_t bits[] = {
		IN_ALL_EVENTS, IN_ATTRIB, IN_CREATE | IN_DELETE, IN_ONLYDIR, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_MASK_ADD, IN_MASK_CREATE, IN_ONESHOT, IN_MODIFY,
		IN_OPEN | IN_CLOSE, 1 << 20,
	};
	uint32_t mask = PICK_BITS(&actor->rng, bits, 4);
	fprintf(actor->out, "mask %x ", mask);
	arg(made, int_arg(actor, (int)mask));
}

/* 20 bytes of numbers follow; how many the kernel needs is an answer too. */
static void make_handle(struct actor *actor, struct made *made)
{
	static const uint32_t sizes[] = { 128, 128, 0, 1, 8, 129 };
	uint32_t size = sizes[rng_below(&actor->rng, COUNT(sizes))];
	fprintf(actor->out, "handle %u ", size);
	make_buffer(actor, made, 8 + 136);
	memcpy(memory_edge(actor, 2, 8 + 136), &size, sizeof(size));
	int *mount = memory_edge(actor, 3, 8);	/* 64 bits of it are asked for by a flag */
	memset(mount, 0xaa, 8);
	arg(made, (long)(uintptr_t)mount);
}

static void make_file_attr(struct actor *actor, struct made *made, bool get)
{
	static const uint32_t bits[] = { FS_XFLAG_NOATIME, FS_XFLAG_NODUMP, FS_XFLAG_SYNC, FS_XFLAG_PROJINHERIT, FS_XFLAG_DAX };
	struct {
		uint64_t xflags;
		uint32_t extsize, nextents, projid, cowextsize;
		uint64_t more;
	} attr = { 0 };
	static const uint8_t sizes[] = { 24, 24, 24, 24, 24, 32, 0, 23 };
	struct rng *rng = &actor->rng;
	size_t size = sizes[rng_below(rng, COUNT(sizes))];
	if (get) {
		fprintf(actor->out, "size %zu ", size);
		make_buffer(actor, made, size);
	} else {
		attr.xflags = PICK_BITS(rng, bits, 4);
		attr.projid = rng_one(rng, 4) ? 7 : 0;
		attr.extsize = rng_one(rng, 10) ? 4096 : 0;
		attr.more = rng_one(rng, 2);
		fprintf(actor->out, "{%llx %u %u} %zu/%d ", (unsigned long long)attr.xflags, attr.projid, attr.extsize, size, (int)attr.more);
		make_input(actor, made, &attr, size > 24 ? size : 24);
	}
	arg(made, (long)size);
}

static void make_type_and_mode(struct actor *actor, struct made *made)
{
	static const mode_t types[] = { 0, S_IFREG, S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFDIR, S_IFLNK, 0150000 };
	unsigned value = types[rng_below(&actor->rng, COUNT(types))] | (unsigned)mode(&actor->rng);
	fprintf(actor->out, "mode %o ", value);
	arg(made, int_arg(actor, (int)value));
}

static void make_device(struct actor *actor, struct made *made)
{
	/* Nothing that a block device could be: opened, it might be written. */
	const unsigned devices[] = { 0, (unsigned)makedev(1, 3), (unsigned)makedev(1, 5), (unsigned)makedev(1, 7), 0xfff00000 };
	unsigned device = devices[rng_below(&actor->rng, COUNT(devices))];
	if ((made->arg[made->n - 1] & S_IFMT) == S_IFBLK)
		device = 0;
	fprintf(actor->out, "device %x ", device);
	arg(made, int_arg(actor, (int)device));
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
		arg(made, lengths[rng_below(rng, COUNT(lengths) - (rng_one(rng, 2) ? 3 : 0))]);
		fprintf(actor->out, "%ld ", made->arg[made->n - 1]);
		return;
	}
	if (!strchr("mo", letter))
		fprintf(actor->out, "%d ", value);
	arg(made, int_arg(actor, value));
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
		return arg(made, (long)(uintptr_t)actor->path[letter == 'q'].addr);
	case 't':
		path_target(actor, 0);
		fputc(' ', actor->out);
		return arg(made, (long)(uintptr_t)actor->path[0].addr);
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
		return make_buffer(actor, made, sizeof(struct stat));
	case 'x':
		return make_buffer(actor, made, sizeof(struct statx));
	case 'F':
		return make_buffer(actor, made, sizeof(struct statfs));
	case 'b':
		size = sizes[rng_below(&actor->rng, COUNT(sizes))];
		fprintf(actor->out, "size %d ", size);
		make_buffer(actor, made, size > 0 ? (size_t)size : 1);
		return arg(made, int_arg(actor, size));
	case 'M':
		return make_statx_mask(actor, made);
	case 'N':
		return make_xattr_name(actor, made);
	case 'v':
		return make_xattr_value(actor, made);
	case 'w':
		return make_xattr_buffer(actor, made);
	case 'e': case 'E':
		return make_xattr_args(actor, made, letter == 'E');
	case 'i':
		return make_inotify(actor, made);
	case 'I':
		return make_inotify_mask(actor, made);
	case 'h':
		return make_handle(actor, made);
	case 'c': case 'C':
		return make_file_attr(actor, made, letter == 'c');
	case 'k':
		return make_type_and_mode(actor, made);
	case 'r':
		return make_device(actor, made);
	default:
		return make_small(actor, made, letter);
	}
}
