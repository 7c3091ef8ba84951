/*
 * redirect: the target is pinned at start and opened anew for each open, with the target's credentials. answer with a file or a
 * text: its content is copied at start into a sealed memfd. Either is there to be read; whoever asks for more in the same
 * open gets EACCES, for the rules about writing speak of the name that was redirected, not of what stands for it.
 *
 * stat(2) and its kin tell about what open(2) would give, or programs that ask for the size first read too little.
 *
 * answer mknod with a device: the node is made with the supervisor's CAP_MKNOD, owned by the target. "same" are the six that every
 * container has, which give nothing away.
 */
#include "substitute.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "call.h"
#include "calls/mount_make.h"
#include "decide.h"
#include "err.h"
#include "fd.h"
#include "raise.h"
#include "sandbox.h"

#define CONTENT_MAX (16 * 1024 * 1024)
#define HOSTS_SHOWN 64	/* addresses of one name */

struct substitutes {
	size_t n;
	int fds[];	/* by number of the rule; -1: none */
};

static bool by_content(const struct policy_rule *rule)
{
	return rule->action == ACTION_ANSWER && (rule->answer == ANSWER_FILE || rule->answer == ANSWER_CONTENT || rule->answer == ANSWER_HOSTS);
}

static bool replaces_file(const struct policy_rule *rule)
{
	return rule->section == SECTION_FILES && (rule->action == ACTION_REDIRECT || by_content(rule));
}

bool substitute_any(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (replaces_file(&policy->rules[i]))
			return true;
	return false;
}

/* ---- at load -------------------------------------------------------------------------------- */

/* Then the child would say itself what it is to be shown. */
static bool target_writable(const struct policy *policy, const char *path)
{
	const uint32_t ways[] = { OP_BIT(OP_WRITE), OP_BIT(OP_APPEND), OP_BIT(OP_TRUNCATE) };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct policy_decision decision = policy_decide_path(policy, ways[i], path, strlen(path));
		if (policy_allows(&decision.enforced))
			return true;
	}
	return false;
}

static void check_target(const struct policy *policy, const struct policy_rule *rule, struct policy_diags *diags)
{
	AUTO_FREE char *path = realpath(rule->target, NULL);
	struct stat st;

	if (!path || stat(path, &st)) {
		policy_diag_add(diags, DIAG_ERROR, rule->pos, "%s: %s", rule->target, strerror(errno));
	} else if (!S_ISREG(st.st_mode) && (!S_ISDIR(st.st_mode) || by_content(rule))) {
		policy_diag_add(diags, DIAG_ERROR, rule->pos, "what stands for a file is a file");
	} else if (by_content(rule) && st.st_size > CONTENT_MAX) {
		policy_diag_refuse(diags, rule->pos, "use redirect, which does not copy it", "an answer is 16 MiB at most");
	} else if (rule->action == ACTION_REDIRECT && target_writable(policy, path)) {
		policy_diag_refuse(diags, rule->pos, "deny write, append and truncate on it",
				   "the program may write what it is redirected to");
	}
}

