/* Unix sockets by path: connect, bind and sends, compared with the kernel, and under rules. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Rules about unix sockets, so that they are brokered; what the scripts use is allowed. Nothing is denied near by: where something is,
 * a bound name may be shorter than it was given.
 */
#define UNIX COMPARE_ALL "deny connect,bind,sendto unix /never/**;\nallow connect,bind,sendto unix $dir/**, /tmp/**;\n"

static void prepare(struct live *live)
{
	live_mkdir(live, "d", 0755);
	live_mkdir(live, "denied", 0755);
	live_mkdir(live, "closed", 0755);
	live_file(live, "file", 0644, "x");
	live_symlink(live, "sock", "to-sock");
	live_symlink(live, "loop", "loop");
	live_symlink(live, "d", "to-d");
	live_symlink(live, "d/new", "dangling");
	assert_int_equal(chmod(live_path(live, "closed"), 0555), 0);
}

static void compare(struct live *live, const char *script)
{
	live_policy(live, UNIX);
	compare_script(live, prepare, script);
	assert_null(strstr(live->out, "FAILED"));
}

static void connecting(void **state)
{
	compare(*state,
		"socket stream\nsocket stream\nuconnect 4 sock\nubind 3 sock\nuconnect 4 sock\nlisten 3 5\nuconnect 4 sock\nuconnect 4 sock\nsockname 3\nsockname 4\n"
		"peername 4\npeercred 4\naccept 3\npeername 5\nsockname 5\nwrite 4 hello\nread 5\nsocket stream\nuconnect 6 to-sock\npeername 6\nsocket stream\n"
		"uconnect 7 missing\nuconnect 7 missing/x\nuconnect 7 file\nuconnect 7 d\nuconnect 7 loop\nuconnect 7 file/x\nuconnect 7 auto\nuconnect 7 sock/\nuconnect 7 ./d/../sock\n"
		"socket dgram\nuconnect 8 sock\nsocket packet\nuconnect 9 sock\nuconnect 99 sock\nuconnect 0 sock\nuconnect 3 sock\nclose 3\nsocket stream\nuconnect 3 sock\n"
		"unlink sock\nuconnect 3 sock\nfds\n");
}

static void binding(void **state)
{
	compare(*state,
		"socket stream\nubind 3 sock\nubind 3 other\nsocket stream\nubind 4 sock\nubind 4 file\nubind 4 d\nubind 4 dangling\nubind 4 missing/x\nubind 4 file/x\nubind 4 to-sock\n"
		"ubind 4 d/\nubind 4 d/new/\nubind 4 closed/x\nubind 4 loop/x\nubind 4 to-d/sock\nsockname 4\nsocket dgram\numask 077\nubind 5 masked\nsockname 5\numask 0\n"
		"socket packet\nubind 6 ./d/../unmasked\nsockname 6\nsocket stream\nubind 7 auto\nsockname 7\nubind 7 auto\nsocket stream\nubind 8 \\e\nsockname 8\n"
		"socket stream\nubind 99 x\nubind 0 x\nchdir d\nubind 9 relative\nsockname 9\nstat relative\nlisten 9 1\nsocket stream\nuconnect 10 relative\npeername 10\n"
		"chdir ..\nsocket stream\nuconnect 11 relative\nuconnect 11 d/relative\n");
}

/* sun_path holds 108 bytes, and needs no NUL. */
static void long_addresses(void **state)
{
	compare(*state,
		"socket stream\nubind 3 raw:<108*a>\nsockname 3\nlisten 3 3\nsocket stream\nuconnect 4 raw:<108*a>\npeername 4\nsocket stream\nuconnect 5 raw:<107*a>\n"
		"ubind 5 raw:<107*b>\nsockname 5\nsocket stream\nubind 6 <107*c>\nsockname 6\nsocket dgram\nubind 7 raw:x\nsockname 7\nsocket dgram\nusend 8 raw:x hello 0\n"
		"urecv 7\nsocket stream\nubind 9 <2*./>d/<90*e>\nsockname 9\nubind 9 raw:<54*./>\nsocket stream\nubind 10 raw:d/<106*f>\nsockname 10\n"
		"call bind 10 !bad 10\ncall bind 10 !out 200\ncall bind 10 !out 1\ncall connect 10 !bad 10\ncall connect 10 !out 129\ncall connect 10 !out 0\n");
}

