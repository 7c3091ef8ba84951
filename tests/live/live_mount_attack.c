/*
 * Attacks on mounts that usher makes, as live_mount.c: this binary runs itself as the program. What takes mounts away without asking usher
 * (a namespace that ends, a name that is removed), and what ends somebody else's work.
 */
#include "scripted.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 80

/* ---- the programs --------------------------------------------------------------------------- */

/* Where the kernel says EBUSY usher does. */
static void points(void)
{
	mkdir("from", 0755);
	close(open("from/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	close(open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	say("tmpfs", mount("none", "at", "tmpfs", 0, NULL));
	say("bind", mount("from/f", "file", NULL, MS_BIND, NULL));
	say("rmdir", rmdir("at"));
	say("unlink", unlink("file"));
	say("unlink a directory", unlink("at"));
	say("rename", rename("at", "other"));
	say("rename a file", rename("file", "other"));
	say("over", rename("from", "at"));
	say("exchange", renameat2(AT_FDCWD, "from", AT_FDCWD, "at", RENAME_EXCHANGE));
	say("not over", renameat2(AT_FDCWD, "from", AT_FDCWD, "at", RENAME_NOREPLACE));
	say("above", mkdir("at/d", 0755) || rename("at/d", "at/e"));
	say("umount", umount2("at", 0) || umount2("file", 0));
	say("rmdir", rmdir("at"));
	say("unlink", unlink("file"));
	/* What stands for a device is removed with it. */
	mkdir("dev", 0755);
	say("node", mknod("dev/null", S_IFCHR | 0666, makedev(1, 3)));
	say("rename", rename("dev/null", "dev/other"));
	say("unlink", unlink("dev/other"));
}

struct opening { int base; char path[200]; atomic_bool over; int opened; };

static void *open_on(void *ctx)
{
	struct opening *opening = ctx;
	while (!opening->over) {
		int fd = openat(opening->base, opening->path, O_RDONLY | O_CLOEXEC);
		opening->opened += fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

/* In a namespace of its own; the other end of PAIR is told of its root and says when it may end. */
static void end_with_secret(int pair, int round)
{
	char byte;
	int fd;
	if (unshare(CLONE_NEWNS) || mount("none", "at", "tmpfs", 0, NULL) || mkdir("at/d", 0755))
		say("unshare, mount", -1);
	fd = open("at/d/s", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		say("create", -1);
	send_fd(pair, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	(void)!read(pair, &byte, 1);
	usleep((unsigned)(round * 37 % 400));
	_exit(0);
}

/* As the namespace ends "at/d/s" becomes "/d/s" for as long as somebody holds it. */
static void ending(void)
{
	struct opening opening = { 0 };
	char here[150];
	if (!getcwd(here, sizeof(here)))
		return;
	snprintf(opening.path, sizeof(opening.path), "%s/at/d/s", here + 1);
	for (int i = 0; i < ROUNDS && !opening.opened; i++) {
		pthread_t thread;
		int pair[2];
		(void)!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
		pid_t pid = fork();
		if (pid == 0)
			end_with_secret(pair[1], i);
		opening.base = receive_fd(pair[0]);
		opening.over = false;
		pthread_create(&thread, NULL, open_on, &opening);
		(void)!write(pair[0], "x", 1);
		waitpid(pid, NULL, 0);
		opening.over = true;
		pthread_join(thread, NULL);
		close(opening.base);
		close(pair[0]);
		close(pair[1]);
	}
	printf("opened %d\n", opening.opened);
}

/* Who mounts procfs for a PID namespace is in it, and is killed with it. */
static void dying(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			if (unshare(CLONE_NEWPID))
				say("unshare", -1);
			pid_t init = fork();
			if (init == 0) {
				if (fork() == 0)
					for (;;) {
						(void)mount("none", "at", "proc", 0, NULL);
						(void)umount2("at", MNT_DETACH);
					}
				usleep((unsigned)(500 + i * 97 % 3000));
				_exit(0);
			}
			waitpid(init, NULL, 0);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		while (umount2("at", MNT_DETACH) == 0)
			;
	}
	say("after that", mount("none", "at", "tmpfs", 0, NULL));
}

static void hierarchies(void)
{
	say("named", mount("none", "at", "cgroup", 0, "none,name=usher-test"));
	say("controller", mount("none", "at", "cgroup", 0, "cpuset"));
}

static const struct scripted programs[] = {
	{ "points", points }, { "ending", ending }, { "dying", dying }, { "hierarchies", hierarchies },
	{ 0 },
};

/* ---- the cases ------------------------------------------------------------------------------ */

static void expect(struct live *live, const char *policy, const char *name, const char *namespaces, const char *expected)
{
	live_mkdir(live, "at", 0777);
	scripted_expect(live, policy, name, namespaces, expected);
}

static void what_is_mounted_on_stays(void **state)
{
	expect(*state, "files { default allow; deny read $dir/secret/; answer mknod $dir/dev/* with device same; } mounts { default allow; }\n",
	       "points", live_own_space(),
	       "tmpfs: ok\nbind: ok\nrmdir: EBUSY\nunlink: EBUSY\nunlink a directory: EISDIR\nrename: EBUSY\nrename a file: EBUSY\nover: EBUSY\n"
	       "exchange: EBUSY\nnot over: EEXIST\nabove: ok\numount: ok\nrmdir: ok\nunlink: ok\nnode: ok\nrename: ok\nunlink: ok\n");
}

static void names_while_a_namespace_ends(void **state)
{
	expect(*state, "files { default allow; deny read $dir/at/; } mounts { default deny; allow mount tmpfs on $dir/at; } limits { capabilities all; }\n",
	       "ending", live_own_space(), "opened 0\n");
}

static void a_pid_namespace_that_ends(void **state)
{
	expect(*state, "files { default allow; deny read $dir/secret/; } mounts { default allow; } limits { capabilities all; }\n", "dying",
	       live_root() ? "mnt" : "user,mnt,pid", "after that: ok\n");
}

static void cgroups_of_the_machine(void **state)
{
	expect(*state, "files { default allow; deny read $dir/secret/; } mounts { default allow; }\n", "hierarchies", live_own_space(),
	       "named: EPERM\ncontroller: EPERM\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_mounted_on_stays, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(names_while_a_namespace_ends, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(a_pid_namespace_that_ends, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(cgroups_of_the_machine, live_setup, live_teardown),
	};
	scripted_begin(argc, argv, programs);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
