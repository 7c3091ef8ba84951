/* What there is for a program whose policy says `default deny ENOENT view`, where the kernel can give it a root directory of its own. */
#ifndef USHER_VIEW_H
#define USHER_VIEW_H

#include "agent.h"
#include "landlock.h"

struct view {
	struct agent_place *list;	/* each behind the directory that it is in; strings and all are owned */
	size_t n;
};

/* Why this process cannot give a program another root directory; NULL: it can. */
const char *view_lacks(void);
/* Is PATH a directory on the way to one of TREES, and none of theirs? */
bool view_leads(const struct landlock_trees *trees, const char *path);
/* What there is with TREES, which were proved to be all that may be read: they, what leads to them, and links there that lead into
 * them; and LINKS, wherever they lead. 0 or -errno. */
int view_make(struct view *view, const struct landlock_trees *trees, const struct landlock_trees *links);
/* Is the directory PATH there? It may be in a tree and be a file, or gone. */
bool view_has(const struct view *view, const char *path);
void view_free(struct view *view);

#endif
