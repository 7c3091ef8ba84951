/* New file systems, and other options for old ones: fsopen, fsconfig, fsmount. */
#include "calls/mount_api.h"

#include <errno.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>

#include "calls/mount_enter.h"
#include "err.h"
#include "sandbox.h"
#include "text.h"

#define WORD_SIZE 256	/* keys and values */
#define ALL_SIZE  4096	/* what mount(2) takes: records tell all of it */

static int fetch_word(struct request *req, int arg, char **word)
{
	char text[WORD_SIZE];
	ssize_t len;

	if (!req->notif.data.args[arg])
		return 0;
	len = fetch_string(req, req->notif.data.args[arg], text, sizeof(text));
	*word = len < 0 ? NULL : strdup(text);
	return len == -ENAMETOOLONG ? -EINVAL : len < 0 ? (int)len : *word ? 0 : -ENOMEM;
}

/* ---- fsopen, fsmount ------------------------------------------------------------------------ */

int fsopen_fetch(struct request *req)
{
	struct mount_call *call;
	int err = mount_api_begin(req, (unsigned)request_int(req, 1) & ~(unsigned)FSOPEN_CLOEXEC, &call);

	if (!err)
		err = mount_fetch_text(req, 0, PATH_MAX, &call->data);
	return err ? err : call->data ? 0 : -EFAULT;
}

int fsopen_serve(struct request *req)
{
	struct placeholder new = { .kind = PLACEHOLDER_CONTEXT, .pin = -1, .fstype = strdup(mount_call_of(req)->data) };

	return new.fstype ? mount_api_reply(req, &new, request_int(req, 1) & FSOPEN_CLOEXEC) : -ENOMEM;
}

int fsmount_fetch(struct request *req)
{
	struct mount_call *call;
	int err = mount_api_begin(req, (unsigned)request_int(req, 1) & ~(unsigned)FSMOUNT_CLOEXEC, &call);

	if (!err)
		err = mount_api_check((unsigned)request_int(req, 2));
	return err ? err : mount_api_hold(req, request_int(req, 0), PLACEHOLDER_CONTEXT);
}

int fsmount_serve(struct request *req)
{
	struct placeholder *held = mount_call_of(req)->held;
	struct placeholder new = { .kind = PLACEHOLDER_MOUNT, .pin = -1, .fstype = held->fstype, .source = held->source,
				   .options = held->options, .n_options = held->n_options, .sb = held->sb, .attr = mount_api_bits((unsigned)request_int(req, 2)) };

	if (held->pin >= 0 || held->used)
		return -EBUSY;
	if (!held->made)
		return -EINVAL;
	held->used = true;
	held->fstype = held->source = NULL;
	held->options = NULL;
	held->n_options = 0;
	return mount_api_reply(req, &new, request_int(req, 1) & FSMOUNT_CLOEXEC);
}

/* ---- options -------------------------------------------------------------------------------- */

/* An overlay's names as in mount(2)'s options, where commas part them, into *TO. */
static int split_layers(struct mount_call *call, const struct placeholder_option *option, char **to)
{
	char *text = *to;
	int n;

	*to = stpcpy(stpcpy(*to, option->name), "=");
	for (const char *from = option->value; *from; from++) {
		if (*from == ',')
			*(*to)++ = '\\';
		*(*to)++ = *from;
		if (*from == '\\' && from[1])
			*(*to)++ = *++from;
	}
	*(*to)++ = '\0';
	n = policy_mount_options("overlay", text, call->options + call->n_options, POLICY_MOUNT_OPTIONS - call->n_options);
	call->n_options += n > 0 ? (size_t)n : 0;
	return n < 0 ? -EINVAL : 0;
}

int mount_api_options(struct request *req, const struct placeholder *context)
{
	struct mount_call *call = mount_call_of(req);
	bool overlay = context->fstype && !strcmp(context->fstype, "overlay");
	struct text all = { 0 };
	size_t size = 1;
	char *to;
	int err = 0;

	for (size_t i = 0; i < context->n_options; i++)
		size += strlen(context->options[i].name) + 2 + 2 * (context->options[i].value ? strlen(context->options[i].value) : 0);
	call->text = to = malloc(size);
	call->options = calloc(POLICY_MOUNT_OPTIONS, sizeof(*call->options));
	call->layers = calloc(POLICY_MOUNT_OPTIONS, sizeof(*call->layers));
	if (!call->text || !call->options || !call->layers)
		return -ENOMEM;
	for (size_t i = 0; i < context->n_options && !err; i++) {
		const struct placeholder_option *option = &context->options[i];

		text_addf(&all, "%s%s%s%s", i ? "," : "", option->name, option->value ? "=" : "", option->value ? option->value : "");
		if (overlay && option->value)
			err = split_layers(call, option, &to);
		else if (call->n_options < POLICY_MOUNT_OPTIONS)
			call->options[call->n_options++] = (struct policy_mount_option){ option->name, option->value };
		else
			err = -EINVAL;
	}
	call->data = text_take(&all);
	return err;
}

