/* The arguments of the calls for extended attributes and inode flags. */
#include "differ_args.h"

#include <linux/fs.h>
#include <string.h>

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
	args_put(made, rng_one(rng, 60) ? 1 : (long)(uintptr_t)at);
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
	/* Never none: an empty security.capability anybody may set on any file (Linux 6.18), and nobody can execute it then, this program too. */
	return rng_one(rng, 10) ? 2000 : 1 + rng_below(rng, 20);
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
	args_input(actor, made, value, len);
	args_put(made, huge ? 65537 : (long)len);
	args_put(made, args_int(actor, (int)flags));
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
	args_buffer(actor, made, size);
	args_put(made, (long)size);
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
	args_input(actor, made, &args, size > 16 ? size : 16);
	args_put(made, (long)size);
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
		args_buffer(actor, made, size);
	} else {
		attr.xflags = PICK_BITS(rng, bits, 4);
		attr.projid = rng_one(rng, 4) ? 7 : 0;
		attr.extsize = rng_one(rng, 10) ? 4096 : 0;
		attr.more = rng_one(rng, 2);
		fprintf(actor->out, "{%llx %u %u} %zu/%d ", (unsigned long long)attr.xflags, attr.projid, attr.extsize, size, (int)attr.more);
		args_input(actor, made, &attr, size > 24 ? size : 24);
	}
	args_put(made, (long)size);
}

void args_xattr(struct actor *actor, struct made *made, char letter)
{
	switch (letter) {
	case 'N':
		return make_xattr_name(actor, made);
	case 'v':
		return make_xattr_value(actor, made);
	case 'w':
		return make_xattr_buffer(actor, made);
	case 'c': case 'C':
		return make_file_attr(actor, made, letter == 'c');
	default:
		return make_xattr_args(actor, made, letter == 'E');
	}
}
