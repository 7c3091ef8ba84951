/* Landlock's records in the kernel's log, as Linux 6.18 writes them, and whose they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lang_env.h"

#include "err.h"
#include "denials.h"
#include "kernel.h"
#include "landlock_event.h"
#include "sandbox.h"

static const char maker[] = "audit(1795353488.684:79873): domain=15eb65849 status=allocated mode=enforcing pid=21112 uid=0 exe=\"/usr/bin/usher\" comm=\"usher-run\"";

static struct landlock_event parsed(int type, const char *text)
{
	struct landlock_event event;
	if (!landlock_event_parse(&event, type, text))
		fail_msg("%s", text);
	return event;
}

static void denials_are_read(void **state)
{
	(void)state;
	struct landlock_event event = parsed(1423, "audit(1795353488.684:79873): domain=15eb65849 blockers=fs.read_file path=\"/etc/passwd\" dev=\"vda\" ino=409634");
	assert_true(event.domain == 0x15eb65849 && !event.maker);
	assert_true(event.realtime_ns == INT64_C(1795353488684000000));
	assert_string_equal(event.blockers, "fs.read_file");
	assert_string_equal(event.path, "/etc/passwd");
	assert_string_equal(event.dev, "vda");
	assert_int_equal(event.inode, 409634);
	assert_int_equal(event.port, -1);
	assert_int_equal(landlock_event_ops(&event), OP_BIT(OP_READ));

	/* Names with blanks or quotes come in digits, so that none can pretend to be a field. */
	event = parsed(1423, "audit(1.002:3): domain=1 blockers=fs.make_reg,fs.refer path=2F612022646F6D61696E3D32 dev=\"sda1\" ino=351");
	assert_string_equal(event.path, "/a \"domain=2");
	assert_int_equal(event.domain, 1);
	assert_int_equal(landlock_event_ops(&event), OP_BIT(OP_CREATE) | OP_BIT(OP_RENAME));

	event = parsed(1423, "audit(1.002:3): domain=195ba459b blockers=net.connect_tcp daddr=127.0.0.1 dest=80");
	assert_string_equal(event.address, "127.0.0.1");
	assert_int_equal(event.port, 80);
	assert_int_equal(landlock_event_ops(&event), OP_BIT(OP_CONNECT));
	event = parsed(1423, "audit(1.002:3): domain=195ba459b blockers=net.bind_tcp src=80");
	assert_string_equal(event.address, "");
	assert_int_equal(event.port, 80);
	event = parsed(1423, "audit(1729738800.268:30): domain=195ba459b blockers=ptrace opid=1 ocomm=\"systemd\"");
	assert_string_equal(event.blockers, "ptrace");
	assert_int_equal(landlock_event_ops(&event), 0);
}

static void domains_are_read(void **state)
{
	(void)state;
	struct landlock_event event = parsed(1424, maker);
	assert_true(event.maker && event.domain == 0x15eb65849);
	assert_int_equal(event.pid, 21112);
	assert_string_equal(event.exe, "/usr/bin/usher");
}

static void others_are_none(void **state)
{
	static const struct { int type; const char *text; } rows[] = {
		{ 1424, "audit(1729738800.324:31): domain=195ba459b status=deallocated denials=3" },
		{ 1424, "audit(1729738800.324:31): domain=195ba459b status=allocated mode=enforcing uid=0" },
		{ 1423, "audit(1729738800.324:31): blockers=fs.read_file path=\"/x\" dev=\"vda\" ino=1" },
		{ 1423, "audit(1729738800.324:31): domain=0 blockers=fs.read_file" },
		{ 1423, "audit(1729738800.324:31): domain=195ba459b" },
		{ 1423, "domain=195ba459b blockers=fs.read_file" },
		{ 1326, "audit(1.2:3): domain=195ba459b blockers=fs.read_file" },
		{ 1423, "" },
	};
	struct landlock_event event;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (landlock_event_parse(&event, rows[i].type, rows[i].text))
			fail_msg("%s", rows[i].text);
}

