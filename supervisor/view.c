/*
 * A view: the program's own mount namespace, in which only that is there which it may read.
 *
 * Then neither opens that only read nor stat need be asked about, by whatever name: there is nothing to be denied. reads.c proves
 * that the policy says the same, path by path. What it says of the directories on the way is another matter: they have to be there, and
 * have nothing in them but the way, and links that lead into a tree, for those who go by them (/bin, /lib64).
 *
 * Procfs is never in a view. It leads out of it, to other processes and to what is open.
 */
#include "view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "text.h"

const char *view_lacks(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct statx root;

	if (syscall(SYS_capget, &header, data) < 0 || !(data[0].effective & (1U << CAP_SYS_ADMIN)))
		return "only root can give a program a root directory of its own, or who makes a user namespace (--unshare user)";
	if (statx(AT_FDCWD, "/", 0, STATX_TYPE, &root) < 0 || !(root.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return "the root directory is no mount (chroot), so that no other can take its place";
	return NULL;
}

bool view_leads(const struct landlock_trees *trees, const char *path)
{
	const struct landlock_tree way = { .path = (char *)path };

	for (size_t i = 0; i < trees->n; i++)
		if (landlock_tree_has(&way, trees->list[i].path) && !landlock_trees_have(trees, path))
			return true;
	return false;
}

/* At PATH, unless something is there already. */
static struct agent_place *place_add(struct view *view, enum agent_place_kind kind, const char *path, const struct stat *st)
{
	for (size_t i = 0; i < view->n; i++)
		if (strcmp(view->list[i].path, path) == 0)
			return NULL;
	struct agent_place *place = mem_push(&view->list, &view->n);
	*place = (struct agent_place){ .kind = kind, .path = text_copy(path), .uid = st->st_uid, .gid = st->st_gid, .mode = st->st_mode & 07777 };
	return place;
}

static void place_link(struct view *view, const char *path)
{
	char text[PATH_MAX];
	struct stat st;
	ssize_t len = lstat(path, &st) == 0 ? readlink(path, text, sizeof(text)) : -1;
	struct agent_place *place = len >= 0 && len < PATH_MAX ? place_add(view, PLACE_LINK, path, &st) : NULL;

	if (place)
		place->to = text_dup(text, (size_t)len);
}

/* The link PATH, if it leads into TREES, or to what leads there (/var/run). Not by way of procfs, which is not there. */
static void add_link(struct view *view, const struct landlock_trees *trees, const char *path)
{
	char text[6];
	AUTO_FREE char *to = realpath(path, NULL);

	if (to && (landlock_trees_have(trees, to) || view_leads(trees, to)) &&
	    (readlink(path, text, sizeof(text)) < 6 || memcmp(text, "/proc/", 6) != 0))
		place_link(view, path);
}

static void add_links(struct view *view, const struct landlock_trees *trees, const char *path)
{
	DIR *dir = opendir(path);

	for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
			continue;
		AUTO_FREE char *link = text_printf("%s/%s", path[1] ? path : "", entry->d_name);
		add_link(view, trees, link);
	}
	if (dir)
		closedir(dir);
}

/* Directories from "/" on down to what PATH is in. */
static int add_way(struct view *view, const struct landlock_trees *trees, const char *path)
{
	AUTO_FREE char *way = text_copy(path);
	struct stat st;

	for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
		size_t len = slash > path ? (size_t)(slash - path) : 1;
		memcpy(way, path, len);
		way[len] = '\0';
		if (stat(way, &st) < 0)
			return -errno;
		if (place_add(view, PLACE_WAY, way, &st))
			add_links(view, trees, way);
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct agent_place *)a)->path, ((const struct agent_place *)b)->path);
}

/* The link PATH, which a rule names. What is in a tree is there anyway. */
static int add_named(struct view *view, const struct landlock_trees *trees, const char *path)
{
	AUTO_FREE char *in = text_dup(path, strrchr(path, '/') > path ? (size_t)(strrchr(path, '/') - path) : 1);
	AUTO_FREE char *real = landlock_trees_have(trees, path) ? NULL : realpath(in, NULL);
	int result = real && strcmp(real, in) == 0 ? add_way(view, trees, path) : 0;

	if (result == 0 && real && strcmp(real, in) == 0)
		place_link(view, path);
	return result;
}

int view_make(struct view *view, const struct landlock_trees *trees, const struct landlock_trees *links)
{
	int result;

	*view = (struct view){ 0 };
	/* With no tree at all there is still a root directory, which is empty: without any the program would keep ours. */
	result = add_way(view, trees, "/");
	for (size_t i = 0; i < trees->n && result == 0; i++) {
		const char *path = trees->list[i].path;
		bool inside = false;
		struct stat st;
		for (size_t k = 0; k < trees->n; k++)
			inside |= k != i && landlock_tree_has(&trees->list[k], path);
		if (inside)
			continue;
		result = lstat(path, &st) < 0 ? -errno : add_way(view, trees, path);
		if (result == 0)
			place_add(view, S_ISDIR(st.st_mode) ? PLACE_TREE : PLACE_FILE, path, &st);
	}
	for (size_t i = 0; i < links->n && result == 0; i++)
		result = add_named(view, trees, links->list[i].path);
	if (view->n)
		qsort(view->list, view->n, sizeof(*view->list), by_path);
	return result;
}

bool view_has(const struct view *view, const char *path)
{
	for (size_t i = 0; i < view->n; i++) {
		const struct landlock_tree tree = { .path = (char *)view->list[i].path };
		if (view->list[i].kind == PLACE_TREE ? landlock_tree_has(&tree, path) : strcmp(tree.path, path) == 0)
			return true;
	}
	return false;
}

void view_free(struct view *view)
{
	for (size_t i = 0; i < view->n; i++) {
		free((char *)view->list[i].path);
		free((char *)view->list[i].to);
	}
	free(view->list);
	*view = (struct view){ 0 };
}
