/* Addresses: connect, bind, listen and sends, compared with the kernel, and under rules. */
#include "compare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* All that the scripts do is allowed by a rule, and so decided: nothing of it is free. */
#define ALLOWED COMPARE_ALL "network { default deny EPERM; allow connect,bind tcp @loopback, 0.0.0.0:*, [::]:*, 203.0.113.1:*; " \
	"allow connect,bind udp @loopback, 0.0.0.0:*, [::]:*; allow connect,bind,sendto unix /**, @*; }\n"

static void compare(struct live *live, const char *script)
{
	live_policy(live, ALLOWED);
	compare_script(live, live_clear, script);
	assert_null(strstr(live->out, "FAILED"));
}

static void connecting(void **state)
{
	compare(*state,
		"nsocket tcp\nnbind 3 127.0.0.1:0\nnsocket tcp\nnconnect 4 127.0.0.1=3\nlisten 3 50\nnconnect 4 127.0.0.1=3\nnname 3\nnname 4\nnpeer 4\n"
		"accept 3\nwrite 4 hello\nnrecv 5\nnpeer 5\nnsocket tcp6\nnconnect 6 [::ffff:127.0.0.1]=3\nnpeer 6\nnname 6\nnsocket tcp6\nnconnect 7 127.0.0.1=3\nnconnect 7 [::1]=3\n"
		"nsocket tcp\nnconnect 8 0.0.0.0=3\nnpeer 8\nnsocket tcp6\nnconnect 9 [::]=3\nnconnect 9 [::ffff:0.0.0.0]=3\nnpeer 9\nnsocket tcp\nnconnect 10 unspec\nnconnect 10 short\n"
		"nconnect 10 none\nnconnect 10 [::1]=3\nnconnect 10 127.0.0.1=3\nnconnect 10 unspec\nnpeer 10\nnconnect 10 127.0.0.1=3\nnpeer 10\nnconnect 99 127.0.0.1=3\nnconnect 0 127.0.0.1=3\n"
		"nsocket tcp+n\nnconnect 11 127.0.0.1=3\nnwait 11\nnconnect 11 127.0.0.1=3\nnpeer 11\nnsocket tcp+n\nnconnect 12 127.0.0.1:1\nnwait 12\nnsocket tcp\n"
		"nbind 13 127.0.0.2:0\nnconnect 13 0.0.0.0=3\nnconnect 13 127.0.0.1=3\nnname 13\nnsocket tcp6\nnset 14 41 26 1\nnconnect 14 [::ffff:127.0.0.1]=3\n"
		"nsocket tcp6\nnbind 15 [::ffff:127.0.0.3]:0\nnconnect 15 [::ffff:0.0.0.0]=3\nnconnect 15 [::]=3\nnsocket tcp\nnset 16 6 30 1\nnconnect 16 127.0.0.1=3\nwrite 16 fast\n"
		"call connect 16 !bad 16\ncall connect 16 !out 129\nfds\n");
}

static void binding(void **state)
{
	compare(*state,
		"nsocket tcp\nnbind 3 0.0.0.0:0\nnname 3\nnbind 3 0.0.0.0:0\nlisten 3 5\nlisten 3 9\nnsocket tcp\nnbind 4 0.0.0.0=3\nnbind 4 127.0.0.1=3\nnbind 4 203.0.113.1:0\nnsocket tcp\nlisten 5 1\nnname 5\n"
		"nsocket tcp6\nnbind 6 [::]:0\nnname 6\nnsocket tcp6\nnset 7 41 26 1\nnbind 7 [::]:0\nnname 7\nnbind 7 short\nnsocket tcp\nnbind 8 unspec\nnbind 8 [::1]:0\nnbind 8 short\n"
		"nbind 8 none\nnsocket udp\nnbind 9 127.0.0.1:0\nnname 9\nlisten 9 1\nnsocket tcp6\nnbind 10 127.0.0.1:0\nnbind 10 [::1]:0\nnbind 10 [::ffff:127.0.0.1]:0\nlisten 99 1\nlisten 0 1\n"
		"socket stream\nlisten 11 1\nubind 11 sock\nlisten 11 1\nsocket stream\nuconnect 12 sock\npeercred 12\ncall bind 8 !bad 16\ncall bind 8 !out 200\n");
}

