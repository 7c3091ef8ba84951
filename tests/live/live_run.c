/* `usher run` from outside: options, exit statuses, what it says, signals, and the terminal. */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL "files { default deny; allow all /; }\n"

/* ---- statuses and messages ------------------------------------------------------------------ */

static void says(struct live *live, int status, const char *message)
{
	if (live->status != status || !strstr(live->err, message))
		fail_msg("expected status %d and '%s', got %d and:\n%s", status, message, live->status, live->err);
}

static void statuses_are_passed_on(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	assert_int_equal(live_sh(live, "exit 0"), 0);
	assert_int_equal(live_sh(live, "exit 7"), 7);
	assert_int_equal(live_sh(live, "exit 255"), 255);
	assert_int_equal(live_sh(live, "kill -9 $$"), 128 + SIGKILL);
	assert_int_equal(live_sh(live, "kill -SYS $$"), 159);
	assert_int_equal(live_sh(live, "echo out; echo err >&2"), 0);
	assert_string_equal(live->out, "out\n");
	assert_string_equal(live->err, "err\n");
	live->input = "a\nb\n";
	assert_int_equal(live_runl(live, "/bin/sh", "-c", "read x; read y; echo $y$x", NULL), 0);
	assert_string_equal(live->out, "ba\n");
}

static void programs_that_do_not_start(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	live_runl(live, "no-such-program-here", NULL);
	says(live, 127, "not found in PATH");
	live_runl(live, live_path(live, "nothing"), NULL);
	says(live, 127, "no such file");
	live_runl(live, live_file(live, "plain", 0644, "x"), NULL);
	says(live, 126, "cannot be executed");
	live_runl(live, live_file(live, "noshebang", 0755, "echo x"), NULL);
	says(live, 126, "nor a script that begins with #!");
	live_runl(live, live->dir, NULL);
	says(live, 126, "not a file, or without permission");
	live_runl(live, "", NULL);
	says(live, 127, "'': not found");
	live_runl(live, live_file(live, "script", 0755, "#!/no/such/interpreter\n"), NULL);
	says(live, 126, "its interpreter or loader is missing");
	/* The exec gate kills what names a loader that is denied: nothing else would say so. */
	live_policy(live, "files { default deny EACCES; allow rx /usr/bin/, /bin/; }");
	live_runl(live, "/bin/true", NULL);
	says(live, 128 + SIGKILL, "/bin/true: killed before it ran: it names a loader that may be neither read nor executed");
	live_policy(live, "files { default deny EACCES; allow all /; deny exec $dir/; }");
	live_runl(live, live_file(live, "denied", 0755, "#!/bin/sh\n"), NULL);
	says(live, 126, "the policy denies exec");
	says(live, 126, " of it (Permission denied), at usher-live-");
	live->options[0] = "--chdir";
	live->options[1] = "/no/such/directory";
	live_sh(live, "true");
	says(live, 125, "--chdir /no/such/directory: No such file");
}

static void usage_is_explained(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	live->options[0] = "--sumary";
	live_sh(live, "true");
	says(live, 125, "did you mean '--summary'");
	live->options[0] = "--mode";
	live->options[1] = "loud";
	live_sh(live, "true");
	says(live, 125, "enforce or log");
	live->options[0] = NULL;
	live_usher_run(live, (const char *const[]){ "run", "--", "true", NULL });
	says(live, 125, "which policy");
	live_usher_run(live, (const char *const[]){ "run", "-p", live->policy, NULL });
	says(live, 125, "which program");
	live_usher_run(live, (const char *const[]){ "run", "-p", "./no-such.policy", "true", NULL });
	says(live, 125, "no-such.policy");
	live_usher_run(live, (const char *const[]){ "run", "-p", "no-such-name", "true", NULL });
	says(live, 125, "no policy 'no-such-name'");
}

