/*
 * A privileged supervisor acts for a target with that target's credentials, so that the kernel's checks, the
 * owner of what is created, SO_PEERCRED and the f_cred that sticks to an injected descriptor are the target's.
 *
 * Only effective ids, filesystem ids, groups and effective capabilities are changed, by raw calls on this
 * thread. The real and saved ids and the permitted capabilities stay the supervisor's, which is the way back.
 * SECBIT_NO_SETUID_FIXUP keeps the kernel from touching capabilities when ids change; capset(2) comes last when
 * dressing and first when coming back.
 *
 * Coming back is lazy. Most of what the supervisor does for itself is allowed by its real uid and its permitted
 * capabilities (ptrace access with real credentials looks at those). The rest is refused with EPERM or EACCES and
 * tried again after cred_power(): one capset(2), the ids stay. A request of the same target then costs one
 * capset(2) more, or nothing at all when target and supervisor have one uid.
 */
#include "cred.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cred_worker.h"
#include "err.h"

_Thread_local struct cred_worker *cred_thread;

static const gid_t *cred_groups(const struct cred *cred)
{
	return cred->more_groups ? cred->more_groups : cred->groups;
}

int cap_get(uint64_t *effective, uint64_t *permitted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*effective = data[0].effective | (uint64_t)data[1].effective << 32;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

int cap_set(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)effective, .permitted = (uint32_t)permitted },
		{ .effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32) },
	};

	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* Without permitted capabilities and with equal ids no thread of the tree can ever have others than we: no_new_privs. One in
 * a user namespace of its own is served in there (body.c). */
bool cred_constant(void)
{
	static _Atomic int constant;	/* 0: not yet known, 1: no, 2: yes */
	int known = atomic_load_explicit(&constant, memory_order_relaxed);

	if (!known) {
		uint64_t effective = 0, permitted = 0;
		uid_t r, e, s;

		known = 1;
		if (!cap_get(&effective, &permitted) && !permitted && !getresuid(&r, &e, &s) && r == e && e == s && e != 0)
			known = 2;
		atomic_store_explicit(&constant, known, memory_order_relaxed);
	}
	return known == 2;
}

static int cred_read_own(struct cred *own)
{
	int n, err = cap_get(&own->effective, &own->permitted);

	if (err)
		return err;
	if (getresuid(&own->ruid, &own->euid, &own->suid) || getresgid(&own->rgid, &own->egid, &own->sgid))
		return -errno;
	own->fsuid = own->euid;
	own->fsgid = own->egid;
	own->effective = own->permitted;
	n = getgroups(0, NULL);
	if (n > CRED_GROUPS_MAX) {
		own->more_groups = calloc((size_t)n, sizeof(gid_t));
		if (!own->more_groups)
			return -ENOMEM;
	}
	n = getgroups(n, own->more_groups ? own->more_groups : own->groups);
	if (n < 0)
		return -errno;
	own->n_groups = (size_t)n;
	return 0;
}

int cred_worker_start(struct cred_worker **worker)
{
	struct cred_worker *new;
	int err = 0;

	if (unshare(CLONE_FS))
		return -errno;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	if (!cred_constant()) {
		err = cred_read_own(&new->own);
		/* Without CAP_SETPCAP ids change as usual; capset(2) afterwards puts it right. */
		(void)prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS, 0, 0, 0);
	}
	if (err) {
		cred_free(&new->own);
		free(new);
		return err;
	}
	cred_thread = new;
	*worker = new;
	return 0;
}

void cred_worker_stop(struct cred_worker *worker)
{
	if (!worker)
		return;
	if (cred_thread == worker)
		cred_thread = NULL;
	body_free(worker);
	cred_free(&worker->own);
	cred_free(&worker->worn);
	free(worker);
}

int cred_raise(struct cred_worker *worker)
{
	int err;

	if (worker->known && worker->worn.effective == worker->own.permitted)
		return 0;
	err = cap_set(worker->own.permitted, worker->own.permitted);
	if (!err)
		worker->worn.effective = worker->own.permitted;
	return err;
}

static bool groups_equal(const struct cred *a, const struct cred *b)
{
	return a->n_groups == b->n_groups && !memcmp(cred_groups(a), cred_groups(b), a->n_groups * sizeof(gid_t));
}

