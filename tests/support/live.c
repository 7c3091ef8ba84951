#include "live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 128

static struct {
	pid_t pid;
	int out, err;
} running = { .pid = -1, .out = -1, .err = -1 };

bool live_root(void)
{
	return geteuid() == 0;
}

bool live_apart(void)
{
	return live_root() && unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

const char *live_own_space(void)
{
	return live_root() ? "mnt" : "user,mnt";
}

const char *live_usher(void)
{
	const char *set = getenv("USHER_TEST_USHER");
	return set ? set : LIVE_USHER;
}

static char shared_probe[80];

const char *live_probe(void)
{
	const char *set = shared_probe[0] ? shared_probe : getenv("USHER_TEST_PROBE");
	return set ? set : LIVE_PROBE;
}

int live_setup(void **state)
{
	struct live *live = calloc(1, sizeof(*live));
	if (!live)
		return -1;
	umask(022);
	strcpy(live->dir, "/tmp/usher-live-XXXXXX");
	if (!mkdtemp(live->dir) || chmod(live->dir, 0755) < 0) {
		free(live);
		return -1;
	}
	snprintf(live->policy, sizeof(live->policy), "%s.policy", live->dir);
	snprintf(live->audit, sizeof(live->audit), "%s.jsonl", live->dir);
	*state = live;
	return 0;
}

void live_share_probe(const struct live *live)
{
	int in = open(live_probe(), O_RDONLY | O_CLOEXEC);
	snprintf(shared_probe, sizeof(shared_probe), "%s.probe", live->dir);
	int out = open(shared_probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n;
	assert_true(in >= 0 && out >= 0);
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	assert_int_equal(n, 0);
	close(in);
	close(out);
}

int live_teardown(void **state)
{
	struct live *live = *state;
	char command[80], page[100];
	if (running.pid > 0) {
		(void)kill(running.pid, SIGKILL);
		(void)live_finish(live);
	}
	snprintf(command, sizeof(command), "rm -rf %s", live->dir);	/* names may be longer than PATH_MAX */
	(void)!system(command);
	(void)unlink(live->policy);
	(void)unlink(live->audit);
	(void)snprintf(page, sizeof(page), "%s-live", live->audit);	/* of an usher that was killed */
	(void)unlink(page);
	(void)unlink(shared_probe);
	shared_probe[0] = '\0';
	free(live->out);
	free(live->err);
	free(live);
	return 0;
}

const char *live_tool(const char *name)
{
	static char turns[8][4096];
	static unsigned turn;
	char *path = turns[turn++ % 8];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(turns[0]) - 64);
	assert_true(len > 0);
	path[len] = '\0';
	strcpy(strrchr(path, '/') + 1, name);
	return path;
}

const char *live_beside(const char *name, const char *otherwise)
{
	const char *path = live_tool(name);
	return access(path, R_OK) == 0 ? path : otherwise;
}

const char *live_path(const struct live *live, const char *name)
{
	static char turns[16][4400];
	static unsigned turn;
	char *path = turns[turn++ % 16];
	snprintf(path, sizeof(turns[0]), "%s/%s", live->dir, name);
	return path;
}

static void make_parents(const char *path)
{
	char copy[4400];
	snprintf(copy, sizeof(copy), "%s", path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0)
			assert_int_equal(errno, EEXIST);
		*slash = '/';
	}
}

