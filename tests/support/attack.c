/*
 * Runs inside the sandbox and tries to get out of it by racing the broker.
 *
 *   attack MILLISECONDS OPEN SECRET [MODE...]
 *
 * OPEN is a directory that the policy gives wholly, SECRET one that it denies wholly although the file modes would allow
 * everything. In each mode one thread flips what a name means (the bytes of the path, a symlink, a directory, a descriptor, the
 * cwd, the arguments in memory) between something in OPEN and something in SECRET, while others make the call with it. A success
 * is what the policy forbids: the secret's content read, or anything changed in SECRET; it is printed and the exit status is 1.
 * SECRET's state is also checked from outside by the caller. Exit 0 means: at least one attempt of each mode got through to the
 * allowed side (so that the race was really on) and not one to the other.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

char open_dir[PATH_SIZE / 2], secret_dir[PATH_SIZE / 2];
_Atomic unsigned long reached;
static _Atomic bool stop;
static _Atomic unsigned long attempts;

/* The bytes both sides fight for: same length, so that a torn copy is one of both or nonsense. */
static char shared_path[PATH_SIZE];
char good_path[PATH_SIZE], bad_path[PATH_SIZE];
static struct open_how shared_how;
static struct sockaddr_un shared_addr, good_addr, bad_addr;
int shared_fd = -1;
static int good_fd = -1, bad_fd = -1;

const char *in(const char *dir, const char *name)
{
	static _Thread_local char buffers[4][PATH_SIZE];
	static _Thread_local unsigned turn;
	char *buffer = buffers[turn++ % 4];
	if (snprintf(buffer, PATH_SIZE, "%s/%s", dir, name) >= PATH_SIZE)
		abort();
	return buffer;
}

void success(const char *mode, const char *how)
{
	printf("ESCAPED %s: %s\n", mode, how);
	fflush(stdout);
	_exit(1);
}

/* Word-sized relaxed stores: a plain memcpy may be turned into something that the other side never sees. */
static void flip_bytes(void *to, const void *from, size_t size)
{
	volatile char *target = to;
	for (size_t i = 0; i < size; i++)
		target[i] = ((const char *)from)[i];
}

void make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			perror(path);
		close(fd);
	}
}

void read_and_judge(const char *mode, int fd)
{
	char text[16] = "";
	if (fd < 0)
		return;
	if (read(fd, text, sizeof text - 1) > 0) {
		if (!strncmp(text, "SECRET", 6))
			success(mode, "read the secret");
		reached++;
	}
	close(fd);
}

/* ---- the modes: flip() once, try() once ---- */

static void path_flip(bool bad)
{
	flip_bytes(shared_path, bad ? bad_path : good_path, PATH_SIZE);
}
static void path_try(void)
{
	read_and_judge("path", open(shared_path, O_RDONLY));
}
static void legacy_try(void)
{
	read_and_judge("legacy", (int)syscall(SYS_openat, AT_FDCWD, shared_path, O_RDONLY | O_CREAT, 0666));
}

void link_flip(bool bad)
{
	const char *next = in(open_dir, "link.next");
	unlink(next);
	if (symlink(bad ? bad_path : good_path, next) == 0)
		rename(next, in(open_dir, "link"));
}
static void link_try(void)
{
	read_and_judge("link", open(in(open_dir, "link"), O_RDONLY));
}
void link_dir_flip(bool bad)
{
	const char *next = in(open_dir, "dlink.next");
	unlink(next);
	if (symlink(bad ? secret_dir : in(open_dir, "dir"), next) == 0)
		rename(next, in(open_dir, "dlink"));
}
static void link_dir_try(void)
{
	read_and_judge("linkdir", open(in(open_dir, "dlink/file"), O_RDONLY));
}

static void exchange_flip(bool bad)
{
	(void)bad;
	syscall(SYS_renameat2, AT_FDCWD, in(open_dir, "dir"), AT_FDCWD, in(open_dir, "evil"), 2 /* RENAME_EXCHANGE */);
}
static void exchange_try(void)
{
	read_and_judge("exchange", open(in(open_dir, "dir/file"), O_RDONLY));
}

