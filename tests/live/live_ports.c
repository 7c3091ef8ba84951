/* TCP ports that Landlock decides about by itself: what usher does not see is decided as it would decide. */
#include "compare.h"
#include "talk.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEALED "default deny EACCES sealed; allow bind tcp 127.0.0.1:*; "

static bool arrives(int server, int ms)
{
	struct pollfd poll_fd = { .fd = server, .events = POLLIN };
	if (poll(&poll_fd, 1, ms) != 1)
		return false;
	close(accept(server, NULL, NULL));
	return true;
}

static void stop(const struct talk *talk)
{
	int status;
	assert_int_equal(kill(talk->pid, SIGSTOP), 0);
	assert_int_equal(waitpid(talk->pid, &status, WUNTRACED), talk->pid);
	assert_true(WIFSTOPPED(status));
}

static const char *connect_to(char text[60], int fd, unsigned port)
{
	snprintf(text, 60, "nconnect %d 127.0.0.1:%u", fd, port);
	return text;
}

/* While usher is stopped nobody can decide but the kernel. */
static void connects_are_not_seen(void **state)
{
	struct live *live = *state;
	struct talk talk = { 0 };
	char policy[300], text[60];
	unsigned port, other;
	int server = live_serve(&port), denied = live_serve(&other);
	for (int seen = 0; seen < 2; seen++) {
		snprintf(policy, sizeof(policy), "network { " SEALED "allow connect tcp *:%u%s; }", port, seen ? " audit count" : "");
		live_policy(live, policy);
		talk_start(&talk, live);
		talk_expect(&talk, "nsocket tcp", "ok 3");
		talk_expect(&talk, "nbind 3 127.0.0.1:0", "ok");
		talk_expect(&talk, "listen 3 5", "ok");
		talk_expect(&talk, "nsocket tcp", "ok 4");
		stop(&talk);
		talk_say(&talk, connect_to(text, 4, port));
		assert_int_equal(arrives(server, seen ? 300 : 10000), !seen);
		if (!seen) {
			talk_answer(&talk, "ok");
			/* Made while nobody looks, and it may not go there; and to accept needs nobody either. */
			talk_expect(&talk, "nsocket tcp", "ok 5");
			talk_expect(&talk, connect_to(text, 5, other), "EACCES");
			talk_expect(&talk, "nsend 4 none x 0", "ok 1");
			talk_expect(&talk, "nsocket tcp+n", "ok 6");
			talk_expect(&talk, "naccept 6 0 16", "EINVAL");
		}
		assert_int_equal(kill(talk.pid, SIGCONT), 0);
		if (seen) {
			talk_answer(&talk, "ok");
			assert_true(arrives(server, 10000));
		}
		assert_int_equal(talk_end(&talk), 0);
		assert_false(arrives(denied, 0));
	}
	close(server);
	close(denied);
}

/* ---- the same decisions --------------------------------------------------------------------- */

static unsigned random_port(void)
{
	return 1 + (unsigned)random() % 60;
}

static void random_rules(char *text, size_t size, const char *sealed)
{
	int n = 1 + (int)(random() % 6);
	size_t len = (size_t)snprintf(text, size, "network { default deny EACCES%s; ", sealed);
	for (int i = 0; i < n; i++) {
		unsigned a = random_port(), b = random_port();
		const char *action = random() % 3 ? "allow" : random() % 4 ? "deny" : "forbid";
		len += (size_t)snprintf(text + len, size - len, "%s connect tcp *:%u-%u%s; ", action, a < b ? a : b, a < b ? b : a,
					strcmp(action, "allow") == 0 ? "" : sealed);
	}
	snprintf(text + len, size - len, "}");
}