/* ---- fsconfig ------------------------------------------------------------------------------- */

int fsconfig_fetch(struct request *req)
{
	struct mount_call *call;
	unsigned command = (unsigned)request_int(req, 1);
	bool key = req->notif.data.args[2], value = req->notif.data.args[3];
	int err = mount_api_begin(req, 0, &call);

	if (err)
		return err;
	call->flags = command;
	if (request_int(req, 0) < 0)
		return -EINVAL;
	switch (command) {
	case FSCONFIG_SET_FLAG:
		err = !key || value || request_int(req, 4) ? -EINVAL : 0;
		break;
	case FSCONFIG_SET_STRING:
		err = !key || !value || request_int(req, 4) ? -EINVAL : 0;
		break;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE:
		err = key || value || request_int(req, 4) ? -EINVAL : 0;
		break;
	default:
		err = -EOPNOTSUPP;
	}
	if (!err)
		err = mount_api_hold(req, request_int(req, 0), PLACEHOLDER_CONTEXT);
	if (!err)
		err = fetch_word(req, 2, &call->text);
	if (!err && command == FSCONFIG_SET_STRING)
		err = fetch_word(req, 3, &call->data);
	if (err || command != FSCONFIG_CMD_RECONFIGURE)
		return err;
	if (call->held->pin < 0)
		return -EBUSY;
	call->kind = MOUNT_KIND_REMOUNT;
	call->whole = call->sb_only = true;
	call->fstype = strdup("remount");
	err = call->fstype ? mount_api_name(req, call->held->pin) : -ENOMEM;
	return err ? err : mount_api_options(req, call->held);
}

static bool sb_flag(struct placeholder *context, const char *name)
{
	static const struct { const char *name; uint32_t set, clear; } flags[] = {
		{ "ro", MOUNT_BIT(MOUNT_RO), 0 }, { "rw", 0, MOUNT_BIT(MOUNT_RO) }, { "sync", MOUNT_BIT(MOUNT_SYNC), 0 }, { "async", 0, MOUNT_BIT(MOUNT_SYNC) },
		{ "dirsync", MOUNT_BIT(MOUNT_DIRSYNC), 0 }, { "lazytime", MOUNT_BIT(MOUNT_LAZYTIME), 0 }, { "nolazytime", 0, MOUNT_BIT(MOUNT_LAZYTIME) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strcmp(flags[i].name, name)) {
			context->sb = (context->sb & ~flags[i].clear) | flags[i].set;
			context->says_ro |= name[0] == 'r';
			return true;
		}
	return false;
}

static size_t option_size(const char *name, const char *value)
{
	return strlen(name) + (value ? strlen(value) + 1 : 0) + 1;
}

/* NAME and VALUE are handed over if it succeeds. */
static int add_option(struct placeholder *context, char **name, char **value)
{
	struct placeholder_option *more;
	size_t size = option_size(*name, *value);

	if (!strcmp(*name, "source") && *value) {
		if (context->source)
			return -EINVAL;
		context->source = *value;
		*value = NULL;
		return 0;
	}
	for (size_t i = 0; i < context->n_options; i++)
		size += option_size(context->options[i].name, context->options[i].value);
	if (context->n_options == POLICY_MOUNT_OPTIONS || size > ALL_SIZE)
		return -ENOSPC;
	more = reallocarray(context->options, context->n_options + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	context->options = more;
	more[context->n_options++] = (struct placeholder_option){ *name, *value };
	*name = *value = NULL;
	return 0;
}

int fsconfig_serve(struct request *req)
{
	struct mount_call *call = mount_call_of(req);
	struct placeholder *context = call->held;

	if (call->kind == MOUNT_KIND_REMOUNT) {
		int err = mount_serve(req);
		if (!err)
			placeholder_forget(context);
		return err;
	}
	/* What is picked is configured as often as one likes. */
	if (context->used || context->made || (context->pin >= 0 && call->flags == FSCONFIG_CMD_CREATE))
		return -EBUSY;
	if (call->flags == FSCONFIG_CMD_CREATE)
		context->made = true;
	else if (!sb_flag(context, call->text)) {
		int err = add_option(context, &call->text, &call->data);
		if (err)
			return err;
	}
	return reply_value(req, 0);
}
