#include "mount_text.h"

#include <string.h>

#include "words.h"

#define OPPOSITES (MOUNT_BIT(MOUNT_RW) | MOUNT_BIT(MOUNT_SUID) | MOUNT_BIT(MOUNT_DEV) | MOUNT_BIT(MOUNT_EXEC))

void mount_text_flags(struct text *text, uint32_t flags)
{
	const char *comma = "";

	for (int flag = 0; flag < MOUNT_FLAG_COUNT; flag++)
		if (flags & ~OPPOSITES & MOUNT_BIT(flag)) {
			text_addf(text, "%s%s", comma, policy_mount_flag_name((enum mount_flag)flag));
			comma = ",";
		}
}

bool mount_text_flags_read(const char *list, uint32_t *flags)
{
	*flags = 0;
	while (*list) {
		size_t len = strcspn(list, ",");
		const struct word *word = word_find(WORD_BIT(WORD_MOUNT_FLAG), list, len);
		if (!word)
			return false;
		*flags |= MOUNT_BIT(word->value);
		list += len + (list[len] == ',');
	}
	return true;
}

/* Where commas and colons part them. */
static void add_layer(struct text *text, const char *path)
{
	for (; *path; path++) {
		if (strchr("\\,:", *path))
			text_puts(text, "\\");
		text_add(text, path, 1);
	}
}

void mount_text_options(struct text *text, const struct policy_mount *mount)
{
	bool overlay = !strcmp(mount->fstype, "overlay");

	for (size_t i = 0; i < mount->n_options; i++) {
		const struct policy_mount_option *option = &mount->options[i];
		text_addf(text, "%s%s", i ? "," : "", option->name);
		if (!option->value)
			continue;
		text_puts(text, "=");
		if (overlay && (!strcmp(option->name, "lowerdir") || !strcmp(option->name, "upperdir") || !strcmp(option->name, "workdir")))
			add_layer(text, option->value);
		else
			text_puts(text, option->value);
	}
}

void mount_text(struct text *text, const struct policy_mount *mount)
{
	text_puts(text, mount->fstype);
	if (mount->from)
		text_addf(text, " from %s", mount->from);
	text_addf(text, " on %s", mount->on);
	if (mount->flags & ~OPPOSITES) {
		text_puts(text, " flags ");
		mount_text_flags(text, mount->flags);
	}
	if (mount->n_options) {
		text_puts(text, " options ");
		mount_text_options(text, mount);
	}
}