static void datagrams(void **state)
{
	compare(*state,
		"nsocket udp\nnbind 3 127.0.0.1:0\nnsocket udp\nnsend 4 127.0.0.1=3 one 0\nnrecv 3\nnsendmsg 4 127.0.0.1=3 two\nnrecv 3\nnsendmmsg 4 127.0.0.1=3 127.0.0.1=3 three\nnrecv 3\nnrecv 3\n"
		"nsend 4 none x 0\nnsend 4 unspec=3 four 0\nnrecv 3\nnsend 4 short x 0\nnsend 4 [::1]=3 x 0\nnconnect 4 127.0.0.1=3\nnpeer 4\nnsend 4 none five 0\nnrecv 3\nwrite 4 six\nnrecv 3\n"
		"nsend 4 127.0.0.1=3 seven 0\nnrecv 3\nnconnect 4 unspec\nnpeer 4\nnsend 4 0.0.0.0=3 eight 0\nnrecv 3\nnconnect 4 0.0.0.0=3\nnpeer 4\n"
		"nsocket udp6\nnsend 5 [::ffff:127.0.0.1]=3 nine 0\nnrecv 3\nnsend 5 127.0.0.1=3 ten 0\nnrecv 3\nnsend 5 unspec=3 eleven 0\nnconnect 5 127.0.0.1=3\nnpeer 5\n"
		"nsocket udp6\nnbind 6 [::1]:0\nnsocket udp6\nnsend 7 [::1]=6 a 0\nnrecv 6\nnsend 7 [::]=6 b 0\nnrecv 6\nnconnect 7 [::1]=6\nnsend 7 unspec=3 c 0\nnrecv 6\nnconnect 7 unspec\nnsendmmsg 7 [::1]=6 [::]=6 c\nnrecv 6\nnrecv 6\nnsend 7 [::ffff:0.0.0.0]=3 d 0\nnrecv 3\n"
		"nsocket udp6\nnset 8 41 26 1\nnsend 8 [::ffff:127.0.0.1]=3 x 0\nnsend 8 127.0.0.1=3 x 0\nnsend 4 127.0.0.1=3 nowait 0x40\nnrecv 3\nnsend 4 127.0.0.1=3 \\e 0\nnrecv 3\n"
		"nsend 4 127.0.0.1=3 <70000*x> 0\nnsendmmsg 4 127.0.0.1=3 short e\nnrecv 3\nnsendmmsg 4 127.0.0.1=3 none f\nnrecv 3\nnsend 4 none more 0x8000\nnsend 4 127.0.0.1=3 end 0\nnrecv 3\n");
}

static void streams_send(void **state)
{
	compare(*state,
		"onpipe\nnsocket tcp\nnbind 3 127.0.0.1:0\nlisten 3 5\nnsocket tcp\nnsend 4 127.0.0.1=3 x 0\nnsend 4 127.0.0.1=3 x 0x4000\nnconnect 4 127.0.0.1=3\naccept 3\nnsend 4 127.0.0.1=3 one 0\nnrecv 5\n"
		"nsendmsg 4 127.0.0.1=3 two\nnrecv 5\nnsendmsg 4 none three\nnrecv 5\nnsendmmsg 4 none none four\nnrecv 5\nclose 5\npipes\nnsendmsg 4 none x\nnsendmsg 4 none x\npipes\n");
}

static void accepting(void **state)
{
	compare(*state,
		"nsocket tcp\nnbind 3 127.0.0.1:0\naccept 3\nlisten 3 5\nnsocket tcp\nnconnect 4 127.0.0.1=3\nnaccept 3 0 28\nnsocket tcp+n\nnaccept 6 0 16\nnbind 6 127.0.0.1:0\nlisten 6 5\nnaccept 6 0 16\n"
		"nsocket tcp\nnconnect 7 127.0.0.1=6\nnaccept 6 0x800 16\nflags 8\nnsocket tcp\nnconnect 9 127.0.0.1=3\nnaccept 3 0x80000 4\nflags 10\nnaccept 3 0x10000 16\nnaccept 99 0 16\nnaccept 0 0 16\n"
		"rcvtimeo 3 200\nslowly 190 naccept 3 0 16\nnsocket tcp\nnconnect 11 127.0.0.1=3\nnaccept 3 0 -1\nnsocket tcp\nnconnect 12 127.0.0.1=3\ncall accept 3 !bad !bad\nnsocket udp\nnaccept 13 0 16\n"
		"socket stream\nubind 14 sock\nlisten 14 5\nsocket stream\nuconnect 15 sock\naccept 14\npeercred 16\nwrite 15 hello\nread 16\nsocket stream\nuconnect 17 sock\nnofile 18\naccept 14\nnofile 64\naccept 14\nfds\n");
	struct live *live = *state;
	live_policy(live, ALLOWED);
	script_expect(live, "nsocket tcp\nnbind 3 127.0.0.1:0\nlisten 3 5\nalarmed 200 0 accept 3\nnlater 3 200\nalarmed 50 1 accept 3\n", "accept 3 => EINTR\n");
	assert_non_null(strstr(live->out, "alarmed 50 1 accept 3 => ok 5\n"));
}

static void limits_of_time(void **state)
{
	/* A backlog that is full: nobody answers. */
	compare(*state,
		"nsocket tcp\nnbind 3 127.0.0.1:0\nlisten 3 0\nnsocket tcp\nnconnect 4 127.0.0.1=3\nnsocket tcp\nsndtimeo 5 300\nslowly 290 nconnect 5 127.0.0.1=3\nnsocket tcp+n\nnconnect 6 127.0.0.1=3\nnconnect 6 127.0.0.1=3\n");
}

/* ---- rules ---------------------------------------------------------------------------------- */