/* Once by the broker and once by Landlock. Nobody listens on low ports here: what is allowed is refused by the kernel. */
static void decisions_are_the_same(void **state)
{
	struct live *live = *state;
	char script[6000], rules[1000];
	size_t len = 0;
	for (unsigned port = 0; port <= 61; port++)
		len += (size_t)snprintf(script + len, sizeof(script) - len, "nsocket tcp%s\nnconnect %u %s:%u\n", port % 3 ? "" : "6", port + 3,
					port % 3 ? "127.0.0.1" : port % 2 ? "[::1]" : "[::ffff:127.0.0.1]", port);
	unsigned allowed = 0, denied = 0;
	for (unsigned i = 0; i < 12; i++) {
		char *brokered = NULL;
		for (int sealed = 0; sealed < 2; sealed++) {
			srandom(i * 7919 + 1);
			random_rules(rules, sizeof(rules), sealed ? " sealed" : "");
			live_policy(live, rules);
			script_expect(live, script, "");
			if (!sealed)
				brokered = strdup(live->out);
			else if (strcmp(brokered, live->out) != 0)
				fail_msg("%s\nbroker:\n%s\nLandlock:\n%s", rules, brokered, live->out);
		}
		for (const char *at = brokered; (at = strstr(at, "=> E")); at += 4)
			*(strncmp(at, "=> EACCES", 9) == 0 ? &denied : &allowed) += 1;
		/* And it was Landlock: usher knows of no denial. */
		assert_int_equal(live_audited(live, "deny", NULL), 0);
		free(brokered);
	}
	assert_true(allowed > 100 && denied > 100);
}

/* ---- what Landlock knows nothing of --------------------------------------------------------- */

static void other_sockets_are_not_made(void **state)
{
	struct live *live = *state;
	live_policy(live, "network { " SEALED "allow connect tcp *:1; allow connect netlink NETLINK_ROUTE; }");
	script_expect(live,
		"nsocket tcp\nnsocket tcp6\nnsocket 2,1,6\nnsocket udp\nnsocket icmp\nsocket stream\nsocket dgram\nnsocket 2,1,262\nnsocket 16,3,0\nnsocket 16,3,15\nnsocket 2,3,1\nnsocket 17,3,768\nnsocket 40,1,0\n"
		"call socket 0x5a5a5a5a00000002 0x5a5a5a5a00000001 0x5a5a5a5a00000106\ncall socket 0x100000001 1 0\n"
		"call socketpair 1 1 0 !out\ncall socketpair 0x100000001 0x100080805 0 !out\ncall socketpair 1 2 0 !out\ncall socketpair 1 0x100000003 0 !out\ncall socketpair 30 1 0 !out\ncall socketpair 2 1 0 !out\n"
		"nsend 3 127.0.0.1:1 x 0x20000000\n",
		"nsocket tcp => ok 3\nnsocket tcp6 => ok 4\nnsocket 2,1,6 => ok 5\nnsocket udp => EACCES\nnsocket icmp => EACCES\nsocket stream => EACCES\nsocket dgram => EACCES\nnsocket 2,1,262 => EPROTONOSUPPORT\n"
		"nsocket 16,3,0 => ok 6\nnsocket 16,3,15 => EACCES\nnsocket 2,3,1 => EACCES\nnsocket 17,3,768 => EACCES\nnsocket 40,1,0 => EACCES\n"
		"call socket 0x5a5a5a5a00000002 0x5a5a5a5a00000001 0x5a5a5a5a00000106 => EPROTONOSUPPORT\ncall socket 0x100000001 1 0 => EACCES\n"
		"call socketpair 1 1 0 !out => ok\ncall socketpair 0x100000001 0x100080805 0 !out => ok\ncall socketpair 1 2 0 !out => EACCES\ncall socketpair 1 0x100000003 0 !out => EACCES\n"
		"call socketpair 30 1 0 !out => EAFNOSUPPORT\ncall socketpair 2 1 0 !out => EACCES\nnsend 3 127.0.0.1:1 x 0x20000000 => EOPNOTSUPP\n");
	assert_true(live_audited(live, "deny", NULL) > 0);
	/* To which everything is allowed. */
	live_policy(live, "network { " SEALED "allow connect tcp *:1; allow connect,bind udp *:*; }");
	script_expect(live, "nsocket udp\nnbind 3 127.0.0.1:0\nnsocket udp\nnsend 4 127.0.0.1=3 one 0\nnrecv 3\nnsocket tcp\nnconnect 5 127.0.0.1:2\nsocket stream\n",
		      "nsocket udp => ok 3\nnbind 3 127.0.0.1:0 => ok\nnsend 4 127.0.0.1=3 one 0 => ok 3\nnconnect 5 127.0.0.1:2 => EACCES\nsocket stream => EACCES\n");
}

