/*
 * Lints: what is allowed by the language and probably not meant. A lint has a code for life; it is silenced
 * by "# usher: allow W012 reason" on its line or on the one before it, and the reason must be there.
 *
 * Codes that need a running program or a footprint belong to others: W014 (a rule at log for 90 days) and
 * W016 (never used). W010 was wildcard host names, which are an error now.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "fd.h"
#include "parse.h"
#include "pattern.h"
#include "syscalls.h"

/* Pairs of rules are only compared up to here; a machine wrote what is larger. */
enum { MAX_COMPARED = 1000 };

#define EXPIRES_SOON 14	/* days */

struct lint {
	const struct policy *policy;
	const struct policy_env *env;
	struct policy_diags *diags;
};

#define OPS_CONTENT (OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND) | OP_BIT(OP_CREATE))

/* ---- silencing ------------------------------------------------------------------------------ */

static bool line_silences(const char *line, size_t len, const char *code)
{
	static const char begin[] = "# usher: allow ";
	const char *end = line + len, *at = memmem(line, len, begin, sizeof(begin) - 1);
	if (!at)
		return false;
	at += sizeof(begin) - 1;
	size_t code_len = strlen(code);
	if ((size_t)(end - at) < code_len + 2 || memcmp(at, code, code_len) != 0 || at[code_len] != ' ')
		return false;
	for (at += code_len; at < end; at++)
		if (*at != ' ' && *at != '\t' && *at != '\r')
			return true;
	return false;
}

static bool silenced(const struct policy *policy, struct policy_pos pos, const char *code)
{
	if (pos.file >= policy->n_files || !pos.line)
		return false;
	const char *at = policy->files[pos.file].text, *end = at + policy->files[pos.file].len;
	for (uint32_t line = 1; at < end && line <= pos.line; line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		if (!stop)
			stop = end;
		if (line + 1 >= pos.line && line_silences(at, (size_t)(stop - at), code))
			return true;
		at = stop + 1;
	}
	return false;
}

__attribute__((format(printf, 5, 6)))
static struct policy_diag *lint_add(struct lint *lint, const char *code, enum policy_severity severity,
				    struct policy_pos pos, const char *format, ...)
{
	if (silenced(lint->policy, pos, code))
		return NULL;
	char *message = NULL;
	va_list args;
	va_start(args, format);
	ASSERT(vasprintf(&message, format, args) >= 0);
	va_end(args);
	struct policy_diag *diag = policy_diag_add(lint->diags, severity, pos, "%s", message);
	free(message);
	policy_diag_code(diag, code);
	return diag;
}

/* ---- one rule ------------------------------------------------------------------------------- */

static bool one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, list[i]) == 0)
			return true;
	return false;
}

static void lint_wide(struct lint *lint, const struct policy_rule *rule)
{
	static const char *const wide[] = {
		"/", "/**", "/bin/", "/boot/", "/dev/", "/etc/", "/home/", "/lib/", "/opt/", "/proc/", "/root/", "/run/",
		"/sbin/", "/srv/", "/sys/", "/tmp/", "/usr/", "/usr/bin/", "/usr/lib/", "/usr/sbin/", "/var/", "/var/lib/",
		"/var/tmp/", "**/*", "**/**",
	};
	if (rule->section != SECTION_FILES || rule->action != ACTION_ALLOW || !(rule->ops & OPS_MODIFY))
		return;
	for (size_t i = 0; i < rule->n_patterns; i++)
		if (one_of(rule->patterns[i].glob, wide, ARRAY_SIZE(wide)))
			policy_diag_help(lint_add(lint, "W003", DIAG_WARNING, rule->patterns[i].pos,
						  "changes are allowed anywhere in %s", rule->patterns[i].spelled),
					 "name the directories that the program writes to");
}

static void lint_links(struct lint *lint, const struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->n_patterns; i++) {
		const struct policy_pattern *pattern = &rule->patterns[i];
		AUTO_FREE char *spelled = text_copy(strcmp(pattern->spelled, "**") == 0 ? "/**" : pattern->spelled);
		collapse_slashes(spelled);
		/* The link itself, which settle.c put beside what it leads to. */
		bool second = false;
		for (size_t j = 0; j < i && !second && strcmp(spelled, pattern->glob) != 0; j++)
			second = strcmp(rule->patterns[j].spelled, pattern->spelled) == 0;
		if (!second && strcmp(spelled, pattern->glob) != 0)
			lint_add(lint, "W004", DIAG_NOTE, pattern->pos, "%s is matched as %s, where its links lead",
				 pattern->spelled, pattern->glob);
	}
}