/* What is longer than there is room for is cut, and nothing behind it overwritten. */
static void what_is_long_is_cut(void **state)
{
	static char text[20000];
	(void)state;
	int n = snprintf(text, sizeof(text), "audit(1.2:3): domain=7 blockers=");
	memset(text + n, 'b', 500);
	n += 500;
	n += snprintf(text + n, sizeof(text) - (size_t)n, " path=\"/");
	memset(text + n, 'p', 9000);
	snprintf(text + n + 9000, sizeof(text) - (size_t)n - 9000, "\" dev=\"vda\" ino=5");
	struct landlock_event event = parsed(1423, text);
	assert_int_equal(strlen(event.blockers), sizeof(event.blockers) - 1);
	assert_int_equal(strlen(event.path), sizeof(event.path) - 1);
	assert_int_equal(event.inode, 5);
}

/* ---- whose ---------------------------------------------------------------------------------- */

struct scene {
	struct sandbox sandbox;
	struct ruleset *rules;
	struct policy *policy;
	struct kernel kernel;
	struct plan plan;
};

static void scene_make(struct scene *scene)
{
	struct policy_diags diags = { 0 };
	*scene = (struct scene){ .kernel = { .major = 6, .minor = 18, .wait_killable = true, .landlock_abi = 7 } };
	scene->policy = lang_good("files { default deny sealed; allow ro /usr/; }");
	scene->sandbox.child = 21112;
	assert_int_equal(plan_make(&scene->plan, scene->policy, &scene->kernel, false, LAYERS_ANY, &diags), 0);
	assert_int_equal(ruleset_new(&scene->rules, &scene->plan, NULL, NULL), 0);
	assert_int_equal(loop_new(&scene->sandbox.loop, 16), 0);
	rulesets_init(&scene->sandbox.rulesets, scene->sandbox.loop, scene->rules);
	policy_diags_free(&diags);
}

static void scene_drop(struct scene *scene)
{
	denials_free(&scene->sandbox.denials);
	rulesets_free(&scene->sandbox.rulesets);
	loop_free(scene->sandbox.loop);
	policy_free(scene->policy);
}

static void denied(struct scene *scene, uint64_t domain)
{
	struct landlock_event event = { .domain = domain, .blockers = "fs.read_file", .path = "/etc/passwd", .port = -1 };
	denials_take(&scene->sandbox.denials, &scene->sandbox, &event);
}

static void made(struct scene *scene, uint64_t domain, pid_t pid, const char *exe)
{
	struct landlock_event event = { .domain = domain, .maker = true, .pid = pid };
	if (exe)
		snprintf(event.exe, sizeof(event.exe), "%s", exe);
	else
		assert_true(readlink("/proc/self/exe", event.exe, sizeof(event.exe) - 1) > 0);
	denials_take(&scene->sandbox.denials, &scene->sandbox, &event);
}

static void only_our_domain_counts(void **state)
{
	struct scene scene;
	(void)state;
	scene_make(&scene);
	denied(&scene, 5);
	made(&scene, 5, 4711, NULL);			/* another process */
	denied(&scene, 6);
	made(&scene, 6, 21112, "/usr/bin/other");	/* the same, after its exec */
	denied(&scene, 7);
	denied(&scene, 8);
	denied(&scene, 8);
	assert_int_equal(scene.sandbox.denied, 0);
	made(&scene, 8, 21112, NULL);
	assert_int_equal(scene.sandbox.denied, 2);	/* those that have waited */
	denied(&scene, 8);
	assert_int_equal(scene.sandbox.denied, 3);
	denied(&scene, 7);
	made(&scene, 9, 21112, NULL);			/* there is one */
	denied(&scene, 9);
	assert_int_equal(scene.sandbox.denied, 3);
	scene_drop(&scene);
}

static void what_waits_is_bounded(void **state)
{
	struct scene scene;
	(void)state;
	scene_make(&scene);
	denied(&scene, 3);
	for (unsigned i = 0; i < 100; i++)
		denied(&scene, 4);
	made(&scene, 3, 21112, NULL);
	assert_int_equal(scene.sandbox.denied, 0);	/* the oldest has gone */
	denied(&scene, 3);
	assert_int_equal(scene.sandbox.denied, 1);
	scene_drop(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denials_are_read),
		cmocka_unit_test(domains_are_read),
		cmocka_unit_test(others_are_none),
		cmocka_unit_test(what_is_long_is_cut),
		cmocka_unit_test(only_our_domain_counts),
		cmocka_unit_test(what_waits_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
