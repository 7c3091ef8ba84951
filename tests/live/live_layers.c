/*
 * Whichever layer decides, it decides the same: random policies about directory trees, and every file of a tree opened in every way
 * under each, once as `usher run` would have it and once with all of it brokered. Every other one asks for a view. For USHER_LAYERS_SECONDS (5) seconds, from
 * USHER_LAYERS_SEED (1) on.
 */
#include "cli.h"
#include "compare.h"
#include "talk.h"

#include <errno.h>
#include <fcntl.h>
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

#define BASE "files { default deny sealed; allow ro,exec /usr/, /lib/, /lib64/, /bin/, $dir/bin/; }\n"
#define VIEW "files { default deny ENOENT view; cover all; allow ro,exec /usr/, $dir/bin/; }\n"
#define ANY NULL
#define SCRIPT_MAX 65536

static uint64_t state;

static unsigned roll(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 20) % n;
}

static const char *const dirs[] = { "a", "a/x", "a/x/p", "a/y", "b", "b/x", "b/z", "c", "*deep", "*deep/{x" };
static const char *const files[] = { "f", "g.key", ".git", "to-a", "to-b", "up", "fifo" };
enum { DIRS = sizeof(dirs) / sizeof(dirs[0]), FILES = sizeof(files) / sizeof(files[0]) };

/* A program in a directory of its own: what is executed in place is no tree. */
static const char *prober(struct live *live)
{
	const char *path = live_path(live, "bin/probe");
	if (access(path, X_OK) < 0) {
		live_mkdir(live, "bin", 0755);
		assert_int_equal(live_native(live, (const char *const[]){ "/bin/cp", live_probe(), path, NULL }), 0);
	}
	return path;
}

static void make_tree(struct live *live)
{
	for (unsigned i = 0; i < DIRS; i++) {
		char name[300];
		live_mkdir(live, dirs[i], 0755);
		for (unsigned k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "%s/%s", dirs[i], files[k]);
			live_file(live, name, 0644, name);
		}
		snprintf(name, sizeof(name), "%s/to-a", dirs[i]);
		live_symlink(live, live_path(live, "a/f"), name);
		snprintf(name, sizeof(name), "%s/to-b", dirs[i]);
		live_symlink(live, live_path(live, "b"), name);
		snprintf(name, sizeof(name), "%s/up", dirs[i]);
		live_symlink(live, "..", name);
	}
	assert_int_equal(mkfifo(live_path(live, "a/fifo"), 0644), 0);
}

/* ---- which layer ---------------------------------------------------------------------------- */

static char reads_by(struct live *live)
{
	if (usher(live, "check", "--plan", "--json", live->policy))
		fail_msg("check: %s", live->err);
	const char *reads = strstr(live->out, "\"reads\"");
	assert_non_null(reads);
	return strstr(reads, "\"layer\": \"")[10];	/* k, L, v or b */
}

