/*
 * The differential fuzzer: tests/support/differ.c natively and under usher, seed by seed; what it prints and the trees that it leaves
 * must be equal. The kept seeds come first, each with what it found; then others for USHER_DIFFER_SECONDS (10) seconds,
 * from USHER_DIFFER_SEED (1) on, of USHER_DIFFER_STEPS (300) steps each.
 *
 * live_differ SEED [STEPS [ONLY [POLICY]]] runs one, and looks for the fewest steps that still make a difference.
 *
 * As root it all happens where everything but the test's own directory is read-only: a call that leaves it can do no harm.
 */
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEPS_MAX 5000
#define HUNG      97		/* a FIFO was opened: then it must hang in both ways */
#define RUNS_MAX  200		/* to find the fewest steps */

/* All of it brokered, and nothing is denied but what is not there: then names are resolved another way. */
static const struct {
	const char *text, *options;
} policies[] = {
	{ "files { default allow; cover all; }\nlimits { capabilities all; }\n", "c" },
	{ "files { default allow; cover all; deny all /nowhere-at-all/**; }\nlimits { capabilities all; }\n", "" },
	{ "files { default allow; cover all; deny write,delete,rename,link /nowhere/at/all; allow ro /usr/ beneath; }\n"
	  "limits { capabilities all; }\n", "" },
	{ "files { default allow; deny all /nowhere-at-all/**; }\nlimits { capabilities all; }\n", "" },
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

/* Each showed something once. */
static const struct {
	unsigned long seed;
	const char *why;
} kept[] = {
	{ 1, "the first" },
	{ 8004515, "readlinkat of a held link of the program's own in /proc, the descriptor of which was closed" },
	{ 11000184, "ftruncate beyond RLIMIT_FSIZE of a descriptor that can neither read nor write is EINVAL" },
	{ 41000279, "rename to a name that is too long, in a directory that is gone and of another mount, is EXDEV" },
	{ 3000144, "rename of .. is EBUSY or ENOENT also where the directory holds usher's files" },
	{ 2026112983, "fanotify_mark with FAN_MARK_ONLYDIR of an O_PATH descriptor of a file is EBADF, not ENOTDIR" },
};

static char scratch[32];

struct run {
	unsigned long seed;
	unsigned steps, policy;
	const char *only;
};

struct answers {
	char *text;		/* what it said, and the tree */
	char **line;
	size_t n;
	int status;
};

static const char *differ(void)
{
	return live_tool("differ");
}

static void native_differ(struct live *live, const char *what)
{
	live_native(live, (const char *const[]){ differ(), what, live->dir, NULL });
	if (live->status)
		fail_msg("differ %s: %d %s", what, live->status, live->err);
}

static struct answers answers_of(struct live *live, const struct run *run, bool usher)
{
	char seed[32], steps[32];
	const char *const argv[] = { differ(), seed, steps, live->dir, run->only, policies[run->policy].options, NULL };
	struct answers answers = { 0 };
	size_t room = 0, len;
	FILE *to = open_memstream(&answers.text, &len);
	snprintf(seed, sizeof(seed), "%lu", run->seed);
	snprintf(steps, sizeof(steps), "%u", run->steps);
	native_differ(live, "clear");
	answers.status = usher ? live_run(live, argv) : live_native(live, argv);
	fprintf(to, "%s%sstatus %d\n", live->out, answers.status ? live->err : "", answers.status);
	native_differ(live, "list");
	fprintf(to, "%s", live->out);
	fclose(to);
	char *rest = answers.text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		if (answers.n == room)
			answers.line = realloc(answers.line, (room = room * 2 + 100) * sizeof(char *));
		answers.line[answers.n++] = line;
	}
	return answers;
}

static void answers_free(struct answers *answers)
{
	free(answers->text);
	free(answers->line);
}

static size_t first_difference(const struct answers *a, const struct answers *b)
{
	size_t i = 0;
	while (i < a->n && i < b->n && strcmp(a->line[i], b->line[i]) == 0)
		i++;
	return i;
}

static const char *line_at(const struct answers *answers, size_t i)
{
	return i < answers->n ? answers->line[i] : "(nothing)";
}