static void bad_policies_do_not_start(void **state)
{
	struct live *live = *state;
	live_policy(live, "files { deny red /; }");
	live_sh(live, "echo started");
	says(live, 125, "did you mean 'read'");
	assert_string_equal(live->out, "");
	live_policy(live, ALL "domain d { files { allow read /x; } }\nlimits { decision-time 1s; }");
	live_sh(live, "echo started");
	says(live, 125, "domains are not enforced");
	says(live, 125, "'decision-time'");
	assert_null(strstr(strstr(live->err, "'decision-time'") + 1, "'decision-time'"));
	says(live, 125, "nothing was started");
	assert_string_equal(live->out, "");
	live_policy(live, ALL "audit { metrics /run/metrics; }");
	assert_int_equal(live_sh(live, "exit 0"), 0);
	assert_non_null(strstr(live->err, "'metrics' has no effect"));
	live->options[0] = "--quiet";
	assert_int_equal(live_sh(live, "exit 0"), 0);
	assert_string_equal(live->err, "");
}

/* ---- options -------------------------------------------------------------------------------- */

static void options_do_what_they_say(void **state)
{
	struct live *live = *state;
	live_file(live, "here/file", 0644, "x");
	live_policy(live, "set $what = nothing; files { default deny ENOENT; allow all /; deny read $dir/$what; }");
	live_expect(live, "ok 3", "open", live_path(live, "here/file"), "r", NULL);
	live->options[0] = "--set";
	live->options[1] = "what=here/file";
	live_expect(live, "ENOENT", "open", live_path(live, "here/file"), "r", NULL);
	assert_int_equal(live_audited(live, "deny", "/here/file"), 1);
	live->options[2] = "--chdir";
	live->options[3] = live_path(live, "here");
	live_expect(live, "ENOENT", "open", "file", "r", NULL);
	live->options[4] = "--mode";
	live->options[5] = "log";
	live_expect(live, "ok 3", "open", "file", "r", NULL);
	assert_int_equal(live_audited(live, "would-deny", "/here/file"), 1);
	assert_int_equal(live_audited(live, "deny", NULL), 0);
}

static void audit_of_the_policy_and_of_the_option(void **state)
{
	struct live *live = *state;
	char text[400];
	char *log;
	snprintf(text, sizeof(text), ALL "deny read $dir/x; audit { log %s.own; level all; }", live->dir);
	live_file(live, "x", 0644, "x");
	live_policy(live, text);
	live_expect(live, "EACCES", "open", live_path(live, "x"), "r", NULL);
	assert_int_equal(live_audited(live, "deny", "/x"), 1);
	assert_true(live_audited(live, "allow", NULL) > 0);
	snprintf(text, sizeof(text), "%s.own", live->dir);
	assert_null(live_read(text));

	live_usher_run(live, (const char *const[]){ "run", "-p", live->policy, "--", live_probe(), "open", live_path(live, "x"), "r", NULL });
	log = live_read(text);
	assert_non_null(log);
	assert_non_null(strstr(log, "\"action\":\"deny\""));
	assert_non_null(strstr(log, "\"action\":\"start\""));
	assert_non_null(strstr(log, "\"action\":\"stop\""));
	free(log);
	assert_int_equal(unlink(text), 0);

	live->options[0] = "--audit";
	live->options[1] = "/no/such/directory/log";
	live_sh(live, "echo started");
	says(live, 125, "/no/such/directory/log");
	assert_string_equal(live->out, "");
}

static void summary_quiet_and_json(void **state)
{
	struct live *live = *state;
	live_file(live, "x", 0644, "x");
	live_policy(live, ALL "deny read $dir/x;");
	live_expect(live, "EACCES", "open", live_path(live, "x"), "r", NULL);
	assert_string_equal(live->err, "");	/* no terminal */
	live->options[0] = "--summary";
	live_expect(live, "EACCES", "open", live_path(live, "x"), "r", NULL);
	assert_int_equal(strncmp(live->err, "usher: 1 denial; ", strlen("usher: 1 denial; ")), 0);
	live->options[0] = "--json";
	live_expect(live, "EACCES", "open", live_path(live, "x"), "r", NULL);
	assert_non_null(strstr(live->err, "\"action\":\"deny\""));
}

