/*
 * Callbacks of struct policy_env on real files.
 *
 * env_resolve() does by hand what realpath(3) does, because a pattern's literal prefix may lead to what does
 * not exist yet, and because /proc/self must stay what it says: in a pattern it means the process that calls.
 */
#include "env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "child_limits.h"
#include "err.h"
#include "fd.h"
#include "text.h"

#define ENV_READ_MAX (64U << 20)

static int read_file(const char *path, char **text, size_t *len)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	size_t size = st.st_size > 0 && st.st_size < ENV_READ_MAX ? (size_t)st.st_size + 2 : 65536, got = 0;
	AUTO_FREE char *buf = malloc(size);
	while (buf) {
		ssize_t n = read(fd, buf + got, size - 1 - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
		if (got > ENV_READ_MAX)
			return -EFBIG;
		if (got + 1 == size) {
			char *more = realloc(buf, size * 2);
			if (!more)
				return -ENOMEM;
			buf = more;
			size *= 2;
		}
	}
	if (!buf)
		return -ENOMEM;
	buf[got] = 0;
	*text = buf;
	*len = got;
	buf = NULL;
	return 0;
}

static int env_read(void *ctx, const char *path, char **text, size_t *len)
{
	const struct env *env = ctx;
	int error = read_file(path, text, len);
	if (error || !env || !env->added_to || strcmp(path, env->added_to) != 0)
		return error;
	struct text longer = { 0 };
	text_add(&longer, *text, *len);
	text_addf(&longer, "\n%s\n", env->added);
	free(*text);
	*len = longer.len;
	*text = text_take(&longer);
	return 0;
}

static int name_is_policy(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	return len > strlen(".policy") && entry->d_name[0] != '.' &&
	       strcmp(entry->d_name + len - strlen(".policy"), ".policy") == 0;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int env_list(void *ctx, const char *path, char ***names, size_t *n)
{
	(void)ctx;
	*names = NULL;
	*n = 0;
	DIR *dir = opendir(path);
	if (!dir)
		return -errno;
	int error = 0;
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry) {
			error = -errno;
			break;
		}
		if (!name_is_policy(entry))
			continue;
		char **list = reallocarray(*names, *n + 1, sizeof(*list));
		char *name = list ? strdup(entry->d_name) : NULL;
		if (list)
			*names = list;
		if (!name) {
			error = -ENOMEM;
			break;
		}
		(*names)[(*n)++] = name;
	}
	closedir(dir);
	if (error) {
		while (*n)
			free((*names)[--*n]);
		free(*names);
		*names = NULL;
		return error;
	}
	if (*n)
		qsort(*names, *n, sizeof(**names), name_compare);
	return 0;
}