/* The supervisor's own directory is another one, and lies below. */
static void through_its_own_directory(void **state)
{
	struct live *live = *state;
	char script[300];
	snprintf(script, sizeof(script), "chdir ..\nsocket stream\nubind 3 /proc/self/cwd/usher-%d\nsocket stream\nubind 4 /proc/thread-self/cwd/./usher-%d\n"
		 "lstat usher-%d\nunlink usher-%d\n", getpid(), getpid(), getpid(), getpid());
	compare(live, script);
}

static void names_without_a_file(void **state)
{
	struct live *live = *state;
	char script[1200], name[64];
	snprintf(name, sizeof(name), "@usher-%d", getpid());
	snprintf(script, sizeof(script),
		 "socket stream\nubind 3 %s\nsockname 3\nlisten 3 5\nsocket stream\nuconnect 4 %s\npeername 4\nsocket stream\nubind 5 %s\n"
		 "socket dgram\nubind 6 %s-d\nsocket dgram\nusend 7 %s-d hello 0\nurecv 6\nsocket dgram\nubind 8 auto\nusend 8 %s-d auto 0\n", name, name, name, name,
		 name, name);
	live_policy(live, UNIX);
	compare_script(live, prepare, script);
}

static void datagrams(void **state)
{
	compare(*state,
		"socket dgram\nubind 3 server\nsocket dgram\nusend 4 server one 0\nurecv 3\nubind 4 client\nusend 4 server two 0\nurecv 3\nusend 4 missing x 0\nusend 4 file x 0\n"
		"usend 4 d x 0\nusend 4 loop x 0\nusend 4 server \\e 0\nurecv 3\nusend 4 server <60000*x> 0\nurecv 3\nuconnect 4 server\nwrite 4 connected\nurecv 3\nusend 4 server again 0\n"
		"urecv 3\nusendmsg 4 server parts none\nurecv 3\nusendmsg 4 none parts none\nurecv 3\nusendmmsg 4 server many\nurecv 3\nurecv 3\nurecv 3\nusendmmsg 4 missing many\n"
		"usend 4 server nowait 0x40\nurecv 3\nusend 4 server oob 1\nsocket stream\nusend 5 server x 0\nusendmsg 5 server x none\nusend 99 server x 0\nusend 0 server x 0\n"
		"sndbuf 4 4608\nusend 4 server <60000*x> 0\nusend 3 client back 0\nurecv 4\nunlink server\nusend 4 server gone 0\nwrite 4 still\nurecv 3\nsockname 3\n");
}

static void descriptors_are_passed(void **state)
{
	struct live *live = *state;
	live_clear(live);
	prepare(live);
	live_policy(live, UNIX);
	/* In one tree: the answers have paths. */
	compare_script(live, NULL,
		"socket dgram\nubind 3 d/passing\nsocket dgram\nopen file r\nopen file pn\nopen d rd\nusendmsg 4 d/passing file 5\nurecv 3\nusendmsg 4 d/passing path 6\nurecv 3\n"
		"usendmsg 4 d/passing directory 7\nurecv 3\nopenat 10 passing r\nusendmsg 4 d/passing none 99\nurecv 3\nopenat 10 ../file r\nread 11\nuconnect 4 d/passing\n"
		"usendmsg 4 none connected 5\nurecv 3\nusendmsg 4 none itself 4\nunlink d/passing\nfds\n");
}

static void credentials_are_the_senders(void **state)
{
	compare(*state,
		"socket dgram\nubind 3 server\npasscred 3\nsocket dgram\nusend 4 server one 0\nurecv 3\nusendmsg 4 server two none\nurecv 3\nusendmmsg 4 server three\nurecv 3\nurecv 3\n"
		"uconnect 4 server\nwrite 4 four\nurecv 3\nopen file r\n");
	if (!live_root()) {
		print_message("skipped: becoming somebody else needs root\n");
		return;
	}
	/* The pid too, but for messages with descriptors. */
	compare(*state, "socket dgram\nubind 3 server\npasscred 3\nsocket dgram\nusend 4 server one 0\nurecvpid 3\nusendmsg 4 server two none\nurecvpid 3\n"
			"usendmmsg 4 server three\nurecvpid 3\nurecvpid 3\nuconnect 4 server\nusendmsg 4 none four none\nurecvpid 3\n");
	compare(*state,
		"call fchmodat cwd @. 0777\nsocket dgram\nubind 3 server\ncall fchmodat cwd @server 0777\npasscred 3\nsocket stream\nubind 4 stream\nlisten 4 3\ncall fchmodat cwd @stream 0777\n"
		"socket stream\ncall fchmodat cwd @d 0700\ncreds 1234 1234 99\nsocket dgram\nusend 6 server hello 0\nurecv 3\nuconnect 5 stream\naccept 4\npeercred 7\npeercred 5\n"
		"ubind 6 d/refused\nubind 6 mine\nsocket stream\nubind 8 closed/no\n");
}