static void rules_decide(void **state)
{
	struct live *live = *state;
	live_policy(live, COMPARE_ALL "network { default deny ENETUNREACH; allow bind tcp 127.0.0.1:*; allow bind udp 127.0.0.1:*; allow connect tcp 127.0.0.1:*;\n"
			  "deny ECONNREFUSED connect tcp 127.0.0.1:1-1023; allow sendto udp 127.0.0.1:*; deny EPERM sendto udp 127.0.0.1:53; allow connect tcp [::1]:*;\n"
			  "deny connect tcp [::1]:81 stage log; }");
	script_expect(live,
		"nsocket tcp\nnbind 3 127.0.0.1:0\nlisten 3 5\nnsocket tcp\nnconnect 4 127.0.0.2=3\nnconnect 4 127.0.0.1:80\nnconnect 4 127.0.0.1=3\nnsocket tcp6\nnconnect 5 [::ffff:127.0.0.2]=3\n"
		"nconnect 5 [::ffff:127.0.0.1]=3\nnsocket tcp\nnbind 6 0.0.0.0:0\nlisten 6 1\nnsocket tcp6\nnbind 7 [::]:0\nnsocket udp\nnbind 8 127.0.0.1:0\nnsocket udp\nnsend 9 127.0.0.1=8 one 0\nnrecv 8\n"
		"nsend 9 127.0.0.1:53 x 0\nnconnect 9 127.0.0.1:53\nnsend 9 127.0.0.2=8 x 0\nnsendmsg 9 127.0.0.2=8 x\nnsendmmsg 9 127.0.0.2=8 127.0.0.1=8 x\nnsendmmsg 9 127.0.0.1=8 127.0.0.2=8 two\n"
		"nrecv 8\nnsend 9 unspec:53 x 0\nnsocket udp6\nnsend 10 [::ffff:127.0.0.2]=8 x 0\nnsend 10 127.0.0.2=8 x 0\nnsend 10 [::ffff:127.0.0.1]=8 three 0\nnrecv 8\nnsocket tcp6\nnconnect 11 [::1]:81\n"
		"nsocket udp\nnbind 12 0.0.0.0:0\nnsocket tcp\nnset 13 6 30 1\nnconnect 13 127.0.0.2=3\n",
		"nconnect 4 127.0.0.2=3 => ENETUNREACH\nnconnect 4 127.0.0.1:80 => ECONNREFUSED\nnconnect 4 127.0.0.1=3 => ok\nnconnect 5 [::ffff:127.0.0.2]=3 => ENETUNREACH\nnconnect 5 [::ffff:127.0.0.1]=3 => ok\n"
		"nbind 6 0.0.0.0:0 => ENETUNREACH\nlisten 6 1 => ENETUNREACH\nnbind 7 [::]:0 => ENETUNREACH\nnrecv 8 => ok 'one' 16 127.0.0.1\nnsend 9 127.0.0.1:53 x 0 => EPERM\n"
		"nconnect 9 127.0.0.1:53 => EPERM\nnsend 9 127.0.0.2=8 x 0 => ENETUNREACH\nnsendmsg 9 127.0.0.2=8 x => ENETUNREACH\nnsendmmsg 9 127.0.0.2=8 127.0.0.1=8 x => ENETUNREACH\n"
		"nsendmmsg 9 127.0.0.1=8 127.0.0.2=8 two => ok 1 3 0\nnrecv 8 => ok 'two' 16 127.0.0.1\nnsend 9 unspec:53 x 0 => EPERM\nnsend 10 [::ffff:127.0.0.2]=8 x 0 => ENETUNREACH\n"
		"nsend 10 127.0.0.2=8 x 0 => ENETUNREACH\nnrecv 8 => ok 'three' 16 127.0.0.1\nnconnect 11 [::1]:81 => ECONNREFUSED\nnbind 12 0.0.0.0:0 => ENETUNREACH\nnconnect 13 127.0.0.2=3 => ENETUNREACH\n");
	char *audit = live_audit(live);
	assert_non_null(strstr(audit, "\"details\":{\"op\":\"connect\",\"proto\":\"tcp\",\"peer\":\"127.0.0.1:80\",\"address\":\"127.0.0.1\",\"port\":80,\"errno\":\"ECONNREFUSED\"}"));
	assert_non_null(strstr(audit, "\"action\":\"would-deny\",\"details\":{\"op\":\"connect\",\"proto\":\"tcp\",\"peer\":\"[::1]:81\",\"address\":\"::1\",\"port\":81,"));
	assert_non_null(strstr(audit, "\"details\":{\"op\":\"bind\",\"proto\":\"tcp\",\"peer\":\"0.0.0.0:0\""));
	free(audit);
	const char *const why[] = { "why", "--last", "--audit", live->audit, NULL };
	assert_int_equal(live_usher_run(live, why), 1);
	assert_non_null(strstr(live->out, "DENY   connect tcp 127.0.0.2:"));
}

