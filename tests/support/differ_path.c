/* Names as arguments: of the tree, of procfs, odd ones, and such as cannot be read. */
#include "differ.h"

#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONG_255 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define NNN LONG_255 LONG_255 LONG_255 LONG_255 "nnn"

static const char *const dirs[] = {
	"d", "d", "d/e", "d/e/k", "closed", "sticky", "setgid", "acl", "hollow", "\xff\xfe", "noread", "l.d", "l.absd", "l.dslash", "l.self", "d/up",
	"l.cwd", "sticky/l.e", "new1", "new2", "d/new1", ".", "f", "missing", "l.loop", "l.dang", "d/e/..", "l.root",
};
static const char *const names[] = {
	"f", "f", "g", "hard", "ro", "none", "suid", "sgid", "x", "script", "d", "e", "k", "closed", "sticky", "setgid", "acl", "hollow", "noread",
	"l.f", "l.d", "l.dang", "l.far", "l.none", "l.loop", "l.a", "l.wind", "l.fslash", "l.dslash", "up", "l.self", "l.cwd", "l.abs", "l.absd",
	"l.e", "l.closed", "l.fifo", "fifo", "sock", "null", "block", "\xff\xfe", "\xc3", "a b\n", "new", "new", "new1", "new1", "new2", "new3", "a", "b",
	"c38", "c39", "c40", NNN, NNN "n",
};
static const char *const plain[] = {	/* absolute, and the same wherever it is looked at */
	"/", "//", "/..", "/usr/bin/../lib", "/etc/passwd", "/dev/null", "/proc/self/exe", "/proc/self/status", "/proc/thread-self/status",
	"/proc/thread-self/cwd", "/proc/self/root", "/proc/self/fd", "/dev/fd", "/proc/self/nothing", "/nothing", "/dev/null/x",
};

static const char *any(struct rng *rng, const char *const *list, size_t n)
{
	return list[rng_below(rng, (uint32_t)n)];
}
#define ANY(rng, list) any(rng, list, COUNT(list))

