/* What the parts of differ share; differ.c says what it is. */
#ifndef USHER_DIFFER_H
#define USHER_DIFFER_H

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define SLOTS 14
#define WORKERS 4
#define NEST "n/n/n/n/n/n/n/n"	/* as many times ".." leave the tree and are still in DIR */
#define LONG_NAME 240		/* of each directory of the deep ones */
#define DEEP_LEVELS 14
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct rng {
	uint64_t state;
};

/* A name as an argument: what it says, and where it lies. */
struct path {
	char text[PATH_MAX + 300];
	size_t len;
	void *addr;
	bool unusable;		/* it cannot be read, is empty or too long */
	int slot;		/* begins with this descriptor in procfs; -1 */
	bool ends;		/* and ends with it */
};

/* Who makes the calls. */
struct actor {
	struct rng rng;		/* of this step */
	FILE *out;
	const char *root;	/* the tree */
	unsigned number;
	int slot[SLOTS];	/* descriptors; -1 */
	int marks;		/* fanotify group */
	struct path path[2];
	unsigned char *mem[4];	/* each ends where no memory is */
	bool root_user, alone;	/* alone: others run at the same time, the limits of the process are not ours */
	bool other_ids;		/* than its process began with */
	bool child;
	unsigned events_seen;	/* unsure->events when it read some last */
	unsigned step;
};

struct options {
	uint64_t seed;
	unsigned steps;
	const char *dir;
	const char *only;	/* "3,7-9": nothing but these; NULL */
	bool all_allowed;	/* nothing is denied, not even chroot */
};

extern struct options options;
extern const char *self_path;
/* Counts what may leave traces under usher only, in children, too. */
extern struct unsure {
	_Atomic unsigned events, links;
} *unsure;

/* differ.c */
uint32_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t n);
bool rng_one(struct rng *rng, uint32_t n);	/* one in N */
struct rng rng_seed(uint64_t seed, uint64_t more);
_Noreturn void die(const char *what);

/* differ_tree.c */
void tree_build(const char *root, bool alone);
void tree_list(const char *root);
void tree_links(const char *root);
void tree_clear(int dir);
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len);

/* differ_path.c */
#define MEM_SIZE 16384
void actor_memory(struct actor *actor);
void actor_slots(struct actor *actor);
/* LEN bytes at the end of memory WHICH. */
void *memory_edge(const struct actor *actor, int which, size_t len);
void path_make(struct actor *actor, int which);
/* The text of a symlink. */
void path_target(struct actor *actor, int which);
int slot_pick(struct actor *actor);
void put_text(FILE *out, const char *text, size_t len);

/* differ_call.c: file calls, from a table */
void call_step(struct actor *actor);

/* differ_see.c: what can be seen of a result */
void see_descriptor(struct actor *actor, int fd);
void see_stat(struct actor *actor, const void *stat);
void see_statx(struct actor *actor, const void *statx);
/* Makes the number of a file without a name, as procfs shows it, the same for all. */
void see_numberless(char *text, size_t len);
void see_time(FILE *out, const char *what, int64_t sec, uint32_t nsec);
bool descriptor_nameless(int fd, bool *other_names);

/* differ_state.c: everything else */
void state_step(struct actor *actor);
void actor_step(struct actor *actor);

/* differ_process.c */
void process_step(struct actor *actor);
int helper_main(int argc, char **argv);

#endif
