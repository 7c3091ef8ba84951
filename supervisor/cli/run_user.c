#include "run_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"

static bool number(const char *text, unsigned *value)
{
	char *end;
	errno = 0;
	unsigned long result = strtoul(text, &end, 10);
	*value = (unsigned)result;
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && result < UINT32_MAX;
}

static int find_group(struct run_user *user, const char *name, const struct cli *cli)
{
	unsigned value;
	const struct group *entry = getgrnam(name);
	if (!entry && !number(name, &value)) {
		cli_error(cli, "--user: there is no group '%s'", name);
		return CLI_RUN_FAILED;
	}
	user->gid = entry ? entry->gr_gid : value;
	return 0;
}

static int find_user(struct run_user *user, const char *name, bool group, const struct cli *cli)
{
	unsigned value = 0;
	bool is_number = number(name, &value);
	const struct passwd *entry = getpwnam(name);
	if (!entry && is_number)
		entry = getpwuid(value);
	if (!entry && !is_number) {
		cli_error(cli, "--user: there is no user '%s'", name);
		return CLI_RUN_FAILED;
	}
	if (!entry && !group) {
		cli_error(cli, "--user: %s has no entry in the password database; name a group too: --user %s:GROUP", name, name);
		return CLI_RUN_FAILED;
	}
	user->uid = entry ? entry->pw_uid : value;
	if (!entry)
		return 0;
	user->gid = entry->pw_gid;
	user->name = strdup(entry->pw_name);
	user->home = strdup(entry->pw_dir);
	return user->name && user->home ? 0 : CLI_RUN_FAILED;
}

/* The user's own groups; only the given one if one was given. */
static int find_groups(struct run_user *user, bool group)
{
	int n = 64;
	if (group || !user->name) {
		user->groups = malloc(sizeof(gid_t));
		if (!user->groups)
			return CLI_RUN_FAILED;
		user->groups[0] = user->gid;
		user->n_groups = 1;
		return 0;
	}
	for (;;) {
		gid_t *list = reallocarray(user->groups, (size_t)n, sizeof(gid_t));
		if (!list)
			return CLI_RUN_FAILED;
		user->groups = list;
		int room = n;
		if (getgrouplist(user->name, user->gid, list, &n) >= 0)
			break;
		n = n > room ? n : room * 2;
	}
	user->n_groups = (size_t)n;
	return 0;
}

int run_user_parse(struct run_user *user, const char *spec, const struct cli *cli)
{
	AUTO_FREE char *name = strdup(spec);
	if (!name)
		return CLI_RUN_FAILED;
	char *group = strchr(name, ':');
	if (group)
		*group++ = '\0';
	run_user_free(user);
	int status = find_user(user, name, group && *group, cli);
	if (status == 0 && group && *group)
		status = find_group(user, group, cli);
	if (status == 0)
		status = find_groups(user, group && *group);
	user->set = status == 0;
	if (status == 0 && geteuid() != 0 && user->uid == geteuid() && user->gid == getegid()) {
		user->set = false;	/* what we are anyway */
	} else if (status == 0 && geteuid() != 0) {
		cli_error(cli, "--user %s: only root may run a program as another user or group", spec);
		status = CLI_RUN_FAILED;
	}
	return status;
}

void run_user_free(struct run_user *user)
{
	free(user->groups);
	free(user->name);
	free(user->home);
	*user = (struct run_user){ 0 };
}