static int groups_wear(struct cred_worker *worker, const struct cred *want)
{
	struct cred *worn = &worker->worn;
	bool same = groups_equal(worker->regrouped ? worn : &worker->own, want);
	gid_t *copy = NULL;

	if (same && worker->regrouped)
		return 0;
	if (want->n_groups > CRED_GROUPS_MAX) {
		copy = malloc(want->n_groups * sizeof(gid_t));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, want->more_groups, want->n_groups * sizeof(gid_t));
	}
	/* In a user namespace where they must not be set they cannot differ either. */
	if (!same && syscall(SYS_setgroups, want->n_groups, cred_groups(want))) {
		int err = -errno;

		free(copy);
		return err;
	}
	cred_free(worn);
	worn->more_groups = copy;
	worn->n_groups = want->n_groups;
	if (!copy)
		memcpy(worn->groups, want->groups, want->n_groups * sizeof(gid_t));
	worker->regrouped = true;
	return 0;
}

/* setresuid(2) takes the filesystem id along; setfsuid(2) has no error to return. */
static int ids_wear(const struct cred *want)
{
	if (syscall(SYS_setresgid, -1, want->egid, -1) || syscall(SYS_setresuid, -1, want->euid, -1))
		return -errno;
	if (want->fsgid != want->egid) {
		(void)syscall(SYS_setfsgid, want->fsgid);
		if ((gid_t)syscall(SYS_setfsgid, -1) != want->fsgid)
			return -EPERM;
	}
	if (want->fsuid != want->euid) {
		(void)syscall(SYS_setfsuid, want->fsuid);
		if ((uid_t)syscall(SYS_setfsuid, -1) != want->fsuid)
			return -EPERM;
	}
	return 0;
}

static bool ids_equal(const struct cred *a, const struct cred *b)
{
	return a->euid == b->euid && a->egid == b->egid && a->fsuid == b->fsuid && a->fsgid == b->fsgid;
}

static int cred_change(struct cred_worker *worker, const struct cred *want)
{
	struct cred *worn = &worker->worn;
	bool same = worker->known && ids_equal(worn, want) && groups_equal(worn, want);
	int err = 0;

	/* More than we have ourselves cannot be worn, and cannot be had by a child of ours either. */
	if (want->effective & ~worker->own.permitted)
		return -EPERM;
	if (!same) {
		err = cred_raise(worker);
		if (!err)
			err = groups_wear(worker, want);
		worker->known = false;
		if (!err)
			err = ids_wear(want);
		if (err)
			return err;
		worn->euid = want->euid;
		worn->egid = want->egid;
		worn->fsuid = want->fsuid;
		worn->fsgid = want->fsgid;
	}
	if (!worker->known || worn->effective != want->effective) {
		worker->known = false;
		err = cap_set(want->effective, worker->own.permitted);
		if (err)
			return err;
		worn->effective = want->effective;
	}
	worker->known = true;
	return 0;
}

int cred_wear(struct cred_worker *worker, const struct cred *cred, bool real)
{
	struct cred want;
	int err;

	if (worker->elsewhere) {
		worker->acting = true;
		err = worker->worn.effective == worker->effective ? 0 : cap_set(worker->effective, worker->own.permitted);
		worker->worn.effective = worker->effective;
		return err;
	}
	if (cred_constant())
		return 0;
	worker->acting = true;
	if (!real) {
		err = cred_change(worker, cred);
	} else {
		want = *cred;
		want.euid = want.fsuid = cred->ruid;
		want.egid = want.fsgid = cred->rgid;
		want.effective = cred->ruid == 0 ? cred->permitted : 0;
		err = cred_change(worker, &want);
	}
	if (err)
		cred_own(worker);
	return err;
}

void cred_own(struct cred_worker *worker)
{
	worker->acting = false;
}

bool cred_power(void)
{
	struct cred_worker *worker = cred_thread;

	if (!worker || worker->acting || (cred_constant() && !worker->elsewhere))
		return false;
	if (worker->known && worker->worn.effective == worker->own.permitted)
		return false;
	ASSERT(!cap_set(worker->own.permitted, worker->own.permitted));
	worker->worn.effective = worker->own.permitted;
	return true;
}
