/*
 * Cgroups are one tree for the machine (before version 2 one for each controller), and it is mounted where the machine's layout has it: at
 * /sys/fs/cgroup, below it, or both. Our own mountinfo tells. A mount of part of the tree is a name for that part only, and what a mount
 * from a cgroup namespace shows begins at the namespace's root, which no file tells: it is where the program's cgroup is, or above that.
 * Both files say what they say as seen from the reader's cgroup namespace, so the worker, which joins the program's, cannot read them.
 * What is above usher's own such namespace has no names for usher, only a depth: rules that spell none are asked with one that none spells.
 */
#include "calls/mount_views.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "mountinfo.h"
#include "mounts.h"
#include "sandbox.h"

#define USUAL "/sys/fs/cgroup"
#define SOME  "/\x01"

bool mount_views_any(const char *fstype)
{
	return !strcmp(fstype, "cgroup") || !strcmp(fstype, "cgroup2");
}

/* ---- roots that the mount may have ---------------------------------------------------------- */

/* ROOT and each that is above it, but for the first. */
static void add_roots(struct strings *roots, char *root)
{
	for (char *end = root + strlen(root); end && end > root; end = strrchr(root, '/')) {
		bool known = false;
		*end = '\0';
		for (size_t i = 0; i < roots->n && !known; i++)
			known = !strcmp(roots->v[i], root);
		if (!known)
			strings_add(roots, text_copy(root));
	}
}

/* Lines are "0::/user.slice" for version 2, and "4:memory:/user.slice". The first root of all is "". */
static int read_roots(const struct request *req, const char *fstype, struct strings *roots)
{
	FILE *file = mountinfo_open(req->target->proc, "cgroup");
	AUTO_FREE char *line = NULL;
	size_t size = 0;

	if (!file)
		return -EACCES;
	strings_add(roots, text_copy(""));
	while (getline(&line, &size, file) > 0) {
		char *named = strchr(line, ':'), *root = named ? strchr(named + 1, ':') : NULL;
		if (!root || !strncmp(line, "0::", 3) != !strcmp(fstype, "cgroup2"))
			continue;
		root[1 + strcspn(root + 1, "\n")] = '\0';
		if (root[1] == '/' && root[2] && strncmp(root + 1, "/..", 3) != 0)
			add_roots(roots, root + 1);
	}
	(void)fclose(file);
	return 0;
}

/* ---- where there is one --------------------------------------------------------------------- */

/* PATH from AT on, which is above it or itself; NULL if it is not. */
static const char *below(const char *path, const char *at)
{
	size_t len = strlen(at);

	return !strncmp(path, at, len) && (!path[len] || path[len] == '/') ? path + len : NULL;
}

static void add_view(struct strings *views, char *place, const char *into)
{
	strings_add(views, place);
	strings_add(views, text_copy(into));
}

/* PLACE is where the tree is mounted, from FROM in it on. */
static void add_views(struct strings *views, const struct strings *roots, const char *from, const char *place)
{
	struct text above = { 0 };

	if (!strncmp(from, "/..", 3)) {
		add_view(views, text_copy(place), "");
		text_puts(&above, place);
		for (; !strncmp(from, "/..", 3); from += 3)
			text_puts(&above, SOME);
		place = above.s;
	}
	for (size_t i = 0; i < roots->n; i++) {
		const char *deeper = below(roots->v[i], from), *higher = below(from, roots->v[i]);
		if (!deeper && !higher)
			continue;
		add_view(views, text_printf("%s%s", place, deeper ? deeper : ""), deeper ? "" : higher);
	}
	free(text_take(&above));
}

static int read_views(const struct request *req, const char *fstype, const struct strings *roots, struct strings *views)
{
	FILE *file = mountinfo_open(mounts_proc(req->sandbox->mounts), "self/mountinfo");
	char from[4 * PATH_MAX], place[4 * PATH_MAX];
	size_t size = 0, len = strlen(fstype);
	AUTO_FREE char *line = NULL;

	if (!file)
		return -EACCES;
	while (getline(&line, &size, file) > 0) {
		const char *type = strstr(line, " - ");
		if (!type || strncmp(type + 3, fstype, len) != 0 || type[3 + len] != ' ' ||
		    sscanf(line, "%*u %*u %*s %16383s %16383s", from, place) != 2)
			continue;
		mountinfo_unescape(from);
		mountinfo_unescape(place);
		add_views(views, roots, from[1] ? from : "", place);
	}
	(void)fclose(file);
	/* Where it is nowhere, rules speak of its usual place. */
	if (!views->n)
		add_views(views, roots, "", USUAL);
	return 0;
}

int mount_views_read(const struct request *req, const char *fstype, struct strings *views)
{
	struct strings roots = { 0 };
	int err = read_roots(req, fstype, &roots);

	if (!err)
		err = read_views(req, fstype, &roots, views);
	strings_free(&roots);
	return err;
}