static int env_exists(void *ctx, const char *path)
{
	struct stat st;
	(void)ctx;
	if (lstat(path, &st) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

/* Below these the kernel answers for each process differently: nothing there is resolved at load. */
static bool path_is_per_process(const char *path)
{
	return strcmp(path, "/proc/self") == 0 || strcmp(path, "/proc/thread-self") == 0;
}

/* REST is what is still to be walked from the root; DONE what has been. */
struct walk {
	char done[PATH_MAX], rest[PATH_MAX * 2];
	size_t len;
	unsigned links;
	bool literal; /* what is left does not exist, or differs for each process */
	env_link_fn *fn;
	void *ctx;
};

static int walk_append(struct walk *walk, const char *name, size_t len)
{
	if (walk->len + 1 + len >= sizeof(walk->done))
		return -ENAMETOOLONG;
	walk->done[walk->len++] = '/';
	memcpy(walk->done + walk->len, name, len);
	walk->len += len;
	walk->done[walk->len] = 0;
	return 0;
}

static void walk_up(struct walk *walk)
{
	while (walk->len && walk->done[--walk->len] != '/')
		;
	walk->done[walk->len] = 0;
}

/* .done was just lengthened to a symlink: its text comes before what is left. */
static int walk_follow(struct walk *walk, const char *left)
{
	char target[PATH_MAX], joined[sizeof(walk->rest)];
	ssize_t n = readlink(walk->done, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	if (++walk->links > 40)
		return -ELOOP;
	if (walk->fn)
		walk->fn(walk->ctx, walk->done, walk->len);
	target[n] = 0;
	int size = snprintf(joined, sizeof(joined), "%s/%s", target, left);
	if (size < 0 || (size_t)size >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(walk->rest, joined, (size_t)size + 1);
	if (target[0] == '/')
		walk->done[walk->len = 0] = 0;
	else
		walk_up(walk);
	return 0;
}

static int walk_step(struct walk *walk)
{
	const char *name = walk->rest + strspn(walk->rest, "/");
	size_t len = strcspn(name, "/");
	if (len == 0 || (len == 1 && name[0] == '.')) {
		memmove(walk->rest, name + len, strlen(name + len) + 1);
		return 0;
	}
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		walk_up(walk);
		memmove(walk->rest, name + len, strlen(name + len) + 1);
		return 0;
	}
	int error = walk_append(walk, name, len);
	if (error)
		return error;
	if (!walk->literal) {
		struct stat st;
		walk->literal = path_is_per_process(walk->done) || lstat(walk->done, &st) < 0;
		if (!walk->literal && S_ISLNK(st.st_mode)) {
			char left[sizeof(walk->rest)];
			memcpy(left, name + len, strlen(name + len) + 1);
			return walk_follow(walk, left);
		}
	}
	memmove(walk->rest, name + len, strlen(name + len) + 1);
	return 0;
}

int env_walk(const char *path, env_link_fn *fn, void *ctx, char **resolved)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	walk->fn = fn;
	walk->ctx = ctx;
	int error = path[0] != '/' ? -EINVAL : strlen(path) >= PATH_MAX ? -ENAMETOOLONG : 0;
	if (!error)
		strcpy(walk->rest, path);
	while (!error && walk->rest[0])
		error = walk_step(walk);
	if (!error) {
		*resolved = strdup(walk->len ? walk->done : "/");
		error = *resolved ? 0 : -ENOMEM;
	}
	free(walk);
	return error;
}

int env_resolve(void *ctx, const char *path, char **resolved)
{
	(void)ctx;
	return env_walk(path, NULL, NULL, resolved);
}

/* ---- predicates ---- */

static int version_parse(const char *text, unsigned version[3])
{
	char *end;
	for (size_t i = 0; i < 3; i++) {
		if (*text < '0' || *text > '9')
			return i == 0 ? -EINVAL : 0;
		version[i] = (unsigned)strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : end;
		if (*end != '.')
			return 0;
	}
	return 0;
}

static int kernel_predicate(const char *op, const char *value)
{
	struct utsname name;
	unsigned have[3] = { 0 }, asked[3] = { 0 };
	if (uname(&name) < 0)
		return -errno;
	if (version_parse(value, asked) < 0 || version_parse(name.release, have) < 0)
		return -EINVAL;
	int order = 0;
	for (size_t i = 0; i < 3 && !order; i++)
		order = have[i] < asked[i] ? -1 : have[i] > asked[i];
	if (op && strcmp(op, "<") == 0)
		return order < 0;
	return op && strcmp(op, ">=") == 0 ? order >= 0 : -EINVAL;
}

static int arch_predicate(const char *value)
{
	struct utsname name;
	static const char *const aliases[][2] = {
		{ "x86-64", "x86_64" },
		{ "amd64", "x86_64" },
		{ "x64", "x86_64" },
		{ "arm64", "aarch64" },
	};
	if (uname(&name) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		if (strcasecmp(value, aliases[i][0]) == 0)
			value = aliases[i][1];
	}
	return strcasecmp(value, name.machine) == 0;
}

static int user_predicate(const struct env *env, const char *value)
{
	char *end;
	unsigned long uid = strtoul(value, &end, 10);
	if (*value && !*end)
		return uid == env->uid;
	const struct passwd *entry = getpwnam(value);
	return entry ? entry->pw_uid == env->uid : 0;
}

static int env_predicate(void *ctx, const char *what, const char *op, const char *value)
{
	const struct env *env = ctx;
	if (strcmp(what, "kernel") == 0)
		return kernel_predicate(op, value);
	if (strcmp(what, "arch") == 0)
		return arch_predicate(value);
	if (strcmp(what, "user") == 0)
		return user_predicate(env, value);
	if (strcmp(what, "cap") == 0) {
		int number = limits_capability(value);
		return number < 0 ? -EINVAL : (int)(env->capabilities >> number & 1);
	}
	return -EINVAL;
}

/* What the child will have as far as the policy, which is not read yet, says nothing else. */
static uint64_t child_capabilities(void)
{
	struct policy nothing = { 0 };
	struct limits limits = { 0 };
	struct policy_diags diags = { 0 };
	AUTO_FREE char *text = NULL;
	size_t len;
	(void)limits_read(&limits, &nothing, &diags);
	policy_diags_free(&diags);
	if (env_read(NULL, "/proc/self/status", &text, &len) < 0)
		return 0;
	const char *line = strstr(text, "\nCapEff:");
	return line ? strtoull(line + strlen("\nCapEff:"), NULL, 16) & limits.capabilities : 0;
}

static const char *const include_dirs[] = { "/etc/usher", USHER_PROFILE_DIR, NULL };

void env_init(struct env *env, struct policy_env *policy_env)
{
	*env = (struct env){ .uid = geteuid(), .capabilities = child_capabilities() };
	*policy_env = (struct policy_env){
		.ctx = env,
		.read = env_read,
		.list = env_list,
		.resolve = env_resolve,
		.predicate = env_predicate,
		.exists = env_exists,
		.include_dirs = include_dirs,
	};
}