static void broken_pipes(void **state)
{
	compare(*state,
		"onpipe\nsocket stream\nubind 3 sock\nlisten 3 3\nsocket stream\nuconnect 4 sock\naccept 3\nclose 5\nwrite 4 x\npipes\nusendmsg 4 none x none\npipes\n"
		"usend 4 sock x 0x4000\npipes\nusend 4 sock x 0\npipes\nsocket stream\nwrite 5 x\nusendmsg 5 none x none\npipes\n");
	struct live *live = *state;
	live_clear(live);
	live_policy(live, UNIX);
	compare_run(live, prepare, (const char *const[]){ live_probe(), "socket", "stream", ",", "ubind", "3", "sock", ",", "listen", "3", "3", ",", "socket", "stream",
						       ",", "uconnect", "4", "sock", ",", "accept", "3", ",", "close", "5", ",", "usendmsg", "4", "none", "x", "none", NULL });
	assert_int_equal(live->status, 128 + 13);
}

static void waiting_and_not(void **state)
{
	compare(*state,
		"socket stream\nubind 3 sock\nlisten 3 0\nsocket stream\nuconnect 4 sock\nsocket stream+n\nuconnect 5 sock\nsocket stream\nsndtimeo 6 300\nslowly 290 uconnect 6 sock\n"
		"accept 3\nuconnect 5 sock\nsocket dgram\nubind 8 d/slow\nsocket dgram+n\nsndbuf 9 4608\nsocket dgram\nsndtimeo 10 200\n"
		"usend 9 d/slow <3000*x> 0\nusend 9 d/slow <3000*x> 0\nusend 9 d/slow <3000*x> 0\nsndbuf 10 4608\nusend 10 d/slow <1000*x> 0\nusend 10 d/slow <1000*x> 0x40\n"
		"slowly 0 usend 10 d/slow <1000*x> 0\nslowly 0 usend 10 d/slow <1000*x> 0\nslowly 0 usend 10 d/slow <1000*x> 0\nslowly 0 usend 10 d/slow <1000*x> 0\n"
		"slowly 190 usend 10 d/slow <3000*x> 0\nslowly 190 usendmsg 10 d/slow <3000*x> none\nusend 10 d/slow <3000*x> 0x40\n");
}

static void scene(struct live *live, const char *name, const char *argument)
{
	live_policy(live, UNIX);
	compare_run(live, prepare, (const char *const[]){ live_probe(), name, argument, NULL });
	if (live->status || strcmp(live->out, "ok\n") != 0)
		fail_msg("%s: %s%s", name, live->out, live->err);
}

static void a_full_backlog(void **state)
{
	scene(*state, "backlog", "sock");
	char name[64];
	snprintf(name, sizeof(name), "@usher-backlog-%d", getpid());
	scene(*state, "backlog", name);
}

static void the_internet_is_let_go(void **state)
{
	scene(*state, "inet", "stream");
	scene(*state, "inet", "dgram");
}

/* A server sees who called it, where that is asked for. */
static void credentials_can_be_exact(void **state)
{
	struct live *live = *state;
	char script[900], expected[900];
	static const char *const exact[] = { "myself", "another" };
	for (int i = 0; i < 2; i++) {
		live_clear(live);
		live_policy(live, i ? COMPARE_ALL "network { default allow; allow connect,sendto unix /**, @*; }"
				    : COMPARE_ALL "network { default allow; allow connect,sendto unix /**, @* credentials exact; }");
		snprintf(script, sizeof(script),
			 "socket stream\nubind 3 sock\nlisten 3 5\nsocket stream\nuconnect 4 sock\naccept 3\npeerpid 5\npeercred 5\nsocket stream\nubind 6 @exact-%d\nlisten 6 5\nsocket stream\nuconnect 7 @exact-%d\n"
			 "accept 6\npeerpid 8\nuconnect 7 sock\nsocket stream\nuconnect 9 missing\nuconnect 9 @usher-nobodys\nuconnect 9 never/x\nsocket dgram\nubind 10 dgram\npasscred 10\nsocket dgram\n"
			 "usend 11 dgram one 0\nurecvpid 10\nusendmsg 11 dgram two none\nurecvpid 10\nusendmmsg 11 dgram three\nurecvpid 10\n", getpid(), getpid());
		snprintf(expected, sizeof(expected),
			 "peerpid 5 => ok %s\npeercred 5 => ok %u:%u\npeerpid 8 => ok %s\nuconnect 7 sock => EISCONN\nuconnect 9 missing => ENOENT\nuconnect 9 @usher-nobodys => EPERM\nuconnect 9 never/x => ENOENT\n"
			 "urecvpid 10 => ok 'one' from %s %u:%u\nurecvpid 10 => ok 'two' from %s %u:%u\nurecvpid 10 => ok 'three' from %s %u:%u\n",
			 exact[i], getuid(), getgid(), exact[i], i && !live_root() ? "another" : "myself", getuid(), getgid(), i && !live_root() ? "another" : "myself",
			 getuid(), getgid(), i && !live_root() ? "another" : "myself", getuid(), getgid());
		script_expect(live, script, expected);
	}
}