static void names_without_a_path(void **state)
{
	struct live *live = *state;
	char script[700], expected[500], outside[112];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int n = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "usher-net-%d", getpid());
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(outside, sizeof(outside), "@%s", at.sun_path + 1);
	assert_int_equal(bind(server, (struct sockaddr *)&at, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)n)), 0);
	assert_int_equal(listen(server, 5), 0);
	live_policy(live, COMPARE_ALL "network { default deny EHOSTDOWN; allow connect,bind unix @in-*, /**; deny connect unix @in-no*; allow connect unix @usher-net-*; }");
	snprintf(script, sizeof(script), "socket stream\nubind 3 @in-%d\nlisten 3 5\nsocket stream\nuconnect 4 @in-%d\nsocket stream\nubind 5 @out\nuconnect 5 @out\nuconnect 5 @in-no\nubind 5 auto\n"
		 "socket stream\nuconnect 6 %s\nsocket stream\nuconnect 7 @in-other\nsocket stream\nubind 8 sock\n", getpid(), getpid(), outside);
	snprintf(expected, sizeof(expected), "ubind 3 @in-%d => ok\nuconnect 4 @in-%d => ok\nubind 5 @out => EHOSTDOWN\nuconnect 5 @out => EHOSTDOWN\nuconnect 5 @in-no => EHOSTDOWN\nubind 5 auto => EHOSTDOWN\n"
		 "uconnect 6 %s => ok\nuconnect 7 @in-other => ECONNREFUSED\nubind 8 sock => ok\n", getpid(), getpid(), outside);
	script_expect(live, script, expected);
	close(server);
	/* Also where nothing is said of any other address. */
	live_policy(live, COMPARE_ALL "network { default allow; deny EHOSTDOWN connect,bind,sendto unix @in-no*; }");
	snprintf(script, sizeof(script), "socket stream\nubind 3 @in-no\nubind 3 @in-yes-%d\nsocket stream\nuconnect 4 @in-nobody\nsocket dgram\nusend 5 @in-nobody x 0\n", getpid());
	snprintf(expected, sizeof(expected), "ubind 3 @in-no => EHOSTDOWN\nubind 3 @in-yes-%d => ok\nuconnect 4 @in-nobody => EHOSTDOWN\nusend 5 @in-nobody x 0 => EHOSTDOWN\n", getpid());
	script_expect(live, script, expected);
}

/* Which sockets can be made at all. */
static void kinds_of_sockets(void **state)
{
	struct live *live = *state;
	static const char script[] =
		"nsocket tcp\nnsocket tcp6\nnsocket udp\nsocket stream\nnsocket 2,1,6\nnsocket 2,2,17\nnsocket 2,1,262\nnsocket 10,1,262\nnsocket 2,1,132\nnsocket 2,5,132\nnsocket 2,2,136\nnsocket 2,6,33\n"
		"nsocket 16,3,0\nnsocket 16,3,15\nnsocket 17,3,768\nnsocket 2,10,768\nnsocket 40,1,0\nnsocket 43,1,0\nnsocket 38,5,0\nnsocket 30,1,0\nnsocket 2,3,1\nnsocket 10,3,58\n"
		"call socket 0x5a5a5a5a00000002 0x5a5a5a5a00000001 0x5a5a5a5a00000106\ncall socket 0x100000011 3 0\ncall socket 2 0x80801 0x106\ncall socket 0x100000002 1 0x100000006\n";
	live_policy(live, COMPARE_ALL "network { default deny EHOSTDOWN; allow connect netlink NETLINK_ROUTE; }");
	script_expect(live, script,
		"nsocket tcp => ok 3\nnsocket tcp6 => ok 4\nnsocket udp => ok 5\nsocket stream => ok 6\nnsocket 2,1,6 => ok 7\nnsocket 2,2,17 => ok 8\nnsocket 2,1,262 => EPROTONOSUPPORT\nnsocket 10,1,262 => EPROTONOSUPPORT\n"
		"nsocket 2,1,132 => EPROTONOSUPPORT\nnsocket 2,5,132 => EPROTONOSUPPORT\nnsocket 2,2,136 => EPROTONOSUPPORT\nnsocket 2,6,33 => EPROTONOSUPPORT\nnsocket 16,3,0 => ok 9\nnsocket 16,3,15 => EHOSTDOWN\n"
		"nsocket 17,3,768 => EHOSTDOWN\nnsocket 2,10,768 => EHOSTDOWN\nnsocket 40,1,0 => EHOSTDOWN\nnsocket 43,1,0 => EAFNOSUPPORT\nnsocket 38,5,0 => EAFNOSUPPORT\nnsocket 30,1,0 => EAFNOSUPPORT\n"
		"nsocket 2,3,1 => EHOSTDOWN\nnsocket 10,3,58 => EHOSTDOWN\ncall socket 0x5a5a5a5a00000002 0x5a5a5a5a00000001 0x5a5a5a5a00000106 => EPROTONOSUPPORT\ncall socket 0x100000011 3 0 => EHOSTDOWN\n"
		"call socket 2 0x80801 0x106 => EPROTONOSUPPORT\ncall socket 0x100000002 1 0x100000006 => ok 10\n");
	/* One rule about TCP is enough for that; what is let be otherwise needs no rule. */
	live_policy(live, COMPARE_ALL "network { default allow; deny connect tcp *:25; }");
	script_expect(live, "nsocket 2,1,262\nnsocket 16,3,15\nnsocket 2,3,1\nnsocket 17,3,768\nnsocket 40,1,0\nnsocket udp\nnset 4 132 110 1\nnset 4 132 100 1\ncall socket 2 0x4b 0\n",
		      "nsocket 2,1,262 => EPROTONOSUPPORT\nnsocket 16,3,15 => ok 3\nnsocket 2,3,1 => EPERM\nnsocket 17,3,768 => EPERM\nnsocket 40,1,0 => EPERM\nnsocket udp => ok 4\nnset 4 132 110 1 => EPERM\nnset 4 132 100 1 => EPERM\ncall socket 2 0x4b 0 => EINVAL\n");
	live_policy(live, COMPARE_ALL "network { default deny; allow connect vsock *; }");
	script_expect(live, "nsocket 40,1,0\n", "nsocket 40,1,0 => ok 3\n");
	/* Nothing of it while it is only tried. */
	live_policy(live, COMPARE_ALL "network { default deny stage log; }");
	script_expect(live, "nsocket 2,1,262\nnsocket 2,2,136\nnsocket tcp\nnconnect 5 127.0.0.1:1\n", "nsocket 2,1,262 => ok 3\nnsocket 2,2,136 => ok 4\nnconnect 5 127.0.0.1:1 => ECONNREFUSED\n");
	assert_int_equal(live_audited(live, "would-deny", NULL) > 0, 1);
}

