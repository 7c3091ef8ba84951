#include "alert.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "now.h"
#include "text.h"

#define QUEUE      64
#define BURST      10
#define RATE_NS    UINT64_C(10000000000)	/* one in so long, where the policy does not say */
#define TELL_MS    10000			/* for one */
#define END_NS     UINT64_C(5000000000)		/* for all that are queued at the end */
#define SYSLOG     "/dev/log"

/* The command that runs leads a session; nobody of the sandbox can be in it. */
static pthread_mutex_t session_lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t session;

enum { TO_COMMAND, TO_SOCKET, TO_SYSLOG, TO_COUNT };

struct told { char *record, *line; unsigned long left_out; };

struct alert {
	const char *to[TO_COUNT];	/* a path, or NULL */
	uint64_t per_ns;
	alert_failed_fn *failed;
	void *ctx;
	pthread_t thread;

	pthread_mutex_t mutex;	/* guards what follows */
	pthread_cond_t wake;
	struct told queue[QUEUE];
	unsigned first, n;
	double tokens;
	uint64_t tokens_ns, end_ns;	/* .end_ns: 0 until the end */
	unsigned long left_out, lost;

	bool complained[TO_COUNT];	/* only the thread */
};

/* ---- settings -------------------------------------------------------------------------------- */

static const char *value_of(const struct policy_setting *setting, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; setting && i < setting->n_words; i++)
		if (strncmp(setting->words[i], key, len) == 0)
			return setting->words[i] + len;
	return NULL;
}

const char *alert_file(const struct policy *policy, unsigned i)
{
	static const char *const keys[] = { "command=", "socket=" };

	return i < ARRAY_SIZE(keys) ? value_of(policy_setting(policy, "audit", "alert"), keys[i]) : NULL;
}

bool alert_valid(const struct policy_setting *setting)
{
	return value_of(setting, "command=") || value_of(setting, "socket=") || value_of(setting, "syslog");
}

/* COUNT/s, /m, /h or /d. */
static uint64_t per_ns(const char *rate)
{
	static const char units[] = "smhd";
	static const uint64_t seconds[] = { 1, 60, 3600, 86400 };
	char *slash;
	uint64_t count = rate ? strtoull(rate, &slash, 10) : 0;
	const char *unit = count && slash[1] ? strchr(units, slash[1]) : NULL;

	return unit ? seconds[unit - units] * UINT64_C(1000000000) / count : RATE_NS;
}

/* ---- receivers ------------------------------------------------------------------------------- */

static int tell_socket(const char *path, const char *text)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM, SOCK_SEQPACKET };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int err = -ENAMETOOLONG;

	if (strlen(path) >= sizeof(address.sun_path))
		return err;
	strcpy(address.sun_path, path);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const struct timeval wait = { .tv_sec = 2 };
		AUTO_FD fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)))
			return -errno;
		err = connect(fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
		if (err == -EPROTOTYPE)
			continue;
		size_t len = strlen(text);
		while (!err && len > 0) {
			ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
			err = n < 0 ? -errno : 0;
			text += n > 0 ? n : 0;
			len -= n > 0 ? (size_t)n : 0;
		}
		break;
	}
	return err;
}

static int tell_syslog(const char *path, const struct told *told)
{
	AUTO_FREE char *text = NULL;

	if (told->left_out)
		text = text_printf("<%d>usher[%d]: %s (%lu alerts before this one were left out)", LOG_AUTHPRIV | LOG_ALERT, (int)getpid(), told->line,
				   told->left_out);
	else
		text = text_printf("<%d>usher[%d]: %s", LOG_AUTHPRIV | LOG_ALERT, (int)getpid(), told->line);
	return tell_socket(path, text);
}

/* Its standard input is the record; it inherits nothing else but our messages' descriptor. */
static int spawn(const char *command, int input, pid_t *pid)
{
	char *const argv[] = { (char *)(uintptr_t)command, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&attr);
	err = posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	if (!err)
		err = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	if (!err)
		err = posix_spawnattr_setsigmask(&attr, &none);
	if (!err)
		err = posix_spawnattr_setsigdefault(&attr, &all);
	if (!err)
		err = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!err)
		err = posix_spawn(pid, command, &files, &attr, argv, environ);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attr);
	return -err;
}

bool alert_is(pid_t pid)
{
	pthread_mutex_lock(&session_lock);
	bool is = session && getsid(pid) == session;
	pthread_mutex_unlock(&session_lock);
	return is;
}

bool alert_leads(pid_t pid)
{
	pthread_mutex_lock(&session_lock);
	bool leads = pid == session;
	pthread_mutex_unlock(&session_lock);
	return leads;
}