static void lint_missing(struct lint *lint, const struct policy_rule *rule)
{
	if (!lint->env || !lint->env->exists || rule->action >= ACTION_DENY || rule->ops & OP_BIT(OP_CREATE) ||
	    rule->section == SECTION_MOUNTS)
		return;
	for (size_t i = 0; i < rule->n_patterns; i++) {
		bool whole = false;
		AUTO_FREE char *prefix = NULL;
		size_t len = pattern_prefix(rule->patterns[i].glob, &whole, &prefix);
		if (len && prefix && lint->env->exists(lint->env->ctx, prefix) == 0)
			lint_add(lint, "W005", DIAG_WARNING, rule->patterns[i].pos, "there is no %s", prefix);
	}
}

static void lint_sockets(struct lint *lint, const struct policy_rule *rule)
{
	static const char *const sockets[] = {
		"/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/crio/crio.sock",
		"/run/podman/podman.sock", "/run/systemd/private", "/run/libvirt/libvirt-sock", "/run/snapd.socket",
		"/var/lib/lxd/unix.socket", "/var/lib/incus/unix.socket", "/var/snap/lxd/common/lxd/unix.socket",
	};
	bool connects = rule->section == SECTION_NETWORK && rule->proto == PROTO_UNIX && rule->action == ACTION_ALLOW &&
			(rule->ops & OP_BIT(OP_CONNECT));
	for (size_t i = 0; connects && i < rule->n_patterns; i++)
		for (size_t j = 0; j < ARRAY_SIZE(sockets); j++)
			if (pattern_matches(rule->patterns[i].glob, sockets[j], strlen(sockets[j]))) {
				lint_add(lint, "W006", DIAG_WARNING, rule->patterns[i].pos,
					 "who may connect to %s is root on this machine", sockets[j]);
				break;
			}
}

static void lint_hosts(struct lint *lint, const struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->n_addrs; i++)
		if (rule->addrs[i].kind == ADDR_HOST && rule->proto != PROTO_NETLINK)
			policy_diag_help(lint_add(lint, "W011", DIAG_WARNING, rule->addrs[i].pos, "the program may get another "
						  "address for '%s' than usher does", rule->addrs[i].text),
					 "a name behind a CDN has many; 'answer read /etc/hosts with hosts;' pins it");
}

static void lint_calls(struct lint *lint, const struct policy_rule *rule)
{
	static const struct { const char *name, *code, *message; } calls[] = {
		{"io_uring_setup", "W012", "io_uring opens files where no filter sees it"},
		{"ptrace", "W013", "ptrace changes what other processes do, behind their filter"},
		{"process_vm_writev", "W013", "process_vm_writev changes the memory of other processes"},
	};
	if (rule->section != SECTION_SYSCALLS || rule->action != ACTION_ALLOW)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct syscall_info *call = syscall_by_name(calls[i].name, strlen(calls[i].name));
		for (size_t j = 0; call && j < rule->n_calls; j++) {
			if (rule->calls[j] != call->nr)
				continue;
			const uint64_t args[6] = {0};
			struct policy_verdict verdict = policy_decide_call(lint->policy, call->nr, args).would;
			if (verdict.action == ACTION_ALLOW && (rule->call_specific[j] || verdict.rule == rule))
				lint_add(lint, calls[i].code, DIAG_WARNING, rule->pos, "%s", calls[i].message);
		}
	}
}

bool policy_expires_soon(const struct policy_rule *rule, int *left)
{
	struct tm date = {0};
	if (!rule->expires || sscanf(rule->expires, "%d-%d-%d", &date.tm_year, &date.tm_mon, &date.tm_mday) != 3)
		return false;
	date.tm_year -= 1900;
	date.tm_mon -= 1;
	/* The rule holds for the whole of its last day. */
	int64_t end = (int64_t)timegm(&date) + 86400 - (int64_t)time(NULL);
	*left = end > 0 ? (int)((end - 1) / 86400) : (int)(end / 86400) - 1;
	return end <= 0 || *left <= EXPIRES_SOON;
}

static void lint_expires(struct lint *lint, const struct policy_rule *rule)
{
	int left;
	if (policy_expires_soon(rule, &left))
		lint_add(lint, "W015", DIAG_WARNING, rule->pos, "this rule %s on %s", left < 0 ? "expired" : "expires", rule->expires);
}

static void lint_write_exec(struct lint *lint, const struct policy_rule *rule)
{
	if (rule->section == SECTION_FILES && rule->action == ACTION_ALLOW && (rule->ops & OP_BIT(OP_EXEC)) &&
	    (rule->ops & OPS_CONTENT))
		policy_diag_help(lint_add(lint, "W009", DIAG_WARNING, rule->pos,
					  "what the program writes here, it may execute"),
				 "allow 'exec' for the files that are programs only");
}

/* ---- pairs of rules ------------------------------------------------------------------------- */

