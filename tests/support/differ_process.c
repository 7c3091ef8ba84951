/* Processes: children that do some calls of their own, as somebody else or in another root, and programs that are started. */
#include "differ.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "differ_call.h"

#define SAID_SIZE 65536
#define HELPER    100		/* and more: what the helper ends with */

static void become_other(struct actor *actor)
{
	if (!actor->root_user || !rng_one(&actor->rng, 2))
		return;
	(void)setresuid(-1, 0, -1);
	fprintf(actor->out, " as 1234: %d", (int)syscall(SYS_setgroups, 0, NULL) | setresgid(99, 99, 99) | setresuid(1234, 1234, 1234));
	actor->root_user = false;
	actor->other_ids = true;
}

static void change_root(struct actor *actor)
{
	static const char *const roots[] = { ".", "d", "l.self", "setgid", "sticky/..", "f", "missing" };
	const char *root = roots[rng_below(&actor->rng, COUNT(roots))];
	if (!options.all_allowed || !rng_one(&actor->rng, 3))
		return;
	/* There is no procfs in it to see descriptors by. */
	fprintf(actor->out, " chroot %s: %s", root, chroot(root) < 0 ? strerrorname_np(errno) : "done");
	if (rng_one(&actor->rng, 2))
		(void)!chdir("/");
}

static void some_steps(struct actor *actor)
{
	actor->child = true;
	change_root(actor);
	become_other(actor);
	for (unsigned i = 1 + rng_below(&actor->rng, 4); i; i--) {
		fprintf(actor->out, "\n   ");
		call_step(actor);
	}
}

/* Returns if it could not. */
static void start_program(struct actor *actor)
{
	char *argv[] = { (char[]){ "differ" }, (char[]){ "helper" }, NULL }, *envp[] = { NULL };
	struct made made = { .slot = -1 };
	bool at = rng_one(&actor->rng, 2);
	fprintf(actor->out, at ? "execveat " : "execve ");
	actor->path[0].len = 0;
	if (at)
		args_make(actor, &made, 'd');
	args_make(actor, &made, 'p');
	if (at)
		args_make(actor, &made, 'A');
	if (known_start(actor, &made)) {
		fprintf(actor->out, "is left out");
		return;
	}
	fflush(actor->out);
	unsure->events++;	/* "Before an execve usher opens the image to see what it is." */
	if (at)
		(void)syscall(SYS_execveat, made.arg[0], made.arg[1], argv, envp, made.arg[2]);
	else
		(void)syscall(SYS_execve, made.arg[0], argv, envp);
	fprintf(actor->out, "= %s", strerrorname_np(errno));
}

static void in_child(struct actor *actor, void (*run)(struct actor *actor))
{
	char *said = mmap(NULL, SAID_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	if (said == MAP_FAILED)
		die("mmap");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		actor->out = fmemopen(said, SAID_SIZE, "w");
		if (!actor->out)
			_exit(98);
		run(actor);
		fclose(actor->out);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid");
	fprintf(actor->out, "%s ends with %x", said, status);
	munmap(said, SAID_SIZE);
}

void process_step(struct actor *actor)
{
	bool program = rng_one(&actor->rng, 2);
	fprintf(actor->out, program ? "start " : "fork ");
	/* Another thread may be in the middle of anything, malloc() too. */
	if (!actor->alone)
		in_child(actor, program ? start_program : some_steps);
}

/* What it was started with, in a number. */
int helper_main(int argc, char **argv)
{
	char cwd[PATH_MAX];
	int descriptors = 0;
	for (int fd = 0; fd < 200; fd++)
		descriptors += fcntl(fd, F_GETFD) >= 0;
	mode_t mask = umask(0);
	uint64_t hash = hash_bytes((uint64_t)argc + mask, argv[1], strlen(argv[1]));
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0)
		hash = hash_bytes(hash, cwd, strlen(cwd));
	return HELPER + (int)((hash ^ (unsigned)descriptors) % 150);
}
