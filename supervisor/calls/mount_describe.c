/* A mount in a record, and as a question for usher why. */
#include <stdlib.h>
#include <string.h>

#include "calls/mount.h"
#include "calls/mount_enter.h"
#include "escape.h"
#include "mount_text.h"
#include "request.h"

static void describe(struct text *text, const char *key, const char *value)
{
	text_addf(text, ",\"%s\":", key);
	escape_json(text, value, strlen(value));
}

typedef void say_fn(struct text *text, const char *key, const char *value);

static void say_how(struct text *text, const struct policy_mount *mount, say_fn *say)
{
	struct text words = { 0 };

	mount_text_flags(&words, mount->flags);
	if (words.len)
		say(text, "flags", words.s);
	words.len = 0;
	mount_text_options(&words, mount);
	if (words.len)
		say(text, "options", words.s);
	free(text_take(&words));
}

void mount_describe(struct text *text, const struct request *req)
{
	const struct mount_call *call = mount_call_of(req);
	struct policy_mount mount;

	if (call && call->kind == MOUNT_KIND_UMOUNT && call->ours)
		text_puts(text, ",\"own\":true");
	if (!call || call->kind == MOUNT_KIND_UMOUNT || call->kind == MOUNT_KIND_PROPAGATE || !call->fstype)
		return;
	mount = mount_asked(req);
	describe(text, "fstype", mount.fstype);
	/* Of what is mounted again the call has no source. */
	if (mount.from && req->n_names < 2)
		describe(text, "from", mount.from);
	say_how(text, &mount, describe);
}

static void question(struct text *text, const char *key, const char *value)
{
	text_addf(text, " %s%s", key, *key ? " " : "");
	escape_shell(text, value, strlen(value));
}

bool mount_question(struct text *text, const struct request *req)
{
	const struct mount_call *call = mount_call_of(req);
	const struct policy_mount mount = call && call->fstype ? mount_asked(req) : (struct policy_mount){ 0 };

	if (!mount.fstype || !mount.on || call->kind == MOUNT_KIND_UMOUNT || call->kind == MOUNT_KIND_PROPAGATE || call->kind == MOUNT_KIND_PIVOT)
		return false;
	text_puts(text, "mount");
	question(text, "", mount.fstype);
	if (mount.from)
		question(text, "from", mount.from);
	question(text, "on", mount.on);
	say_how(text, &mount, question);
	return true;
}
