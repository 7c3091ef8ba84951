/*
 * The program is resolved and judged here; the kernel then looks it up again by itself, so that the exec
 * gate compares.
 *
 * What is judged is the file that is named, and when it is a script each interpreter on the way as well:
 * they are images that the kernel starts. objects[0] is the file, objects[1] the last
 * interpreter or the first one that is denied. The image that must appear at the exec event is the last of
 * them.
 *
 * The dynamic loader runs whatever it is told to, so that allowing it by a directory's rule would allow
 * everything there is to read: it is refused unless the rule names it.
 */
#include "calls/exec.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "call.h"
#include "calls/image.h"
#include "decide.h"
#include "kernel.h"
#include "err.h"
#include "fd.h"
#include "gate.h"
#include "pattern.h"
#include "sandbox.h"

#define SCRIPTS_MAX 5		/* the kernel's limit of rewrites */

static const struct policy_rule loader_rule =
	BUILTIN_RULE(SECTION_FILES, EACCES, "the dynamic loader runs what it is told to: name it in a rule to allow that");
static const struct policy_rule traced_rule =
	BUILTIN_RULE(SECTION_FILES, EACCES, "somebody traces the process: what would start cannot be compared");

int execve_fetch(struct request *req)
{
	req->args.exec.flags = 0;
	return fetch_name(req, -1, 0, NAME_FOLLOW, false);
}

int execveat_fetch(struct request *req)
{
	unsigned flags = (unsigned)request_int(req, 4);
	unsigned known = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
	int err = fetch_name(req, 0, 1, flags & AT_SYMLINK_NOFOLLOW ? NAME_NOFOLLOW : NAME_FOLLOW, (flags & AT_EMPTY_PATH) != 0);

	if (err)
		return err;

	if (req->rules->plan.kernel->execve_check)
		known |= AT_EXECVE_CHECK;
	if (flags & ~known)
		return -EINVAL;
	req->args.exec.flags = flags;
	return 0;
}

/* The execute permission, mount flags and all, for the target whose credentials are worn. */
static int exec_permitted(const struct request *req, int pin)
{
	static char *const none[] = { NULL };
	long result;

	/* Before 6.14 access(2) by the effective ids, which knows of noexec too, but not of files that are being written. */
	if (req->rules->plan.kernel->execve_check)
		result = syscall(SYS_execveat, pin, "", none, none, AT_EMPTY_PATH | AT_EXECVE_CHECK);
	else
		result = syscall(SYS_faccessat2, pin, "", X_OK, AT_EMPTY_PATH | AT_EACCESS);
	return result ? -errno : 0;
}

/* The kernel needs no right to read what it executes; neither do we, as far as our own rights go. */
static int exec_open(struct request *req, int pin)
{
	char path[32];
	int fd;

	(void)object_proc_path(pin, path, sizeof(path));
	cred_own(req->worker);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && (errno == EACCES || errno == EPERM) && cred_power())
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Back to the target's credentials, which exec_open() and target_cwd() took off. */
static int exec_wear(struct request *req)
{
	return cred_wear(req->worker, &req->target->cred, false);
}

static int exec_image(struct request *req, const struct object *object, struct image *image)
{
	AUTO_FD fd = -1;
	int err;

	if (!S_ISREG(object->st.st_mode))
		return -EACCES;
	err = exec_permitted(req, object->pin);
	if (err)
		return err;
	fd = exec_open(req, object->pin);
	err = fd < 0 ? fd : image_read(fd, image);
	if (!err)
		err = exec_wear(req);
	else
		(void)exec_wear(req);
	return err;
}

/* The interpreter, relative to the cwd as the kernel has it, becomes objects[1]. */
static int exec_interpreter(struct request *req, const struct image *image)
{
	struct name *name = &req->names[1];
	struct object *object = &req->objects[1];
	int base = -1, err;

	name_begin(name, AT_FDCWD, NAME_FOLLOW, false);
	name->root = req->root;
	name->len = strlen(image->interpreter);
	memcpy(name->path, image->interpreter, name->len + 1);
	if (name->path[0] != '/') {
		cred_own(req->worker);
		base = target_cwd(req->target);
		err = exec_wear(req);
		if (base < 0 || err) {
			(void)fd_close(base);
			return base < 0 ? base : err;
		}
	}
	object_clear(object);
	object_init(object);
	req->ops[1] = 0;
	req->n_names = 2;
	err = resolve(req->sandbox->resolver, req->target, name, base, RESOLVE_EXACT, object);
	if (err)
		return err;
	req->ops[1] = OP_BIT(OP_EXEC);
	return object->err;
}

/* The rule that allows PATH is written for it alone. */
static bool exec_named(const struct policy *policy, const char *path, size_t len)
{
	struct policy_decision decision = policy_decide_path(policy, OP_BIT(OP_EXEC), path, len);
	const struct policy_rule *rule = decision.enforced.rule;
	bool named = false;

	for (size_t i = 0; rule && i < rule->n_patterns && !named; i++) {
		AUTO_FREE char *prefix = NULL;
		const char *glob = rule->patterns[i].glob;
		bool whole = false;

		(void)pattern_prefix(glob, &whole, &prefix);
		named = whole && prefix && strlen(prefix) == len && !memcmp(prefix, path, len) && glob[strlen(glob) - 1] != '/';
	}
	return named;
}

static bool exec_allowed(const struct request *req, const struct object *object)
{
	struct policy_decision decision = policy_decide_path(req->rules->policy, OP_BIT(OP_EXEC), object->path, object->len);

	return policy_allows(&decision.enforced);
}

int exec_judge(struct request *req)
{
	const struct object *object = &req->objects[0];
	struct image image;

	req->ops[0] = OP_BIT(OP_EXEC);
	if (object->nameless && !gate_strict(req))
		req->ops[0] = 0;
	if (!gate_wanted(req) || object->pin < 0)
		return 0;
	if (S_ISLNK(object->st.st_mode))
		return -ELOOP;
	for (unsigned i = 0; i <= SCRIPTS_MAX; i++) {
		int err = exec_image(req, object, &image);
		if (err)
			return err;
		if (image.kind == IMAGE_LOADER && gate_strict(req) &&
		    !exec_named(req->rules->policy, object->path, object->len)) {
			req->refused_by = &loader_rule;
			return -EACCES;
		}
		if (image.kind != IMAGE_SCRIPT)
			return 0;
		if (i && !exec_allowed(req, object))
			return 0;	/* the broker refuses objects[1] */
		err = exec_interpreter(req, &image);
		if (err)
			return err;
		object = &req->objects[1];
		if (object->nameless && !gate_strict(req))
			req->ops[1] = 0;
	}
	return -ELOOP;
}

int exec_serve(struct request *req)
{
	const struct object *image = &req->objects[req->n_names - 1];
	int err;

	if (req->args.exec.flags & AT_EXECVE_CHECK) {
		err = exec_permitted(req, req->objects[0].pin);
		return err ? err : reply_value(req, 0);
	}
	if (gate_wanted(req)) {
		err = gate_pass(req->sandbox->gate, req, image->st.st_dev, image->st.st_ino);
		if (err == -EPERM) {
			req->refused_by = &traced_rule;
			return -EACCES;
		}
		if (err)
			return err;
	}
	target_forget(req->sandbox->targets, req->target->tid);
	/* The leader's number will be this thread's, at a time that only the gate sees; till then the leader goes on calling. */
	if (!gate_wanted(req) && req->target->tid != req->target->tgid)
		target_distrust(req->sandbox->targets, req->target->tgid);
	req->reply.kind = REPLY_CONTINUE;
	return 0;
}
