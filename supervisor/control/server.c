/* Connections, lines, answers. Nothing of what a client sends is looked at before peer.c has said that it may speak. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "cli/cli.h"
#include "control/observe.h"
#include "control/peer.h"
#include "control/state.h"
#include "err.h"
#include "fd.h"
#include "now.h"
#include "sandbox.h"
#include "text.h"

static void control_listen(struct control *control);

/* ---- a client ------------------------------------------------------------------------------- */

static bool client_free(const struct client *client)
{
	return client->fd < 0 && !client->op.pending && !client->timer.pending && !client->serving;
}

static void client_close(struct client *client)
{
	struct loop *loop = client->control ? client->control->options.loop : NULL;

	if (client->fd < 0)
		return;
	loop_cancel(loop, &client->op);
	loop_cancel(loop, &client->timer);
	client->fd = fd_close(client->fd);
	free(client->in);
	free(client->out);
	client->in = client->out = NULL;
}

static void client_send(struct client *client)
{
	while (client->out_at < client->out_len) {
		ssize_t n = send(client->fd, client->out + client->out_at, client->out_len - client->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			(void)loop_poll(client->control->options.loop, &client->op, client->fd, POLLOUT);
			return;
		}
		if (n <= 0)
			break;
		client->out_at += (size_t)n;
	}
	client_close(client);
}

void client_answer(struct client *client, const char *verb, json_t *answer, int status)
{
	json_t *all = json_pack("{s:i, s:s}", "schema", 1, "verb", verb);
	struct text line = { 0 };
	char *text;

	client->serving = false;
	if (answer)
		(void)json_object_update(all, answer);
	json_decref(answer);
	(void)json_object_set_new(all, "status", json_integer(status));
	text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	if (client->fd >= 0) {
		text_addf(&line, "%s\n", text ? text : "{\"status\":5}");
		client->out_len = line.len;
		client->out_at = 0;
		client->out = text_take(&line);
		client_send(client);
	}
	free(text);
}

void client_error(struct client *client, const char *verb, int status, const char *error)
{
	client_answer(client, verb, json_pack("{s:s}", "error", error), status);
}

static void client_request(struct client *client, size_t len)
{
	const char *refused = peer_refused(client->fd, &client->sender);
	json_t *request;
	json_error_t error;

	client->serving = true;
	if (refused) {
		AUTO_FREE char *text = text_printf("process %d of uid %u: %s", (int)client->sender.pid, client->sender.uid, refused);

		audit_event(client->control->options.audit, "control-refused", text);
		client_error(client, "", CLI_UNREACHABLE, refused);
		return;
	}
	request = json_loadb(client->in, len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(request))
		control_serve(client, request);
	else
		client_error(client, "", CLI_USAGE, "the request is no JSON object");
	json_decref(request);
}

/* Closes what was sent along; who sent it goes into SENDER. */
static void control_messages(struct msghdr *msg, struct ucred *sender)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(msg); at; at = CMSG_NXTHDR(msg, at)) {
		if (at->cmsg_level != SOL_SOCKET)
			continue;
		if (at->cmsg_type == SCM_CREDENTIALS && at->cmsg_len == CMSG_LEN(sizeof(*sender)))
			memcpy(sender, CMSG_DATA(at), sizeof(*sender));
		for (size_t i = 0; at->cmsg_type == SCM_RIGHTS && CMSG_LEN((i + 1) * sizeof(int)) <= at->cmsg_len; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof(fd));
			fd_close(fd);
		}
	}
}

static ssize_t client_receive(struct client *client, struct ucred *sender)
{
	union { char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 253)]; struct cmsghdr align; } room;
	struct iovec part = { client->in + client->in_len, CONTROL_LINE_MAX - client->in_len };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof(room) };
	ssize_t n = recvmsg(client->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	*sender = (struct ucred){ 0 };
	if (n < 0)
		return -errno;
	control_messages(&msg, sender);
	return n;
}

/* All of a request must be of one process. */
static void client_read(struct client *client)
{
	for (;;) {
		struct ucred sender;
		ssize_t n = client_receive(client, &sender);
		char *end;

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN) {
			(void)loop_poll(client->control->options.loop, &client->op, client->fd, POLLIN);
			return;
		}
		if (n <= 0 || (client->in_len && (sender.pid != client->sender.pid || sender.uid != client->sender.uid)))
			break;
		client->sender = sender;
		end = memchr(client->in + client->in_len, '\n', (size_t)n);
		client->in_len += (size_t)n;
		if (end) {
			client_request(client, (size_t)(end - client->in));
			return;
		}
		if (client->in_len == CONTROL_LINE_MAX)
			break;
	}
	client_close(client);
}

