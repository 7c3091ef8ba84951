#include "remote.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/socket.h"
#include "err.h"
#include "escape.h"
#include "fd.h"
#include "text.h"

#define ANSWER_S 120
#define LOOK_S	 2	/* of each that there is: one that is stopped must not keep the others waiting */
#define ANSWER_MAX (64U << 20)

/* ---- asking --------------------------------------------------------------------------------- */

static int remote_connect(const char *path, int seconds)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = seconds };
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return fd_take(&fd);
}

static char *remote_line(int fd)
{
	struct text text = { 0 };
	char part[4096];
	ssize_t n;

	while ((n = recv(fd, part, sizeof(part), 0)) > 0 && text.len < ANSWER_MAX)
		text_add(&text, part, (size_t)n);
	return text_take(&text);
}

static json_t *ask(const char *path, json_t *request, int seconds, const char **error)
{
	char *line = json_dumps(request, JSON_COMPACT);
	AUTO_FREE char *message = text_printf("%s\n", line);
	AUTO_FREE char *answer = NULL;
	AUTO_FD fd = remote_connect(path, seconds);
	json_t *json;

	free(line);
	json_decref(request);
	*error = fd == -ECONNREFUSED && control_socket_sweep(path) ? "nobody serves its socket any more: it was removed" : fd == -EACCES ? "permission denied" : "it cannot be reached";
	if (fd < 0)
		return NULL;
	/* What was refused has its answer all the same. */
	(void)send(fd, message, strlen(message), MSG_NOSIGNAL);
	answer = remote_line(fd);
	json = json_loads(answer, 0, NULL);
	*error = "it gave no answer";
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

json_t *remote_ask(const char *path, json_t *request, const char **error)
{
	return ask(path, request, ANSWER_S, error);
}

/* ---- finding -------------------------------------------------------------------------------- */

static void remotes_add(struct remotes *remotes, const char *dir, const char *file)
{
	size_t len = strlen(file), end = strlen(".sock");
	struct remote *remote;

	if (len <= end || strcmp(file + len - end, ".sock") != 0)
		return;
	remote = mem_push(&remotes->list, &remotes->n);
	remote->name = text_dup(file, len - end);
	remote->path = text_printf("%s/%s", dir, file);
	remote->ps = ask(remote->path, json_pack("{s:s}", "verb", "ps"), LOOK_S, &remote->error);
	if (remote->ps && json_integer_value(json_object_get(remote->ps, "status"))) {
		const char *why = json_string_value(json_object_get(remote->ps, "error"));

		/* Lives as long as the answer does. */
		remote->error = why ? why : "it refused";
	} else if (remote->ps) {
		remote->error = NULL;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct remote *)a)->name, ((const struct remote *)b)->name);
}

int remotes_find(const struct cli *cli, struct remotes *remotes)
{
	AUTO_FREE char *path = control_dir();
	DIR *dir = path ? opendir(path) : NULL;

	*remotes = (struct remotes){ 0 };
	if (!path) {
		cli_error(cli, "without XDG_RUNTIME_DIR it is not known where supervisors can be reached");
		return CLI_UNREACHABLE;
	}
	if (!dir && errno == ENOENT)
		return CLI_OK;
	if (!dir) {
		cli_error(cli, "%s: %s", path, strerror(errno));
		return CLI_UNREACHABLE;
	}
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		remotes_add(remotes, path, entry->d_name);
	closedir(dir);
	if (remotes->n)
		qsort(remotes->list, remotes->n, sizeof(*remotes->list), by_name);
	return CLI_OK;
}

void remotes_free(struct remotes *remotes)
{
	for (size_t i = 0; i < remotes->n; i++) {
		free(remotes->list[i].name);
		free(remotes->list[i].path);
		json_decref(remotes->list[i].ps);
	}
	free(remotes->list);
	*remotes = (struct remotes){ 0 };
}

static bool is_meant(const struct remote *remote, const char *who, bool by_policy)
{
	const json_t *pid = json_object_get(remote->ps, "pid");
	const char *policy = json_string_value(json_object_get(remote->ps, "policy"));
	const char *file = json_string_value(json_object_get(remote->ps, "policy_file"));
	char number[24], resolved[PATH_MAX];

	if (!by_policy) {
		(void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(pid));
		return !strcmp(remote->name, who) || (pid && !strcmp(number, who));
	}
	if (strchr(who, '/'))
		return file && realpath(who, resolved) && !strcmp(resolved, file);
	return policy && !strcmp(policy, who);
}

static void say_names(const struct cli *cli, const struct remotes *remotes, const char *question)
{
	struct text text = { 0 };

	for (size_t i = 0; i < remotes->n; i++)
		if (!remotes->list[i].error)
			text_addf(&text, " %s", remotes->list[i].name);
	cli_error(cli, "%s; there are:%s", question, text.len ? text.s : " none");
	free(text_take(&text));
}

const struct remote *remotes_pick(const struct cli *cli, const struct remotes *remotes, const char *who, int *status)
{
	const struct remote *found = NULL;
	size_t n = 0;

	for (int by_policy = 0; by_policy < 2 && !n; by_policy++)
		for (size_t i = 0; i < remotes->n; i++) {
			const struct remote *remote = &remotes->list[i];

			if (who ? !is_meant(remote, who, by_policy) : remote->error != NULL || by_policy)
				continue;
			found = remote;
			n++;
		}
	*status = CLI_UNREACHABLE;
	if (n == 1 && !found->error)
		return found;
	if (n == 1)
		cli_error(cli, "%s: %s", found->name, found->error);
	else if (n)
		say_names(cli, remotes, "which one?");
	else if (who)
		say_names(cli, remotes, "no running program is called so");
	else
		cli_error(cli, "no program runs under usher");
	*status = n > 1 ? CLI_USAGE : CLI_UNREACHABLE;
	return NULL;
}

/* ---- the whole ------------------------------------------------------------------------------ */

int remote_do(const struct cli *cli, const struct remote *remote, json_t *request, json_t **answer)
{
	const char *error = NULL;
	json_t *got = remote_ask(remote->path, request, &error);
	const char *report;
	const json_t *line;
	size_t i;
	int status;

	if (answer)
		*answer = NULL;
	if (!got) {
		cli_error(cli, "%s: %s", remote->name, error);
		return CLI_UNREACHABLE;
	}
	status = (int)json_integer_value(json_object_get(got, "status"));
	report = json_string_value(json_object_get(got, "report"));
	if (report && *report && (status || !cli->quiet))
		fputs(report, stderr);
	if (json_string_value(json_object_get(got, "error")))
		cli_error(cli, "%s: %s; nothing was changed", remote->name, json_string_value(json_object_get(got, "error")));
	json_array_foreach(json_object_get(got, "restart"), i, line)
		if (status || !cli->quiet)
			cli_warn(cli, "needs restart: %s", json_string_value(line));
	if (cli->json) {
		json_dumpf(got, stdout, JSON_INDENT(2));
		printf("\n");
	}
	if (answer)
		*answer = got;
	else
		json_decref(got);
	return status;
}
