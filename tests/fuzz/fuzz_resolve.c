/*
 * A path of the fuzzer's making, resolved and held against what the kernel makes of it. The first byte chooses how: its bits
 * are nofollow, below a directory, and create or entry, which must only not misbehave.
 */
#include <stdint.h>

#include "../support/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tree tree;
static int dir = -1;

/* Processes outside the sandbox are where we differ from the kernel on purpose; and the resolver's own descriptors, which
 * come and go, are the target's here. */
static bool comparable(const char *path)
{
	if (tree.object.foreign || tree.object.err == -EACCES || strstr(path, "fd"))
		return false;
	for (const char *p = strstr(path, "proc"); p; p = strstr(p + 1, "proc"))
		if (!strstr(p, "self"))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[PATH_MAX];
	int base;

	if (dir < 0) {
		tree_make(&tree);
		dir = open("a/b", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (size < 2 || size > sizeof(path))
		return 0;
	memcpy(path, data + 1, size - 1);
	path[size - 1] = '\0';
	if (!path[0])
		return 0;
	base = data[0] & 2 ? dir : AT_FDCWD;
	if (data[0] & 4) {
		(void)tree_resolve(&tree, base, path, data[0] & 8 ? NAME_CREATE : NAME_ENTRY, RESOLVE_EXACT, &tree.object);
		if (tree.object.len >= sizeof(tree.object.path) || (!tree.object.nameless && tree.object.path[0] != '/'))
			abort();
	} else if (!tree_compare(&tree, base, path, !(data[0] & 1)) && comparable(path)) {
		fprintf(stderr, "%s\n", tree.trouble);
		abort();
	}
	return 0;
}
