/*
 * bind(2). The name that getsockname(2) and every peer will see is what the target gave, byte for byte, so
 * that the kernel must look it up once more, and a directory of it may be exchanged for a link meanwhile.
 *
 * A name without a slash is bound in the pinned parent itself: there is nothing to exchange. Any other is
 * bound by a thread made for it, under a Landlock domain that lets it make sockets at and below the pinned
 * parent only, and only if the policy allows all of that. Otherwise, and where that thread finds another parent
 * by that name (a chroot, /proc/self) or may not look (no Landlock), the last component is bound in the parent, and peers see
 * a shorter name.
 *
 * All of them have a thread of their own: it takes its cwd, umask and domain with it.
 */
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "calls/abstract.h"
#include "calls/entry.h"
#include "calls/peer.h"
#include "calls/unix.h"
#include "err.h"
#include "fd.h"
#include "kernel.h"
#include "pattern.h"
#include "rate.h"
#include "sandbox.h"

struct binding {
	const struct socket_call *call;
	const struct object *object;
	const struct cred *cred;
	const struct address *address;
	int dir;		/* where relative names begin; -1: as it is */
	mode_t mask;
	const char *fenced;	/* under Landlock, by this name; or NULL */
	int result;
};

int bind_fetch(struct request *req)
{
	int err = peer_fetch(req, NAME_ENTRY, OP_BIND);
	struct socket_call *call = err ? NULL : socket_call(req);

	if (err || !call->addr.path || req->names[0].path[0] == '/')
		return err;
	call->cwd = target_cwd(req->target);
	return call->cwd < 0 ? call->cwd : 0;
}

/* On the binding's own thread: sockets are made below PARENT or not at all. */
static int binding_fence(int parent)
{
	struct landlock_ruleset_attr ruleset = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SOCK };
	struct landlock_path_beneath_attr below = { .allowed_access = LANDLOCK_ACCESS_FS_MAKE_SOCK, .parent_fd = parent };
	AUTO_FD fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);

	if (fd < 0 || syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &below, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, fd, 0))
		return -errno;
	return 0;
}

/* Does NAME lead to PARENT for us, too? */
static bool leads_to(const char *name, int parent)
{
	struct stat meant, found;
	AUTO_FREE char *dir = strdup(name);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash)
		return false;
	slash[slash == dir] = '\0';
	return !stat(dir, &found) && !fstat(parent, &meant) && meant.st_dev == found.st_dev && meant.st_ino == found.st_ino;
}

static int binding_act(struct binding *binding, struct cred_worker *worker)
{
	int err = 0;

	if (binding->fenced)
		err = binding_fence(binding->object->parent);
	if (!err && binding->dir >= 0 && fchdir(binding->dir))
		err = -errno;
	(void)umask(binding->mask);
	if (!err)
		err = cred_wear(worker, binding->cred, false);
	if (!err && binding->fenced && !leads_to(binding->fenced, binding->object->parent))
		err = -ENOENT;
	if (!err && bind(binding->call->fd, (const struct sockaddr *)&binding->address->any, binding->address->len))
		err = -errno;
	return err;
}

static void *binding_main(void *arg)
{
	struct binding *binding = arg;
	struct cred_worker *worker = NULL;

	binding->result = cred_worker_start(&worker);
	if (!binding->result)
		binding->result = binding_act(binding, worker);
	cred_worker_stop(worker);
	return NULL;
}

static int binding_run(struct binding *binding)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, binding_main, binding);

	if (err)
		return -err;
	(void)pthread_join(thread, NULL);
	return binding->result;
}

/* PATH's directory as a pattern that matches everything in and below it, malloc'ed. */
static char *pattern_of_parent(const struct object *object)
{
	const char *end = strrchr(object->path, '/');
	char *glob = malloc(2 * object->len + 2), *to = glob;

	if (!glob)
		return NULL;
	for (const char *at = object->path; at < end; at++) {
		if (strchr("*?[]{}\\,", *at))
			*to++ = '\\';
		*to++ = *at;
	}
	*to++ = '/';
	*to = '\0';
	return glob;
}

