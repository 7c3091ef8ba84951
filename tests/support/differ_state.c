/* What is no file call but decides how those end: credentials, masks, limits, descriptors; and processes. */
#include "differ_call.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void result(struct actor *actor, long value)
{
	if (value < 0)
		fprintf(actor->out, "= %s", strerrorname_np(errno));
	else
		fprintf(actor->out, "= %ld", value);
}

static void do_umask(struct actor *actor)
{
	static const mode_t masks[] = { 022, 0, 077, 027, 0777, 0222 };
	mode_t mask = masks[rng_below(&actor->rng, COUNT(masks))];
	fprintf(actor->out, "umask %o ", mask);
	result(actor, (long)umask(mask));
}

static void do_write(struct actor *actor)
{
	int slot = slot_pick(actor);
	size_t len = rng_below(&actor->rng, 60);
	memset(actor->mem[2], 'w', len);
	fprintf(actor->out, "write s%d=%d %zu ", slot, actor->slot[slot], len);
	if (slot == 10)
		return;
	result(actor, write(actor->slot[slot], actor->mem[2], len));
}

static void do_read(struct actor *actor)
{
	int slot = slot_pick(actor);
	struct stat st;
	fprintf(actor->out, "read s%d=%d ", slot, actor->slot[slot]);
	/* A pipe would wait, or hold what depends on who came first. */
	if (slot == 10 || fstat(actor->slot[slot], &st) < 0 || !S_ISREG(st.st_mode))
		return;
	ssize_t n = read(actor->slot[slot], actor->mem[2], 30);
	result(actor, n);
	if (n > 0) {
		fputc(' ', actor->out);
		put_text(actor->out, (char *)actor->mem[2], (size_t)n);
	}
}

static void do_seek(struct actor *actor)
{
	int slot = slot_pick(actor);
	long to = (long)rng_below(&actor->rng, 100);
	fprintf(actor->out, "lseek s%d=%d %ld ", slot, actor->slot[slot], to);
	result(actor, lseek(actor->slot[slot], to, SEEK_SET) < 0 ? -1 : 0);
}

static void do_close(struct actor *actor)
{
	int slot = 1 + (int)rng_below(&actor->rng, SLOTS - 1);
	if (slot == 10)
		slot = 1;
	fprintf(actor->out, "close s%d=%d ", slot, actor->slot[slot]);
	result(actor, close(actor->slot[slot]));
	actor->slot[slot] = -1;
}

static void do_dup(struct actor *actor)
{
	int from = slot_pick(actor), to = 11 + (int)rng_below(&actor->rng, SLOTS - 11);
	fprintf(actor->out, "dup s%d=%d to s%d ", from, actor->slot[from], to);
	int fd = dup(actor->slot[from]);
	result(actor, fd);
	if (fd < 0)
		return;
	if (actor->slot[to] >= 0)
		close(actor->slot[to]);
	actor->slot[to] = fd;
}

static void do_setfl(struct actor *actor)
{
	/* Nothing that waits: copies of the inotify descriptor are anywhere. */
	static const int flags[] = { O_NONBLOCK, O_NOATIME | O_NONBLOCK, O_APPEND | O_NONBLOCK };
	int slot = slot_pick(actor), flag = flags[rng_below(&actor->rng, COUNT(flags))];
	fprintf(actor->out, "fcntl s%d=%d F_SETFL %o ", slot, actor->slot[slot], flag);
	result(actor, fcntl(actor->slot[slot], F_SETFL, flag));
}

static void do_list(struct actor *actor)
{
	int slot = slot_pick(actor);
	uint64_t sum = 0;
	unsigned n = 0;
	ssize_t len;
	fprintf(actor->out, "getdents64 s%d=%d ", slot, actor->slot[slot]);
	(void)lseek(actor->slot[slot], 0, SEEK_SET);
	while ((len = syscall(SYS_getdents64, actor->slot[slot], actor->mem[2], MEM_SIZE)) > 0)
		for (ssize_t at = 0; at < len; n++) {
			struct dirent64 *entry = (struct dirent64 *)(void *)(actor->mem[2] + at);
			sum += hash_bytes(entry->d_type, entry->d_name, strlen(entry->d_name));
			at += entry->d_reclen;
		}
	result(actor, len);
	fprintf(actor->out, " %u names %llx", n, (unsigned long long)sum);
}

