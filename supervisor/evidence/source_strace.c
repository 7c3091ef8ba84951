/*
 * strace output: -f, with or without times, best with -y, which tells what descriptors and the cwd mean. Paths are spelled there, so they are
 * resolved on this machine. A relative path without -y says nothing and is skipped, and so is a call that strace cut in two, until its end.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "fd.h"
#include "source.h"
#include "text.h"

#define ARGS_MAX 7
#define PIDS_MAX 256

enum form { FORM_PATH, FORM_OPEN, FORM_TWO, FORM_SOCKET };

static const struct call {
	const char *name;
	enum form form;
	int dirfd, path;	/* arguments; dirfd -1: none */
	uint32_t ops;
} calls[] = {
	{ "open", FORM_OPEN, -1, 0, 0 }, { "openat", FORM_OPEN, 0, 1, 0 }, { "openat2", FORM_OPEN, 0, 1, 0 }, { "creat", FORM_OPEN, -1, 0, 0 },
	{ "execve", FORM_PATH, -1, 0, OP_BIT(OP_EXEC) }, { "execveat", FORM_PATH, 0, 1, OP_BIT(OP_EXEC) },
	{ "unlink", FORM_PATH, -1, 0, OP_BIT(OP_DELETE) }, { "rmdir", FORM_PATH, -1, 0, OP_BIT(OP_DELETE) },
	{ "unlinkat", FORM_PATH, 0, 1, OP_BIT(OP_DELETE) },
	{ "mkdir", FORM_PATH, -1, 0, OP_BIT(OP_CREATE) }, { "mkdirat", FORM_PATH, 0, 1, OP_BIT(OP_CREATE) },
	{ "symlink", FORM_PATH, -1, 1, OP_BIT(OP_CREATE) }, { "symlinkat", FORM_PATH, 1, 2, OP_BIT(OP_CREATE) },
	{ "mknod", FORM_PATH, -1, 0, OP_BIT(OP_CREATE) | OP_BIT(OP_MKNOD) }, { "mknodat", FORM_PATH, 0, 1, OP_BIT(OP_CREATE) | OP_BIT(OP_MKNOD) },
	{ "rename", FORM_TWO, -1, 0, OP_BIT(OP_RENAME) }, { "renameat", FORM_TWO, 0, 1, OP_BIT(OP_RENAME) },
	{ "renameat2", FORM_TWO, 0, 1, OP_BIT(OP_RENAME) },
	{ "link", FORM_TWO, -1, 0, OP_BIT(OP_LINK) }, { "linkat", FORM_TWO, 0, 1, OP_BIT(OP_LINK) },
	{ "chmod", FORM_PATH, -1, 0, OP_BIT(OP_CHMOD) }, { "fchmodat", FORM_PATH, 0, 1, OP_BIT(OP_CHMOD) },
	{ "chown", FORM_PATH, -1, 0, OP_BIT(OP_CHOWN) }, { "lchown", FORM_PATH, -1, 0, OP_BIT(OP_CHOWN) },
	{ "fchownat", FORM_PATH, 0, 1, OP_BIT(OP_CHOWN) },
	{ "utime", FORM_PATH, -1, 0, OP_BIT(OP_UTIME) }, { "utimes", FORM_PATH, -1, 0, OP_BIT(OP_UTIME) },
	{ "utimensat", FORM_PATH, 0, 1, OP_BIT(OP_UTIME) },
	{ "setxattr", FORM_PATH, -1, 0, OP_BIT(OP_XATTR) }, { "lsetxattr", FORM_PATH, -1, 0, OP_BIT(OP_XATTR) },
	{ "truncate", FORM_PATH, -1, 0, OP_BIT(OP_TRUNCATE) },
	{ "connect", FORM_SOCKET, 0, 1, OP_BIT(OP_CONNECT) }, { "bind", FORM_SOCKET, 0, 1, OP_BIT(OP_BIND) },
	{ "sendto", FORM_SOCKET, 0, 4, OP_BIT(OP_SENDTO) },
};

/* What was cut in two: "openat(AT_FDCWD, "/x", " of a task, until it is resumed. */
struct cut { long pid; char *text; };

struct reading {
	struct source *source;
	source_fn *fn;
	void *ctx;
	struct cut cuts[PIDS_MAX];
};

/* ---- one line -------------------------------------------------------------------------------- */

/* Behind the number of the task and the time. */
static char *skip_front(char *line, long *pid)
{
	char *at = line;

	*pid = 0;
	if (strncmp(at, "[pid ", 5) == 0)
		at += 5 + strspn(at + 5, " ");
	for (; isdigit((unsigned char)*at); at++)
		*pid = *pid < INT32_MAX ? *pid * 10 + *at - '0' : *pid;
	while (*at == ']' || *at == ' ' || *at == '\t')
		at++;
	while (isdigit((unsigned char)*at) || *at == ':' || *at == '.')
		at++;
	while (*at == ' ')
		at++;
	return at;
}