static const char *why_not(const struct answers *answers)
{
	for (size_t i = 0; i < answers->n; i++)
		if (strstr(answers->line[i], "differ cannot"))
			return answers->line[i];
	return "";
}

/* Where two runs differ: the step and whose it was; UINT_MAX if only the trees do. */
struct place {
	unsigned step, actor;
};

/*
 * The kernel is not always of one mind: a path walk that it begins again (other threads change the tree) goes on counting the
 * links to 40, also where usher leaves the walk to it; and others use the machine.
 */
static bool varies(struct live *live, const struct run *run, const struct answers *answers, size_t at, bool usher)
{
	struct answers again = answers_of(live, run, usher);
	size_t other = first_difference(answers, &again);
	bool different = other <= at && (other < answers->n || other < again.n);
	if (different)
		print_error("seed %lu varies%s: %s, %s\n", run->seed, usher ? "" : " natively", line_at(answers, other), line_at(&again, other));
	answers_free(&again);
	return different;
}

/* A chain of 38 or 39 links that is too long. */
static bool lacks_links(const struct answers *answers, size_t at)
{
	const char *line = line_at(answers, at), *end = strstr(line, " = ELOOP");
	return end && !end[8] && (strstr(line, "'c38") || strstr(line, "'c39") || strstr(line, "/c38") || strstr(line, "/c39"));
}

static bool differs(struct live *live, const struct run *run, struct place *place, bool shown)
{
	struct answers native = answers_of(live, run, false), usher = answers_of(live, run, true);
	size_t at = first_difference(&native, &usher), before = shown ? 5 : 0;
	bool different = at < native.n || at < usher.n;
	if (native.status == HUNG)
		different = usher.status != HUNG;
	else if (native.status)
		fail_msg("seed %lu natively: %d %s", run->seed, native.status, why_not(&native));
	if (different && lacks_links(&native, at)) {
		print_error("seed %lu natively has not the links it should: %s\n", run->seed, line_at(&native, at));
		different = false;
	}
	different = different && !varies(live, run, &native, at, false) &&
		    !(lacks_links(&usher, at) && varies(live, run, &usher, at, true));
	if (sscanf(line_at(&native, at), "%u [%u]", &place->step, &place->actor) != 2)
		*place = (struct place){ UINT_MAX, UINT_MAX };
	if (different && shown) {
		print_error("seed %lu steps %u only %s policy %u\n", run->seed, run->steps, run->only, run->policy);
		for (size_t i = 0; i < at; i++)
			if (i + before >= at || (i < before && *run->only != 'a'))
				print_error("           %s\n", native.line[i]);
		print_error(" natively: %s\n by usher: %s\n", line_at(&native, at), line_at(&usher, at));
	}
	answers_free(&native);
	answers_free(&usher);
	return different;
}

/* ---- fewer steps ---- */

static void list_text(char *text, size_t size, const bool *in, unsigned n)
{
	size_t len = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		unsigned from = i;
		if (!in[i])
			continue;
		while (i + 1 < n && in[i + 1])
			i++;
		len += (size_t)snprintf(text + len, size - len, i > from ? "%s%u-%u" : "%s%u", len ? "," : "", from, i);
	}
	if (!len)
		snprintf(text, size, "none");
}

/* The same step, or the trees, must still differ. */
static void minimise(struct live *live, struct run run, const struct place *place)
{
	struct place now;
	static char text[STEPS_MAX * 5];
	static bool in[STEPS_MAX], kept_in[STEPS_MAX];
	unsigned n = place->step < run.steps ? place->step + 1 : run.steps;
	memset(in, false, sizeof(in));
	memset(in, true, n);
	run.only = text;
	unsigned runs = 0;
	for (unsigned chunk = n; chunk; chunk = chunk == 1 ? 0 : (chunk + 1) / 2)
		for (unsigned at = 0; at < n; at += chunk) {
			unsigned len = at + chunk > n ? n - at : chunk;
			if (!memchr(in + at, true, len) || runs++ > RUNS_MAX)
				continue;
			memcpy(kept_in, in, sizeof(in));
			memset(in + at, false, len);
			list_text(text, sizeof(text), in, n);
			if (!differs(live, &run, &now, false) || now.step != place->step || now.actor != place->actor)
				memcpy(in, kept_in, sizeof(in));
		}
	list_text(text, sizeof(text), in, n);
	print_error("with the fewest steps:\n");
	(void)differs(live, &run, &now, true);
}

