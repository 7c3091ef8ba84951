/*
 * Rules about system calls: which calls a rule names, and one rule for each way that the parameters of these
 * lie. Conditions are in parse_cond.c.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse_cond.h"
#include "syscalls.h"

/* ---- calls ---------------------------------------------------------------------------------- */

static void calls_add(struct parser *parser, struct call_list *calls, int nr, bool specific)
{
	parser->loader->n_words++;
	*mem_push(&calls->list, &calls->n) = (struct called){.nr = nr, .specific = specific};
}

static const char *group_nearest(struct loader *loader, const char *name, size_t len)
{
	struct nearest nearest = {.name = name, .len = len};
	const char *about, *known;
	for (size_t i = 0; (known = syscall_group_name(i, &about)); i++)
		nearest_try(&nearest, known);
	return nearest.found ? nearest.found : definition_nearest(&loader->groups, name, len);
}

static void call_add(struct parser *parser, const struct token *token, const struct value *value, void *ctx,
		     unsigned depth);

static void call_group(struct parser *parser, const struct token *token, const char *name, struct call_list *calls,
		       unsigned depth)
{
	struct loader *loader = parser->loader;
	size_t n = 0, len = strlen(name);
	AUTO_FREE int *members = syscall_group(name, len, &n);
	for (size_t i = 0; members && i < n; i++)
		calls_add(parser, calls, members[i], false);
	if (members)
		return;
	struct definition *group = definition_find(&loader->groups, name, len);
	if (!group) {
		policy_diag_nearest(parse_error(parser, token, "unknown group of system calls '%.60s'", name),
				    group_nearest(loader, name, len));
		return;
	}
	group_members(parser, token, group, call_add, calls, depth);
}

/* Calls that other architectures have, 32-bit ones among them: a policy may name them everywhere, and where
 * there is no such call the filter refuses its number anyway. */
static bool known_elsewhere(const char *name)
{
	static const char names[] =
		"open creat link unlink mkdir rmdir rename symlink readlink chmod chown lchown mknod stat lstat access "
		"utime utimes futimesat ustat getdents pipe dup2 poll select epoll_create epoll_wait eventfd signalfd "
		"inotify_init fork vfork getpgrp alarm pause time arch_prctl modify_ldt iopl ioperm uselib sysfs _sysctl "
		"sendfile64 mmap2 _llseek _newselect fcntl64 fstat64 fstatat64 lstat64 stat64 statfs64 fstatfs64 "
		"truncate64 ftruncate64 fadvise64_64 arm_fadvise64_64 arm_sync_file_range sync_file_range2 socketcall ipc "
		"recv send waitpid nice stime umount signal sigaction sigpending sigprocmask sigreturn sigsuspend "
		"chown32 lchown32 fchown32 getuid32 geteuid32 getgid32 getegid32 getgroups32 setgroups32 setuid32 "
		"setgid32 setreuid32 setregid32 setresuid32 getresuid32 setresgid32 getresgid32 setfsuid32 setfsgid32 "
		"ugetrlimit set_thread_area get_thread_area vm86 vm86old breakpoint cacheflush set_tls riscv_flush_icache "
		"riscv_hwprobe s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr clock_gettime64 clock_settime64 "
		"clock_adjtime64 clock_getres_time64 clock_nanosleep_time64 timer_gettime64 timer_settime64 "
		"timerfd_gettime64 timerfd_settime64 utimensat_time64 pselect6_time64 ppoll_time64 io_pgetevents_time64 "
		"recvmmsg_time64 mq_timedsend_time64 mq_timedreceive_time64 semtimedop_time64 rt_sigtimedwait_time64 "
		"futex_time64 sched_rr_get_interval_time64";
	return text_lists(names, name, strlen(name));
}

/* Adds the call or the group that VALUE names. At depth 0 it is named itself. */
static void call_add(struct parser *parser, const struct token *token, const struct value *value, void *ctx,
		     unsigned depth)
{
	struct call_list *calls = ctx;
	const char *name = value->glob;
	if (++parser->loader->n_words > MAX_WORDS)
		return;	/* the next word complains */
	if (*name == '@') {
		call_group(parser, token, name, calls, depth);
		return;
	}
	const struct syscall_info *call = syscall_by_name(name, strlen(name));
	if (call) {
		calls_add(parser, calls, call->nr, depth == 0);
		return;
	}
	if (known_elsewhere(name))
		return;
	struct policy_diag *diag = parse_error(parser, token, "unknown system call '%.60s'", name);
	if (policy_ops_named(name, strlen(name)))
		policy_diag_help(diag, "'%.60s' is an operation; such rules stand outside of syscalls { }", name);
	else
		policy_diag_nearest(diag, syscall_nearest(name, strlen(name)));
}

