/* usher why, asked about a mount: in the words of a rule, or by the record of one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "escape.h"
#include "fd.h"
#include "text.h"
#include "why.h"
#include "words.h"

/* "ro,nosuid" */
static int flags_of(const struct why *why, const char *list, uint32_t *flags)
{
	while (list && *list) {
		size_t len = strcspn(list, ",");
		const struct word *word = word_find(WORD_BIT(WORD_MOUNT_FLAG), list, len);
		if (!word)
			return cli_usage(why->cli, &cli_verb_why, "there is no mount flag '%.*s'", (int)len, list);
		*flags |= MOUNT_BIT(word->value);
		list += len + (list[len] == ',');
	}
	return 0;
}

/* FROM and ON are resolved. */
static int mount_asked(struct why *why, const char *fstype, const char *flags, const char *options)
{
	struct policy_mount *mount = &why->mount;
	int status, n;
	*mount = (struct policy_mount){ .fstype = fstype, .from = why->mount_from, .on = why->path };
	status = flags_of(why, flags, &mount->flags);
	if (status)
		return status;
	mount->flags = policy_mount_flags(mount->flags);
	why->mount_text = strdup(options ? options : "");
	why->mount_options = calloc(POLICY_MOUNT_OPTIONS, sizeof(*why->mount_options));
	n = why->mount_text && why->mount_options ? policy_mount_options(fstype, why->mount_text, why->mount_options, POLICY_MOUNT_OPTIONS) : -ENOMEM;
	if (n < 0)
		return cli_usage(why->cli, &cli_verb_why, "these options cannot be read: %s", options);
	mount->options = why->mount_options;
	mount->n_options = (size_t)n;
	why->asked = (struct asked){ .op = OP_MOUNT, .path = why->path, .mount = mount };
	return 0;
}

int why_mount_words(struct why *why, int n, char **words)
{
	const char *from = NULL, *on = NULL, *flags = NULL, *options = NULL;
	for (int i = 1; i + 1 < n; i += 2) {
		const char **to = strcmp(words[i], "from") == 0	   ? &from
				  : strcmp(words[i], "on") == 0	   ? &on
				  : strcmp(words[i], "flags") == 0 ? &flags
				  : strcmp(words[i], "options") == 0 ? &options
								     : NULL;
		if (!to || *to)
			return cli_usage(why->cli, &cli_verb_why, "'%s' cannot stand here", words[i]);
		*to = words[i + 1];
	}
	if (n % 2 == 0 || !on)
		return cli_usage(why->cli, &cli_verb_why, "mount needs a file system and a place: mount tmpfs on /tmp");
	int error = why_resolve(why, on, &why->path);
	if (!error && from)
		error = why_resolve(why, from, &why->mount_from);
	if (error) {
		cli_error(why->cli, "cannot resolve %s: %s", why->path ? from : on, strerror(-error));
		return CLI_UNREACHABLE;
	}
	if (strcmp(why->path, on) != 0)
		why->spelled = strdup(on);
	return mount_asked(why, words[0], flags, options);
}

int why_mount_event(struct why *why)
{
	const struct why_event *event = why->event;
	why->path = strdup(event->path);
	why->mount_from = event->from ? strdup(event->from) : NULL;
	if (!why->path || (event->from && !why->mount_from))
		return CLI_UNREACHABLE;
	/* What usher itself has against a mount no rule about mounts tells. */
	if (strcmp(event->action, "deny") == 0 && strcmp(event->rule, "built-in") == 0)
		why->builtin = event->error ? event->error : "EPERM";
	return mount_asked(why, event->fstype, event->flags, event->options);
}

void why_mount_free(struct why *why)
{
	free(why->mount_options);
	free(why->mount_from);
	free(why->mount_text);
}

static void add_quoted(struct text *rule, const char *path)
{
	text_puts(rule, "'");
	text_puts(rule, path);
	text_puts(rule, "'");
}

/* A quote in a path ends what is suggested: it is tried before it is told. */
void why_mount_rule(const struct policy_mount *mount, struct text *rule)
{
	bool plain = strspn(mount->on, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == strlen(mount->on);
	text_addf(rule, "allow mount %s ", mount->fstype);
	if (mount->from) {
		text_puts(rule, "from ");
		add_quoted(rule, mount->from);
		text_puts(rule, " ");
	}
	text_puts(rule, "on ");
	if (plain)
		text_puts(rule, mount->on);
	else
		add_quoted(rule, mount->on);
	for (size_t i = 0; i < mount->n_options; i++) {
		bool layer = i && strcmp(mount->options[i].name, mount->options[i - 1].name) == 0;
		if (layer)
			continue;
		text_addf(rule, "%s%s", i ? ", " : " options ", mount->options[i].name);
	}
	text_puts(rule, ";");
}