static void create_try(void)
{
	/* dlink/new is in OPEN/dir or, after a flip, in SECRET: the caller looks there afterwards */
	int fd = open(in(open_dir, "dlink/new"), O_WRONLY | O_CREAT, 0666);
	if (fd >= 0) {
		struct stat a, b;
		if (fstat(fd, &a) == 0 && stat(in(open_dir, "dir/new"), &b) == 0 && a.st_ino == b.st_ino)
			reached++;
		close(fd);
	}
	unlink(in(open_dir, "dir/new"));
}
static void unlink_try(void)
{
	make_file(in(open_dir, "dir/file2"), "open\n");
	if (unlink(in(open_dir, "dlink/file2")) == 0)
		reached++;
}
static void rename_try(void)
{
	make_file(in(open_dir, "moved"), "open\n");
	if (rename(in(open_dir, "moved"), in(open_dir, "dlink/moved")) == 0)
		reached++;
}
static void steal_try(void)
{
	if (rename(in(open_dir, "dlink/file"), in(open_dir, "stolen")) == 0) {
		read_and_judge("steal", open(in(open_dir, "stolen"), O_RDONLY));
		rename(in(open_dir, "stolen"), in(open_dir, "dir/file"));
	}
}
static void hardlink_try(void)
{
	unlink(in(open_dir, "hard"));
	if (link(in(open_dir, "dlink/file"), in(open_dir, "hard")) == 0)
		read_and_judge("hardlink", open(in(open_dir, "hard"), O_RDONLY));
}
static void mkdir_try(void)
{
	if (mkdir(in(open_dir, "dlink/newdir"), 0777) == 0)
		reached++;
	rmdir(in(open_dir, "dir/newdir"));
}
static void chmod_try(void)
{
	if (chmod(in(open_dir, "dlink/file"), 0666) == 0)
		reached++;
}
static void truncate_try(void)
{
	make_file(in(open_dir, "dir/file3"), "open\n");
	if (truncate(in(open_dir, "dlink/file3"), 0) == 0)
		reached++;
}

static void how_flip(bool bad)
{
	struct open_how how = { .flags = bad ? O_RDWR | O_TRUNC : O_RDONLY };
	flip_bytes(&shared_how, &how, sizeof how);
}
static void how_try(void)
{
	/* "readonly" may be read but not written: only the flags in memory change */
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, in(open_dir, "readonly"), &shared_how, sizeof shared_how);
	if (fd < 0)
		return;
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
		success("how", "opened for writing");
	read_and_judge("how", fd);
}

void fd_flip(bool bad)
{
	dup2(bad ? bad_fd : good_fd, shared_fd);
}
/* What the descriptors are of. */
static void fd_take(const char *good, const char *bad)
{
	close(good_fd);
	close(bad_fd);
	good_fd = open(good, O_PATH | O_CLOEXEC);
	bad_fd = open(bad, O_PATH | O_CLOEXEC);
	if (bad_fd < 0)
		bad_fd = dup(good_fd);
}
static void fd_try(void)
{
	/* SECRET/dir is reachable only as an O_PATH descriptor: opening one reveals no content */
	read_and_judge("fd", openat(shared_fd, "file", O_RDONLY));
}

static void cwd_flip(bool bad)
{
	if (chdir(bad ? secret_dir : in(open_dir, "dir")) < 0 && !bad)
		perror("chdir");
}
static void cwd_try(void)
{
	read_and_judge("cwd", open("file", O_RDONLY));
}

static void exec_flip(bool bad)
{
	flip_bytes(shared_path, bad ? bad_path : good_path, PATH_SIZE);
}
static void exec_try(void)
{
	pid_t child = fork();
	if (child == 0) {
		/* its own copy of the bytes: a thread of the child flips them while execve runs */
		pthread_t flipper;
		extern void *exec_flipper(void *);
		pthread_create(&flipper, NULL, exec_flipper, NULL);
		char *argv[] = { shared_path, NULL }, *envp[] = { NULL };
		for (int i = 0; i < 50; i++)
			execve(shared_path, argv, envp);
		_exit(0);
	}
	int status;
	if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status)) {
		if (WEXITSTATUS(status) == 66)
			success("exec", "the forbidden program ran");
		if (WEXITSTATUS(status) == 55)
			reached++;
	}
}
void *exec_flipper(void *unused);
void *exec_flipper(void *unused)
{
	for (unsigned i = 0;; i++)
		exec_flip(i & 1);
	return unused;
}

static void connect_flip(bool bad)
{
	flip_bytes(&shared_addr, bad ? &bad_addr : &good_addr, sizeof shared_addr);
}
static void connect_try(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[16] = "";
	if (connect(fd, (struct sockaddr *)&shared_addr, sizeof shared_addr) == 0 &&
	    read(fd, text, sizeof text - 1) > 0) {
		if (!strncmp(text, "SECRET", 6))
			success("connect", "spoke with the forbidden server");
		reached++;
	}
	close(fd);
}
static void bind_try(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&shared_addr, sizeof shared_addr) == 0)
		reached++;
	close(fd);
	unlink(good_addr.sun_path);
}

/* What lies in a directory named kept* may not be deleted: MOVING is renamed to such a one while a name in it is being unlinked. */
static void moved_flip(bool bad)
{
	static unsigned turn;
	char kept[2][PATH_SIZE];
	(void)bad;
	if (turn == 50000)
		return;
	for (int i = 0; i < 2; i++)
		snprintf(kept[i], PATH_SIZE, "%s/kept%d.%u", open_dir, (int)getpid(), turn + (unsigned)i);
	if (turn && access(in(kept[0], "keep"), F_OK))
		success("moved", "deleted what must be kept");
	mkdir(in(open_dir, "moving"), 0777);
	if (rename(in(open_dir, "moving"), kept[1]) == 0) {
		make_file(in(kept[1], "keep"), "kept\n");
		turn++;
	}
	mkdir(in(open_dir, "moving"), 0777);
}
static void moved_try(void)
{
	make_file(in(open_dir, "moving/keep"), "open\n");
	if (unlink(in(open_dir, "moving/keep")) == 0)
		reached++;
}