static void client_ready(struct loop_op *op, int result)
{
	struct client *client = container_of(op, struct client, op);

	if (client->control->over)
		return;
	if (client->fd >= 0 && result < 0)
		client_close(client);
	else if (client->fd >= 0 && client->out)
		client_send(client);
	else if (client->fd >= 0)
		client_read(client);
	control_listen(client->control);
}

static void client_late(struct loop_op *op, int result)
{
	struct client *client = container_of(op, struct client, timer);

	if (client->control->over)
		return;
	if (client->fd >= 0 && client->serving && result != -ECANCELED)
		(void)loop_timer(client->control->options.loop, &client->timer, CONTROL_LATE_NS);
	else
		client_close(client);
	control_listen(client->control);
}

/* ---- the door ------------------------------------------------------------------------------- */

static struct client *free_client(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (client_free(&control->clients[i]))
			return &control->clients[i];
	return NULL;
}

static bool older(const struct client *a, const struct client *b)
{
	return !b || (!a->out && b->out) || (!a->out == !b->out && a->number < b->number);
}

/* Who keeps others waiting: the oldest that says nothing, or else takes no answer. NULL if there is none, or one is on its way out. */
static struct client *idle_client(struct control *control)
{
	struct client *idle = NULL;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *client = &control->clients[i];
		if (client->fd < 0 && !client->serving)
			return NULL;
		if (client->fd >= 0 && !client->serving && older(client, idle))
			idle = client;
	}
	return idle;
}

/* While there is room, or somebody who can make some; others wait in the kernel. */
static void control_listen(struct control *control)
{
	if (!control->accept_op.pending && (free_client(control) || idle_client(control)))
		(void)loop_poll(control->options.loop, &control->accept_op, control->socket.listener, POLLIN);
}

static void control_accept(struct loop_op *op, int result)
{
	struct control *control = container_of(op, struct control, accept_op);
	struct client *client = control->over ? NULL : free_client(control);
	int fd;

	if (control->over || result == -ECANCELED)
		return;
	if (!client) {
		struct client *idle = idle_client(control);
		/* When it has gone client_ready() or client_late() listens again. */
		if (idle)
			client_close(idle);
		return;
	}
	fd = accept4(control->socket.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		*client = (struct client){ .control = control, .fd = fd, .number = ++control->connections, .op.done = client_ready, .timer.done = client_late };
		client->in = malloc(CONTROL_LINE_MAX);
		(void)loop_timer(control->options.loop, &client->timer, CONTROL_LATE_NS);
		if (client->in)
			client_read(client);
		else
			client_close(client);
	}
	control_listen(control);
}

/* ---- from outside --------------------------------------------------------------------------- */

/* Of a policy's name what may be in a socket's. */
static char *plain_name(const char *policy)
{
	char *name = text_printf("%.*s.%d", CONTROL_NAME_MAX - 12, policy, (int)getpid());

	for (char *at = name; *at; at++) {
		char letter[] = { *at, '\0' };

		if (!control_name_good(letter) && (at == name || (*at != '.' && *at != '-')))
			*at = '_';
	}
	return name;
}

int control_open(struct control **control, const struct control_options *options, const char **what)
{
	const struct policy *policy = rulesets_current(&options->sandbox->rulesets)->policy;
	struct control *new = mem_zero(sizeof(*new));
	int err;

	new->options = *options;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		new->clients[i].fd = -1;
	new->name = options->name ? text_copy(options->name) : plain_name(policy->name ? policy->name : "");
	new->program = text_copy(options->program);
	new->policy_path = realpath(policy->files[0].path, NULL);
	if (!new->policy_path)
		new->policy_path = text_copy(policy->files[0].path);
	new->mode_log = options->mode_log;
	new->started_ns = now_ns();
	new->accept_op.done = control_accept;
	err = control_socket_open(&new->socket, new->name, what);
	if (err) {
		control_free(new);
		return err;
	}
	control_listen(new);
	control_observe(new);
	*control = new;
	return 0;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	control->over = true;
	control_socket_close(&control->socket);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		client_close(&control->clients[i]);
	change_end(control);
	control->options.sandbox->rulesets.retired = NULL;
	observe_stop(control->observe);
	control->observe = NULL;
	loop_unpost(control->options.loop, &control->flushed);
}

void control_free(struct control *control)
{
	if (!control)
		return;
	restart_free(&control->restart);
	free(control->panic);
	free(control->name);
	free(control->program);
	free(control->policy_path);
	free(control);
}
