/* A file system with names longer than NAME_MAX: FUSE's may have 1,024 bytes and more. The test itself serves one; only root can mount it. */
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

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){ .ino = node, .mode = node == FUSE_ROOT_ID ? S_IFDIR | 0777 : S_IFREG | 0666, .nlink = 1, .blksize = 4096 };
}

/* Every name is there, and is a file; removing it is answered with success. */
static int answer(const struct fuse_in_header *in, void *out, size_t *len)
{
	*len = 0;
	switch (in->opcode) {
	case FUSE_INIT:
		*(struct fuse_init_out *)out = (struct fuse_init_out){ .major = 7, .minor = 31, .max_write = 65536 };
		*len = sizeof(struct fuse_init_out);
		return 0;
	case FUSE_LOOKUP:
		*(struct fuse_entry_out *)out = (struct fuse_entry_out){ .nodeid = 2, .attr = attributes(2) };
		*len = sizeof(struct fuse_entry_out);
		return 0;
	case FUSE_GETATTR:
		*(struct fuse_attr_out *)out = (struct fuse_attr_out){ .attr = attributes(in->nodeid) };
		*len = sizeof(struct fuse_attr_out);
		return 0;
	case FUSE_UNLINK:
		return 0;
	default:
		return -ENOSYS;
	}
}

static _Noreturn void serve(int fd)
{
	static union { struct fuse_in_header header; char bytes[BUFFER]; } in;
	static struct { struct fuse_out_header header; char bytes[512]; } out;
	while (read(fd, &in, sizeof(in)) > 0) {
		size_t len;
		if (in.header.opcode == FUSE_FORGET || in.header.opcode == FUSE_BATCH_FORGET)
			continue;
		out.header.error = answer(&in.header, out.bytes, &len);
		out.header.unique = in.header.unique;
		out.header.len = (uint32_t)(sizeof(out.header) + len);
		if (write(fd, &out, out.header.len) < 0 && errno != ENOENT)
			break;
	}
	_exit(0);
}

/* The server's pid, or -1. */
static pid_t mount_fuse(const char *at)
{
	char options[120];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (mount("test", at, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		close(fd);
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0)
		serve(fd);
	close(fd);
	return pid;
}

static void longer_names_are_refused(void **state)
{
	struct live *live = *state;
	live_mkdir(live, "fuse", 0777);
	pid_t server = live_root() ? mount_fuse(live_path(live, "fuse")) : -1;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(longer_names_are_refused, live_setup, compare_teardown),
	};
	return cmocka_run_group_tests_name("live_fuse", tests, NULL, NULL);
}