void substitute_check(const struct policy *policy, const struct policy_rule *rule, struct policy_diags *diags)
{
	const uint32_t readable = OP_BIT(OP_READ) | OP_BIT(OP_LIST);

	if (rule->action == ACTION_ANSWER && rule->answer == ANSWER_ERRNO)
		return;
	if (rule->action == ACTION_ANSWER && rule->answer == ANSWER_DEVICE) {
		if (rule->ops & ~OP_BIT(OP_MKNOD))
			policy_diag_refuse(diags, rule->pos, "write 'answer mknod ...'", "a device answers mknod and nothing else");
		return;
	}
	if (!replaces_file(rule)) {
		policy_diag_refuse(diags, rule->pos, "there are 'file', 'content', 'hosts', 'errno' and 'device'",
				   "this does not answer a call about a file");
		return;
	}
	if (rule->ops & ~readable || (by_content(rule) && rule->ops != OP_BIT(OP_READ))) {
		policy_diag_refuse(diags, rule->pos, "write 'read' for a file, 'read, list' for a directory",
				   "what stands for a file can only be read");
		return;
	}
	if (rule->action == ACTION_REDIRECT || rule->answer == ANSWER_FILE)
		check_target(policy, rule, diags);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_file(int to, const char *path)
{
	AUTO_FREE char *text = malloc(CONTENT_MAX + 1);
	AUTO_FD from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t len = 0;
	ssize_t n = 1;

	if (!text)
		return -ENOMEM;
	while (from >= 0 && n > 0 && len <= CONTENT_MAX) {
		n = read(from, text + len, CONTENT_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (from < 0 || n < 0)
		return -errno;
	return len > CONTENT_MAX ? -EFBIG : write_all(to, text, len);
}

static int content_make(const struct policy_rule *rule)
{
	AUTO_FD fd = memfd_create("answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	err = rule->answer == ANSWER_FILE ? copy_file(fd, rule->target) : write_all(fd, rule->target, rule->target_len);
	if (err)
		return err;
	if (fchmod(fd, 0444) || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return -errno;
	return fd_take(&fd);
}

int substitutes_new(struct substitutes **substitutes, const struct policy *policy)
{
	struct substitutes *new = malloc(sizeof(*new) + policy->n_rules * sizeof(new->fds[0]));

	if (!new)
		return -ENOMEM;
	new->n = policy->n_rules;
	for (size_t i = 0; i < new->n; i++)
		new->fds[i] = -1;
	*substitutes = new;
	for (size_t i = 0; i < new->n; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (!replaces_file(rule) || rule->answer == ANSWER_HOSTS)
			continue;
		new->fds[i] = by_content(rule) ? content_make(rule) : open(rule->target, O_PATH | O_CLOEXEC);
		if (new->fds[i] < 0)
			return by_content(rule) ? new->fds[i] : -errno;
	}
	return 0;
}

void substitutes_free(struct substitutes *substitutes)
{
	for (size_t i = 0; substitutes && i < substitutes->n; i++)
		fd_close(substitutes->fds[i]);
	free(substitutes);
}

/* /etc/hosts as it is, and what the host names of rules stand for now: so the program finds what usher will allow. */
static int hosts_make(const struct policy *policy)
{
	AUTO_FD fd = memfd_create("answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err = fd < 0 ? -errno : copy_file(fd, "/etc/hosts");

	if (err == -ENOENT)
		err = 0;
	if (!err)
		err = write_all(fd, "\n", 1);
	for (size_t i = 0; i < policy_hosts(policy) && !err; i++) {
		uint8_t ips[HOSTS_SHOWN][16];
		size_t n = policy_host_addresses(policy, i, ips, HOSTS_SHOWN);
		for (size_t k = 0; k < n && !err; k++) {
			static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
			bool four = !memcmp(ips[k], mapped, sizeof(mapped));
			char line[INET6_ADDRSTRLEN + POLICY_NAME_MAX + 3];
			(void)inet_ntop(four ? AF_INET : AF_INET6, four ? ips[k] + 12 : ips[k], line, INET6_ADDRSTRLEN);
			(void)snprintf(line + strlen(line), POLICY_NAME_MAX + 3, " %.*s\n", POLICY_NAME_MAX, policy_host(policy, i));
			err = write_all(fd, line, strlen(line));
		}
	}
	if (err)
		return err;
	if (fchmod(fd, 0444) || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return -errno;
	return fd_take(&fd);
}

/* ---- in its place --------------------------------------------------------------------------- */

/* ASKED if it is one of those, or what TEXT says; 0: it may not be made. */
static dev_t safe_device(const char *text, dev_t asked)
{
	/* null, zero, full, random, urandom, tty */
	static const struct { unsigned major, minor; } safe[] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 }, { 1, 9 }, { 5, 0 } };
	unsigned number_major, number_minor;

	if (sscanf(text, "%u:%u", &number_major, &number_minor) == 2)
		return makedev(number_major, number_minor);
	for (size_t i = 0; i < ARRAY_SIZE(safe); i++)
		if (asked == makedev(safe[i].major, safe[i].minor))
			return asked;
	return 0;
}

static int make_device(struct request *req, const struct policy_rule *rule)
{
	struct raised raised;
	dev_t device = safe_device(rule->target, req->args.attr.dev);
	int err;

	if (!device || !S_ISCHR(req->args.attr.mode))
		return -EPERM;
	req->args.attr.dev = device;
	if (!raise_caps(&raised, UINT64_C(1) << CAP_MKNOD)) {
		err = req->call->serve(req);
	} else {
		err = req->call->serve(req);
		raise_end(&raised);
	}
	return err == -EPERM && req->sandbox->mounts ? mount_make_node(req, device) : err;
}

static int replace(struct request *req, struct object *object, const struct policy_rule *rule)
{
	AUTO_FD fd = rule->answer == ANSWER_HOSTS ? hosts_make(req->rules->policy)
						  : fcntl(req->rules->substitutes->fds[rule->number], F_DUPFD_CLOEXEC, 3);
	char path[sizeof(object->path)];
	size_t len = object->len;
	bool slash = object->slash;

	if (fd < 0)
		return rule->answer == ANSWER_HOSTS ? fd : -errno;
	memcpy(path, object->path, len + 1);
	object_clear(object);
	if (fstat(fd, &object->st))
		return -errno;
	/* For the record it stays what was asked for. */
	memcpy(object->path, path, len + 1);
	object->len = len;
	object->slash = slash;
	object->exists = true;
	object->pin = fd_take(&fd);
	return 0;
}

int substitute(struct request *req)
{
	const struct policy_rule *rule = req->decision.enforced.rule;
	struct object *object = &req->objects[req->decided];
	int err;

	if (rule->action == ACTION_ANSWER && rule->answer == ANSWER_ERRNO)
		return -(int)rule->answer_value;
	/* Of two names the other was not judged. */
	if (req->decided || (req->n_names > 1 && req->ops[1]))
		return -EACCES;
	if (rule->action == ACTION_ANSWER && rule->answer == ANSWER_DEVICE)
		return make_device(req, rule);
	if (object->err && object->err != -ENOENT)
		return object->err;
	err = replace(req, object, rule);
	/* What is asked of it, as what it is now: the name may have had nothing to cut. */
	if (!err && req->call->judge)
		err = req->call->judge(req);
	if (!err && req->ops[req->decided] & OPS_MODIFY & ~OP_BIT(OP_CREATE))
		err = -EACCES;
	if (!err && (object->slash || req->names[req->decided].directory) && !S_ISDIR(object->st.st_mode))
		err = -ENOTDIR;
	return err ? err : req->call->serve(req);
}

int substitute_stat(struct request *req)
{
	struct policy_decision decision;

	if (!req->n_names || req->ops[0] != OP_BIT(OP_STAT) || req->objects[0].nameless)
		return 0;
	decision = decide_object(req, &req->objects[0], OP_BIT(OP_READ));
	if (!decision.enforced.rule || !replaces_file(decision.enforced.rule) || decision.enforced.action != decision.enforced.rule->action)
		return 0;
	/* Rules speak of the name without links in it. */
	return req->objects[0].lexical ? -EINEXACT : replace(req, &req->objects[0], decision.enforced.rule);
}
