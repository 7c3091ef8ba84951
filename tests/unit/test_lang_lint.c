/* Each lint: a policy that has it, one that has not, and how it is silenced. */
#include <time.h>

#include "lang_env.h"

static char *lints(const char *text)
{
	static struct lang_world world = {.links = {{"/bin", "/usr/bin"}}, .absent = "/gone",
					  .files = {{"i.policy", "syntax 1; files { default deny; }"}}};
	const struct policy_env env = lang_env(&world);
	char *whole = NULL;
	int len = asprintf(&whole, "syntax 1;\n%s\n", text);
	char *messages = lang_complaints(&env, "t.policy", whole, (size_t)len, true);
	free(whole);
	return messages;
}

static void test_lints(void **state)
{
	(void)state;
	static const struct { const char *code, *text, *message, *clean; } rows[] = {
		{"[W001", "files { forbid read /a/; allow read /a/x; }", "t.policy:2:26: warning: this rule never wins [W001]",
		 "files { forbid read /a/; allow read /b; allow read,write /a/x; }"},
		{"[W001", "files { deny read /a, /b; allow read /b, /a; }", "2:27: warning: this rule never wins [W001]",
		 "files { deny read /a; deny read /b stage log; allow read /b; }"},
		{"[W002", "files { allow read /a; allow read /a; }", "2:24: warning: this rule is there twice [W002]",
		 "files { allow read /a; allow write /a; } syscalls { deny fchmod, mknodat where mode == 1; }"},
		{"[W003", "files { allow rw /etc/; }", "2:18: warning: changes are allowed anywhere in /etc/ [W003]",
		 "files { allow ro /etc/; allow rw /etc/x/; deny rw /tmp/; }"},
		{"[W004", "files { allow exec /bin/; }", "2:20: note: /bin/ is matched as /usr/bin/, where its links lead [W004]",
		 "files { allow exec /usr/bin/; }"},
		{"[W005", "files { allow read /gone; }", "2:20: warning: there is no /gone [W005]",
		 "files { allow read /there; deny read /gone; allow read,create /gone; }"},
		{"[W006", "network { allow connect unix /run/docker.*; }",
		 "2:30: warning: who may connect to /run/docker.sock is root on this machine [W006]",
		 "network { allow connect unix /run/x; deny connect unix /run/docker.sock; }"},
		{"[W007", "syscalls { allow @system-service; deny @keyring; }", "2 more calls are in a group here and in one that is denied",
		 "syscalls { allow @file-system; deny chown; deny @reboot; }"},
		{"[W008", "files { allow exec /opt/x/; allow rw /opt/x/y/; }",
		 "2:20: warning: what may be executed here, the program may also write [W008]",
		 "files { allow exec /opt/x/; allow rw /var/y/; }"},
		{"[W009", "files { allow rw,exec /opt/x/; }", "2:9: warning: what the program writes here, it may execute [W009]",
		 "files { allow rx /opt/x/; }"},
		{"[W011", "network { allow connect tcp example.org:1; }",
		 "2:29: warning: the program may get another address for 'example.org' than usher does [W011]",
		 "network { allow connect tcp 1.2.3.4:1; }"},
		{"[W012", "syscalls { allow io_uring_setup; }", "2:12: warning: io_uring opens files where no filter sees it [W012]",
		 "syscalls { deny io_uring_setup; }"},
		{"[W013", "syscalls { allow ptrace; }", "2:12: warning: ptrace changes what other processes do", "syscalls { deny ptrace; }"},
		{"[W015", "files { allow read /a expires 2001-02-03; }", "2:9: warning: this rule expired on 2001-02-03 [W015]",
		 "files { allow read /a expires 9999-12-31; }"},
		{"[W017", "files { }", "2:1: note: not brokered: stat [W017]", "files { cover all; }"},
		{"[W018", "include \"i.policy\";", "i.policy:1:19: warning: this default has no effect: the main file has no files section [W018]",
		 "include \"i.policy\"; files { }"},
		{"[W019", "allow read /a;", "2:1: warning: this allows what nothing refuses: the policy has no files section", "deny read /a;"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *messages = lints(rows[i].text);
		if (!strstr(messages, rows[i].message) || !strstr(messages, rows[i].code))
			fail_msg("%s\nwanted: %s\n   got: %s", rows[i].text, rows[i].message, messages);
		free(messages);
		messages = lints(rows[i].clean);
		if (strstr(messages, rows[i].code))
			fail_msg("%s\nunwanted: %s", rows[i].clean, messages);
		free(messages);
	}
}

static void test_expires_soon(void **state)
{
	(void)state;
	static const struct { int days; const char *message; } rows[] = {
		{-1, "this rule expired on "}, {0, "this rule expires on "}, {10, "this rule expires on "}, {20, NULL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		time_t then = time(NULL) + rows[i].days * 86400;
		struct tm tm;
		char date[16], text[100];
		gmtime_r(&then, &tm);
		(void)strftime(date, sizeof(date), "%Y-%m-%d", &tm);
		(void)snprintf(text, sizeof(text), "files { allow read /a expires %s; }", date);
		char *messages = lints(text);
		if (rows[i].message ? !strstr(messages, rows[i].message) : strstr(messages, "W015") != NULL)
			fail_msg("%s: %s", text, messages);
		free(messages);
	}
}

static void test_silence(void **state)
{
	(void)state;
	static const struct { const char *text; bool silent; } rows[] = {
		{"files { allow rw,exec /opt/x/; } # usher: allow W009 builds its own tools", true},
		{"# usher: allow W009 builds its own tools\nfiles { allow rw,exec /opt/x/; }", true},
		{"# usher: allow W009\nfiles { allow rw,exec /opt/x/; }", false},
		{"# usher: allow W008 reason\nfiles { allow rw,exec /opt/x/; }", false},
		{"# usher: allow W009 reason\n\nfiles { allow rw,exec /opt/x/; }", false},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *messages = lints(rows[i].text);
		if (!strstr(messages, "[W009]") != rows[i].silent)
			fail_msg("%s: %s", rows[i].text, messages);
		free(messages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lints),
		cmocka_unit_test(test_expires_soon),
		cmocka_unit_test(test_silence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