/* It might be of any kind, or bring others. */
static void a_socket_at_start_changes_it(void **state)
{
	struct live *live = *state;
	char number[16], script[200], expected[300];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	snprintf(number, sizeof(number), "%d", fd);
	live->options[0] = "--pass-fd";
	live->options[1] = number;
	live_policy(live, "network { " SEALED "allow connect tcp *:1; }");
	snprintf(script, sizeof(script), "nsend %d 127.0.0.1:9 x 0\nnconnect %d 127.0.0.1:9\nsocket stream\nuconnect %d @x\n", fd, fd, fd == 3 ? 4 : 3);
	snprintf(expected, sizeof(expected), "nsend %d 127.0.0.1:9 x 0 => EACCES\nnconnect %d 127.0.0.1:9 => EACCES\nuconnect %d @x => EACCES\n", fd, fd, fd == 3 ? 4 : 3);
	script_expect(live, script, expected);
	close(fd);
}

/* ---- saying so ------------------------------------------------------------------------------ */

static void plans(struct live *live, const char *rules, const char *expected)
{
	char policy[400];
	snprintf(policy, sizeof(policy), "network { %s }", rules);
	live_policy(live, policy);
	(void)live_usher_run(live, (const char *const[]){ "check", "--plan", live->policy, NULL });
	if (!strstr(live->out, expected))
		fail_msg("%s: no '%s' in\n%s%s", rules, expected, live->out, live->err);
}

static void the_plan_says_so(void **state)
{
	struct live *live = *state;
	plans(live, SEALED "allow connect tcp *:1, *:5-9; deny connect tcp *:7 sealed;", "allowed ports: 1 5-6 8-9\n");
	plans(live, SEALED "allow connect tcp *:1, *:5-9;", "\nLandlock: ports of TCP, and denials are sealed");
	plans(live, SEALED "allow connect tcp *:1; allow connect udp *:*;", "\nfilter: everything may be reached by such sockets");
	plans(live, SEALED "allow connect tcp 10.0.0.0/8:1;", "not by Landlock alone: it speaks of addresses");
	plans(live, SEALED "allow connect tcp localhost:1;", "not by Landlock alone: it speaks of addresses");
	plans(live, "default deny; allow connect tcp *:1;", "not by Landlock alone: denials are recorded; 'default deny sealed' gives that up");
	plans(live, "default deny EPERM sealed; allow connect tcp *:1;", "Landlock denies with EACCES and nothing else");
	plans(live, "default allow; deny connect tcp *:1 sealed;", "the default of 'network' does not deny");
	plans(live, SEALED "allow connect tcp *:1-9; deny connect tcp *:3;", "its denials are recorded; 'sealed' gives that up");
	plans(live, SEALED "allow connect tcp *:1-9; deny EPERM connect tcp *:3 sealed;", "Landlock denies with EACCES and nothing else");
	plans(live, SEALED "allow connect tcp *:1-9; deny connect tcp *:3 stage log;", "it is at stage log");
	plans(live, SEALED "allow connect tcp *:1-9; allow connect unix /run/x;", "it allows unix sockets, of which Landlock knows nothing");
	plans(live, SEALED "allow connect tcp *:1-9; allow connect udp *:53;", "it allows sockets of which Landlock knows nothing, and not everything to them");
	plans(live, SEALED "allow connect tcp *:1-9; redirect connect tcp *:3 to 127.0.0.1:4;", "only the broker redirects and answers");
	plans(live, SEALED "allow connect tcp *:1-9 audit all;", "what it allows is to be recorded");
	plans(live, SEALED "allow connect tcp *:1024-65535;", "so many ports would make the start slow");
	plans(live, SEALED "allow connect tcp *:1; } limits { rate connect 1/s;", "only the broker counts for limits { rate }");
	plans(live, SEALED "allow connect tcp *:1; } audit { level all;", "every access is to be seen");
	(void)live_usher_run(live, (const char *const[]){ "check", "--plan", "--layers", "broker", live->policy, NULL });
	assert_non_null(strstr(live->out, "every access is to be seen"));
	setenv("USHER_TEST_DISABLE", "landlock_net", 1);
	plans(live, SEALED "allow connect tcp *:1;", "this kernel's Landlock knows no ports");
	unsetenv("USHER_TEST_DISABLE");
}

