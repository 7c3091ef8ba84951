/*
 * Threads that mount, move and unmount the same places, and the places above those, all at once. This binary runs itself as the program.
 * Each call ends as some order of all of them would have it end; what is mounted lies where a rule has it and with the flags that it
 * forces; what rules deny is never reached; and outside nothing happens.
 */
#include "scripted.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROUNDS 150
#define SECONDS 400	/* a hang ends the program, and with it the test */

/* ---- the program ---------------------------------------------------------------------------- */

static _Atomic unsigned done, odd, read_denied, made, moved;

/* Whatever is asked of a place that others change meanwhile. */
static long ended(const char *what, long result)
{
	static const int known[] = { EBUSY, EINVAL, ENOENT, EPERM, EACCES, ENOSPC, ELOOP };
	bool fine = result >= 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		fine |= errno == known[i];
	if (!fine) {
		odd++;
		printf("%s: %s\n", what, strerrorname_np(errno));
	}
	return result;
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
}

static void *mounts(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS || !moved; i++) {
		made += ended("mount", mount("none", "top", "tmpfs", 0, NULL)) == 0;
		(void)mkdir("top/in", 0755);
		touch("top/s");
		made += ended("mount in", mount("none", "top/in", "tmpfs", 0, NULL)) == 0;
		touch("top/in/s");
		made += ended("bind", mount("top", "to", NULL, MS_BIND | MS_REC, NULL)) == 0;
		(void)ended("umount in", umount2("top/in", 0));
		(void)ended("umount", umount2("top", 0));
	}
	done++;
	return NULL;
}

static void *takes_away(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS || !moved; i++) {
		(void)ended("detach", umount2("top", MNT_DETACH));
		(void)ended("detach in", umount2("top/in", MNT_DETACH));
		(void)ended("detach to", umount2("to", MNT_DETACH));
		(void)ended("detach else", umount2("else", MNT_DETACH));
	}
	done++;
	return NULL;
}

static void *moves(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS || !moved; i++) {
		moved += ended("move", mount("top", "else", NULL, MS_MOVE, NULL)) == 0;
		moved += ended("move in", mount("else/in", "else", NULL, MS_MOVE, NULL)) == 0;
		moved += ended("move back", mount("else", "top", NULL, MS_MOVE, NULL)) == 0;
		(void)ended("remount", mount(NULL, "top", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	}
	done++;
	return NULL;
}

static void look(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	read_denied += fd >= 0;
	if (fd >= 0)
		close(fd);
}

/* By name, and from a directory that may be taken away meanwhile: there a path begins anew. */
static void *looks(void *unused)
{
	static const char *const names[] = { "top", "top/in", "to", "to/in", "else", "else/in", "from" };
	(void)unused;
	while (done < 3)
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			char name[32];
			int dir = open(names[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
			(void)snprintf(name, sizeof(name), "%s/s", names[i]);
			look(AT_FDCWD, name);
			look(dir, "s");
			if (dir >= 0)
				close(dir);
		}
	return NULL;
}

/* The lines of our directory in mountinfo: how many, and those of them that no rule would make. */
static unsigned look_round(unsigned *wrong)
{
	static const char *const places[] = { "top", "top/in", "to", "to/in", "else", "else/in" };
	char line[8192], place[4096], flags[200], here[4096];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	unsigned n = 0;
	if (!getcwd(here, sizeof(here)))
		return 99;
	size_t len = strlen(here);
	*wrong = 0;
	while (file && fgets(line, sizeof(line), file)) {
		bool known = false;
		if (sscanf(line, "%*u %*u %*s %*s %4095s %199s", place, flags) != 2 || strncmp(place, here, len) != 0)
			continue;
		n++;
		for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
			known |= place[len] == '/' && !strcmp(place + len + 1, places[i]);
		*wrong += !known || !strstr(flags, "nosuid") || !strstr(flags, "nodev");
	}
	if (file)
		fclose(file);
	return n;
}

/* What the limit leaves. */
static unsigned room(void)
{
	unsigned n = 0;
	while (mount("none", "to", "tmpfs", 0, NULL) == 0)
		n++;
	printf("%s ", strerrorname_np(errno));
	for (unsigned i = 0; i < n; i++)
		(void)umount2("to", 0);
	return n;
}

static void race(void)
{
	void *(*const runs[])(void *) = { mounts, takes_away, moves, looks };
	static const char *const places[] = { "top", "to", "else", "top/in", "to/in", "else/in" };
	pthread_t threads[4];
	unsigned wrong, n, most = room();
	(void)alarm(SECONDS);
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, runs[i], NULL);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	n = look_round(&wrong);
	printf("odd %u, read %u, wrong %u, %s, %s, %s\n", odd, read_denied, wrong, made ? "mounted" : "never mounted", moved ? "moved" : "never moved",
	       most && n <= most ? "few" : "many");
	/* All of it can be taken away, and the limit knows. What a recursive bind has brought along goes with it. */
	char errors[200] = "";
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		while (umount2(places[i], MNT_DETACH) == 0)
			;
		strcat(strcat(errors, " "), strerrorname_np(errno));
	}
	n = look_round(&wrong);
	printf("left %u%s\n", n, n ? errors : "");
	printf("%s\n", room() == most ? "as before" : "a mount is lost");
}

/* ---- the case ------------------------------------------------------------------------------- */

static void all_at_once(void **state)
{
	struct live *live = *state;
	live_mkdir(live, "top", 0777);
	live_mkdir(live, "to", 0777);
	live_mkdir(live, "else", 0777);
	live_file(live, "from/s", 0666, "secret");
	scripted_expect(live, "files { default allow; deny read $dir/*/s, $dir/*/in/s; }\n"
			  "mounts { default deny EPERM; allow mount tmpfs on $dir/top, $dir/top/in, $dir/to force nosuid,nodev;\n"
			  "allow mount bind from $dir/top on $dir/to force nosuid,nodev; allow mount move on $dir/else, $dir/top; }\n"
			  "limits { mounts 8; }\n",
			"race", live_own_space(), "ENOSPC odd 0, read 0, wrong 0, mounted, moved, few\nleft 0\nENOSPC as before\n");
}

int main(int argc, char **argv)
{
	static const struct scripted programs[] = { { "race", race }, { 0 } };
	static const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(all_at_once, live_setup, live_teardown) };
	scripted_begin(argc, argv, programs);
	return cmocka_run_group_tests_name("live_mount_race", tests, NULL, NULL);
}