/* How many calls came to the supervisor. */
static unsigned long brokered(const struct live *live)
{
	const char *end = strstr(live->err, " brokered call");
	assert_non_null(end);
	while (end > live->err && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return strtoul(end, NULL, 10);
}

static char *answers(struct live *live, const char *layers, const char *script)
{
	live->options[0] = "--summary";
	live->options[1] = layers ? "--layers" : NULL;
	live->options[2] = layers;
	live->options[3] = NULL;
	live->input = script;
	int status = live_run(live, (const char *const[]){ prober(live), "script", NULL });
	live->input = NULL;
	live->options[0] = NULL;
	if (status)
		fail_msg("%d: %s\n%s", status, live->out, live->err);
	return strdup(live->out);
}

/* ---- random policies ------------------------------------------------------------------------ */

static void put_tree(char *text, size_t size, const char *path)
{
	size_t len = strlen(text);
	snprintf(text + len, size - len, " \"$dir/");
	for (const char *at = path; *at; at++) {
		len = strlen(text);
		snprintf(text + len, size - len, strchr("*{", *at) ? "\\%c" : "%c", *at);
	}
}

static void random_rule(char *text, size_t size)
{
	static const char *const reads[] = { "ro", "ro", "ro", "read", "list" };
	const char *dir = dirs[roll(DIRS)];
	size_t len = strlen(text), line = len;
	switch (roll(12)) {
	case 0:		/* what Landlock cannot */
		snprintf(text + len, size - len, "deny %s", reads[roll(5)]);
		put_tree(text, size, dir);
		break;
	case 1:
		snprintf(text + len, size - len, "allow read");
		put_tree(text, size, dir);
		len = strlen(text);
		snprintf(text + len, size - len, "/*.key\";\n");
		return;
	case 2:		/* the program may move it */
		snprintf(text + len, size - len, "allow rw");
		put_tree(text, size, dir);
		break;
	case 3:
	case 4:
		snprintf(text + len, size - len, "allow ro");
		put_tree(text, size, dir);
		len = strlen(text);
		snprintf(text + len, size - len, "\"; allow rw");
		put_tree(text, size, dir);
		len = strlen(text);
		snprintf(text + len, size - len, "/*/\";\n");
		return;
	default:
		snprintf(text + len, size - len, "allow %s", reads[roll(5)]);
		put_tree(text, size, dir);
		break;
	}
	len = strlen(text);
	snprintf(text + len, size - len, strstr(text + line, "deny") ? "/\" sealed;\n" : "/\";\n");
}

static void random_policy(struct live *live, char *text, size_t size, bool view)
{
	snprintf(text, size, "%sfiles {\n", view ? VIEW : BASE);
	for (unsigned i = 1 + roll(4); i; i--)
		random_rule(text, size);
	snprintf(text + strlen(text), size - strlen(text), "}\n");
	live_policy(live, text);
}

/* One open of PATH: by the C library, or by each call that opens, with halves of registers that the kernel does not look at. */
static int try_one(char *at, size_t size, const char *path, bool blocks, bool view)
{
	static const unsigned flags[] = {
		O_RDONLY, O_RDONLY, O_RDONLY | O_NONBLOCK, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC | O_NOCTTY, O_RDWR, O_WRONLY | O_NONBLOCK, O_ACCMODE,
		O_TRUNC, O_RDWR | O_TRUNC, O_CREAT, O_CREAT | O_EXCL, O_WRONLY | O_APPEND, O_PATH, O_PATH | O_RDWR, O_PATH | O_DIRECTORY, O_TMPFILE | O_RDWR,
		O_TMPFILE | O_WRONLY | O_EXCL, O_TMPFILE, O_TMPFILE & ~O_DIRECTORY,
	};
	unsigned flag = blocks ? O_RDONLY | O_NONBLOCK : flags[roll(sizeof(flags) / sizeof(flags[0]))];
	if (view && flag & O_PATH)	/* which the broker lets go on, and a view answers */
		flag = O_RDONLY;
	unsigned long long high = roll(2) ? 0xdeadbeef00000000ULL : 0;
	switch (roll(blocks ? 4 : 6)) {
	case 0:
		return snprintf(at, size, "open %s %u\n", path, flag);
	case 1:
		return snprintf(at, size, "openat2 cwd %s %u 0\n", path, flag);
#ifdef __x86_64__
	case 2:
		return snprintf(at, size, "call open @%s %llu %llu\n", path, flag | high, 0600 | high);
	case 4:
		return snprintf(at, size, "call creat @%s %llu\n", path, 0600 | high);
	case 5:		/* x32: no such call */
		return snprintf(at, size, "call %lu cwd @%s %llu 0\n", 0x40000000UL | SYS_openat, path, flag | high);
#endif
	default:
		return snprintf(at, size, "call openat cwd @%s %llu %llu\n", path, flag | high, 0600 | high);
	}
}

static void try_all(const struct live *live, char *script, bool view)
{
	char *at = script, *end = script + SCRIPT_MAX, path[300];
	for (unsigned i = 0; i < DIRS; i++)
		for (unsigned k = 0; k <= FILES; k++) {
			snprintf(path, sizeof(path), "%s/%s%s%s", live->dir, dirs[i], k ? "/" : "", k ? files[k - 1] : "");
			int n = view ? snprintf(at, (size_t)(end - at), roll(2) ? "access %s 0\n" : "lstat %s\n", path) : 0;
			at += n;
			n = try_one(at, (size_t)(end - at), path, k == FILES, view);	/* the pipe */
			assert_true(n < end - at);
			at += n;
			n = snprintf(at, (size_t)(end - at), "close 3\n");
			assert_true(n < end - at);
			at += n;
		}
}

/* Does an allow rule of POLICY have TEXT in it? */
static bool allows(const char *policy, const char *text)
{
	for (const char *at = policy; (at = strstr(at, text)) != NULL; at++) {
		const char *line = at;
		while (line > policy && line[-1] != '\n')
			line--;
		if (strncmp(line, "deny", 4) != 0)
			return true;
	}
	return false;
}

/* Is PATH a directory that is there in a view because it is on the way to a tree? */
static bool is_way(const struct live *live, const char *policy, const char *path)
{
	char needle[320] = "";
	struct stat st;
	char *real = realpath(path, NULL);
	bool way = real && strcmp(real, live->dir) == 0;
	if (real && !way && strncmp(real, live->dir, strlen(live->dir)) == 0 && stat(real, &st) == 0 && S_ISDIR(st.st_mode)) {
		put_tree(needle, sizeof(needle), real + strlen(live->dir) + 1);
		strcat(needle, "/");
		way = allows(policy, needle + 1);
	}
	free(real);
	return way;
}

/* Is PATH, by its name, in a tree that a rule allows? */
static bool in_tree(const struct live *live, const char *policy, const char *path)
{
	for (size_t len = strlen(path); len > strlen(live->dir); len--) {
		char name[300], needle[320] = "";
		if (path[len] && path[len] != '/')
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(live->dir) - 1), path + strlen(live->dir) + 1);
		put_tree(needle, sizeof(needle), name);
		size_t end = strlen(needle);
		strcpy(needle + end, "\"");
		bool found = allows(policy, needle + 1);
		strcpy(needle + end, "/\"");
		if (found || allows(policy, needle + 1))
			return true;
	}
	return false;
}