static int compare_calls(const void *a, const void *b)
{
	const struct called *x = a, *y = b;
	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

bool parse_calls(struct parser *parser, struct call_list *calls)
{
	if (!parse_list(parser, "a system call", call_add, calls))
		return false;
	if (calls->n)
		qsort(calls->list, calls->n, sizeof(*calls->list), compare_calls);
	size_t kept = 0;
	for (size_t i = 0; i < calls->n; i++) {
		if (kept && calls->list[kept - 1].nr == calls->list[i].nr)
			calls->list[kept - 1].specific |= calls->list[i].specific;
		else
			calls->list[kept++] = calls->list[i];
	}
	calls->n = kept;
	return true;
}

/* ---- one rule for each way that the parameters lie ------------------------------------------ */

struct place { uint8_t arg, bits; };

static bool find_parameter(struct parser *parser, const struct syscall_info *call, const struct written_cond *cond,
			   struct place *place)
{
	const struct token *name = &cond->arg;
	unsigned index = name->len == 4 && memcmp(name->at, "arg", 3) == 0 ? (unsigned)(name->at[3] - '0') : 6;
	unsigned n = 0;
	for (; n < 6 && call->params[n].name; n++)
		if (index > 5 && strlen(call->params[n].name) == name->len &&
		    memcmp(call->params[n].name, name->at, name->len) == 0)
			index = n;
	if (index < 6) {
		*place = (struct place){.arg = (uint8_t)index, .bits = index < n ? call->params[index].bits : 64};
		return true;
	}
	char buf[64];
	struct policy_diag *diag = parse_error(parser, name, "%s has no parameter %s", call->name, token_quote(name, buf));
	struct text list = {0};
	for (unsigned i = 0; i < n; i++)
		text_addf(&list, "%s%s", i ? ", " : "", call->params[i].name);
	AUTO_FREE char *names = text_take(&list);
	if (n)
		policy_diag_help(diag, "its parameters are %s; arg0 to arg5 always exist", names);
	else
		policy_diag_help(diag, "it takes none");
	return false;
}

/* RULE without patterns, for CALLS[i] where TAKEN[i] is ROUND. */
static void split_one(struct parser *parser, const struct policy_rule *rule, const struct note *note,
		      const struct call_list *calls, const size_t *taken, size_t round,
		      const struct written_conds *conds, const struct place *places)
{
	struct policy_rule part = *rule;
	part.id = text_copy(rule->id);
	part.note = text_copy(rule->note);
	part.expires = text_copy(rule->expires);
	part.target = rule->target ? text_dup(rule->target, rule->target_len) : NULL;
	part.text = text_copy(rule->text);
	size_t n_specific = 0;
	for (size_t i = 0; i < calls->n; i++) {
		if (taken[i] != round)
			continue;
		*mem_push(&part.calls, &part.n_calls) = calls->list[i].nr;
		*mem_push(&part.call_specific, &n_specific) = calls->list[i].specific;
	}
	bool ok = true;
	for (size_t i = 0; i < conds->n; i++) {
		struct policy_cond *cond = mem_push(&part.conds, &part.n_conds);
		cond->arg = places[i].arg;
		cond->text = text_copy(conds->list[i].text);
		ok = cond_build(parser, &conds->list[i], places[i].bits, cond) && ok;
	}
	struct note part_note = *note;
	part_note.first = round == 1;
	part_note.extra = text_copy(note->extra);
	if (ok) {
		rule_keep(parser, &part, &part_note);
	} else {
		rule_free(&part);
		free(part_note.extra);
	}
}

void calls_split(struct parser *parser, const struct policy_rule *rule, const struct note *note,
		 const struct call_list *calls, const struct written_conds *conds)
{
	size_t width = conds->n ? conds->n : 1;
	AUTO_FREE struct place *places = mem_zero((calls->n + 1) * width * sizeof(*places));
	AUTO_FREE size_t *taken = mem_zero((calls->n + 1) * sizeof(*taken));
	bool ok = true;
	for (size_t i = 0; i < calls->n; i++) {
		const struct syscall_info *call = syscall_by_nr(calls->list[i].nr);
		for (size_t j = 0; j < conds->n && call; j++)
			ok = find_parameter(parser, call, &conds->list[j], &places[i * width + j]) && ok;
	}
	size_t round = 0;
	for (size_t i = 0; i < calls->n && ok; i++) {
		if (taken[i])
			continue;
		round++;
		for (size_t j = i; j < calls->n; j++)
			if (!taken[j] && memcmp(&places[i * width], &places[j * width], width * sizeof(*places)) == 0)
				taken[j] = round;
		split_one(parser, rule, note, calls, taken, round, conds, &places[i * width]);
	}
}