/* ---- seeds ---- */

static unsigned long number_of(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);
	return text ? strtoul(text, NULL, 0) : otherwise;
}

static void set_up(struct live *live, unsigned policy)
{
	*live = (struct live){ .options = { NULL } };
	snprintf(live->dir, sizeof(live->dir), "%s/t", scratch);
	snprintf(live->policy, sizeof(live->policy), "%s/policy", scratch);
	snprintf(live->audit, sizeof(live->audit), "%s/audit", scratch);
	if (mkdir(live->dir, 0755) < 0)
		assert_int_equal(errno, EEXIST);
	live_policy(live, policies[policy].text);
}

/* Whether it is the same; else says why not. */
static bool same(struct run run, bool fewer)
{
	struct live live;
	struct place place;
	set_up(&live, run.policy);
	bool different = differs(&live, &run, &place, true);
	if (different && fewer)
		minimise(&live, run, &place);
	free(live.out);
	free(live.err);
	return !different;
}

static unsigned steps(void)
{
	return (unsigned)number_of("USHER_DIFFER_STEPS", 300);
}

static void kept_seeds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		for (unsigned policy = 0; policy < POLICIES; policy++) {
			struct run run = { .seed = kept[i].seed, .steps = 300, .only = "all", .policy = policy };
			if (!same(run, false))
				fail_msg("seed %lu: %s", kept[i].seed, kept[i].why);
		}
}

static void more_seeds(void **state)
{
	(void)state;
	time_t end = time(NULL) + (time_t)number_of("USHER_DIFFER_SECONDS", 10);
	unsigned long seed = number_of("USHER_DIFFER_SEED", 1), first = seed;
	unsigned bad = 0, bad_max = (unsigned)number_of("USHER_DIFFER_BAD", 1);
	for (; time(NULL) < end && bad < bad_max; seed++) {
		struct run run = { .seed = seed, .steps = steps(), .only = "all", .policy = (unsigned)(seed / 4 % POLICIES) };
		bad += !same(run, true);
	}
	print_message("%lu seeds from %lu on, %u differ\n", seed - first, first, bad);
	assert_int_equal(bad, 0);
}

/* ---- where it happens ---- */

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	print_error("%s: %s\n", what, strerror(errno));
	exit(99);
}

static void enclose(void)
{
	struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY }, writable = { .attr_clr = MOUNT_ATTR_RDONLY };
	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	must(mount(scratch, scratch, NULL, MS_BIND, NULL), "bind");
	must(syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof(read_only)), "read-only mounts");
	must(syscall(SYS_mount_setattr, AT_FDCWD, scratch, 0, &writable, sizeof(writable)), scratch);
	must(syscall(SYS_mount_setattr, AT_FDCWD, "/proc", 0, &writable, sizeof(writable)), "/proc");
	must(mount("run", "/run", "tmpfs", 0, "mode=755"), "/run");
}

static int run_all(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_seeds),
		cmocka_unit_test(more_seeds),
	};
	if (live_root())
		enclose();
	if (argc < 2)
		return cmocka_run_group_tests(tests, NULL, NULL);
	struct run run = { .seed = strtoul(argv[1], NULL, 0), .steps = argc > 2 ? (unsigned)atoi(argv[2]) : steps(),
			   .only = argc > 3 ? argv[3] : "all" };
	run.policy = argc > 4 ? (unsigned)atoi(argv[4]) % POLICIES : (unsigned)(run.seed / 4 % POLICIES);
	return same(run, true) ? 0 : 1;
}

int main(int argc, char **argv)
{
	int status = 0;
	umask(022);
	strcpy(scratch, "/tmp/usher-live-XXXXXX");
	must(mkdtemp(scratch) ? chmod(scratch, 0755) : -1, scratch);
	pid_t pid = fork();
	must(pid, "fork");
	if (pid == 0)
		exit(run_all(argc, argv));
	waitpid(pid, &status, 0);
	struct live live = { .options = { NULL } };
	snprintf(live.dir, sizeof(live.dir), "%s", scratch);
	native_differ(&live, "clear");
	free(live.out);
	free(live.err);
	(void)rmdir(scratch);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}