static void do_events(struct actor *actor)
{
	fprintf(actor->out, "inotify ");
	ssize_t n = read(actor->slot[10], actor->mem[2], MEM_SIZE);
	if (actor->events_seen != unsure->events) {
		actor->events_seen = unsure->events;
		return;
	}
	if (n < 0)
		fprintf(actor->out, "= %s", strerrorname_np(errno));
	for (ssize_t at = 0; at < n;) {
		struct inotify_event *event = (void *)(actor->mem[2] + at);
		see_numberless(event->name, event->len);
		fprintf(actor->out, "%d:%x ", event->wd, event->mask);
		if (event->len)
			put_text(actor->out, event->name, strlen(event->name));
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

/* The raw calls: of this thread alone. The saved ids stay, to come back by. */
static void do_ids(struct actor *actor)
{
	static const uid_t users[] = { 0, 0, 0, 1234, 99 };
	uid_t user = users[rng_below(&actor->rng, COUNT(users))], group = users[rng_below(&actor->rng, COUNT(users))];
	gid_t groups[3] = { 99, 1234, 5 };
	size_t n_groups = rng_below(&actor->rng, 4);
	bool fs_only = rng_one(&actor->rng, 3);
	if (!actor->root_user) {
		user = group = geteuid();
		n_groups = 0;
	}
	actor->other_ids |= actor->root_user;	/* some capabilities stay away */
	fprintf(actor->out, "%s %u:%u groups %zu ", fs_only ? "setfsuid" : "setresuid", user, group, n_groups);
	if (actor->root_user && syscall(SYS_setresuid, 0, 0, -1) < 0)
		die("root again");
	if (actor->root_user)
		(void)syscall(SYS_setgroups, n_groups, groups);
	if (fs_only) {
		(void)syscall(SYS_setfsgid, group);
		fprintf(actor->out, "= %ld", syscall(SYS_setfsuid, user));
	} else {
		uid_t real = rng_one(&actor->rng, 2) ? (uid_t)-1 : users[rng_below(&actor->rng, COUNT(users))];
		long value = syscall(SYS_setresgid, -1, group, -1);
		if (!actor->root_user)
			real = (uid_t)-1;
		fprintf(actor->out, "real %d ", (int)real);
		result(actor, value ? value : syscall(SYS_setresuid, real, user, -1));
	}
}

/* Of this thread, and until its ids change next. */
static void do_capabilities(struct actor *actor)
{
	static const uint32_t without[] = { 0, 1U << CAP_DAC_OVERRIDE, 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH | 1U << CAP_FOWNER, UINT32_MAX };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uint32_t less = without[rng_below(&actor->rng, COUNT(without))];
	fprintf(actor->out, "capset without %x ", less);
	if (syscall(SYS_capget, &header, data) < 0)
		die("capget");
	for (int i = 0; i < 2; i++)
		data[i].effective = i && less + 1 ? data[i].permitted : data[i].permitted & ~less;
	actor->other_ids = true;
	result(actor, syscall(SYS_capset, &header, data));
}

static void do_socket(struct actor *actor)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	bool connects = rng_one(&actor->rng, 2), datagram = rng_one(&actor->rng, 2);
	int fd = socket(AF_UNIX, (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	fprintf(actor->out, "%s%s ", connects ? "connect" : "bind", datagram ? " datagrams" : "");
	path_make(actor, 0);
	if (fd < 0 || actor->path[0].unusable || own_fd(actor, &actor->path[0]) || actor->path[0].len > sizeof(address.sun_path)) {
		close(fd);
		return;
	}
	memcpy(address.sun_path, actor->path[0].text, actor->path[0].len);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + actor->path[0].len);
	fputc(' ', actor->out);
	result(actor, connects ? connect(fd, (struct sockaddr *)&address, len) : bind(fd, (struct sockaddr *)&address, len));
	close(fd);
}

static void do_descriptor_limit(struct actor *actor)
{
	static const rlim_t limits[] = { 1024, 1024, 30, 40, 45, 3, 0 };
	struct rlimit limit;
	rlim_t to = limits[rng_below(&actor->rng, COUNT(limits))];
	getrlimit(RLIMIT_NOFILE, &limit);
	fprintf(actor->out, "RLIMIT_NOFILE %lu ", (unsigned long)to);
	if (actor->alone)
		return;
	limit.rlim_cur = to;
	result(actor, setrlimit(RLIMIT_NOFILE, &limit));
}

static void do_size_limit(struct actor *actor)
{
	static const rlim_t limits[] = { RLIM_INFINITY, RLIM_INFINITY, 1000, 10, 0 };
	struct rlimit limit;
	rlim_t to = limits[rng_below(&actor->rng, COUNT(limits))];
	getrlimit(RLIMIT_FSIZE, &limit);
	fprintf(actor->out, "RLIMIT_FSIZE %ld ", (long)to);
	if (actor->alone)
		return;
	limit.rlim_cur = to;
	result(actor, setrlimit(RLIMIT_FSIZE, &limit));
}

static void do_home(struct actor *actor)
{
	fprintf(actor->out, "chdir home ");
	result(actor, chdir(actor->root));
}

static const struct {
	void (*run)(struct actor *actor);
	unsigned weight;
} states[] = {
	{ do_umask, 3 }, { do_write, 3 }, { do_read, 3 }, { do_seek, 1 }, { do_close, 4 }, { do_dup, 2 }, { do_setfl, 1 }, { do_list, 3 },
	{ do_events, 2 }, { do_ids, 4 }, { do_capabilities, 1 }, { do_socket, 4 }, { do_descriptor_limit, 2 }, { do_size_limit, 2 }, { do_home, 6 },
};

void state_step(struct actor *actor)
{
	unsigned total = 0, at;
	for (size_t i = 0; i < COUNT(states); i++)
		total += states[i].weight;
	at = rng_below(&actor->rng, total);
	for (size_t i = 0;; at -= states[i++].weight)
		if (at < states[i].weight)
			return states[i].run(actor);
}

void actor_step(struct actor *actor)
{
	if (rng_one(&actor->rng, 40))
		process_step(actor);
	else if (rng_one(&actor->rng, 7))
		state_step(actor);
	else
		call_step(actor);
}
