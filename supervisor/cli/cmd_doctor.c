/*
 * usher doctor: what this kernel has, and whether usher works on it.
 *
 * The self-test is no simulation: it starts `usher run` with a policy of two files, and a program that opens
 * both. One must come back with its content, the other with EACCES, and the audit log must say so.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "err.h"
#include "escape.h"
#include "fd.h"
#include "json.h"
#include "kernel_log.h"
#include "landlock.h"
#include "landlock_event.h"
#include "probe.h"
#include "text.h"
#include "style.h"

static int run(int argc, char **argv, struct cli *cli);

static const struct cli_option options[] = { { NULL, 0, NULL, NULL } };

const struct cli_verb cli_verb_doctor = {
	.name = "doctor",
	.usage = "[--json]",
	.summary = "say what this kernel has, and try usher for two seconds",
	.details =
		"Exit status: 0 usher works here; 1 the self-test failed; 2 usage; 4 the kernel lacks what usher needs.",
	.examples = { "usher doctor", "usher doctor --json" },
	.options = options,
	.run = run,
};

enum finding_kind { FINDING_GOOD, FINDING_LESS, FINDING_BAD };

struct finding {
	const char *name;
	enum finding_kind kind;
	char text[600];
};

#define FINDINGS_MAX 24
struct doctor {
	const struct cli *cli;
	struct finding findings[FINDINGS_MAX];
	size_t n;
};

__attribute__((format(printf, 4, 5))) static void find(struct doctor *doctor, const char *name,
						       enum finding_kind kind, const char *format, ...)
{
	ASSERT(doctor->n < FINDINGS_MAX);
	struct finding *finding = &doctor->findings[doctor->n++];
	va_list ap;
	finding->name = name;
	finding->kind = kind;
	va_start(ap, format);
	vsnprintf(finding->text, sizeof(finding->text), format, ap);
	va_end(ap);
}

/* ---- the kernel ---- */

static void find_feature(struct doctor *doctor, const char *name, bool there, const char *since,
			 const char *without)
{
	if (there)
		find(doctor, name, FINDING_GOOD, "yes");
	else
		find(doctor, name, FINDING_LESS, "no (Linux %s): %s", since, without);
}

static void find_older(struct doctor *doctor, int abi)
{
	struct text text = { 0 };
	const char *lost, *since;
	for (int next = abi + 1; (lost = landlock_lost(next, &since)); next++)
		text_addf(&text, "; before %d (Linux %s) %s", next, since, lost);
	find(doctor, "landlock", FINDING_LESS, "version %d%s", abi, text.s);
	free(text_take(&text));
}

static void find_landlock(struct doctor *doctor, int abi)
{
	if (abi <= 0)
		find(doctor, "landlock", FINDING_BAD,
		     "no: `usher run` refuses to start without --no-landlock; CONFIG_SECURITY_LANDLOCK "
		     "and lsm=landlock turn it on");
	else if (abi < 6)
		find_older(doctor, abi);
	else
		find(doctor, "landlock", FINDING_GOOD, "ABI %d", abi);
}

static int find_kernel(struct doctor *doctor)
{
	struct kernel kernel;
	struct utsname name = { 0 };
	const char *lacks = NULL;
	int error = probe_kernel(&kernel, &lacks);
	(void)uname(&name);
	find(doctor, "kernel", error ? FINDING_BAD : FINDING_GOOD, "%s %s%s%s", name.release, name.machine,
	     error ? ": lacks " : "", error && lacks ? lacks : "");
	if (kernel.wait_killable)
		find(doctor, "wait-killable", FINDING_GOOD, "yes");
	else
		find(doctor, "wait-killable", FINDING_BAD, "no (Linux 5.19): required");
	find_feature(doctor, "sync-wake-up", kernel.sync_wake, "6.6", "a brokered call costs more");
	find_feature(doctor, "fchmodat2", kernel.fchmodat2, "6.6", "usher chmods through /proc instead");
	find_feature(doctor, "pidfd-thread", kernel.pidfd_thread, "6.9",
		     "descriptors of threads are reached through their leader");
	find_feature(doctor, "receive-hangup", kernel.recv_hangup, "6.11", "a brokered call costs more");
	find_feature(doctor, "pidfd-info", kernel.pidfd_info, "6.13", "/proc is read instead");
	find_feature(doctor, "xattrat", kernel.xattrat, "6.13", "usher goes through /proc instead");
	find_feature(doctor, "execve-check", kernel.execve_check, "6.14",
		     "permission to execute is checked by usher's own rules");
	find_landlock(doctor, kernel.landlock_abi);
	return kernel.landlock_abi;
}

/* ---- the surroundings ---- */

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool good = file && fgets(line, (int)size, file);
	if (file)
		fclose(file);
	if (good)
		line[strcspn(line, "\n")] = 0;
	return good;
}