static enum pattern_relation compare_rule(const char *glob, const struct policy_rule *rule)
{
	AUTO_FREE void *memory = calloc(rule->n_patterns + 1, sizeof(char *));
	const char **globs = memory;

	for (size_t i = 0; globs && i < rule->n_patterns; i++)
		globs[i] = rule->patterns[i].glob;
	return globs ? pattern_compare(&glob, 1, globs, rule->n_patterns) : PATTERN_OVERLAP;
}

static bool beats(const struct policy_rule *winner, const struct policy_rule *rule)
{
	for (size_t i = 0; i < winner->n_patterns; i++)
		if (compare_rule(winner->patterns[i].glob, rule) != PATTERN_NARROWER)
			return false;
	return true;
}

/* Anything below the directory of OBJECT may be bound as well: one rule allows all of it, or none speaks of
 * it. */
static bool bind_free_below(const struct policy *policy, const struct object *object)
{
	struct policy_decision decision = policy_decide_path(policy, OP_BIT(OP_BIND), object->path, object->len);
	const struct policy_rule *winner = decision.enforced.rule;
	AUTO_FREE char *below = pattern_of_parent(object);
	enum pattern_relation relation;

	if (!below)
		return false;
	if (winner) {
		relation = compare_rule(below, winner);
		if (relation != PATTERN_EQUAL && relation != PATTERN_NARROWER)
			return false;
	}
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (!(rule->ops & OP_BIT(OP_BIND)) || rule->action < ACTION_DENY || !rule->n_patterns)
			continue;
		if (compare_rule(below, rule) == PATTERN_DISJOINT)
			continue;
		if (!winner || rule->action == ACTION_FORBID || !beats(winner, rule))
			return false;
	}
	return true;
}

static int bind_last(const struct binding *like)
{
	struct address address = { .un = { .sun_family = AF_UNIX } };
	struct binding binding = *like;
	size_t len = strlen(like->object->last);

	if (len > sizeof(address.un.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.un.sun_path, like->object->last, len);
	address.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (len < sizeof(address.un.sun_path)));
	binding.address = &address;
	binding.dir = like->object->parent;
	binding.fenced = NULL;
	return binding_run(&binding);
}

static int bind_path(struct request *req)
{
	AUTO_ENTRY *held = NULL;
	struct socket_call *call = socket_call(req);
	struct object *object = &req->objects[0];
	struct binding binding = {
		.call = call, .object = object, .cred = &req->target->cred, .address = &call->addr, .dir = call->cwd,
	};
	int err;

	if (object->exists)
		return -EADDRINUSE;
	if (object->slash || object->parent < 0)
		return -ENOENT;
	err = target_umask(req->target, &binding.mask);
	if (!err)
		err = entry_hold(req, object, req->ops[0], false, &held);
	if (err)
		return err;
	if (!memchr(req->names[0].path, '/', req->names[0].len)) {
		binding.dir = object->parent;
		return binding_run(&binding);
	}
	if (object->below || !req->rules->plan.kernel->landlock_abi || !bind_free_below(req->rules->policy, object))
		return bind_last(&binding);
	binding.fenced = req->names[0].path;
	err = binding_run(&binding);
	/* The kernel may not find the pinned parent by that name: another root, procfs, or somebody changes it right now. Then the
	 * parent itself says what is wrong, if anything is. */
	return err ? bind_last(&binding) : 0;
}

int bind_serve(struct request *req)
{
	const struct socket_call *call = socket_call(req);
	int err = rate_take(req, OP_BIND);

	if (err)
		return err;
	if (call->addr.path)
		err = bind_path(req);
	else if (bind(call->fd, (const struct sockaddr *)&call->addr.any, call->addr.len))
		err = -errno;
	else if (call->domain == AF_UNIX)
		abstract_bound(req->sandbox, call->fd);
	return err ? err : reply_value(req, 0);
}