/* What a view does otherwise: directories on the way are there, and links in them that lead into a tree; other links that do are not. */
static bool view_differs(const struct live *live, const char *policy, const char *by_view, const char *by_broker)
{
	char path[300];
	struct stat st;
	const char *at = strstr(by_view, live->dir);
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(at ? at : "", " "), at ? at : "");
	if (!at || lstat(path, &st) < 0)
		return false;
	if (strstr(by_broker, "=> ENOENT") && is_way(live, policy, path))
		return true;
	*strrchr(path, '/') = '\0';
	return S_ISLNK(st.st_mode) && (strstr(by_broker, "=> ENOENT") ? is_way(live, policy, path) : strstr(by_view, "=> ENOENT") && !in_tree(live, policy, path));
}

static void compare_lines(const struct live *live, char *cheapest, char *broker, unsigned long seed, const char *policy, bool view)
{
	bool differs = false;	/* one of them just had a descriptor, which is closed */
	for (char *one = strsep(&cheapest, "\n"), *other = strsep(&broker, "\n"); one && other; one = strsep(&cheapest, "\n"), other = strsep(&broker, "\n")) {
		bool closed = differs && strncmp(other, "close", 5) == 0;
		differs = view && view_differs(live, policy, one, other);
		/* What is not there the broker does not tell either; stat(2), which is not covered, does. */
		if (strcmp(one, other) != 0 && !(strstr(other, "=> EACCES") && strstr(one, "=> E")) && !differs && !closed)
			fail_msg("seed %lu\n%s\n%s\n%s, by the broker\n", seed, policy, one, other);
	}
	assert_true(!cheapest && !broker);
}