struct globs { const char **v; size_t n; };

static struct globs rule_globs(const struct policy_rule *rule)
{
	struct globs globs = {.v = mem_zero((rule->n_patterns + 1) * sizeof(*globs.v)), .n = rule->n_patterns};
	for (size_t i = 0; i < rule->n_patterns; i++)
		globs.v[i] = rule->patterns[i].glob;
	return globs;
}

static bool prefixes_meet(const char *a, const char *b)
{
	size_t n = strcspn(a, "*?[{\\"), m = strcspn(b, "*?[{\\");
	return strncmp(a, b, n < m ? n : m) == 0;
}

static void lint_exec_tree(struct lint *lint, const struct policy_rule *exec, const struct policy_rule *write)
{
	for (size_t i = 0; i < exec->n_patterns; i++)
		for (size_t j = 0; j < write->n_patterns; j++) {
			const char *a = exec->patterns[i].glob, *b = write->patterns[j].glob;
			if (!prefixes_meet(a, b) || pattern_compare(&a, 1, &b, 1) == PATTERN_DISJOINT)
				continue;
			policy_diag_other(lint_add(lint, "W008", DIAG_WARNING, exec->patterns[i].pos,
						   "what may be executed here, the program may also write"),
					  write->patterns[j].pos, "written here");
			return;
		}
}

/* RULE can never win, because BY always beats it. */
static bool is_beaten(const struct policy_rule *rule, const struct policy_rule *by)
{
	if (by->action <= rule->action || by->section != rule->section || (rule->ops & ~by->ops) || !by->n_patterns ||
	    !rule->n_patterns || by->stage == STAGE_LOG || rule->n_addrs || by->proto != rule->proto ||
	    rule->section == SECTION_MOUNTS)
		return false;
	if (by->action != ACTION_FORBID && by->ops != rule->ops)
		return false;
	if (by->action != ACTION_FORBID && by->n_patterns != rule->n_patterns)
		return false;
	struct globs a = rule_globs(rule), b = rule_globs(by);
	enum pattern_relation relation = pattern_compare(a.v, a.n, b.v, b.n);
	free(a.v);
	free(b.v);
	return relation == PATTERN_EQUAL || (relation == PATTERN_NARROWER && by->action == ACTION_FORBID);
}

static void lint_pairs(struct lint *lint)
{
	const struct policy *policy = lint->policy;
	if (policy->n_rules > MAX_COMPARED)
		return;
	for (size_t i = 0; i < policy->n_rules; i++)
		for (size_t j = 0; j < policy->n_rules; j++) {
			const struct policy_rule *a = &policy->rules[i], *b = &policy->rules[j];
			if (i == j)
				continue;
			if (is_beaten(a, b)) {
				policy_diag_other(lint_add(lint, "W001", DIAG_WARNING, a->pos, "this rule never wins"),
						  b->pos, "this one always beats it");
				break;
			}
		}
	for (size_t i = 0; i < policy->n_rules; i++)
		for (size_t j = 0; j < policy->n_rules; j++) {
			const struct policy_rule *a = &policy->rules[i], *b = &policy->rules[j];
			if (i != j && a->action == ACTION_ALLOW && b->action == ACTION_ALLOW && a->section == SECTION_FILES &&
			    b->section == SECTION_FILES && (a->ops & OP_BIT(OP_EXEC)) && !(a->ops & OPS_CONTENT) &&
			    (b->ops & OPS_CONTENT))
				lint_exec_tree(lint, a, b);
		}
}

static int compare_texts(const void *a, const void *b)
{
	const struct policy_rule *x = *(const struct policy_rule *const *)a, *y = *(const struct policy_rule *const *)b;
	int order = (int)x->section - (int)y->section;
	if (!order)
		order = strcmp(x->text, y->text);
	return order ? order : x->number < y->number ? -1 : 1;
}

static void lint_duplicates(struct lint *lint)
{
	const struct policy *policy = lint->policy;
	if (policy->n_rules < 2)
		return;
	AUTO_FREE const struct policy_rule **sorted = mem_zero(policy->n_rules * sizeof(*sorted));
	for (size_t i = 0; i < policy->n_rules; i++)
		sorted[i] = &policy->rules[i];
	qsort(sorted, policy->n_rules, sizeof(*sorted), compare_texts);
	for (size_t i = 1; i < policy->n_rules; i++) {
		const struct policy_rule *a = sorted[i - 1], *b = sorted[i];
		/* One statement may have become several rules. */
		bool same_place = a->pos.file == b->pos.file && a->pos.line == b->pos.line && a->pos.col == b->pos.col;
		if (!same_place && a->section == b->section && strcmp(a->text, b->text) == 0)
			policy_diag_other(lint_add(lint, "W002", DIAG_WARNING, b->pos, "this rule is there twice"), a->pos,
					  "the other one");
	}
}

