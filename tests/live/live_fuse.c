/* A file system in user space: with names longer than NAME_MAX, with calls that it keeps waiting, and without statfs. The test itself
 * serves it; only root can mount it. */
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER 135168
#define DIRECTORIES 1000	/* nodes from here on */

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){ .ino = node, .mode = node == FUSE_ROOT_ID || node >= DIRECTORIES ? S_IFDIR | 0777 : S_IFREG | 0666, .nlink = 1, .blksize = 4096 };
}

/* Every name is there, and is a file, but for in-... which is a directory, and dir-... which is missing; removing it is answered with success. */
static int answer(const struct fuse_in_header *in, void *out, size_t *len)
{
	const char *name = (const char *)(in + 1);
	uint64_t node;

	*len = 0;
	switch (in->opcode) {
	case FUSE_INIT:
		*(struct fuse_init_out *)out = (struct fuse_init_out){ .major = 7, .minor = 31, .max_write = 65536 };
		*len = sizeof(struct fuse_init_out);
		return 0;
	case FUSE_LOOKUP:
		if (!strncmp(name, "dir-", 4))
			return -ENOENT;
		node = strncmp(name, "in-", 3) ? 2 : DIRECTORIES + (unsigned char)name[3];
		*(struct fuse_entry_out *)out = (struct fuse_entry_out){ .nodeid = node, .attr = attributes(node) };
		*len = sizeof(struct fuse_entry_out);
		return 0;
	case FUSE_GETATTR:
		*(struct fuse_attr_out *)out = (struct fuse_attr_out){ .attr = attributes(in->nodeid) };
		*len = sizeof(struct fuse_attr_out);
		return 0;
	case FUSE_MKDIR:
		*(struct fuse_entry_out *)out = (struct fuse_entry_out){ .nodeid = DIRECTORIES + 256 + in->unique };
		((struct fuse_entry_out *)out)->attr = attributes(DIRECTORIES + 256 + in->unique);
		*len = sizeof(struct fuse_entry_out);
		return 0;
	case FUSE_UNLINK:
		return 0;
	default:
		return -ENOSYS;
	}
}

static int reply(int fd, const struct fuse_in_header *in, int error)
{
	static struct { struct fuse_out_header header; char bytes[512]; } out;
	size_t len = 0;
	out.header.error = error ? error : answer(in, out.bytes, &len);
	out.header.unique = in->unique;
	out.header.len = (uint32_t)(sizeof(out.header) + len);
	return write(fd, &out, out.header.len) < 0 && errno != ENOENT ? -1 : 0;
}

/* dir-slow waits until dir-quick is asked for, and says by the FIFO that it does. */
static _Noreturn void serve(int fd, const char *fifo)
{
	static union { struct fuse_in_header header; char bytes[BUFFER]; } in, slow;
	while (read(fd, &in, sizeof(in)) > 0) {
		if (in.header.opcode == FUSE_FORGET || in.header.opcode == FUSE_BATCH_FORGET)
			continue;
		if (in.header.opcode == FUSE_MKDIR && !strcmp(in.bytes + sizeof(in.header) + sizeof(struct fuse_mkdir_in), "dir-slow")) {
			int say = open(fifo, O_WRONLY | O_CLOEXEC);
			slow = in;
			if (say < 0 || write(say, "\n", 1) != 1)
				break;
			close(say);
			continue;
		}
		if (slow.header.unique && (in.header.opcode == FUSE_MKDIR || in.header.opcode == FUSE_INTERRUPT)) {
			if (reply(fd, &slow.header, in.header.opcode == FUSE_INTERRUPT ? -EINTR : 0))
				break;
			slow.header.unique = 0;
		}
		if (in.header.opcode != FUSE_INTERRUPT && reply(fd, &in.header, 0))
			break;
	}
	_exit(0);
}

/* The server's pid, or -1. */
static pid_t mount_fuse(const char *at, const char *fifo)
{
	char options[120];
	int fd = live_apart() ? open("/dev/fuse", O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (mount("test", at, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		close(fd);
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0)
		serve(fd, fifo);
	close(fd);
	return pid;
}

static void longer_names_are_refused(void **state)
{
	struct live *live = *state;
	live_mkdir(live, "fuse", 0777);
	pid_t server = mount_fuse(live_path(live, "fuse"), "");
	if (server < 0) {
		print_message("SKIPPED: FUSE cannot be mounted here\n");
		skip();
	}
	live_policy(live, COMPARE_ALL);
	live->input = "unlink fuse/<255*a>\nunlink fuse/<256*a>\nunlink fuse/<1000*a>\nrename fuse/<1000*a> fuse/b\n";
	assert_int_equal(chdir(live->dir), 0);
	live_native(live, (const char *const[]){ live_probe(), "script", NULL });
	bool native = strstr(live->out, "unlink fuse/<1000*a> => ok") != NULL;
	live_run(live, (const char *const[]){ live_probe(), "script", NULL });
	assert_int_equal(chdir("/"), 0);
	live->input = NULL;
	assert_int_equal(umount2(live_path(live, "fuse"), MNT_DETACH), 0);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	assert_true(native);	/* or the server is no proof */
	if (live->status)
		fail_msg("status %d: %s", live->status, live->err);
	static const char *const expected[] = {
		"unlink fuse/<255*a> => ok\n", "unlink fuse/<256*a> => ENAMETOOLONG\n", "unlink fuse/<1000*a> => ENAMETOOLONG\n",
		"rename fuse/<1000*a> fuse/b => ENAMETOOLONG\n",
	};
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		if (!strstr(live->out, expected[i]))
			fail_msg("'%s' is not in\n%s", expected[i], live->out);
}

static pid_t prepare(struct live *live)
{
	live_mkdir(live, "fuse", 0777);
	assert_int_equal(mkfifo(live_path(live, "started"), 0600), 0);
	pid_t server = mount_fuse(live_path(live, "fuse"), live_path(live, "started"));
	if (server < 0) {
		print_message("SKIPPED: FUSE cannot be mounted here\n");
		skip();
	}
	live_policy(live, COMPARE_ALL);
	return server;
}

static void finish(struct live *live, pid_t server)
{
	assert_int_equal(umount2(live_path(live, "fuse"), MNT_DETACH), 0);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	if (live->status)
		fail_msg("status %d: %s", live->status, live->err);
}

static void one_is_kept_waiting_others_go_on(void **state)
{
	struct live *live = *state;
	pid_t server = prepare(live);
	char script[400];
	snprintf(script, sizeof(script),
		 "cd %s && { timeout 100 mkdir fuse/in-a/dir-slow & read x <started; timeout 60 mkdir fuse/in-b/dir-quick || exit 1; wait $!; }", live->dir);
	live_sh(live, script);
	finish(live, server);
}

static void it_need_not_know_statfs(void **state)
{
	struct live *live = *state;
	pid_t server = prepare(live);
	char script[400];
	snprintf(script, sizeof(script), "cat %s/fuse/a", live->dir);
	live_sh(live, script);
	finish(live, server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(longer_names_are_refused, live_setup, compare_teardown),
		cmocka_unit_test_setup_teardown(one_is_kept_waiting_others_go_on, live_setup, compare_teardown),
		cmocka_unit_test_setup_teardown(it_need_not_know_statfs, live_setup, compare_teardown),
	};
	return cmocka_run_group_tests_name("live_fuse", tests, NULL, NULL);
}
