/* Namespaces and mounts: what paths mean. */
#include "bypass.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int ns_user(void) { return refused(unshare(CLONE_NEWUSER)); }
static int ns_user_mnt(void) { return refused(unshare(CLONE_NEWUSER | CLONE_NEWNS)); }
static int c_unshare_user(void) { return in_child(ns_user); }
static int c_unshare_user_mnt(void) { return in_child(ns_user_mnt); }
static int c_clone_user(void)
{
	long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(0);
	if (child < 0)
		return errno;
	waitpid((pid_t)child, NULL, 0);
	return 0;
}
static int ns_set(void)
{
	int fd = open("/proc/self/ns/mnt", O_RDONLY);
	return refused(setns(fd, CLONE_NEWNS));
}
static int c_setns(void) { return in_child(ns_set); }
static int try_mount(const char *source, const char *type, unsigned long flags, const void *data)
{
	(void)mkdir(OPEN("m"), 0777);
	int error = refused(mount(source, OPEN("m"), type, flags, data));
	if (!error)
		umount2(OPEN("m"), MNT_DETACH);
	return error;
}
static int c_mount_bind(void) { return try_mount(secret_dir, NULL, MS_BIND, NULL); }
static int c_mount_tmpfs(void) { return try_mount("x", "tmpfs", 0, NULL); }
static int c_mount_proc(void) { return try_mount("x", "proc", 0, NULL); }
static int c_chroot(void) { return refused(chroot(secret_dir)); }

const struct bypass_case space_cases[] = {
	CASE(unshare_user), CASE(unshare_user_mnt), CASE(clone_user), CASE(setns), CASE(mount_bind), CASE(mount_tmpfs), CASE(mount_proc),
	CASE(chroot),
	{ NULL, NULL, NULL },
};