static void it_stays_as_it_was_at_launch(void **state)
{
	struct live *live = *state;
	struct talk talk = { 0 };
	live_policy(live, "network { " SEALED "allow connect tcp *:1-9; }");
	talk_start(&talk, live);
	talk_expect(&talk, "nsocket tcp", "ok 3");
	talk_expect(&talk, "nconnect 3 127.0.0.1:5", "ECONNREFUSED");
	const char *const reload[] = { "reload", talk.name, NULL };
	live_policy(live, "network { " SEALED "allow connect tcp *:1-4; }");
	assert_int_equal(live_usher_run(live, reload), 1);
	assert_non_null(strstr(live->err, "lets TCP sockets connect to ports that the policy denies"));
	live_policy(live, "network { " SEALED "allow connect tcp 127.0.0.1:1-9; }");
	assert_int_equal(live_usher_run(live, reload), 1);
	assert_non_null(strstr(live->err, "needs restart: system calls connect, "));
	assert_int_equal(live_usher_run(live, (const char *const[]){ "shadow", "set", talk.name, live->policy, NULL }), 0);
	assert_non_null(strstr(live->err, "connects are not seen"));
	live_policy(live, "network { " SEALED "allow connect tcp *:1-20; }");
	assert_int_equal(live_usher_run(live, reload), 0);
	assert_non_null(strstr(live->err, "goes on refusing TCP ports"));
	talk_expect(&talk, "nconnect 3 127.0.0.1:15", "EACCES");
	/* Even by force. */
	live_policy(live, "network { default allow; deny connect tcp *:5; }");
	assert_int_equal(live_usher_run(live, (const char *const[]){ "reload", "--force", "--reason", "x", talk.name, NULL }), 0);
	talk_expect(&talk, "call socketpair 1 2 0 !out", "EOPNOTSUPP");
	talk_expect(&talk, "nconnect 3 127.0.0.1:15", "EACCES");
	assert_int_equal(talk_end(&talk), 0);
	/* And the other way round: what is brokered at launch stays so. */
	live_policy(live, "network { default deny EACCES; allow bind tcp 127.0.0.1:*; allow connect tcp *:1-9; }");
	talk_start(&talk, live);
	talk_expect(&talk, "nsocket tcp", "ok 3");
	live_policy(live, "network { " SEALED "allow connect tcp *:1-4; }");
	assert_int_equal(live_usher_run(live, (const char *const[]){ "reload", talk.name, NULL }), 0);
	talk_expect(&talk, "nconnect 3 127.0.0.1:5", "EACCES");
	talk_expect(&talk, "nconnect 3 127.0.0.1:4", "ECONNREFUSED");
	talk_expect(&talk, "socket stream", "ok 4");
	talk_expect(&talk, "uconnect 4 @x", "EACCES");
	assert_int_equal(talk_end(&talk), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, compare_teardown)
	const struct CMUnitTest tests[] = {
		CASE(connects_are_not_seen),
		CASE(decisions_are_the_same),
		CASE(other_sockets_are_not_made),
		CASE(a_socket_at_start_changes_it),
		CASE(the_plan_says_so),
		CASE(it_stays_as_it_was_at_launch),
	};
	struct stat st;
	if (syscall(444, NULL, 0, 1) < 4)
		return 77;
	/* A socket there would be given to the program. */
	if (fstat(2, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)dup2(open("/dev/null", O_WRONLY), 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