static const struct mode modes[] = {
	{ "path", path_flip, path_try, "dir/file", "file" },
	{ "legacy", path_flip, legacy_try, "dir/file", "file" },
	{ "link", link_flip, link_try, "dir/file", "file" },
	{ "linkdir", link_dir_flip, link_dir_try, "dir/file", "file" },
	{ "exchange", exchange_flip, exchange_try, "dir/file", "file" },
	{ "create", link_dir_flip, create_try, "", "" },
	{ "unlink", link_dir_flip, unlink_try, "", "" },
	{ "rename", link_dir_flip, rename_try, "", "" },
	{ "steal", link_dir_flip, steal_try, "", "" },
	{ "hardlink", link_dir_flip, hardlink_try, "", "" },
	{ "mkdir", link_dir_flip, mkdir_try, "", "" },
	{ "chmod", link_dir_flip, chmod_try, "", "" },
	{ "truncate", link_dir_flip, truncate_try, "", "" },
	{ "how", how_flip, how_try, "", "" },
	{ "fd", fd_flip, fd_try, "dir", "" },
	{ "cwd", cwd_flip, cwd_try, "", "" },
	{ "exec", exec_flip, exec_try, "good", "bad" },
	{ "connect", connect_flip, connect_try, "socket", "socket" },
	{ "bind", connect_flip, bind_try, "bound", "bound" },
	{ "moved", moved_flip, moved_try, "", "" },
};

static const struct mode *mode;

static const struct mode *mode_at(size_t i)
{
	return i < sizeof modes / sizeof *modes ? &modes[i] : &more_modes[i - sizeof modes / sizeof *modes];
}

static void *flipper(void *unused)
{
	for (unsigned i = 0; !stop; i++)
		mode->flip(i & 1);
	mode->flip(false);
	return unused;
}
static void *trier(void *unused)
{
	while (!stop) {
		mode->try();
		attempts++;
	}
	return unused;
}

/* What the mode before may have left elsewhere. */
static void tidy(void)
{
	struct stat st;
	if (lstat(in(open_dir, "dir"), &st) == 0 && S_ISLNK(st.st_mode))
		exchange_flip(false);
	make_file(in(open_dir, "dir/file"), "open\n");
	unlink(in(open_dir, "hard"));
}

static bool run(unsigned milliseconds)
{
	tidy();
	pthread_t threads[3];
	struct timespec time = { .tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000 };
	snprintf(good_path, sizeof good_path, "%s", in(open_dir, mode->good));
	snprintf(bad_path, sizeof bad_path, "%s", in(secret_dir, mode->bad));
	good_addr.sun_family = bad_addr.sun_family = AF_UNIX;
	memcpy(good_addr.sun_path, good_path, sizeof good_addr.sun_path - 1);
	memcpy(bad_addr.sun_path, bad_path, sizeof bad_addr.sun_path - 1);
	fd_take(good_path, bad_path);
	stop = false;
	reached = attempts = 0;
	mode->flip(false);
	pthread_create(&threads[0], NULL, flipper, NULL);
	pthread_create(&threads[1], NULL, trier, NULL);
	pthread_create(&threads[2], NULL, trier, NULL);
	nanosleep(&time, NULL);
	stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	/* Whatever the races moved about, the allowed way must still work, or this mode proved nothing. */
	for (int i = 0; i < 200 && !reached; i++) {
		mode->flip(false);
		mode->try();
	}
	printf("%-11s %8lu attempts, %8lu reached the allowed side, 0 escaped\n", mode->name, (unsigned long)attempts,
	       (unsigned long)reached);
	fflush(stdout);
	return reached > 0;
}

int main(int argc, char **argv)
{
	if (argc < 4 || strlen(argv[2]) >= sizeof open_dir || strlen(argv[3]) >= sizeof secret_dir) {
		fprintf(stderr, "usage: attack MILLISECONDS OPEN SECRET [MODE...]\n");
		return 2;
	}
	strcpy(open_dir, argv[2]);
	strcpy(secret_dir, argv[3]);
	mkdir(in(open_dir, "dir"), 0777);
	unlink(in(open_dir, "evil"));
	if (symlink(secret_dir, in(open_dir, "evil")) < 0)
		perror("evil");
	tidy();
	shared_fd = open(open_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	int status = 0;
	for (size_t i = 0; i < sizeof modes / sizeof *modes + n_more_modes; i++) {
		mode = mode_at(i);
		bool wanted = argc == 4;
		for (int k = 4; k < argc; k++)
			wanted |= !strcmp(argv[k], mode->name);
		if (wanted && !run((unsigned)atoi(argv[1]))) {
			printf("%s never reached the allowed side: it proves nothing\n", mode->name);
			status = 3;
		}
	}
	return status;
}