static void policies_are_found_by_name(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	live_mkdir(live, "config", 0755);
	live_mkdir(live, "config/usher", 0755);
	char *text = live_read(live->policy);
	live_file(live, "config/usher/mine.policy", 0644, text);
	live_file(live, "mine.policy", 0644, "not a policy: the current directory is never searched");
	free(text);
	assert_int_equal(chdir(live->dir), 0);
	setenv("XDG_CONFIG_HOME", live_path(live, "config"), 1);
	assert_int_equal(live_usher_run(live, (const char *const[]){ "run", "-p", "mine", "--", live_probe(), "pid", NULL }), 0);
	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", live->dir, 1);
	assert_int_equal(live_usher_run(live, (const char *const[]){ "run", "-p", "mine", "--", live_probe(), "pid", NULL }), 125);
	assert_int_equal(live_usher_run(live, (const char *const[]){ "run", "-p", "./mine.policy", "--", live_probe(), "pid", NULL }), 125);
	assert_int_equal(chdir("/"), 0);
}

static void own_files_are_out_of_reach(void **state)
{
	struct live *live = *state;
	char dropins[100], inside[120];
	live_policy(live, ALL);
	snprintf(dropins, sizeof(dropins), "%s.d", live->policy);
	snprintf(inside, sizeof(inside), "%s/x.policy", dropins);
	live_expect(live, "EACCES", "open", live->policy, "r", NULL);
	live_expect(live, "EACCES", "open", live->policy, "w", NULL);
	live_expect(live, "EACCES", "unlink", live->policy, NULL);
	live_expect(live, "EACCES", "rename", live->policy, live_path(live, "moved"), NULL);
	live_expect(live, "EACCES", "chmod", live->policy, "0666", NULL);
	live_expect(live, "EACCES", "open", live->audit, "w", NULL);
	live_expect(live, "EACCES", "unlink", live->audit, NULL);
	live_expect(live, "EACCES", "truncate", live->audit, "0", NULL);
	live_expect(live, "EACCES", "mkdir", dropins, NULL);
	live->options[0] = "--mode";	/* forbid is never only logged */
	live->options[1] = "log";
	live_expect(live, "EACCES", "open", live->policy, "w", NULL);
	live_expect(live, "EACCES", "link", live->policy, live_path(live, "linked"), NULL);
}

/* Who could make a file that a policy looked for in vain would speak in it the next time. */
static void includes_are_not_put_in_its_place(void **state)
{
	struct live *live = *state;
	char text[400], name[100];
	snprintf(text, sizeof(text), "include? \"%s\";\ninclude? \"%s\";\n" ALL, live_path(live, "none.policy"),
		 live_path(live, "sub/dir/none.policy"));
	live_policy(live, text);
	assert_int_equal(chmod(live->dir, 0777), 0);
	live_file(live, "other", 0666, "syntax 1;\n");
	live_expect(live, "EACCES", "open", live_path(live, "none.policy"), "wc", NULL);
	live_expect(live, "EACCES", "rename", live_path(live, "other"), live_path(live, "none.policy"), NULL);
	live_expect(live, "EACCES", "symlink", "/tmp", live_path(live, "sub"), NULL);
	live_expect(live, "EACCES", "mkdir", live_path(live, "sub"), NULL);
	/* Nor does one come to be where names of policies are looked for. */
	setenv("XDG_CONFIG_HOME", live->dir, 1);
	live_expect(live, "EACCES", "mkdir", live_path(live, "usher"), NULL);
	live_file(live, "usher/web.policy", 0666, "syntax 1;\n");
	live_expect(live, "EACCES", "open", live_path(live, "usher/web.policy"), "w", NULL);
	live_expect(live, "EACCES", "rename", live_path(live, "other"), live_path(live, "usher/nginx.policy"), NULL);
	live_expect(live, "EACCES", "rename", live_path(live, "usher"), live_path(live, "moved"), NULL);
	unsetenv("XDG_CONFIG_HOME");
	/* Nor is the link by which it is called made to lead elsewhere. */
	snprintf(name, sizeof(name), "%s/link.policy", live->dir);
	live_symlink(live, live->policy, "link.policy");
	const char *const unlink_it[] = { "run", "-q", "-p", name, "--", live_probe(), "unlink", name, NULL };
	live_usher_run(live, unlink_it);
	assert_string_equal(live->out, "EACCES\n");
}