const char *live_file(const struct live *live, const char *name, mode_t mode, const char *content)
{
	const char *path = live_path(live, name);
	make_parents(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

const char *live_mkdir(const struct live *live, const char *name, mode_t mode)
{
	const char *path = live_path(live, name);
	make_parents(path);
	assert_int_equal(mkdir(path, mode), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

const char *live_symlink(const struct live *live, const char *to, const char *name)
{
	const char *path = live_path(live, name);
	make_parents(path);
	assert_int_equal(symlink(to, path), 0);
	return path;
}

static char *read_all(int fd, size_t *len)
{
	size_t size = 4096, have = 0;
	char *text = malloc(size);
	assert_non_null(text);
	for (;;) {
		if (size - have < 2) {
			text = realloc(text, size *= 2);
			assert_non_null(text);
		}
		ssize_t n = read(fd, text + have, size - have - 1);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	text[have] = '\0';
	if (len)
		*len = have;
	return text;
}

char *live_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	char *text = read_all(fd, NULL);
	close(fd);
	return text;
}

void live_policy(struct live *live, const char *text)
{
	FILE *to = fopen(live->policy, "we");
	assert_non_null(to);
	fprintf(to, "syntax 1;\npolicy live;\nset $dir = %s;\nset $probe = %s;\n%s\n", live->dir, live_probe(), text);
	assert_int_equal(fclose(to), 0);
}

static _Noreturn void run_child(const struct live *live, const char *const *argv, int in, int out, int err)
{
	/* A test that is killed takes its usher with it, and that its tree. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (live->input) {
		dup2(in, 0);
	} else {
		int null = open("/dev/null", O_RDONLY);
		dup2(null, 0);
		if (null > 2)
			close(null);
	}
	dup2(out, 1);
	dup2(err, 2);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(99);
}

static pid_t start(struct live *live, const char *const *argv)
{
	int out[2], err[2], in[2];
	assert_int_equal(running.pid, -1);
	assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC) | pipe2(in, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_child(live, argv, in[0], out[1], err[1]);
	close(out[1]);
	close(err[1]);
	close(in[0]);
	if (live->input)	/* less than a pipe holds */
		assert_int_equal(write(in[1], live->input, strlen(live->input)), strlen(live->input));
	close(in[1]);
	running.pid = pid;
	running.out = out[0];
	running.err = err[0];
	return pid;
}

int live_finish(struct live *live)
{
	char *text[2] = { NULL, NULL };
	size_t len[2] = { 0, 0 };
	struct pollfd fds[2] = { { .fd = running.out, .events = POLLIN }, { .fd = running.err, .events = POLLIN } };
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		assert_true(poll(fds, 2, -1) > 0);
		for (int i = 0; i < 2; i++) {
			if (!fds[i].revents)
				continue;
			text[i] = realloc(text[i], len[i] + 4097);
			assert_non_null(text[i]);
			ssize_t n = read(fds[i].fd, text[i] + len[i], 4096);
			if (n <= 0)
				fds[i].fd = -1;
			len[i] += n > 0 ? (size_t)n : 0;
			text[i][len[i]] = '\0';
		}
	}
	close(running.out);
	close(running.err);
	int status;
	assert_int_equal(waitpid(running.pid, &status, 0), running.pid);
	running.pid = -1;
	running.out = running.err = -1;
	free(live->out);
	free(live->err);
	live->out = text[0] ? text[0] : strdup("");
	live->err = text[1] ? text[1] : strdup("");
	live->out_len = len[0];
	live->err_len = len[1];
	live->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return live->status;
}

static void put(const char **args, size_t *n, const char *arg)
{
	assert_true(*n < ARGS_MAX - 1);
	args[(*n)++] = arg;
	args[*n] = NULL;
}

pid_t live_start(struct live *live, const char *const *argv)
{
	const char *args[ARGS_MAX] = { NULL };
	size_t n = 0;
	put(args, &n, live_usher());
	put(args, &n, "run");
	put(args, &n, "-p");
	put(args, &n, live->policy);
	put(args, &n, "--audit");
	put(args, &n, live->audit);
	for (size_t i = 0; i < sizeof(live->options) / sizeof(live->options[0]) && live->options[i]; i++)
		put(args, &n, live->options[i]);
	put(args, &n, "--");
	for (; *argv; argv++)
		put(args, &n, *argv);
	(void)unlink(live->audit);
	return start(live, args);
}

int live_run(struct live *live, const char *const *argv)
{
	live_start(live, argv);
	return live_finish(live);
}

static void collect(const char **args, const char *first, va_list list)
{
	size_t n = 0;
	for (const char *arg = first; arg; arg = va_arg(list, const char *))
		put(args, &n, arg);
}

int live_runl(struct live *live, const char *program, ...)
{
	const char *args[ARGS_MAX] = { NULL };
	va_list list;
	va_start(list, program);
	collect(args, program, list);
	va_end(list);
	return live_run(live, args);
}

int live_sh(struct live *live, const char *script)
{
	return live_runl(live, "/bin/sh", "-c", script, NULL);
}

int live_usher_run(struct live *live, const char *const *argv)
{
	const char *args[ARGS_MAX] = { NULL };
	size_t n = 0;
	put(args, &n, live_usher());
	for (; *argv; argv++)
		put(args, &n, *argv);
	start(live, args);
	return live_finish(live);
}

void live_expect(struct live *live, const char *expected, ...)
{
	const char *args[ARGS_MAX] = { NULL };
	va_list list;
	va_start(list, expected);
	collect(args, live_probe(), list);
	va_end(list);
	live_run(live, args);
	char *end = strchr(live->out, '\n');
	if (end)
		*end = '\0';
	if (strcmp(live->out, expected) != 0 || live->status != 0)
		fail_msg("probe %s %s: expected '%s', got '%s' (status %d)\n%s", args[1], args[2] ? args[2] : "",
			 expected, live->out, live->status, live->err);
}

int live_serve(unsigned *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(listen(fd, 50), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

char *live_audit(const struct live *live)
{
	return live_read(live->audit);
}

static bool ends_in(const json_t *details, const char *key, const char *end)
{
	const char *text = json_string_value(json_object_get(details, key));
	if (!text)
		return false;
	size_t have = strlen(text), want = strlen(end);
	return have >= want && strcmp(text + have - want, end) == 0;
}

unsigned live_audited(const struct live *live, const char *action, const char *path)
{
	unsigned found = 0;
	char *audit = live_audit(live), *rest = audit;
	for (char *line = rest ? strsep(&rest, "\n") : NULL; line; line = strsep(&rest, "\n")) {
		if (!*line)
			continue;
		json_t *record = json_loads(line, 0, NULL);
		assert_non_null(record);
		const char *its = json_string_value(json_object_get(record, "action"));
		const json_t *details = json_object_get(record, "details");
		if (its && strcmp(its, action) == 0 &&
		    (!path || ends_in(details, "path", path) || ends_in(details, "spelled", path)))
			found++;
		json_decref(record);
	}
	free(audit);
	return found;
}