void actor_memory(struct actor *actor)
{
	for (size_t i = 0; i < COUNT(actor->mem); i++) {
		actor->mem[i] = mmap(NULL, MEM_SIZE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (actor->mem[i] == MAP_FAILED || mprotect(actor->mem[i] + MEM_SIZE, 4096, PROT_NONE) < 0)
			die("memory");
	}
}

void *memory_edge(const struct actor *actor, int which, size_t len)
{
	return actor->mem[which] + MEM_SIZE - len;
}

static int slot_open(const struct actor *actor, const char *name, int flags)
{
	char path[PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/%s", actor->root, name);
	return open(path, flags | O_CLOEXEC);
}

void actor_slots(struct actor *actor)
{
	static const struct {
		const char *name;
		int flags;
	} first[] = {
		{ ".", O_RDONLY | O_DIRECTORY }, { "d", O_PATH }, { "f", O_RDWR }, { "f", O_PATH }, { "l.f", O_PATH | O_NOFOLLOW },
		{ "d/e", O_RDONLY }, { "sticky", O_RDONLY }, { "fifo", O_RDWR | O_NONBLOCK }, { "d/g", O_RDONLY }, { "hollow", O_RDONLY | O_DIRECTORY },
	};
	char name[PATH_MAX + 32];
	for (size_t i = 0; i < SLOTS; i++)
		actor->slot[i] = i < COUNT(first) ? slot_open(actor, first[i].name, first[i].flags) : -1;
	actor->slot[10] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	actor->marks = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);
	/* Deleted ones. */
	snprintf(name, sizeof(name), "dead%u", actor->number);
	if (mkdirat(actor->slot[0], name, 0755) < 0)
		die(name);
	actor->slot[11] = slot_open(actor, name, O_RDONLY | O_DIRECTORY);
	(void)unlinkat(actor->slot[0], name, AT_REMOVEDIR);
	actor->slot[12] = openat(actor->slot[0], name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	(void)unlinkat(actor->slot[0], name, 0);
	/* 13 begins empty. */
}

int slot_pick(struct actor *actor)
{
	return (int)rng_below(&actor->rng, SLOTS);
}

static void add(struct path *path, const char *text)
{
	size_t len = strlen(text), room = sizeof(path->text) - 1 - path->len;
	len = len < room ? len : room;
	memcpy(path->text + path->len, text, len + 1);
	path->text[path->len + len] = '\0';
	path->len += len;
}

static void add_deep(struct actor *actor, struct path *path)
{
	char name[LONG_NAME + 2];
	unsigned levels = rng_one(&actor->rng, 2) ? DEEP_LEVELS : 1 + rng_below(&actor->rng, DEEP_LEVELS);
	memset(name, 'D', LONG_NAME);
	memcpy(name + LONG_NAME, "/", 2);
	for (unsigned i = 0; i < levels; i++)
		add(path, name);
	add(path, rng_one(&actor->rng, 2) ? "f" : ANY(&actor->rng, names));
}

/* Below where the path has come, or from where it begins. */
static void add_tree(struct actor *actor, struct path *path)
{
	struct rng *rng = &actor->rng;
	switch (rng_below(rng, 24)) {
	case 0:
		return add_deep(actor, path);
	case 1:
		return add(path, "..");
	case 2:
		return add(path, ".");
	case 3:
		add(path, ANY(rng, dirs));
		return add(path, "/..");
	case 4:
		add(path, ANY(rng, dirs));
		return add(path, rng_one(rng, 2) ? "/." : "//");
	case 5:
		add(path, "../");
		break;
	case 6:
		add(path, rng_one(rng, 2) ? "./" : ".//");
		break;
	case 7:
		add(path, ANY(rng, dirs));
		add(path, "/../");
		break;
	case 8: case 9: case 10: case 11: case 12: case 13:
		add(path, ANY(rng, dirs));
		add(path, rng_one(rng, 10) ? "//" : "/");
		break;
	case 14:
		add(path, ANY(rng, dirs));
		add(path, "/");
		add(path, ANY(rng, names));
		add(path, "/");
		break;
	default:
		break;
	}
	add(path, ANY(rng, names));
	if (rng_one(rng, 12))
		add(path, rng_one(rng, 3) ? "//" : rng_one(rng, 3) ? "/." : "/");
}

/* Through a descriptor of ours. */
static void add_magic(struct actor *actor, struct path *path)
{
	static const char *const roots[] = { "/proc/self/fd/", "/proc/self/fd/", "/dev/fd/", "/proc/thread-self/fd/" };
	char number[16];
	int slot = slot_pick(actor);
	const char *from = ANY(&actor->rng, roots);
	/* Of a thread with descriptors of its own /proc/self means the leader's, whose numbers say nothing of our slots. */
	if (actor->alone || actor->number == 3)
		from = "/proc/thread-self/fd/";
	snprintf(number, sizeof(number), "%d", rng_one(&actor->rng, 30) ? 99 : actor->slot[slot]);
	add(path, from);
	add(path, number);
	path->slot = slot;
	path->ends = !rng_one(&actor->rng, 2);
	if (path->ends) {
		if (rng_one(&actor->rng, 8))
			add(path, "/");
		return;
	}
	add(path, "/");
	add_tree(actor, path);
}

static void add_long(struct actor *actor, struct path *path)
{
	static const uint16_t lengths[] = { 4093, 4094, 4095, 4096, 4097, 4200 };
	size_t want = lengths[rng_below(&actor->rng, COUNT(lengths))];
	const char *end = ANY(&actor->rng, names), *filler = rng_one(&actor->rng, 2) ? "./" : "/";
	if (filler[0] == '/')
		add(path, actor->root);
	while (path->len + strlen(end) + 2 <= want)
		add(path, filler);
	if (path->len + strlen(end) < want)
		add(path, "/");
	add(path, end);
}

static void place(struct actor *actor, struct path *path, int which)
{
	unsigned how = rng_below(&actor->rng, 60);
	path->unusable = path->len == 0 || path->len >= PATH_MAX;
	path->addr = memory_edge(actor, which, path->len + 1);
	memcpy(path->addr, path->text, path->len + 1);
	if (how > 2)
		return;
	path->unusable = true;
	path->slot = -1;
	if (how == 0 || !path->len) {
		path->addr = rng_one(&actor->rng, 3) ? NULL : rng_one(&actor->rng, 2) ? (void *)1 : (void *)UINTPTR_MAX;
	} else if (how == 1) {	/* no end before the end of memory */
		path->addr = memory_edge(actor, which, path->len);
		memcpy(path->addr, path->text, path->len);
	} else {
		path->addr = (void *)UINT64_C(0x8000000000000000);
	}
}

static void show(struct actor *actor, const struct path *path)
{
	uintptr_t addr = (uintptr_t)path->addr;
	if (addr < 4096 || addr >= UINT64_C(0x800000000000))
		fprintf(actor->out, "%#lx", (unsigned long)addr);
	else
		put_text(actor->out, path->text, path->len);
	if (path->unusable && path->len && path->len < PATH_MAX)
		fprintf(actor->out, "(bad)");
}

void path_make(struct actor *actor, int which)
{
	struct path *path = &actor->path[which];
	struct rng *rng = &actor->rng;
	path->len = 0;
	path->text[0] = '\0';
	path->slot = -1;
	path->ends = false;
	switch (rng_below(rng, 32)) {
	case 0:
		break;
	case 1:
		add(path, ANY(rng, plain));
		break;
	case 2: case 3: case 4:
		add_magic(actor, path);
		break;
	case 5:
		add_long(actor, path);
		break;
	case 6: case 7:
		add(path, rng_one(rng, 4) ? "/proc/thread-self/root" : rng_one(rng, 6) ? "//" : "");
		add(path, actor->root);
		add(path, "/");
		add_tree(actor, path);
		break;
	case 8:
		add(path, "/proc/thread-self/cwd/");
		add_tree(actor, path);
		break;
	default:
		add_tree(actor, path);
		break;
	}
	place(actor, path, which);
	show(actor, path);
}

void path_target(struct actor *actor, int which)
{
	static const char *const targets[] = { "f", "d", "d/f", "new1", "../f", "..", ".", "l.f", "/", "/proc/thread-self/cwd/f", "d/e/", "fifo", "new2" };
	struct path *path = &actor->path[which];
	path->len = 0;
	path->text[0] = '\0';
	path->slot = -1;
	if (rng_one(&actor->rng, 12))
		add_long(actor, path);
	else if (!rng_one(&actor->rng, 12))
		add(path, ANY(&actor->rng, targets));
	place(actor, path, which);
	show(actor, path);
}

/* The middle of a long one says nothing. */
void put_text(FILE *out, const char *text, size_t len)
{
	fputc('\'', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (len > 100 && i == 20) {
			fprintf(out, "...%zu...", len);
			i = len - 60;
		}
		fprintf(out, c > 32 && c < 127 && c != '\\' && c != '\'' ? "%c" : "\\x%02x", c);
	}
	fputc('\'', out);
}