/* ---- signals -------------------------------------------------------------------------------- */

static void wait_for(const struct live *live, const char *name)
{
	while (access(live_path(live, name), F_OK) < 0)
		usleep(2000);
}

static void signals_are_forwarded(void **state)
{
	struct live *live = *state;
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM };
	live_policy(live, ALL);
	assert_int_equal(chmod(live->dir, 0777), 0);
	char script[400];
	snprintf(script, sizeof(script), ": >%s/ready; exec sleep 100", live->dir);
	alarm(200);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid_t usher = live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL });
		wait_for(live, "ready");
		assert_int_equal(kill(usher, signals[i]), 0);
		assert_int_equal(live_finish(live), 128 + signals[i]);
		assert_int_equal(unlink(live_path(live, "ready")), 0);
	}
	snprintf(script, sizeof(script), "trap 'echo got; exit 4' TERM; : >%s/ready; while :; do sleep 0.02; done", live->dir);
	pid_t usher = live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL });
	wait_for(live, "ready");
	assert_int_equal(kill(usher, SIGTERM), 0);
	assert_int_equal(live_finish(live), 4);
	assert_string_equal(live->out, "got\n");
	alarm(0);
}

static char state_of(pid_t pid)
{
	char path[64], *text, state;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	text = live_read(path);
	assert_non_null(text);
	state = strrchr(text, ')')[2];
	free(text);
	return state;
}

static void stopping_the_program_stops_usher(void **state)
{
	struct live *live = *state;
	int status;
	live_policy(live, ALL);
	assert_int_equal(chmod(live->dir, 0777), 0);
	char script[400], *pid;
	snprintf(script, sizeof(script), "echo $$ >%s/new; mv %s/new %s/ready; while :; do sleep 0.02; done", live->dir, live->dir, live->dir);
	alarm(200);
	pid_t usher = live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL });
	wait_for(live, "ready");
	pid = live_read(live_path(live, "ready"));
	for (int i = 0; i < 20; i++) {
		assert_int_equal(kill(atoi(pid), SIGSTOP), 0);
		assert_int_equal(waitpid(usher, &status, WUNTRACED), usher);
		assert_true(WIFSTOPPED(status));
		/* Only the child is continued: usher must follow. */
		assert_int_equal(kill(i % 2 ? usher : atoi(pid), SIGCONT), 0);
		assert_int_equal(waitpid(usher, &status, WCONTINUED), usher);
		assert_true(WIFCONTINUED(status));
		while (state_of(atoi(pid)) == 'T')
			usleep(1000);
	}
	assert_int_equal(kill(usher, SIGTERM), 0);
	assert_int_equal(live_finish(live), 128 + SIGTERM);
	free(pid);
	alarm(0);
}

/* ---- a terminal ----------------------------------------------------------------------------- */

struct terminal {
	pid_t shell;
	int fd;
	char text[65536];
	size_t len, seen;
};

/* Reads until TEXT has come, after what was expected before. */
static void term_expect(struct terminal *term, const char *text)
{
	for (;;) {
		const char *at = memmem(term->text + term->seen, term->len - term->seen, text, strlen(text));
		if (at) {
			term->seen = (size_t)(at - term->text) + strlen(text);
			return;
		}
		assert_true(term->len < sizeof(term->text) - 1);
		ssize_t n = read(term->fd, term->text + term->len, sizeof(term->text) - 1 - term->len);
		if (n <= 0)	/* cmocka prints no more than 1,024 bytes */
			fail_msg("'%s' did not come; the terminal shows:\n%s", text, term->text + (term->len > 700 ? term->len - 700 : 0));
		term->len += (size_t)n;
	}
}

