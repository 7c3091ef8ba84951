/* What is learnt of mounts: recorded, replayed, compared, proposed. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

#define FILES "files { default allow; deny all $dir/secret; }\n"
#define MOUNTS(rules) FILES "mounts { default deny EPERM;\n" rules "}\n"

static const char *footprint_of(const struct live *live)
{
	static char file[100];
	snprintf(file, sizeof(file), "%s/fp", live->dir);
	return file;
}

static void record_into(struct live *live)
{
	live->options[0] = "--record";
	live->options[1] = footprint_of(live);
	live->options[2] = "--unshare";
	live->options[3] = live_own_space();
	live_mkdir(live, "at", 0755);
}

/* One of each: allowed, refused, its own unmounted, and another's, what usher itself refuses, a place that is not there. */
static void record(struct live *live)
{
	char script[800];
	record_into(live);
	live_mkdir(live, "to", 0755);
	live_mkdir(live, "layer", 0755);
	live_mkdir(live, "over", 0755);
	live_file(live, "from/f", 0644, "f");
	live_symlink(live, "layer", "way");
	live_policy(live, MOUNTS("allow mount tmpfs on $dir/at options size<=1M; allow mount bind from $dir/from on $dir/to;\n"
				 "allow mount overlay on $dir/over options lowerdir under $dir/layer, userxattr; allow mount tmpfs on $dir/none, /proc;\n") "audit { level all; }");
	snprintf(script, sizeof(script), "cd %s; mount -t tmpfs -o size=64k,nosuid none at && mount -t tmpfs -o size=32k,nosuid,noexec none at && umount at && umount at && "
		 "mount -t tmpfs -o size=64k,nosuid none at && mount -t overlay -o lowerdir=way:from/../layer/.,userxattr none over 2>&1; "
		 "mount -t overlay -o lowerdir=way,userxattr none over; mount -t tmpfs -o size=2M none at; mount --bind from to && mount -o remount,bind,ro to && touch to/x; "
		 "umount /proc; mount -t tmpfs none /proc; mount -t tmpfs none none; mount --make-private at", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_says(live->err, "Read-only file system");
}

static void count(struct live *live, const char *record, const char *rules, const char *denied, const char *allowed)
{
	char heading[80];
	live_policy(live, rules);
	(void)usher(live, "replay", record, "--against", live->policy);
	snprintf(heading, sizeof(heading), "newly DENIED  %s\n", denied);
	assert_says(live->out, heading);
	snprintf(heading, sizeof(heading), "newly ALLOWED  %s\n", allowed);
	assert_says(live->out, heading);
}

static void mounts_are_replayed(void **state)
{
	struct live *live = *state;
	record(live);
	for (int i = 0; i < 2; i++) {
		const char *from = i ? live->audit : footprint_of(live);
		count(live, from, MOUNTS("allow mount tmpfs on $dir/at options size<=1M; allow mount bind from $dir/from on $dir/to;\n"
					 "allow mount overlay on $dir/over options lowerdir under $dir/layer, userxattr; allow mount tmpfs on $dir/none, /proc;\n"),
		      "0 accesses, 0 calls", "0 accesses, 0 calls");
		/* The option, as it was resolved; and what usher had mounted may be unmounted without a rule. */
		count(live, from, MOUNTS("allow mount tmpfs on $dir/at options size<=32k; allow mount bind from $dir/ on $dir/to;\n"
					 "allow mount overlay on $dir/over options lowerdir under $dir/way, userxattr; allow umount /proc;\n"),
		      "3 accesses, 4 calls", "1 access, 1 call");
		assert_says(live->out, "/layer,userxattr   deny EPERM");
		assert_says(live->out, "mount tmpfs on ");
		assert_says(live->out, "/at flags nosuid options size=64k   deny EPERM   default");
		count(live, from, MOUNTS("allow mount tmpfs on $dir/at flags noexec options size<=4M; allow mount bind from $dir/other on $dir/to; "
					 "allow mount overlay on $dir/over options lowerdir under $dir/layer, userxattr; deny umount $dir/at;\n"),
		      "4 accesses, 6 calls", "0 accesses, 0 calls");
		assert_says(live->out, "/from on ");
		assert_says(live->out, "/to flags ro,");
		assert_says(live->out, "umount ");
	}
}

static void mounts_are_compared(void **state)
{
	struct live *live = *state;
	record(live);
	const char *one = policy_file(live, "one.policy", MOUNTS("allow mount tmpfs on $dir/at options size<=1M; allow umount $dir/a;")),
		   *same = policy_file(live, "same.policy", MOUNTS("allow mount tmpfs on $dir/at options size<=1M; allow umount $dir/a;")),
		   *two = policy_file(live, "two.policy", MOUNTS("allow mount tmpfs on $dir/at options size<=32k; allow umount $dir/b;")),
		   *like = policy_file(live, "like.policy", MOUNTS("allow umount $dir/a; allow mount tmpfs on $dir/{at,at} options size<=1M;"));
	assert_int_equal(usher(live, "diff", one, same), 0);
	assert_null(strstr(live->out, "Rules about mount"));
	assert_int_equal(usher(live, "diff", one, two), 1);
	assert_says(live->out, "newly DENIED  2\n");
	assert_says(live->out, "mount tmpfs on ");
	assert_says(live->out, "/at options size=1048576\n");
	assert_says(live->out, "newly ALLOWED  1\n");
	assert_says(live->out, "umount ");
	/* What cannot be proved is said. */
	assert_int_equal(usher(live, "diff", one, like), 1);
	assert_says(live->out, "newly DENIED  0\nnewly ALLOWED  0\nRules about mount differ, and were compared at what they spell only: there may be more.\n");
	assert_int_equal(usher(live, "diff", "--footprint", footprint_of(live), one, two), 1);
	assert_says(live->out, "/at flags nosuid options size=64k   1 access, 2 calls\n");
	assert_int_equal(usher(live, "diff", "--json", one, like), 1);
	json_t *json = output_json(live);
	assert_true(json_is_true(json_object_get(json, "mounts_sampled")));
	json_decref(json);
}

static void mounts_are_proposed(void **state)
{
	struct live *live = *state;
	char rule[300], script[300];
	record(live);
	const char *policy = live_path(live, "from.policy");
	assert_int_equal(usher(live, "learn", "--tight", "-o", policy, "--from", footprint_of(live)), 0);
	char *learnt = live_read(policy);
	assert_says(learnt, "\nmounts {\n\tdefault deny EPERM;\n");
	snprintf(rule, sizeof(rule), "\tallow mount tmpfs on %s/at flags nosuid options size<=64k;   # 3 calls\n", live->dir);
	assert_says(learnt, rule);
	snprintf(rule, sizeof(rule), "\tallow mount bind from %s/from on %s/to;   # 2 calls\n", live->dir, live->dir);
	assert_says(learnt, rule);
	snprintf(rule, sizeof(rule), "\tallow mount overlay on %s/over options lowerdir under %s/layer, userxattr;   #", live->dir, live->dir);
	assert_says(learnt, rule);
	snprintf(rule, sizeof(rule), "umount /proc   it was forbidden while learning\n");
	assert_says(learnt, rule);
	assert_null(strstr(learnt, "size<=2M"));
	assert_null(strstr(learnt, "/none"));
	free(learnt);
	/* And while it runs. */
	policy = live_path(live, "run.policy");
	snprintf(script, sizeof(script), "cd %s; mount -t tmpfs none at; mount --bind from to; umount at", live->dir);
	assert_int_equal(usher(live, "learn", "--tight", "--unshare", live_own_space(), "-o", policy, "--", "/bin/sh", "-c", script), 0);
	learnt = live_read(policy);
	snprintf(rule, sizeof(rule), "\tallow mount tmpfs on %s/at;   # 1 call\n\tallow mount bind from %s/from on %s/to;   # 1 call\n", live->dir, live->dir, live->dir);
	assert_says(learnt, rule);
	free(learnt);
}

/* pivot_root is no mount: it is not recorded, and does not end usher. */
static void what_is_no_mount(void **state)
{
	struct live *live = *state;
	char script[300];
	record_into(live);
	live_policy(live, MOUNTS("allow mount tmpfs on $dir/at; allow pivot_root $dir/at;\n"));
	snprintf(script, sizeof(script), "PATH=$PATH:/sbin:/usr/sbin; cd %s; pivot_root at at 2>&1; mount -t tmpfs none at && echo alive", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_says(live->out, "pivot_root: failed");
	assert_says(live->out, "alive");
}

/* A refusal is followed by a question that usher why takes; what usher itself refuses no question tells, and its record does. */
static void refusals_are_explained(void **state)
{
	struct live *live = *state;
	char script[400], command[1024];
	live->options[0] = "--unshare";
	live->options[1] = live_own_space();
	live_mkdir(live, "at", 0755);
	live_mkdir(live, "to", 0755);
	live_mkdir(live, "from", 0755);
	live_policy(live, MOUNTS("allow mount bind from $dir/from on $dir/to;"));
	snprintf(script, sizeof(script), "mount --bind -o ro %s/from %s/at || mount --bind %s/from %s/at", live->dir, live->dir, live->dir, live->dir);
	assert_int_not_equal(usher(live, "run", "-p", live->policy, "--unshare", live_own_space(), "--summary", "--", "/bin/sh", "-c", script), 0);
	const char *next = strstr(live->err, "\nusher: usher why -p ");
	assert_non_null(next);
	assert_says(next, " mount bind from ");
	snprintf(command, sizeof(command), "%s %.*s >/dev/null", live_usher(), (int)strcspn(next + 14, "\n"), next + 14);
	assert_int_equal(WEXITSTATUS(system(command)), 1);

	live_policy(live, MOUNTS("allow mount bind from $dir/from on $dir/to;") "files { deny read $dir/from/x; }");
	snprintf(script, sizeof(script), "mount --bind %s/from %s/to", live->dir, live->dir);
	assert_int_not_equal(usher(live, "run", "-p", live->policy, "--unshare", live_own_space(), "--summary", "--", "/bin/sh", "-c", script), 0);
	assert_says(live->err, "\nusher: the last one: file rules allow something at the new place");
	assert_int_not_equal(live_sh(live, script), 0);
	assert_int_equal(usher(live, "why", "--last", "--audit", live->audit), 1);
	assert_says(live->out, "DENY   mount bind on ");
	assert_says(live->out, "  -> built-in         file rules allow something at the new place");
	assert_null(strstr(live->out, "wins"));
	assert_null(strstr(live->out, "to allow it"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = { TEST(mounts_are_replayed), TEST(mounts_are_compared), TEST(mounts_are_proposed), TEST(what_is_no_mount),
						    TEST(refusals_are_explained) };
	return cmocka_run_group_tests_name("live_mount_evidence", tests, NULL, NULL);
}
