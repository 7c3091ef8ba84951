/*
 * as_nobody USHER PROBE TEST [MORE...]: runs TEST as the user nobody with a HOME of its own. The three programs, and MORE files or
 * directories, are copied there, for the build may lie where nobody may not look. Started by an ordinary user: 77, for TEST alone
 * is then run without privileges already.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "as_nobody: %s: %s\n", what, strerror(errno));
	exit(99);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

static char *copy(const char *from, const char *dir)
{
	const char *slash = strrchr(from, '/');
	char *to = NULL;
	if (asprintf(&to, "%s/%s", dir, slash ? slash + 1 : from) < 0)
		die("memory");
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	struct stat st;
	if (in < 0 || out < 0 || fstat(in, &st) < 0 || fchmod(out, 0755) < 0)
		die(from);
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(out, in, NULL, (size_t)left);
		if (n <= 0)
			die(to);
		left -= n;
	}
	close(in);
	close(out);
	return to;
}

static void copy_tree(const char *from, const char *dir)
{
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		execl("/bin/cp", "cp", "-r", from, dir, (char *)NULL);
		_exit(99);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		die(from);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: as_nobody USHER PROBE TEST [MORE...]\n");
		return 99;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "as_nobody: needs root\n");
		return 77;
	}
	umask(022);
	char dir[] = "/tmp/usher-nobody-XXXXXX", home[64];
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		die("mkdtemp");
	snprintf(home, sizeof(home), "%s/home", dir);
	if (mkdir(home, 0700) < 0 || chown(home, NOBODY, NOBODY) < 0)
		die(home);
	char *usher = copy(argv[1], dir), *probe = copy(argv[2], dir), *test = copy(argv[3], dir);
	for (int i = 4; i < argc; i++)
		copy_tree(argv[i], dir);
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0 || chdir(home) < 0)
			die("nobody");
		setenv("HOME", home, 1);
		setenv("USER", "nobody", 1);
		setenv("USHER_TEST_USHER", usher, 1);
		setenv("USHER_TEST_PROBE", probe, 1);
		unsetenv("XDG_CONFIG_HOME");
		unsetenv("XDG_STATE_HOME");
		unsetenv("XDG_RUNTIME_DIR");
		execl(test, test, (char *)NULL);
		die(test);
	}
	int status;
	if (waitpid(pid, &status, 0) < 0)
		die("wait");
	(void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(usher);
	free(probe);
	free(test);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