static void term_type(struct terminal *term, const char *text)
{
	assert_int_equal(write(term->fd, text, strlen(text)), strlen(text));
}

static void on_alarm(int number)
{
	(void)number;	/* only to interrupt read() */
}

static struct terminal *term_start(void)
{
	struct terminal *term = calloc(1, sizeof(*term));
	struct sigaction action = { .sa_handler = on_alarm };
	assert_non_null(term);
	sigaction(SIGALRM, &action, NULL);
	alarm(200);	/* for what hangs */
	term->shell = forkpty(&term->fd, NULL, NULL, NULL);
	assert_true(term->shell >= 0);
	if (term->shell == 0) {
		setenv("PS1", "READY> ", 1);
		execl("/bin/bash", "bash", "--norc", "--noprofile", "--noediting", "-i", (char *)NULL);
		_exit(99);
	}
	term_expect(term, "READY> ");
	return term;
}

static void term_end(struct terminal *term)
{
	term_type(term, "exit 0\n");
	close(term->fd);
	alarm(0);
	(void)waitpid(term->shell, NULL, 0);
	free(term);
}

/* The command's echo must not look like its output: words of SCRIPT are split by quotes where they are expected. */
static void term_run(struct terminal *term, const struct live *live, const char *program)
{
	char command[1024];
	snprintf(command, sizeof(command), "%s run -p %s -- %s\n", live_usher(), live->policy, program);
	term_type(term, command);
}

static void control_c_interrupts_the_program(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	struct terminal *term = term_start();
	term_run(term, live, "sh -c 'echo beg''un; exec sleep 100'");
	term_expect(term, "begun");
	term_type(term, "\003");
	term_expect(term, "READY> ");
	term_type(term, "echo st=$?\n");
	term_expect(term, "st=130");
	/* Once, not twice. */
	term_run(term, live, "sh -c 'trap \"echo in''t\" INT; echo beg''un; read x; read x; exit 3'");
	term_expect(term, "begun");
	term_type(term, "\003");
	term_expect(term, "int\r");
	term_type(term, "\n\n");
	term_expect(term, "READY> ");
	term_type(term, "echo st=$?\n");
	term_expect(term, "st=3");
	term_end(term);
}

static bool blocks(pid_t pid, int number)
{
	char path[64], *text;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	text = live_read(path);
	assert_non_null(text);
	unsigned long long set = strtoull(strstr(text, "SigBlk:") + 7, NULL, 16);
	free(text);
	return set >> (number - 1) & 1;
}

static pid_t child_of(pid_t parent)
{
	char path[64], *text;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	text = live_read(path);
	assert_non_null(text);
	pid_t pid = atoi(text);
	free(text);
	assert_true(pid > 0);
	return pid;
}

static void control_z_stops_the_job(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	assert_int_equal(chdir(live->dir), 0);
	struct terminal *term = term_start();
	term_run(term, live, "sh -c 'echo beg''un; while read x; do echo go''t $x; done; exit 5'");
	term_expect(term, "begun");
	for (int i = 0; i < 5; i++) {
		term_type(term, "\032");
		term_expect(term, "Stopped");
		term_expect(term, "READY> ");
		term_type(term, "fg\n");
		term_expect(term, "run -p");
		term_type(term, "line\n");
		term_expect(term, "got line");
		/* Until usher has been scheduled after fg it stops a moment before its child: nothing a person could type. */
		while (!blocks(child_of(term->shell), SIGTSTP))
			usleep(1000);
	}
	term_type(term, "\032");
	term_expect(term, "Stopped");
	term_expect(term, "READY> ");
	term_type(term, "bg\n");	/* reads from the terminal in the background: stops again */
	term_expect(term, "run -p");
	term_expect(term, "READY> ");
	term_type(term, "until jobs >jobs; grep -q Stop jobs; do sleep 0.01; done; echo sto''pped\n");
	term_expect(term, "stopped");
	term_type(term, "fg\n");
	term_expect(term, "run -p");
	term_type(term, "again\n");
	term_expect(term, "got again");
	term_type(term, "\004");
	term_expect(term, "READY> ");
	term_type(term, "echo st=$?\n");
	term_expect(term, "st=5");
	term_end(term);
}

