/* Landlock's versions: what each handles, what it is said to lack, and that docs/security.md says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/landlock.h>

#include "lang_env.h"

#include "err.h"
#include "kernel.h"
#include "landlock.h"
#include "plan.h"

#define NEWEST 7
#define EVERYTHING "files { default deny sealed; allow rx /usr/; } network { default deny sealed; allow connect tcp *:443; }"
#define FIRST(n) ((UINT64_C(1) << (n)) - 1)
#define PORTS (LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP)
#define SCOPES (LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL)

/* As <linux/landlock.h> of each version has them. */
static const struct { uint64_t fs, net, scoped; } versions[] = {
	[1] = { FIRST(13), 0, 0 },
	[2] = { FIRST(14), 0, 0 },		/* REFER */
	[3] = { FIRST(15), 0, 0 },		/* TRUNCATE */
	[4] = { FIRST(15), PORTS, 0 },
	[5] = { FIRST(16), PORTS, 0 },		/* IOCTL_DEV */
	[6] = { FIRST(16), PORTS, SCOPES },
	[7] = { FIRST(16), PORTS, SCOPES },
	[8] = { FIRST(16), PORTS, SCOPES },	/* newer than known */
};

static char *plan_of(struct plan *plan, struct kernel *kernel, struct policy **policy, const char *text, int abi)
{
	struct policy_diags diags = { 0 };
	*kernel = (struct kernel){ .major = 6, .minor = 18, .wait_killable = true, .landlock_abi = abi };
	*policy = lang_good(text);
	assert_int_equal(plan_make(plan, *policy, kernel, false, LAYERS_ANY, &diags), 0);
	plan_ports(plan);
	char *messages = lang_messages(&diags, *policy);
	policy_diags_free(&diags);
	return messages;
}

static char *read_doc(void)
{
	char *text = calloc(1, 1 << 20);
	FILE *file = fopen(SOURCE_DIR "/docs/security.md", "re");
	assert_true(text && file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* No right of a newer version is asked for, none of this one is left out, and the kernel takes it. */
static void each_version_handles_what_it_knows(void **state)
{
	long running = syscall(444, NULL, 0, 1U);
	struct kernel kernel;
	struct policy *policy;
	struct plan plan;
	(void)state;
	for (int abi = 1; abi < (int)ARRAY_SIZE(versions); abi++) {
		free(plan_of(&plan, &kernel, &policy, EVERYTHING, abi));
		/* Where opens are left to Landlock none is asked whether it may truncate. */
		if (plan.landlock_fs != (versions[abi].fs & ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE) || plan.landlock_net != versions[abi].net || plan.landlock_scoped != versions[abi].scoped)
			fail_msg("version %d: %llx %llx %llx", abi, (unsigned long long)plan.landlock_fs, (unsigned long long)plan.landlock_net,
				 (unsigned long long)plan.landlock_scoped);
		assert_int_equal(plan.ports, abi >= 4);
		assert_int_equal(plan.reads, READS_TREES);
		bool needed;
		int ruleset = abi <= running ? plan_landlock(&plan, &needed) : -1;
		if (abi <= running && ruleset < 0)
			fail_msg("version %d: %s", abi, strerror(-ruleset));
		if (ruleset >= 0)
			close(ruleset);
		policy_free(policy);
	}
}

/* What is not restricted is not handled, whatever the version: Landlock is never narrower than the policy. */
static void what_is_allowed_is_not_handled(void **state)
{
	static const struct { const char *text; uint64_t fs, net; } rows[] = {
		{ "files { default allow; deny truncate /srv/; }", 0, 0 },
		{ "files { default allow; deny read,truncate /srv/; }", LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV, 0 },
		/* Not all of it is a tree's. */
		{ "files { default deny sealed; allow rx /usr/; deny read /usr/**/secret sealed; }", FIRST(16), 0 },
		{ "files { default allow; deny link /srv/; }", LANDLOCK_ACCESS_FS_REFER, 0 },
		{ "files { default allow; deny write /srv/; }", LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV, 0 },
		{ "network { default allow; deny bind tcp *:25; }", 0, LANDLOCK_ACCESS_NET_BIND_TCP },
		{ "network { default allow; deny connect tcp *:25; }", 0, LANDLOCK_ACCESS_NET_CONNECT_TCP },
	};
	struct kernel kernel;
	struct policy *policy;
	struct plan plan;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int abi = 1; abi <= NEWEST; abi++) {
			free(plan_of(&plan, &kernel, &policy, rows[i].text, abi));
			uint64_t fs = rows[i].fs & versions[abi].fs;
			/* Where all may be read, what the program opens by itself may be asked for anything. */
			if (plan.reads == READS_FREE)
				fs &= ~(uint64_t)LANDLOCK_ACCESS_FS_IOCTL_DEV;
			assert_int_equal(plan.landlock_fs, fs);
			assert_int_equal(plan.landlock_net, rows[i].net & versions[abi].net);
			policy_free(policy);
		}
}

/*
 * Each version's loss is said where it is missed, and nowhere else; and the table of security.md has the same words. Of the newest it is
 * said by who knows whether anybody looks (landlock_unseen()).
 */
static void what_is_lost_is_said(void **state)
{
	struct kernel kernel;
	struct policy *policy;
	struct plan plan;
	char *doc = read_doc(), row[600];
	(void)state;
	for (int abi = 1; abi <= NEWEST; abi++) {
		char *messages = plan_of(&plan, &kernel, &policy, EVERYTHING, abi);
		assert_int_equal(lines(messages), abi < NEWEST ? NEWEST - 1 - abi : 0);
		for (int newer = abi + 1; newer < NEWEST; newer++) {
			const char *since, *lost = landlock_lost(newer, &since);
			assert_non_null(lost);
			if (!strstr(messages, lost) || !strstr(messages, since))
				fail_msg("version %d does not say '%s' (%s):\n%s", abi, lost, since, messages);
		}
		free(messages);
		policy_free(policy);
	}
	/* What is not restricted is not missed. */
	char *few = plan_of(&plan, &kernel, &policy, "network { default allow; deny bind tcp *:25; }", 1);
	assert_int_equal(lines(few), 2);
	assert_true(strstr(few, "before 4 ") && strstr(few, "before 6 "));
	free(few);
	policy_free(policy);
	for (int abi = 2; abi <= NEWEST; abi++) {
		const char *since, *lost = landlock_lost(abi, &since);
		uint64_t more = versions[abi].fs & ~versions[abi - 1].fs;
		snprintf(row, sizeof(row), "\n| %d | %s | %s", abi, since,
			 more ? landlock_right_name(more) : versions[abi].net != versions[abi - 1].net ? "BIND_TCP, CONNECT_TCP" :
			 versions[abi].scoped != versions[abi - 1].scoped ? "scopes" : "records");
		const char *at = strstr(doc, row), *end = at ? strchr(at + 1, '\n') : NULL, *said = at ? strstr(at, lost) : NULL;
		if (!end || !said || said > end)
			fail_msg("docs/security.md does not say of version %d: '%s ... %s'", abi, row + 1, lost);
	}
	const char *since;
	assert_null(landlock_lost(NEWEST + 1, &since));
	free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_version_handles_what_it_knows),
		cmocka_unit_test(what_is_allowed_is_not_handled),
		cmocka_unit_test(what_is_lost_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
