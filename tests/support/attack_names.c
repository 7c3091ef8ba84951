/*
 * More that is done by names: whatever makes, moves, links, changes or starts something, by a name whose directory or whose last link
 * changes its meaning meanwhile. What it does in SECRET is seen from outside: of everything there the time of its last change is compared.
 */
#include "attack.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Each thread its own names. */
static const char *own(const char *name)
{
	static _Thread_local char buffers[2][PATH_SIZE];
	static _Thread_local unsigned turn;
	char *buffer = buffers[turn++ % 2];
	snprintf(buffer, PATH_SIZE, "%s/%s.%ld", open_dir, name, syscall(SYS_gettid));
	return buffer;
}

static void count(long result)
{
	if (result == 0)
		reached++;
}

/* ---- made ---- */

static void symlink_try(void)
{
	count(symlink("nothing", in(open_dir, "dlink/newlink")));
	unlink(in(open_dir, "dir/newlink"));
}

static void mknod_try(void)
{
	count(mknod(in(open_dir, "dlink/newfifo"), S_IFIFO | 0600, 0));
	unlink(in(open_dir, "dir/newfifo"));
}

static void excl_try(void)
{
	int fd = open(in(open_dir, "dlink/newexcl"), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	count(fd < 0 ? -1 : close(fd));
	unlink(in(open_dir, "dir/newexcl"));
}

/* Through a link that leads to nothing. */
static void dangling_try(void)
{
	int fd = open(in(open_dir, "link"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	count(fd < 0 ? -1 : close(fd));
	unlink(good_path);
}

static void cut_try(void)
{
	int fd = open(in(open_dir, "link"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0)
		count(write(fd, "cut\n", 4) == 4 ? 0 : -1);
	close(fd);
}

static void tmpfile_try(void)
{
	char name[40];
	int fd = open(in(open_dir, "dir"), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	count(linkat(AT_FDCWD, name, AT_FDCWD, in(open_dir, "dlink/newtmp"), AT_SYMLINK_FOLLOW));
	close(fd);
	unlink(in(open_dir, "dir/newtmp"));
}

static void bind_link_try(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", in(open_dir, "dlink/newsock"));
	count(bind(fd, (struct sockaddr *)&address, sizeof address));
	close(fd);
	unlink(in(open_dir, "dir/newsock"));
}

/* ---- moved, linked, removed ---- */

static void over_try(void)
{
	const char *from = own("over");
	make_file(from, "open\n");
	count(rename(from, in(open_dir, "dlink/file2")));
}

static void swap_try(void)
{
	const char *from = own("swap");
	make_file(from, "open\n");
	make_file(in(open_dir, "dir/file2"), "open\n");
	if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, in(open_dir, "dlink/file2"), 2 /* RENAME_EXCHANGE */) == 0)
		read_and_judge("swap", open(from, O_RDONLY | O_CLOEXEC));
}

static void tree_try(void)
{
	const char *from = own("tree");
	mkdir(from, 0700);
	count(rename(from, in(open_dir, "dlink/newtree")));
	rmdir(in(open_dir, "dir/newtree"));
}

static void rmdir_try(void)
{
	mkdir(in(open_dir, "dir/emptydir"), 0777);
	count(rmdir(in(open_dir, "dlink/emptydir")));
}

static void link_to_try(void)
{
	const char *from = own("linked");
	make_file(from, "open\n");
	count(link(from, in(open_dir, "dlink/newhard")));
	unlink(in(open_dir, "dir/newhard"));
}

static void link_follow_try(void)
{
	const char *to = own("followed");
	unlink(to);
	if (linkat(AT_FDCWD, in(open_dir, "link"), AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0)
		read_and_judge("linkfollow", open(to, O_RDONLY | O_CLOEXEC));
}

static void link_fd_try(void)
{
	const char *to = own("linkedfd");
	char name[40];
	unlink(to);
	snprintf(name, sizeof name, "/proc/self/fd/%d", shared_fd);
	if (linkat(AT_FDCWD, name, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0)
		read_and_judge("linkfd", open(to, O_RDONLY | O_CLOEXEC));
}

/* ---- changed ---- */

static void chown_try(void)
{
	count(chown(in(open_dir, "dlink/file"), (uid_t)-1, (gid_t)-1));
}

static void utime_try(void)
{
	count(utimensat(AT_FDCWD, in(open_dir, "dlink/file"), NULL, 0));
}

static void set_xattr_try(void)
{
	count(setxattr(in(open_dir, "dlink/file"), "user.attack", "x", 1, 0));
}

static void get_xattr_try(void)
{
	char value[16] = "";
	(void)setxattr(in(open_dir, "dir/file"), "user.secret", "open", 4, 0);
	if (getxattr(in(open_dir, "dlink/file"), "user.secret", value, sizeof value) <= 0)
		return;
	if (!strncmp(value, "SECRET", 6))
		success("getxattr", "read the secret");
	reached++;
}

/* ---- started ---- */

static void judge_program(const char *mode, pid_t child)
{
	int status;
	if (child <= 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return;
	if (WEXITSTATUS(status) == 66)
		success(mode, "the forbidden program ran");
	if (WEXITSTATUS(status) == 55)
		reached++;
}

static void exec_link_try(void)
{
	char *argv[] = { (char[]){ "x" }, NULL }, *envp[] = { NULL };
	pid_t child = vfork();
	if (child == 0) {
		execve(in(open_dir, "link"), argv, envp);
		_exit(0);
	}
	judge_program("execlink", child);
}

/* Its interpreter is the link. */
static void exec_script_try(void)
{
	char *argv[] = { (char[]){ "x" }, NULL }, *envp[] = { NULL };
	pid_t child = vfork();
	if (child == 0) {
		execve(in(open_dir, "script"), argv, envp);
		_exit(0);
	}
	judge_program("execscript", child);
}

static void exec_fd_try(void)
{
	char *argv[] = { (char[]){ "x" }, NULL }, *envp[] = { NULL };
	pid_t child = vfork();
	if (child == 0) {
		syscall(SYS_execveat, shared_fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(0);
	}
	judge_program("execfd", child);
}

/* ---- a directory that is moved to where less is allowed ---- */

/* In one named kept* nothing named "made" may be made: MOVING is renamed to such ones in turn, and what is not there then must not come. */
static void moved_to_flip(bool bad)
{
	static unsigned turn;
	static bool absent[8];
	char kept[PATH_SIZE - 5], made[PATH_SIZE];
	bool *gone = &absent[turn % 8];
	(void)bad;
	snprintf(kept, sizeof kept, "%s/keptm%u", open_dir, turn++ % 8);
	snprintf(made, sizeof made, "%s/made", kept);
	if (*gone && access(made, F_OK) == 0)
		success("moved", "made what must not be made");
	if (unlink(made) < 0)
		rmdir(made);
	rmdir(kept);
	mkdir(in(open_dir, "moving"), 0777);
	*gone = rename(in(open_dir, "moving"), kept) == 0 && access(made, F_OK) != 0;
	mkdir(in(open_dir, "moving"), 0777);
}

static void moved_create_try(void)
{
	int fd = open(in(open_dir, "moving/made"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	count(fd < 0 ? -1 : close(fd));
	unlink(in(open_dir, "moving/made"));
}

static void moved_rename_try(void)
{
	const char *from = own("moves");
	make_file(from, "open\n");
	count(rename(from, in(open_dir, "moving/made")));
	unlink(in(open_dir, "moving/made"));
}

static void moved_link_try(void)
{
	const char *from = own("links");
	make_file(from, "open\n");
	count(link(from, in(open_dir, "moving/made")));
	unlink(in(open_dir, "moving/made"));
}

static void moved_mkdir_try(void)
{
	count(mkdir(in(open_dir, "moving/made"), 0700));
	rmdir(in(open_dir, "moving/made"));
}

/*
 * In those named into* what is called "secret" may be moved, and not be read. A directory gets such a name and the secret comes into it: who
 * began a look there by its number, when it was called otherwise, must not have it.
 */
static _Atomic int begun = -1;

static void moved_in_flip(bool bad)
{
	static unsigned turn;
	char from[PATH_SIZE - 10], to[PATH_SIZE - 10], secret[PATH_SIZE - 10];
	(void)bad;
	if (!turn) {
		snprintf(to, sizeof to, "%s/into%d.0", open_dir, (int)getpid());
		mkdir(to, 0777);
		make_file(in(to, "secret"), "secret\n");
	}
	snprintf(secret, sizeof secret, "%s/into%d.%u", open_dir, (int)getpid(), turn++);
	snprintf(from, sizeof from, "%s/begin", open_dir);
	snprintf(to, sizeof to, "%s/into%d.%u", open_dir, (int)getpid(), turn);
	mkdir(from, 0777);
	make_file(in(from, "other"), "open\n");
	int old = atomic_exchange(&begun, open(from, O_PATH | O_DIRECTORY | O_CLOEXEC));
	sched_yield();
	if (rename(from, to) < 0 || rename(in(secret, "secret"), in(to, "secret")) < 0)
		abort();
	close(old);
	unlink(in(secret, "other"));
	rmdir(secret);
}

static void moved_in_try(void)
{
	int dir = atomic_load(&begun), fd = openat(dir, "secret", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		success("movedin", "read what was moved in");
	fd = openat(dir, "other", O_RDONLY | O_CLOEXEC);
	count(fd < 0 ? -1 : close(fd));
}

const struct mode more_modes[] = {
	{ "symlink", link_dir_flip, symlink_try, "", "" },
	{ "mknod", link_dir_flip, mknod_try, "", "" },
	{ "excl", link_dir_flip, excl_try, "", "" },
	{ "dangling", link_flip, dangling_try, "dir/dangling", "dangling" },
	{ "cut", link_flip, cut_try, "dir/file3", "file3" },
	{ "tmpfile", link_dir_flip, tmpfile_try, "", "" },
	{ "bindlink", link_dir_flip, bind_link_try, "", "" },
	{ "over", link_dir_flip, over_try, "", "" },
	{ "swap", link_dir_flip, swap_try, "", "" },
	{ "tree", link_dir_flip, tree_try, "", "" },
	{ "rmdir", link_dir_flip, rmdir_try, "", "" },
	{ "linkto", link_dir_flip, link_to_try, "", "" },
	{ "linkfollow", link_flip, link_follow_try, "dir/file", "file" },
	{ "linkfd", fd_flip, link_fd_try, "dir/file", "file" },
	{ "chown", link_dir_flip, chown_try, "", "" },
	{ "utime", link_dir_flip, utime_try, "", "" },
	{ "setxattr", link_dir_flip, set_xattr_try, "", "" },
	{ "getxattr", link_dir_flip, get_xattr_try, "", "" },
	{ "execlink", link_flip, exec_link_try, "good", "bad" },
	{ "execscript", link_flip, exec_script_try, "good", "bad" },
	{ "execfd", fd_flip, exec_fd_try, "good", "bad" },
	{ "movedcreate", moved_to_flip, moved_create_try, "", "" },
	{ "movedrename", moved_to_flip, moved_rename_try, "", "" },
	{ "movedlink", moved_to_flip, moved_link_try, "", "" },
	{ "movedin", moved_in_flip, moved_in_try, "", "" },
	{ "movedmkdir", moved_to_flip, moved_mkdir_try, "", "" },
};
const size_t n_more_modes = sizeof more_modes / sizeof *more_modes;