static void no_network_at_all(void **state)
{
	struct live *live = *state;
	live_policy(live, COMPARE_ALL "network { default deny; }");
	script_expect(live, "nsocket tcp\nnconnect 3 127.0.0.1:1\nnbind 3 127.0.0.1:0\nlisten 3 1\nnsocket udp\nnsend 4 127.0.0.1:1 x 0\nnconnect 4 127.0.0.1:1\nsocket stream\nubind 5 sock\nuconnect 5 @x\nnconnect 3 unspec\n",
		      "nconnect 3 127.0.0.1:1 => EACCES\nnbind 3 127.0.0.1:0 => EACCES\nlisten 3 1 => EACCES\nnsend 4 127.0.0.1:1 x 0 => EACCES\nnconnect 4 127.0.0.1:1 => EACCES\nubind 5 sock => EACCES\nuconnect 5 @x => EACCES\n"
		      "nconnect 3 unspec => ok\n");
}

/* ---- elsewhere ------------------------------------------------------------------------------ */

static unsigned waiting(int server)
{
	struct pollfd poll_fd = { .fd = server, .events = POLLIN };
	unsigned n = 0;
	while (poll(&poll_fd, 1, 0) == 1) {
		close(accept(server, NULL, NULL));
		n++;
	}
	return n;
}

/* The program believes what it asked for, and is somewhere else. */
static void connects_are_redirected(void **state)
{
	struct live *live = *state;
	char policy[800];
	unsigned port;
	int server = live_serve(&port);
	snprintf(policy, sizeof(policy), COMPARE_ALL "network { default deny; redirect connect tcp *:80 to 127.0.0.1:%u; allow connect tcp 127.0.0.1:%u; answer connect tcp *:81 with errno EHOSTDOWN;\n"
		 "deny EPERM connect tcp 192.0.2.9:80; redirect connect udp *:53 to 127.0.0.1:%u; }", port, port, port);
	live_policy(live, policy);
	char script[1200], expected[1300];
	snprintf(script, sizeof(script),
		 "nsocket tcp\nnconnect 3 192.0.2.1:80\nnpeer 3\ncall getpeername 3 !out 0\nnsocket tcp6\nnconnect 4 [2001:db8::1]:80\nnpeer 4\nnsocket tcp6\nnconnect 5 [::ffff:192.0.2.2]:80\nnpeer 5\n"
		 "nsocket tcp\nnconnect 6 192.0.2.9:80\nnpeer 6\nnconnect 6 192.0.2.9:81\nnconnect 6 192.0.2.9:82\nnsocket tcp+n\nnconnect 7 192.0.2.3:80\nnwait 7\nnpeer 7\n"
		 "nconnect 7 unspec\nnpeer 7\nnconnect 7 127.0.0.1:%u\nnwait 7\nnpeer 7\nsocket stream\nnpeer 8\ncall getpeername 3 !out !bad\nnsocket udp\nnconnect 9 192.0.2.1:53\nnpeer 9\n"
		 "npeername 3 16\nnpeername 3 8\nnpeername 3 17\nnpeername 3 -1\nnpeername 4 28\nnpeername 6 16\nnpeername 8 110\nnpeername 9 16\nnpeername 99 16\n", port);
	snprintf(expected, sizeof(expected),
		 "nconnect 3 192.0.2.1:80 => ok\nnpeer 3 => ok 16 192.0.2.1 80\nnpeer 4 => ok 28 2001:db8::1 80\nnpeer 5 => ok 28 ::ffff:192.0.2.2 80\nnconnect 6 192.0.2.9:80 => EPERM\nnpeer 6 => ENOTCONN\n"
		 "nconnect 6 192.0.2.9:81 => EHOSTDOWN\nnconnect 6 192.0.2.9:82 => EACCES\nnpeer 7 => ok 16 192.0.2.3 80\nnpeer 7 => ENOTCONN\nnpeer 7 => ok 16 127.0.0.1\nnpeer 8 => ENOTCONN\n"
		 "call getpeername 3 !out !bad => EFAULT\nnpeer 9 => ok 16 192.0.2.1 53\n"
		 "npeername 3 16 => ok 16 192.0.2.1 80\nnpeername 3 8 => ok 8 192.0.2.1 80\nnpeername 3 17 => EINVAL\nnpeername 3 -1 => EINVAL\nnpeername 4 28 => ok 28 2001:db8::1 80\nnpeername 6 16 => ENOTCONN\n"
		 "npeername 8 110 => ENOTCONN\nnpeername 9 16 => ok 16 192.0.2.1 53\nnpeername 99 16 => EBADF\n");
	script_expect(live, script, expected);
	assert_int_equal(waiting(server), 5);
	close(server);
}