/* ---- system calls in two groups -------------------------------------------------------------- */

struct overlap { const struct policy_rule *allow, *deny; const char *first; size_t n; };

static void overlap_add(struct overlap **list, size_t *n, const struct policy_rule *allow, const struct policy_rule *deny,
			int nr)
{
	const struct syscall_info *call = syscall_by_nr(nr);
	size_t i = 0;
	while (i < *n && ((*list)[i].allow != allow || (*list)[i].deny != deny))
		i++;
	if (i == *n)
		*mem_push(list, n) = (struct overlap){allow, deny, call ? call->name : "?", 0};
	(*list)[i].n++;
}

static void lint_groups(struct lint *lint)
{
	const struct policy *policy = lint->policy;
	size_t numbers = (size_t)syscall_max() + 1, n = 0;
	AUTO_FREE const struct policy_rule **allow = mem_zero(numbers * sizeof(*allow));
	AUTO_FREE const struct policy_rule **deny = mem_zero(numbers * sizeof(*deny));
	AUTO_FREE bool *specific = mem_zero(numbers);
	struct overlap *list = NULL;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		for (size_t j = 0; j < rule->n_calls && !rule->n_conds; j++) {
			size_t nr = (size_t)rule->calls[j];
			const struct policy_rule **side = rule->action == ACTION_ALLOW ? &allow[nr] : &deny[nr];
			specific[nr] |= rule->call_specific[j];
			if (!*side)
				*side = rule;
		}
	}
	for (size_t nr = 0; nr < numbers; nr++)
		if (allow[nr] && deny[nr] && !specific[nr])
			overlap_add(&list, &n, allow[nr], deny[nr], (int)nr);
	for (size_t i = 0; i < n; i++) {
		struct policy_diag *diag = list[i].n == 1
			? lint_add(lint, "W007", DIAG_WARNING, list[i].allow->pos,
				   "%s is in a group here and in one that is denied: it is denied", list[i].first)
			: lint_add(lint, "W007", DIAG_WARNING, list[i].allow->pos, "%s and %zu more calls are in a group here "
				   "and in one that is denied: they are denied", list[i].first, list[i].n - 1);
		policy_diag_other(diag, list[i].deny->pos, "denied here");
	}
	free(list);
}

/* ---- sections ------------------------------------------------------------------------------- */

static void lint_cover(struct lint *lint)
{
	const struct policy *policy = lint->policy;
	uint32_t rest = OPS_FILES & ~policy->cover;
	if (!rest || !policy->defaults[SECTION_FILES].present)
		return;
	struct text names = {0};
	ops_print(&names, rest);
	AUTO_FREE char *list = text_take(&names);
	lint_add(lint, "W017", DIAG_NOTE, policy->defaults[SECTION_FILES].pos, "not brokered: %s", list);
}

static void lint_sections(struct lint *lint)
{
	const struct policy *policy = lint->policy;
	bool said[SECTION_COUNT] = {false};
	for (int section = 0; section < SECTION_COUNT; section++) {
		const struct policy_default *value = &policy->defaults[section];
		const char *name = policy_section_name((enum policy_section)section);
		if (value->written && !value->present)
			policy_diag_help(lint_add(lint, "W018", DIAG_WARNING, value->pos, "this default has no effect: the main "
						  "file has no %s section", name),
					 "write '%s { }' in the main file to switch it on", name);
	}
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		const char *name = policy_section_name(rule->section);
		if (said[rule->section] || rule->action != ACTION_ALLOW || policy->defaults[rule->section].present ||
		    rule->section == SECTION_SYSCALLS || !policy->files[rule->pos.file].main)
			continue;
		said[rule->section] = true;
		policy_diag_help(lint_add(lint, "W019", DIAG_WARNING, rule->pos, "this allows what nothing refuses: the policy "
					  "has no %s section, so there is no default", name),
				 "write '%s { default deny; }'", name);
	}
}

void policy_lint(const struct policy *policy, const struct policy_env *env, struct policy_diags *diags)
{
	struct lint lint = {.policy = policy, .env = env, .diags = diags};
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		lint_wide(&lint, rule);
		lint_links(&lint, rule);
		lint_missing(&lint, rule);
		lint_sockets(&lint, rule);
		lint_hosts(&lint, rule);
		lint_calls(&lint, rule);
		lint_expires(&lint, rule);
		lint_write_exec(&lint, rule);
	}
	lint_pairs(&lint);
	lint_duplicates(&lint);
	lint_groups(&lint);
	lint_cover(&lint);
	lint_sections(&lint);
	policy_diags_sort(diags);
}
