#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_NUMBERS 64

int privileges_limit(const struct agent_plan *plan)
{
	for (size_t i = 0; i < plan->n_limits; i++)
		if (setrlimit((__rlimit_resource_t)plan->limits[i].resource, &plan->limits[i].value) < 0)
			return -errno;
	return 0;
}

/*
 * root's execve fills the permitted set from inheritable and bounding sets: both must be limited, the other sets
 * are for the calls between here and there.
 */
static int limit_bounding(uint64_t keep)
{
	for (int cap = 0; cap < CAP_NUMBERS; cap++) {
		int held = prctl(PR_CAPBSET_READ, cap);
		if (held < 0)
			return errno == EINVAL ? 0 : -errno;	/* past the last capability this kernel knows */
		if (held && !(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0)
			return -errno;
	}
	return 0;
}

static int limit_sets(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		uint32_t mask = (uint32_t)(keep >> (32 * i));
		data[i].effective &= mask;
		data[i].permitted &= mask;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int take_user(const struct agent_plan *plan)
{
	if (syscall(SYS_setgroups, plan->n_groups, plan->groups) < 0 ||
	    syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) < 0 ||
	    syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) < 0)
		return -errno;
	return 0;
}

/* Filters and Landlock rules need the one or the other. */
static bool held(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 }, { 0 } };
	return syscall(SYS_capget, &header, data) == 0 && data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

int privileges_drop(const struct agent_plan *plan)
{
	int result = plan->privileged ? limit_bounding(plan->capabilities) : 0;
	if (result == 0 && plan->set_user)
		result = take_user(plan);
	if (result == 0 && plan->privileged)
		result = limit_sets(plan->capabilities);
	if (result == 0 && !(plan->new_privileges && held(CAP_SYS_ADMIN)) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		result = -errno;
	/* A binary of usher that may not be read would leave us undumpable, and our own supervisor could not reach the
	 * listener. Never after a change of user: that one's other processes could reach it as well. */
	if (result == 0 && !plan->set_user && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		result = -errno;
	return result;
}