static void rates_are_limited(void **state)
{
	struct live *live = *state;
	char policy[400], script[400];
	unsigned port;
	int server = live_serve(&port);
	snprintf(policy, sizeof(policy), COMPARE_ALL "network { default allow; deny connect tcp *:1; } limits { rate connect 1/h burst 2; rate bind 1/h; }");
	live_policy(live, policy);
	snprintf(script, sizeof(script), "nsocket tcp\nnconnect 3 127.0.0.1:%u\nnconnect 3 unspec\nnconnect 3 127.0.0.1:%u\nnconnect 3 unspec\nnconnect 3 127.0.0.1:%u\nnsocket udp\nnbind 4 127.0.0.1:0\nnbind 4 127.0.0.1:0\nnsend 4 none x 0\n",
		 port, port, port);
	script_expect(live, script, "nbind 4 127.0.0.1:0 => ok\nnbind 4 127.0.0.1:0 => EAGAIN\n");
	assert_int_equal(waiting(server), 2);
	assert_non_null(strstr(live->out, "=> EAGAIN"));
	assert_int_equal(live_audited(live, "deny", NULL), 2);
	close(server);
}

/* Each message counts, and of a batch what is too much stays behind. */
static void messages_are_counted(void **state)
{
	struct live *live = *state;
	live_policy(live, COMPARE_ALL "network { default allow; deny sendto udp *:1; } limits { rate sendto 1/h burst 3; }");
	script_expect(live, "nsocket udp\nnbind 3 127.0.0.1:0\nnsocket udp\nnsendmmsg 4 127.0.0.1=3 127.0.0.1=3 a\nnsendmmsg 4 127.0.0.1=3 127.0.0.1=3 b\nnsendmmsg 4 127.0.0.1=3 127.0.0.1=3 c\nnsend 4 127.0.0.1=3 d 0\nnsend 4 none x 0\nnrecv 3\nnrecv 3\nnrecv 3\nnrecv 3\n",
		      "nsendmmsg 4 127.0.0.1=3 127.0.0.1=3 a => ok 2 1 1\nnsendmmsg 4 127.0.0.1=3 127.0.0.1=3 b => ok 1 1 0\nnsendmmsg 4 127.0.0.1=3 127.0.0.1=3 c => EAGAIN\nnsend 4 127.0.0.1=3 d 0 => EAGAIN\n"
		      "nsend 4 none x 0 => EDESTADDRREQ\nnrecv 3 => ok 'b' 16 127.0.0.1\nnrecv 3 => EAGAIN\n");
	char *audit = live_audit(live);
	assert_non_null(strstr(audit, "\"details\":{\"op\":\"sendto\",\"proto\":\"udp\",\"peer\":\"127.0.0.1:"));
	assert_int_equal(live_audited(live, "deny", NULL), 2);
	free(audit);
}

/* Whom it was sent to, whether a rule speaks of that or not. */
static void records_tell_of_peers(void **state)
{
	struct live *live = *state;
	static const char *const policies[] = { "", "network { default allow; deny sendto udp *:9; }\n" };
	for (int i = 0; i < 2; i++) {
		char text[300];
		snprintf(text, sizeof(text), COMPARE_ALL "%s audit { level all; }", policies[i]);
		live_policy(live, text);
		script_expect(live, "nsocket udp\nnsend 3 127.0.0.1:701 x 0\nnsendmsg 3 127.0.0.1:702 x\nnsendmmsg 3 127.0.0.1:703 127.0.0.1:704 x\nnsend 3 [::1]:705 x 0\nnsocket tcp\nnconnect 4 127.0.0.1:706\n"
				    "socket dgram\nusend 5 @usher-nobodys x 0\nusend 5 missing x 0\n", "nsendmmsg 3 127.0.0.1:703 127.0.0.1:704 x => ok 1 1 0\nnconnect 4 127.0.0.1:706 => ECONNREFUSED\n");
		char *audit = live_audit(live);
		static const char *const told[] = { "sendto\",\"proto\":\"udp\",\"peer\":\"127.0.0.1:701\"", "sendto\",\"proto\":\"udp\",\"peer\":\"127.0.0.1:702\"",
			"sendto\",\"proto\":\"udp\",\"peer\":\"127.0.0.1:703\"", "connect\",\"proto\":\"tcp\",\"peer\":\"127.0.0.1:706\"", "sendto\",\"proto\":\"unix\",\"peer\":\"@usher-nobodys\"",
			"\"op\":\"sendto\",\"path\":\"", "\"rule\":\"default\"" };
		for (size_t k = 0; k < sizeof(told) / sizeof(told[0]); k++)
			if (!strstr(audit, told[k]))
				fail_msg("%d: no %s in\n%s", i, told[k], audit);
		assert_null(strstr(audit, "\"127.0.0.1:704\""));	/* left for the next call */
		free(audit);
	}
}