/* Until the terminal is that of a program that has this name: not the shell's any more, nor that of its child before the exec. */
static void term_is_of(const struct terminal *term, const char *name)
{
	char path[64], *comm = NULL;
	do {
		free(comm);
		usleep(1000);
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)tcgetpgrp(term->fd));
		comm = live_read(path);
	} while (!comm || strncmp(comm, name, strlen(name)));
	free(comm);
}

static void a_shell_under_usher_has_job_control(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	struct terminal *term = term_start();
	term_run(term, live, "env PS1='INN''ER> ' bash --norc --noprofile --noediting -i");
	term_expect(term, "INNER> ");
	term_type(term, "sleep 100\n");
	term_expect(term, "sleep 100");
	term_is_of(term, "sleep\n");
	term_type(term, "\032");
	term_expect(term, "Stopped");
	term_expect(term, "INNER> ");
	term_type(term, "fg\n");
	term_expect(term, "sleep 100");
	term_is_of(term, "sleep\n");
	term_type(term, "\003");
	term_expect(term, "INNER> ");
	term_type(term, "echo st=$?\n");
	term_expect(term, "st=130");
	term_expect(term, "INNER> ");
	term_type(term, "echo 1 | cat | sed s/1/thr''ee/\n");
	term_expect(term, "three");
	term_expect(term, "INNER> ");
	term_type(term, "suspend\n");
	term_expect(term, "Stopped");
	term_expect(term, "READY> ");
	term_type(term, "fg\n");
	term_expect(term, "INNER> ");
	term_type(term, "echo 2 | sed s/2/fo''ur/\n");
	term_expect(term, "four");
	term_expect(term, "INNER> ");
	term_type(term, "exit 9\n");
	term_expect(term, "READY> ");
	term_type(term, "echo st=$?\n");
	term_expect(term, "st=9");
	term_end(term);
}

static void denials_are_lines_on_the_terminal(void **state)
{
	struct live *live = *state;
	live_file(live, "x", 0644, "x");
	live_policy(live, ALL "deny read $dir/x;");
	struct terminal *term = term_start();
	char command[200];
	snprintf(command, sizeof(command), "cat %s", live_path(live, "x"));
	term_run(term, live, command);
	term_expect(term, "usher: denied");
	term_expect(term, "/x");
	term_expect(term, "1 denial");
	term_expect(term, "READY> ");
	/* Where nothing was denied, nothing is said. */
	term_run(term, live, "echo qui''et");
	term_expect(term, "quiet\r\n");
	term_expect(term, "READY> ");
	assert_null(memmem(term->text + term->seen - 60, 60, "usher:", 6));
	term_end(term);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
	const struct CMUnitTest tests[] = {
		CASE(statuses_are_passed_on),
		CASE(programs_that_do_not_start),
		CASE(usage_is_explained),
		CASE(bad_policies_do_not_start),
		CASE(options_do_what_they_say),
		CASE(audit_of_the_policy_and_of_the_option),
		CASE(summary_quiet_and_json),
		CASE(policies_are_found_by_name),
		CASE(own_files_are_out_of_reach),
		CASE(includes_are_not_put_in_its_place),
		CASE(signals_are_forwarded),
		CASE(stopping_the_program_stops_usher),
		CASE(control_c_interrupts_the_program),
		CASE(control_z_stops_the_job),
		CASE(a_shell_under_usher_has_job_control),
		CASE(denials_are_lines_on_the_terminal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