/* Until it has ended; one that takes too long is killed. */
static int tell_command(const char *command, const char *text, int wait_ms)
{
	struct pollfd end = { .events = POLLIN };
	size_t len = strlen(text);
	pid_t pid;
	int status = 0;
	AUTO_FD input = memfd_create("alert", MFD_CLOEXEC);
	AUTO_FD pidfd = -1;

	if (input < 0 || write(input, text, len) != (ssize_t)len || lseek(input, 0, SEEK_SET) < 0)
		return -errno;
	pthread_mutex_lock(&session_lock);
	int err = spawn(command, input, &pid);
	session = err ? 0 : pid;
	pthread_mutex_unlock(&session_lock);
	if (err)
		return err;
	end.fd = pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0 && poll(&end, 1, wait_ms) == 0) {
		(void)kill(pid, SIGKILL);
		err = -ETIMEDOUT;
	}
	int ended = waitpid(pid, &status, 0);
	pthread_mutex_lock(&session_lock);
	session = 0;
	pthread_mutex_unlock(&session_lock);
	if (ended == pid && !err && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		err = -ECHILD;
	return err;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void complain(struct alert *alert, int to, int err)
{
	AUTO_FREE char *text = NULL;

	if (alert->complained[to])
		return;
	alert->complained[to] = true;
	text = text_printf("an alert could not be told to %s: %s", alert->to[to],
			   err == -ECHILD ? "the command failed" : err == -ETIMEDOUT ? "it took too long and was killed" : strerror(-err));
	alert->failed(alert->ctx, text);
}

static int wait_left(struct alert *alert)
{
	pthread_mutex_lock(&alert->mutex);
	uint64_t now = now_ns(), end = alert->end_ns;
	pthread_mutex_unlock(&alert->mutex);
	return !end ? TELL_MS : now < end ? (int)((end - now) / 1000000) : 0;
}

static bool tell(struct alert *alert, const struct told *told)
{
	AUTO_FREE char *text = NULL;
	size_t len = strlen(told->record);
	bool all = true;

	/* "...}\n" */
	if (told->left_out && len > 2)
		text = text_printf("%.*s,\"left_out\":%lu}\n", (int)len - 2, told->record, told->left_out);
	for (int to = 0; to < TO_COUNT; to++) {
		const char *record = text ? text : told->record;
		int err = 0;
		if (!alert->to[to])
			continue;
		if (to == TO_COMMAND)
			err = tell_command(alert->to[to], record, wait_left(alert));
		else
			err = to == TO_SOCKET ? tell_socket(alert->to[to], record) : tell_syslog(alert->to[to], told);
		if (err)
			complain(alert, to, err);
		all &= !err;
	}
	return all;
}

static void told_free(struct told *told)
{
	free(told->record);
	free(told->line);
	*told = (struct told){ 0 };
}

static void *alert_run(void *arg)
{
	struct alert *alert = arg;

	(void)prctl(PR_SET_NAME, "usher-alert");
	pthread_mutex_lock(&alert->mutex);
	while (alert->n || !alert->end_ns) {
		if (!alert->n) {
			pthread_cond_wait(&alert->wake, &alert->mutex);
			continue;
		}
		struct told told = alert->queue[alert->first];
		bool late = alert->end_ns && now_ns() >= alert->end_ns, done;
		alert->queue[alert->first] = (struct told){ 0 };
		alert->first = (alert->first + 1) % QUEUE;
		alert->n--;
		pthread_mutex_unlock(&alert->mutex);
		done = !late && tell(alert, &told);
		told_free(&told);
		pthread_mutex_lock(&alert->mutex);
		alert->lost += !done;
	}
	pthread_mutex_unlock(&alert->mutex);
	return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

int alert_new(struct alert **alert, const struct policy *policy, alert_failed_fn *failed, void *ctx)
{
	const struct policy_setting *setting = policy_setting(policy, "audit", "alert");
	int err;

	*alert = NULL;
	if (!setting)
		return 0;
	struct alert *new = mem_zero(sizeof(*new));
	new->to[TO_COMMAND] = value_of(setting, "command=");
	new->to[TO_SOCKET] = value_of(setting, "socket=");
	new->to[TO_SYSLOG] = value_of(setting, "syslog") ? SYSLOG : NULL;
	new->per_ns = per_ns(value_of(setting, "rate="));
	new->failed = failed;
	new->ctx = ctx;
	new->tokens = BURST;
	new->tokens_ns = now_ns();
	(void)pthread_mutex_init(&new->mutex, NULL);
	(void)pthread_cond_init(&new->wake, NULL);
	err = -pthread_create(&new->thread, NULL, alert_run, new);
	if (err) {
		free(new);
		return err;
	}
	*alert = new;
	return 0;
}

/* With the lock held. */
static bool may_tell(struct alert *alert)
{
	uint64_t now = now_ns();

	alert->tokens += (double)(now - alert->tokens_ns) / (double)alert->per_ns;
	alert->tokens = alert->tokens > BURST ? BURST : alert->tokens;
	alert->tokens_ns = now;
	if (alert->n == QUEUE || alert->tokens < 1)
		return false;
	alert->tokens--;
	return true;
}

void alert_put(struct alert *alert, const char *record, size_t len, const char *line)
{
	if (!alert)
		return;
	pthread_mutex_lock(&alert->mutex);
	if (may_tell(alert)) {
		alert->queue[(alert->first + alert->n++) % QUEUE] =
			(struct told){ .record = text_dup(record, len), .line = text_copy(line), .left_out = alert->left_out };
		alert->left_out = 0;
		pthread_cond_signal(&alert->wake);
	} else {
		alert->left_out++;
	}
	pthread_mutex_unlock(&alert->mutex);
}

unsigned long alert_free(struct alert *alert)
{
	unsigned long lost;

	if (!alert)
		return 0;
	pthread_mutex_lock(&alert->mutex);
	alert->end_ns = now_ns() + END_NS;
	pthread_cond_signal(&alert->wake);
	pthread_mutex_unlock(&alert->mutex);
	(void)pthread_join(alert->thread, NULL);
	lost = alert->lost + alert->left_out;
	(void)pthread_cond_destroy(&alert->wake);
	(void)pthread_mutex_destroy(&alert->mutex);
	free(alert);
	return lost;
}