/* localhost is looked up like any other name. */
static void host_names_are_looked_up(void **state)
{
	struct live *live = *state;
	char script[300], expected[300];
	unsigned port;
	int server = live_serve(&port);
	live_policy(live, COMPARE_ALL "network { default deny ENETUNREACH; allow connect tcp localhost:*; }\nlimits { resolve every 1s keep 1m; }\nfiles { answer read /etc/hosts with hosts; }");
	snprintf(script, sizeof(script), "nsocket tcp\nnconnect 3 127.0.0.2:%u\nnconnect 3 127.0.0.1:%u\nopen /etc/hosts r\nread 4\n", port, port);
	snprintf(expected, sizeof(expected), "nconnect 3 127.0.0.2:%u => ENETUNREACH\nnconnect 3 127.0.0.1:%u => ok\n", port, port);
	script_expect(live, script, expected);
	assert_non_null(strstr(live->out, "127.0.0.1 localhost"));
	assert_int_equal(waiting(server), 1);
	close(server);
	/* A name server that is slow must not make it longer than usher waits with the start. */
	setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
	live_policy(live, COMPARE_ALL "network { default deny; allow connect tcp nowhere.invalid:80; }\n");
	script_expect(live, "nsocket tcp\nnconnect 3 127.0.0.1:80\n", "nconnect 3 127.0.0.1:80 => EACCES\n");
	unsetenv("RES_OPTIONS");
	char *audit = live_audit(live);
	assert_non_null(strstr(audit, "cannot look up nowhere.invalid"));
	free(audit);
}

/* ---- another network ------------------------------------------------------------------------ */

/* In a network namespace of its own: a socket that listens AT, and one that is not connected yet, sent to TO. */
static void other_network(int to, const struct sockaddr *at, socklen_t len)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	if (unshare(CLONE_NEWNET) < 0)
		_exit(1);
	int fds[2] = { socket(at->sa_family, SOCK_STREAM, 0), socket(at->sa_family, SOCK_STREAM, 0) };
	struct iovec part = { "x", 1 };
	union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(fds))]; } control = { .header = { CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	_exit(ioctl(fds[0], SIOCSIFFLAGS, &lo) || bind(fds[0], at, len) || listen(fds[0], 5) || sendmsg(to, &m, 0) != 1);
}

/* Both of them, the second passed on to the program. False: there are no network namespaces. */
static bool from_other_network(struct live *live, const void *at, socklen_t len, int fds[2])
{
	static char number[16];
	int pair[2], status;
	char byte;
	struct iovec part = { &byte, 1 };
	union { struct cmsghdr header; char room[CMSG_SPACE(2 * sizeof(int))]; } control;
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid_t pid = fork();
	if (pid == 0)
		other_network(pair[1], at, len);
	close(pair[1]);
	assert_true(waitpid(pid, &status, 0) == pid);
	if (status) {
		print_message("skipped: no network namespace\n");
		close(pair[0]);
		return false;
	}
	assert_int_equal(recvmsg(pair[0], &m, 0), 1);
	assert_true(m.msg_controllen >= CMSG_LEN(2 * sizeof(int)));
	memcpy(fds, CMSG_DATA((struct cmsghdr *)m.msg_control), 2 * sizeof(int));
	close(pair[0]);
	snprintf(number, sizeof(number), "%d", fds[1]);
	live->options[0] = "--pass-fd";
	live->options[1] = number;
	return true;
}

static void sockets_are_served_where_they_live(void **state)
{
	struct live *live = *state;
	const struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(4242), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fds[2];
	if (!from_other_network(live, &at, sizeof(at), fds))
		return;
	live_policy(live, COMPARE_ALL "network { default deny EHOSTDOWN; allow connect tcp 127.0.0.1:4242; }");
	char script[200], expected[200];
	snprintf(script, sizeof(script), "nconnect %d 127.0.0.1:4243\nnconnect %d 127.0.0.1:4242\nnsocket tcp\n", fds[1], fds[1]);
	snprintf(expected, sizeof(expected), "nconnect %d 127.0.0.1:4243 => EHOSTDOWN\nnconnect %d 127.0.0.1:4242 => ok\n", fds[1], fds[1]);
	script_expect(live, script, expected);
	/* Here nobody listens there. */
	assert_int_equal(waiting(fds[0]), 1);
	close(fds[0]);
	close(fds[1]);
}

/* Each network namespace has abstract names of its own: that the program has bound one here opens none there. */
static void abstract_names_are_of_a_network(void **state)
{
	struct live *live = *state;
	int fds[2];
	char script[300], expected[300];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int len = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "usher-apart-%d", getpid());
	if (!from_other_network(live, &at, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)len), fds))
		return;
	live_policy(live, COMPARE_ALL "network { default allow; deny connect unix /never; }");
	int mine = fds[1] == 3 ? 4 : 3;
	snprintf(script, sizeof(script), "socket stream\nubind %d @%s\nlisten %d 5\nuconnect %d @%s\nsocket stream\n", mine, at.sun_path + 1, mine, fds[1], at.sun_path + 1);
	snprintf(expected, sizeof(expected), "ubind %d @%s => ok\nlisten %d 5 => ok\nuconnect %d @%s => EPERM\n", mine, at.sun_path + 1, mine, fds[1], at.sun_path + 1);
	script_expect(live, script, expected);
	assert_int_equal(waiting(fds[0]), 0);
	close(fds[0]);
	close(fds[1]);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* A hundred connects that nobody answers, in one sandbox: whoever opens files notices nothing. They end with their signal, or with the tree. */