static void find_ptrace(struct doctor *doctor)
{
	char line[32];
	if (!read_line("/proc/sys/kernel/yama/ptrace_scope", line, sizeof(line)))
		find(doctor, "ptrace", FINDING_GOOD, "no restriction");
	else if (strcmp(line, "3") == 0)
		find(doctor, "ptrace", FINDING_BAD,
		     "kernel.yama.ptrace_scope is 3: the memory of programs cannot be read");
	else if (strcmp(line, "2") == 0 && geteuid() != 0)
		find(doctor, "ptrace", FINDING_BAD, "kernel.yama.ptrace_scope is 2: usher must be root");
	else
		find(doctor, "ptrace", FINDING_GOOD, "kernel.yama.ptrace_scope is %s", line);
}

static void find_uring(struct doctor *doctor)
{
	char line[32];
	if (read_line("/proc/sys/kernel/io_uring_disabled", line, sizeof(line)) &&
	    (strcmp(line, "2") == 0 || (strcmp(line, "1") == 0 && geteuid() != 0)))
		find(doctor, "io_uring", FINDING_BAD,
		     "kernel.io_uring_disabled is %s: usher's own event loop needs it", line);
	else
		find(doctor, "io_uring", FINDING_GOOD, "yes");
}

static void find_kernel_log(struct doctor *doctor)
{
	int error = kernel_log_open(NULL, NULL, NULL, NULL);
	if (error)
		find(doctor, "kernel log", FINDING_LESS,
		     "cannot be read (%s): what rules at stage log would deny of calls that never reach usher (write, mmap, ...) is not in the audit log",
		     strerror(-error));
	else
		find(doctor, "kernel log", FINDING_GOOD, "seccomp records are joined into the audit log");
}

static void find_denials(struct doctor *doctor, int abi)
{
	const char *unseen = landlock_unseen(abi);
	if (unseen)
		find(doctor, "landlock log", FINDING_LESS, "%s: what Landlock denies by itself ('sealed') is not in the audit log", unseen);
	else
		find(doctor, "landlock log", FINDING_GOOD, "what Landlock denies by itself is joined into the audit log");
}

static void find_limits(struct doctor *doctor)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	if (files.rlim_max < 4096)
		find(doctor, "open files", FINDING_LESS,
		     "hard limit %llu: few calls can be under way at once; raise it (ulimit -Hn)",
		     (unsigned long long)files.rlim_max);
	else
		find(doctor, "open files", FINDING_GOOD, "hard limit %llu",
		     (unsigned long long)files.rlim_max);
	find(doctor, "user", FINDING_GOOD,
	     geteuid() == 0 ? "root: programs may change their credentials"
			    : "uid %u: everything runs as this user",
	     geteuid());
}

/* ---- the self-test ---- */

struct trial {
	char dir[64], policy[128], open[128], closed[128], log[128];
};

static int write_file(const char *path, const char *text)
{
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t len = strlen(text);
	return fd >= 0 && write(fd, text, len) == (ssize_t)len ? 0 : -errno;
}

static int trial_make(struct trial *trial)
{
	char text[1024], *real;
	strcpy(trial->dir, "/tmp/usher-doctor-XXXXXX");
	if (!mkdtemp(trial->dir))
		return -errno;
	/* Rules speak of resolved paths; /tmp may be a link. */
	real = realpath(trial->dir, NULL);
	snprintf(trial->policy, sizeof(trial->policy), "%s/doctor.policy", trial->dir);
	snprintf(trial->open, sizeof(trial->open), "%s/open", trial->dir);
	snprintf(trial->closed, sizeof(trial->closed), "%s/closed", trial->dir);
	snprintf(trial->log, sizeof(trial->log), "%s/log", trial->dir);
	snprintf(text, sizeof(text),
		 "syntax 1;\npolicy doctor;\nfiles {\n\tdefault allow;\n\tdeny EACCES read %s/closed;\n}\n",
		 real ? real : trial->dir);
	free(real);
	int error = write_file(trial->policy, text);
	if (!error)
		error = write_file(trial->open, "this may be read\n");
	return error ? error : write_file(trial->closed, "this may not\n");
}

static void trial_remove(const struct trial *trial)
{
	(void)unlink(trial->policy);
	(void)unlink(trial->open);
	(void)unlink(trial->closed);
	(void)unlink(trial->log);
	(void)rmdir(trial->dir);
}

/* `usher run -- cat open closed`, both outputs into OUTPUT. The wait status, or -errno; -ETIMEDOUT after two
 * seconds. */
