#include "talk.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *talk_dir(struct talk *talk)
{
	static char dir[100];

	if (live_root())
		return "/run/usher";
	snprintf(dir, sizeof(dir), "%s/usher", talk->runtime);
	return dir;
}

void talk_start(struct talk *talk, struct live *live)
{
	const char *argv[48] = { live_usher(), "run", "--name", talk->name, "-p", live->policy, "--audit", live->audit };
	size_t n = 8;
	int in[2], out[2];

	talk->live = live;
	if (!talk->name[0])
		snprintf(talk->name, sizeof(talk->name), "%s", strrchr(live->dir, '/') + 1);
	if (!live_root() && !talk->runtime[0]) {
		snprintf(talk->runtime, sizeof(talk->runtime), "%s.run", live->dir);
		assert_int_equal(mkdir(talk->runtime, 0700), 0);
		setenv("XDG_RUNTIME_DIR", talk->runtime, 1);
	}
	for (size_t i = 0; live->options[i]; i++)
		argv[n++] = live->options[i];
	argv[n++] = "--";
	argv[n++] = live_probe();
	argv[n++] = "talk";
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	talk->pid = fork();
	assert_true(talk->pid >= 0);
	if (!talk->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(99);
	}
	close(in[0]);
	close(out[1]);
	talk->in = fdopen(in[1], "w");
	talk->out = fdopen(out[0], "r");
	/* It runs. */
	talk_expect(talk, "umask 022", "ok");
}

void talk_say(struct talk *talk, const char *command)
{
	fprintf(talk->in, "%s\n", command);
	fflush(talk->in);
}

void talk_answer(struct talk *talk, const char *expected)
{
	char line[4096];

	if (!fgets(line, sizeof(line), talk->out))
		strcpy(line, "(nothing)\n");
	line[strcspn(line, "\n")] = '\0';
	assert_string_equal(line, expected);
}

void talk_expect(struct talk *talk, const char *command, const char *expected)
{
	talk_say(talk, command);
	talk_answer(talk, expected);
}

int talk_end(struct talk *talk)
{
	char command[120];
	int status;

	fclose(talk->in);
	fclose(talk->out);
	assert_int_equal(waitpid(talk->pid, &status, 0), talk->pid);
	if (talk->runtime[0]) {
		snprintf(command, sizeof(command), "rm -rf %s", talk->runtime);
		(void)!system(command);
		unsetenv("XDG_RUNTIME_DIR");
		talk->runtime[0] = '\0';
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