static void black_holes_hold_nobody_up(void **state)
{
	struct live *live = *state;
	char policy[300], script[300];
	unsigned port;
	int server = live_serve(&port);
	assert_int_equal(listen(server, 0), 0);
	snprintf(policy, sizeof(policy), COMPARE_ALL "network { default deny; allow connect tcp 127.0.0.1:%u; }", port);
	live_policy(live, policy);
	live_file(live, "file", 0644, "x");
	snprintf(script, sizeof(script), "nsocket tcp\nnconnect 3 127.0.0.1:%u\nnholes 127.0.0.1:%u 100 file\n", port, port);
	double start = now();
	script_expect(live, script, "=> ok\n");
	if (!strstr(live->out, "file => ok") || now() - start > 100)
		fail_msg("%s", live->out);
	close(server);
}

struct later { int server; unsigned port, waiting; };

/* How many sockets wait for an answer from 127.0.0.1:PORT: SYN-SENT. */
static unsigned in_vain(unsigned port)
{
	char *text = live_read("/proc/net/tcp"), peer[40];
	unsigned n = 0;
	(void)snprintf(peer, sizeof(peer), " %08X:%04X 02 ", htonl(INADDR_LOOPBACK), port);
	for (const char *at = text; at && (at = strstr(at, peer)); at++)
		n++;
	free(text);
	return n;
}

/* Not before as many wait as there should be, and then some signals more. */
static void *accept_later(void *ctx)
{
	const struct later *later = ctx;
	while (in_vain(later->port) < later->waiting)
		usleep(1000);
	usleep(300000);
	for (int i = 0; i < 2; i++)
		close(accept(later->server, NULL, NULL));
	return NULL;
}

static void signals_interrupt(void **state)
{
	struct live *live = *state;
	char policy[300], script[700];
	unsigned port;
	int server = live_serve(&port);
	assert_int_equal(listen(server, 0), 0);
	snprintf(policy, sizeof(policy), COMPARE_ALL "network { default deny; allow connect tcp 127.0.0.1:%u; }", port);
	live_policy(live, policy);
	/* The first fills the backlog. */
	snprintf(script, sizeof(script), "nsocket tcp\nnconnect 3 127.0.0.1:%u\nnsocket tcp\nalarmed 300 0 nconnect 4 127.0.0.1:%u\nnconnect 4 unspec\n", port, port);
	script_expect(live, script, "=> EINTR\n");
	/* Begun again as often as a signal comes, it waits for what the first has begun. Once more by way of the ring alone. */
	for (int ring = 0; ring < 2; ring++) {
		pthread_t thread;
		char first[64];
		close(server);
		server = live_serve(&port);
		assert_int_equal(listen(server, 0), 0);
		snprintf(policy, sizeof(policy), COMPARE_ALL "network { default deny; allow connect tcp 127.0.0.1:%u; }", port);
		live_policy(live, policy);
		snprintf(first, sizeof(first), "nconnect 5 127.0.0.1:%u\n", port);
		snprintf(script, sizeof(script), "nsocket tcp\nnconnect 3 127.0.0.1:%u\nnsocket tcp\nnsocket tcp\nsndtimeo 5 50\n%salarmed 50 1 nconnect 4 127.0.0.1:%u\n",
			 port, ring ? first : "", port);
		struct later later = { server, port, ring ? 2 : 1 };
		assert_int_equal(pthread_create(&thread, NULL, accept_later, &later), 0);
		snprintf(policy, sizeof(policy), "alarmed 50 1 nconnect 4 127.0.0.1:%u => ok", port);
		script_expect(live, script, policy);
		pthread_join(thread, NULL);
	}
	close(server);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, compare_teardown)
	const struct CMUnitTest tests[] = {
		CASE(connecting),
		CASE(binding),
		CASE(datagrams),
		CASE(streams_send),
		CASE(accepting),
		CASE(limits_of_time),
		CASE(rules_decide),
		CASE(names_without_a_path),
		CASE(kinds_of_sockets),
		CASE(no_network_at_all),
		CASE(connects_are_redirected),
		CASE(messages_are_counted),
		CASE(records_tell_of_peers),
		CASE(rates_are_limited),
		CASE(host_names_are_looked_up),
		CASE(sockets_are_served_where_they_live),
		CASE(abstract_names_are_of_a_network),
		CASE(black_holes_hold_nobody_up),
		CASE(signals_interrupt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
