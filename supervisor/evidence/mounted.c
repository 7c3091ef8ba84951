#include "evidence/mounted.h"

#include <stdlib.h>
#include <string.h>

#include "mount_text.h"

void mounted_write(struct text *how, const struct policy_mount *mount)
{
	text_puts(how, mount->fstype);
	text_add(how, "", 1);
	mount_text_flags(how, mount->flags);
	text_add(how, "", 1);
	mount_text_options(how, mount);
	text_add(how, "", 1);
}

static bool is_path(struct bytes bytes)
{
	return bytes.len && bytes.s[0] == '/' && !memchr(bytes.s, '\0', bytes.len);
}

bool mounted_read(const struct access *access, struct mounted *mounted)
{
	const char *parts[3];
	uint32_t flags;
	size_t at = 0;
	int n;

	*mounted = (struct mounted){ 0 };
	if (access->ops != OP_BIT(OP_MOUNT) || !is_path(access->object) || (access->to.len && !is_path(access->to)))
		return false;
	mounted->how = text_dup(access->via.len ? access->via.s : "", access->via.len);
	for (size_t i = 0; i < 3; i++) {
		if (at >= access->via.len)
			return false;
		parts[i] = mounted->how + at;
		at += strlen(parts[i]) + 1;
	}
	if (at != access->via.len || !*parts[0] || !mount_text_flags_read(parts[1], &flags))
		return false;
	mounted->options_text = text_copy(parts[2]);
	mounted->options = mem_zero(POLICY_MOUNT_OPTIONS * sizeof(*mounted->options));
	n = policy_mount_options(parts[0], mounted->options_text, mounted->options, POLICY_MOUNT_OPTIONS);
	if (n < 0)
		return false;
	mounted->on = text_dup(access->object.s, access->object.len);
	mounted->from = access->to.len ? text_dup(access->to.s, access->to.len) : NULL;
	mounted->mount = (struct policy_mount){
		.fstype = parts[0], .from = mounted->from, .on = mounted->on, .flags = policy_mount_flags(flags), .options = mounted->options,
		.n_options = (size_t)n,
	};
	return true;
}

void mounted_free(struct mounted *mounted)
{
	free(mounted->on);
	free(mounted->from);
	free(mounted->how);
	free(mounted->options_text);
	free(mounted->options);
}