/* The arguments of a call, cut apart at the commas that are not in quotes or brackets; *REST is what follows ")". */
static int split(char *text, char *args[ARGS_MAX], char **rest)
{
	int n = 0, depth = 0;
	bool quoted = false;

	args[n++] = text;
	for (char *c = text; *c; c++) {
		if (quoted) {
			if (*c == '\\' && c[1])
				c++;
			else
				quoted = *c != '"';
			continue;
		}
		if (*c == '"') {
			quoted = true;
		} else if (strchr("{[(", *c)) {
			depth++;
		} else if (*c == ')' && depth == 0) {
			*c = '\0';
			*rest = c + 1;
			return n;
		} else if (strchr("}])", *c)) {
			depth--;
		} else if (*c == ',' && depth == 0 && n < ARGS_MAX) {
			*c = '\0';
			args[n++] = c + (c[1] == ' ' ? 2 : 1);
		}
	}
	return 0;
}

/* The string that begins at TEXT with a quote, malloc'ed; NULL if it is none, or cut short. */
static char *unquote(const char *text)
{
	struct text out = { 0 };

	if (!text || *text != '"')
		return NULL;
	text_puts(&out, "");
	for (text++; *text && *text != '"'; text++) {
		char c = *text;
		if (c == '\\' && text[1] >= '0' && text[1] <= '7') {
			int value = 0, digits = 0;
			for (; digits < 3 && text[1] >= '0' && text[1] <= '7'; digits++)
				value = value * 8 + (*++text - '0');
			c = (char)value;
		} else if (c == '\\' && text[1]) {
			c = *++text;
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'v' ? '\v' : c == 'f' ? '\f' : c;
		}
		text_add(&out, &c, 1);
	}
	if (*text == '"' && strncmp(text + 1, "...", 3) != 0)
		return text_take(&out);
	free(text_take(&out));
	return NULL;
}

/* "3</dir>", "AT_FDCWD</home>": what is in the brackets, malloc'ed. */
static char *annotated(const char *arg)
{
	const char *open = arg ? strchr(arg, '<') : NULL, *close = open ? strrchr(open, '>') : NULL;

	return close && open[1] == '/' ? text_dup(open + 1, (size_t)(close - open - 1)) : NULL;
}

/* LAST: the last name is one, and is not followed. */
static char *path_of(const char *dirfd, const char *arg, bool last)
{
	AUTO_FREE char *spelled = unquote(arg);
	AUTO_FREE char *base = spelled && spelled[0] != '/' ? annotated(dirfd) : NULL;
	char *resolved = NULL;

	if (!spelled || (spelled[0] != '/' && !base))
		return NULL;
	AUTO_FREE char *path = base ? text_printf("%s/%s", base, spelled) : text_copy(spelled);
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	char *slash = last ? strrchr(path, '/') : NULL;
	if (!slash || slash == path || strncmp(path, "/proc/", 6) == 0)
		return env_resolve(NULL, path, &resolved) == 0 ? resolved : NULL;
	*slash = '\0';
	if (env_resolve(NULL, path, &resolved))
		return NULL;
	char *whole = text_printf("%s/%s", strcmp(resolved, "/") ? resolved : "", slash + 1);
	free(resolved);
	return whole;
}