static int trial_run(const struct trial *trial, char *output, size_t size)
{
	int pipes[2];
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	AUTO_FD from = pipes[0];
	AUTO_FD to = pipes[1];
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		dup2(to, STDOUT_FILENO);
		dup2(to, STDERR_FILENO);
		setenv("LC_ALL", "C", 1);
		execl("/proc/self/exe", "usher", "run", "-q", "-p", trial->policy, "--audit", trial->log,
		      "--", "cat", trial->open, trial->closed, (char *)NULL);
		_exit(125);
	}
	to = fd_close(to);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t end = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000 + 2000, left = 2000;
	size_t got = 0;
	ssize_t n = 1;
	while (n > 0 && left > 0) {
		struct pollfd ready = { .fd = from, .events = POLLIN };
		n = poll(&ready, 1, (int)left);
		if (n > 0)
			n = got + 1 < size ? read(from, output + got, size - 1 - got) : 0;
		if (n > 0)
			got += (size_t)n;
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = end - (now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000);
	}
	output[got] = 0;
	/* End of file means that the tree has gone, and with it usher; else it takes its tree with it. */
	bool late = n > 0 || left <= 0;
	if (late)
		kill(pid, SIGKILL);
	int status;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return late ? -ETIMEDOUT : status;
}

static bool log_has_denial(const struct trial *trial)
{
	char line[8192];
	bool found = false;
	FILE *log = fopen(trial->log, "re");
	while (log && !found && fgets(line, sizeof(line), log)) {
		json_t *record = json_loads(line, 0, NULL);
		const char *action = json_string_value(json_object_get(record, "action"));
		const char *path =
			json_string_value(json_object_get(json_object_get(record, "details"), "path"));
		found = action && path && strcmp(action, "deny") == 0 && strstr(path, "/closed");
		json_decref(record);
	}
	if (log)
		fclose(log);
	return found;
}

static void find_trial(struct doctor *doctor)
{
	struct trial trial;
	char output[4096];
	int error = trial_make(&trial);
	if (error) {
		find(doctor, "self-test", FINDING_BAD, "cannot write to /tmp: %s", strerror(-error));
		return;
	}
	int status = trial_run(&trial, output, sizeof(output));
	bool opened = strstr(output, "this may be read\n"),
	     refused = strstr(output, "closed: Permission denied"), leaked = strstr(output, "this may not\n");
	AUTO_FREE char *shown = escape_dup(output, strnlen(output, 120));
	if (status == -ETIMEDOUT)
		find(doctor, "self-test", FINDING_BAD, "did not end within two seconds; it said: %s", shown);
	else if (status < 0)
		find(doctor, "self-test", FINDING_BAD, "cannot start usher: %s", strerror(-status));
	else if (leaked)
		find(doctor, "self-test", FINDING_BAD, "a denied file was read");
	else if (!opened || !refused || !WIFEXITED(status) || WEXITSTATUS(status) != 1)
		find(doctor, "self-test", FINDING_BAD, "usher run ended with %d: %s",
		     WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), shown);
	else if (!log_has_denial(&trial))
		find(doctor, "self-test", FINDING_BAD, "the denial is not in the audit log");
	else
		find(doctor, "self-test", FINDING_GOOD,
		     "an allowed file was read, a denied one was refused and recorded");
	trial_remove(&trial);
}

/* ---- the verb ---- */

static void print_people(const struct doctor *doctor)
{
	static const char *const words[] = { "ok", "less", "BAD" }, *const colors[] = { COLOR_GREEN,
											COLOR_YELLOW,
											COLOR_RED };
	bool color = doctor->cli->color_out;
	for (size_t i = 0; i < doctor->n; i++) {
		const struct finding *finding = &doctor->findings[i];
		if (doctor->cli->quiet && finding->kind != FINDING_BAD)
			continue;
		printf("%s%-5s%s %-14s %s\n", color ? colors[finding->kind] : "", words[finding->kind],
		       color ? COLOR_OFF : "", finding->name, finding->text);
	}
}

static void print_json(const struct doctor *doctor, int status)
{
	static const char *const words[] = { "ok", "less", "bad" };
	json_t *list = json_array();
	for (size_t i = 0; i < doctor->n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", doctor->findings[i].name,
						      "state", words[doctor->findings[i].kind], "text",
						      doctor->findings[i].text));
	json_print("doctor", json_pack("{s:s, s:o}", "version", USHER_VERSION, "findings", list), status);
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct doctor doctor = { .cli = cli };
	int opt, status = CLI_OK;
	while ((opt = cli_next(cli, &cli_verb_doctor, argc, argv)) >= 0)
		;
	if (opt != CLI_END)
		return cli_stop(&cli_verb_doctor, opt);
	if (optind < argc)
		return cli_usage(cli, &cli_verb_doctor, "doctor takes no operands");
	int abi = find_kernel(&doctor);
	find_ptrace(&doctor);
	find_uring(&doctor);
	find_limits(&doctor);
	find_kernel_log(&doctor);
	find_denials(&doctor, abi);
	for (size_t i = 0; i < doctor.n; i++) {
		if (doctor.findings[i].kind == FINDING_BAD)
			status = CLI_KERNEL;
	}
	find_trial(&doctor);
	if (status == CLI_OK && doctor.findings[doctor.n - 1].kind == FINDING_BAD)
		status = CLI_NO;
	if (cli->json)
		print_json(&doctor, status);
	else
		print_people(&doctor);
	return status;
}