/* ---- rules ---------------------------------------------------------------------------------- */

static void rules_decide(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_symlink(live, "../denied/sock", "d/leak");
	live_policy(live, LIVE_BASE "network { default allow; deny ECONNREFUSED connect unix $dir/denied/**; deny ENXIO bind unix $dir/closed/**, $dir/no*;\n"
			  "  deny EPERM sendto unix $dir/d/*; }\nfiles { allow all $dir/; }\n");
	script_expect(live,
		"socket stream\nubind 3 denied/sock\nlisten 3 3\nsocket stream\nuconnect 4 denied/sock\nuconnect 4 d/leak\nuconnect 4 denied/missing\nuconnect 4 denied/../denied/sock\n"
		"socket stream\nubind 5 closed/x\nubind 5 nothing\nubind 5 ./d/../no\nubind 5 yes\nstat yes\nsocket dgram\nubind 6 d/dgram\nsocket dgram\nusend 7 d/dgram x 0\n"
		"usend 7 to-d/dgram x 0\nusendmsg 7 d/dgram x none\nusendmmsg 7 d/dgram x\nurecv 6\nuconnect 7 d/dgram\nuconnect 4 @usher-nobodys\n",
		"ubind 3 denied/sock => ok\nuconnect 4 denied/sock => ECONNREFUSED\nuconnect 4 d/leak => ECONNREFUSED\nuconnect 4 denied/missing => ECONNREFUSED\n"
		"uconnect 4 denied/../denied/sock => ECONNREFUSED\nubind 5 closed/x => ENXIO\nubind 5 nothing => ENXIO\nubind 5 ./d/../no => ENXIO\nubind 5 yes => ok\n"
		"usend 7 d/dgram x 0 => EPERM\nusend 7 to-d/dgram x 0 => EPERM\nusendmsg 7 d/dgram x none => EPERM\nusendmmsg 7 d/dgram x => EPERM\nurecv 6 => EAGAIN\n"
		"uconnect 4 @usher-nobodys => EPERM\n");
	assert_int_equal(live_audited(live, "deny", "/denied/sock"), 3);
	assert_int_equal(access(live_path(live, "nothing"), F_OK), -1);
	assert_int_equal(access(live_path(live, "no"), F_OK), -1);
}

/* Without rules about them they follow the files' default. */
static void without_rules_the_default_decides(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, LIVE_BASE "files { allow all $dir/; }");
	script_expect(live, "socket stream\nubind 3 sock\nuconnect 3 sock\nsocket dgram\nusend 4 sock x 0\n",
		      "ubind 3 sock => EACCES\nuconnect 3 sock => EACCES\nusend 4 sock x 0 => EACCES\n");
	live_policy(live, "files { default allow; deny read $dir/file; }");
	script_expect(live, "socket stream\nubind 3 sock\nlisten 3 1\nsocket stream\nuconnect 4 sock\n", "ubind 3 sock => ok\nuconnect 4 sock => ok\n");
	live_policy(live, LIVE_BASE "files { allow all $dir/; }\nnetwork { default allow; }");
	script_expect(live, "socket stream\nubind 3 sock2\nlisten 3 1\nsocket stream\nuconnect 4 sock2\n", "ubind 3 sock2 => ok\nuconnect 4 sock2 => ok\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, compare_teardown)
	const struct CMUnitTest tests[] = {
		CASE(connecting),
		CASE(binding),
		CASE(long_addresses),
		CASE(through_its_own_directory), CASE(names_without_a_file),
		CASE(datagrams),
		CASE(descriptors_are_passed),
		CASE(credentials_are_the_senders),
		CASE(credentials_can_be_exact),
		CASE(broken_pipes),
		CASE(waiting_and_not),
		CASE(a_full_backlog),
		CASE(the_internet_is_let_go),
		CASE(rules_decide),
		CASE(without_rules_the_default_decides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