static uint32_t open_ops(const char *name, const char *flags)
{
	uint32_t ops = 0, write;

	if (strcmp(name, "creat") == 0)
		return OP_BIT(OP_WRITE) | OP_BIT(OP_CREATE) | OP_BIT(OP_TRUNCATE);
	if (!flags || strstr(flags, "O_PATH"))
		return 0;
	if (strstr(flags, "O_DIRECTORY"))
		return OP_BIT(OP_LIST);
	write = strstr(flags, "O_APPEND") ? OP_BIT(OP_APPEND) : OP_BIT(OP_WRITE);
	if (strstr(flags, "O_RDWR"))
		ops = OP_BIT(OP_READ) | OP_BIT(OP_WRITE) | write;
	else
		ops = strstr(flags, "O_WRONLY") ? write : OP_BIT(OP_READ);
	if (strstr(flags, "O_CREAT"))
		ops |= OP_BIT(OP_CREATE);
	if (strstr(flags, "O_TRUNC"))
		ops |= OP_BIT(OP_TRUNCATE);
	return ops;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static char *between(const char *text, const char *before, const char *after)
{
	const char *from = strstr(text, before);
	size_t len = from ? strcspn(from + strlen(before), after) : 0;

	return from ? text_dup(from + strlen(before), len) : NULL;
}

/* The object of a socket address, malloc'ed; NULL: none that rules speak of. */
static char *peer_of(const char *fd, const char *arg, uint32_t ops, int *proto)
{
	AUTO_FREE char *port = between(arg, "htons(", ")");
	AUTO_FREE char *four = between(arg, "inet_addr(\"", "\"");
	AUTO_FREE char *six = between(arg, "inet_pton(AF_INET6, \"", "\"");
	const char *unix_path = strstr(arg, "sun_path=");

	*proto = strstr(fd, "UDP") || ops & OP_BIT(OP_SENDTO) ? PROTO_UDP : PROTO_TCP;
	if (unix_path) {
		bool abstract = unix_path[strlen("sun_path=")] == '@';
		*proto = abstract ? (int)PROTO_UNIX : -1;
		AUTO_FREE char *name = unquote(unix_path + strlen("sun_path=") + abstract);
		if (!abstract)
			return path_of(NULL, unix_path + strlen("sun_path="), ops & OP_BIT(OP_BIND));
		return name ? text_printf("@%s", name) : NULL;
	}
	if (!port || (!four && !six))
		return NULL;
	return four ? text_printf("%s:%s", four, port) : text_printf("[%s]:%s", six, port);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool result_of(const char *rest, struct access *access)
{
	const char *equals = strstr(rest, "= ");

	if (!equals || equals[2] == '?')
		return false;
	if (strncmp(equals, "= -1 ", 5) == 0) {
		access->error = policy_errno_named(equals + 5, strcspn(equals + 5, " \n"));
		if (access->error < 0)
			return false;
	}
	return true;
}

static int take_call(struct reading *reading, const struct call *call, char *text)
{
	struct access access = { .proto = -1, .ops = call->ops, .count = 1, .domain = { "main", 4 } };
	char *args[ARGS_MAX], *rest = NULL;
	int n = split(text, args, &rest);
	bool skip = n <= call->path || !result_of(rest, &access);
	const char *dirfd = call->dirfd >= 0 && !skip ? args[call->dirfd] : NULL;
	AUTO_FREE char *object = NULL;
	AUTO_FREE char *to = NULL;

	if (!skip && call->form == FORM_SOCKET) {
		object = peer_of(args[0], args[call->path], call->ops, &access.proto);
	} else if (!skip) {
		bool name = call->ops & ~(OP_BIT(OP_EXEC) | OP_BIT(OP_CHMOD) | OP_BIT(OP_CHOWN) | OP_BIT(OP_UTIME) | OP_BIT(OP_XATTR) |
					  OP_BIT(OP_TRUNCATE));
		object = path_of(dirfd, args[call->path], name);
	}
	if (!skip && call->form == FORM_OPEN) {
		access.ops = open_ops(call->name, n > call->path + 1 ? args[call->path + 1] : NULL);
		if (!access.ops)
			return 0;
	}
	if (object && call->form == FORM_TWO) {
		int second = call->path + (call->dirfd >= 0 ? 2 : 1);
		to = n > second ? path_of(call->dirfd >= 0 ? args[second - 1] : NULL, args[second], true) : NULL;
		access.to_ops = OP_BIT(OP_CREATE);
		skip = !to;
	}
	if (skip || !object) {
		reading->source->skipped++;
		return 0;
	}
	access.object = (struct bytes){ object, strlen(object) };
	access.to = (struct bytes){ to, to ? strlen(to) : 0 };
	return reading->fn(reading->ctx, &access);
}

static int take_text(struct reading *reading, char *text)
{
	size_t len = strcspn(text, "(");

	for (size_t i = 0; text[len] && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strlen(calls[i].name) == len && strncmp(text, calls[i].name, len) == 0)
			return take_call(reading, &calls[i], text + len + 1);
	return 0;
}

static struct cut *cut_of(struct reading *reading, long pid, bool used)
{
	for (size_t i = 0; i < PIDS_MAX; i++)
		if (used ? reading->cuts[i].text && reading->cuts[i].pid == pid : !reading->cuts[i].text)
			return &reading->cuts[i];
	return NULL;
}

static int take_line(struct reading *reading, char *line)
{
	long pid;
	char *text = skip_front(line, &pid), *cut = strstr(text, " <unfinished ...>"), *resumed = strstr(text, " resumed>");

	if (cut) {
		struct cut *kept = cut_of(reading, pid, false);
		*cut = '\0';
		if (kept)
			*kept = (struct cut){ pid, text_copy(text) };
		return 0;
	}
	if (strncmp(text, "<... ", 5) != 0 || !resumed)
		return take_text(reading, text);
	struct cut *kept = cut_of(reading, pid, true);
	if (!kept)
		return 0;
	AUTO_FREE char *whole = text_printf("%s%s", kept->text, resumed + strlen(" resumed>"));
	free(kept->text);
	kept->text = NULL;
	return take_text(reading, whole);
}

int source_read_strace(struct source *source, source_fn *fn, void *ctx)
{
	struct reading reading = { .source = source, .fn = fn, .ctx = ctx };
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	int err = 0;
	FILE *file = fopen(source->file, "re");

	if (!file)
		return -errno;
	while (!err && getline(&line, &size, file) >= 0)
		err = take_line(&reading, line);
	for (size_t i = 0; i < PIDS_MAX; i++)
		free(reading.cuts[i].text);
	fclose(file);
	return err;
}