static void layers_decide_the_same(void **given)
{
	struct live *live = *given;
	const char *seconds = getenv("USHER_LAYERS_SECONDS"), *from = getenv("USHER_LAYERS_SEED");
	unsigned long seed = from ? strtoul(from, NULL, 0) : 1, n = 0, kernel = 0, views = 0;
	time_t end = time(NULL) + (seconds ? atol(seconds) : 5);
	static char text[4096], script[SCRIPT_MAX];
	(void)prober(live);
	make_tree(live);
	for (; time(NULL) < end || n < 8; seed++, n++) {
		state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
		bool view = seed % 2;
		random_policy(live, text, sizeof(text), view);
		try_all(live, script, view);
		bool by_kernel = reads_by(live) == (view ? 'v' : 'L');
		char *cheapest = answers(live, ANY, script);
		unsigned long few = brokered(live);
		char *broker = answers(live, "broker", script);
		unsigned long all = brokered(live);
		if (by_kernel ? few >= all : few != all)
			fail_msg("seed %lu: %lu and %lu brokered calls under\n%s", seed, few, all, text);
		compare_lines(live, cheapest, broker, seed, text, view);
		kernel += by_kernel;
		views += view && by_kernel;
		free(cheapest);
		free(broker);
	}
	print_message("%lu policies, of which the kernel decides %lu, %lu by a view\n", n, kernel, views);
	assert_true(kernel > 0 && kernel < n && (views > 0) == live_root());
}

/* ---- what there is to choose ---------------------------------------------------------------- */

static void nothing_denied_nothing_asked(void **given)
{
	struct live *live = *given;
	live_file(live, "f", 0644, "x");
	/* usher's own file may be read, too, if the policy says so. */
	live_policy(live, "files { default allow; deny write $dir/f; }\n");
	assert_int_equal(reads_by(live), 'b');
	const char *rule = strstr(live->out, "allow ro /");
	assert_non_null(rule);
	char policy[1500];
	snprintf(policy, sizeof(policy), "files { default allow; deny write $dir/f; %.*s }\n", (int)strcspn(rule, "\""), rule);
	live_policy(live, policy);
	if (reads_by(live) != 'k')
		fail_msg("%s", live->out);
	/* Without a log, which would be one more of usher's own. */
	const char *file = live_path(live, "f");
	assert_int_equal(usher(live, "run", "--summary", "--layers", "broker", "-p", live->policy, "--", live_probe(), "open", file, "r"), 0);
	unsigned long all = brokered(live);
	assert_int_equal(usher(live, "run", "--summary", "-p", live->policy, "--", live_probe(), "open", file, "r"), 0);
	assert_int_equal(brokered(live), all - 1);
	assert_int_equal(usher(live, "run", "-p", live->policy, "--", live_probe(), "open", file, "w"), 0);
	assert_says(live->out, "EACCES");
}

static void forced(void **given)
{
	struct live *live = *given;
	char script[200];
	live_file(live, "t/f", 0644, "x");
	live_file(live, "t/hidden/f", 0644, "x");
	snprintf(script, sizeof(script), "open %s r\n", live_path(live, "t/f"));
	live_policy(live, BASE "files { allow read $dir/t/f; }");
	assert_int_equal(reads_by(live), 'b');
	free(answers(live, "bpf,landlock", script));
	assert_says(live->out, "=> ok 3\n");
	/* A denial in a tree is nothing for Landlock. */
	live_policy(live, BASE "files { allow ro $dir/t/; deny ro $dir/t/hidden/ sealed; }");
	assert_int_equal(reads_by(live), 'b');
	assert_int_equal(usher(live, "run", "--layers", "bpf,landlock", "-p", live->policy, "--", "/bin/true"), 125);
	assert_says(live->err, "reading needs the broker");
	assert_says(live->err, "/t/hidden");
	assert_int_equal(usher(live, "run", "--layers", "bpf,magic", "-p", live->policy, "--", "/bin/true"), 125);
	assert_says(live->err, "magic");
	/* Whoever wants to know of every access gets the broker. */
	live_policy(live, BASE "files { allow ro $dir/t/; } audit { level all; }");
	assert_int_equal(reads_by(live), 'b');
	live_policy(live, BASE "files { allow ro $dir/t/; deny read $dir/t/f stage log; }");
	assert_int_equal(reads_by(live), 'b');
	live_policy(live, BASE "files { allow ro $dir/t/; deny ENOENT list $dir/else/; }");
	assert_int_equal(reads_by(live), 'b');
	live_policy(live, BASE "files { allow ro $dir/t/; deny read $dir/else/; }");
	assert_int_equal(reads_by(live), 'b');
	assert_says(live->out, "'sealed' gives that up");
	live_policy(live, BASE "files { allow ro $dir/t/; deny read $dir/else/ sealed; }");
	assert_int_equal(reads_by(live), 'L');
	live_policy(live, BASE "files { allow ro $dir/t/; deny read $dir/else/ sealed audit alert; }");
	assert_int_equal(reads_by(live), 'b');
	live_policy(live, BASE "files { allow ro $dir/t/ beneath; }");
	assert_int_equal(reads_by(live), 'b');
}

/* What is in procfs counts as in /proc, and Landlock knows nothing of that. */
static void procfs_in_a_tree(void **given)
{
	struct live *live = *given;
	char script[200];
	if (!live_root())
		skip();
	live_mkdir(live, "t/proc", 0755);
	(void)prober(live);
	live_policy(live, BASE "files { allow ro $dir/t/; }");
	assert_int_equal(reads_by(live), 'L');
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("proc", live_path(live, "t/proc"), "proc", 0, NULL), 0);
	assert_int_equal(reads_by(live), 'b');
	assert_says(live->out, "procfs");
	snprintf(script, sizeof(script), "open %s r\n", live_path(live, "t/proc/self/status"));
	free(answers(live, ANY, script));
	assert_says(live->out, "EACCES");
	assert_int_equal(umount2(live_path(live, "t/proc"), MNT_DETACH), 0);
}

#define TREES "files { default deny; allow ro /usr/, $dir/t/; allow rx $probe; }\n"

/* What the kernel decides stays as it was. */
static void it_needs_a_restart(void **given)
{
	struct live *live = *given;
	struct talk talk = { .live = live };
	char command[100];
	live_file(live, "t/f", 0644, "x\n");
	live_file(live, "u/f", 0644, "y\n");
	snprintf(command, sizeof(command), "cat %s", live_path(live, "t/f"));
	live_policy(live, TREES);
	live->options[0] = "--layers";
	live->options[1] = "bpf,landlock";
	live->options[2] = NULL;
	talk_start(&talk, live);
	talk_expect(&talk, command, "ok x");
	live_policy(live, "files { default deny; allow ro /usr/; allow rx $probe; }\n");
	assert_int_equal(usher(live, "reload", talk.name), 1);
	assert_says(live->err, "needs restart");
	talk_expect(&talk, command, "ok x");
	live_policy(live, TREES "files { allow write,append $dir/u/; }\n");
	if (usher(live, "reload", talk.name))
		fail_msg("%s", live->err);
	snprintf(command, sizeof(command), "open %s w", live_path(live, "u/f"));
	talk_expect(&talk, command, "ok 3");
	live->options[0] = NULL;
	assert_int_equal(talk_end(&talk), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(layers_decide_the_same, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(nothing_denied_nothing_asked, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(forced, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(procfs_in_a_tree, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(it_needs_a_restart, live_setup, live_teardown),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_layers", tests, NULL, NULL);
}
