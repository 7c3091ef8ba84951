/*
 * Rules about system calls. A condition is kept as a union of masked equalities, the one thing that the
 * kernel's filter can test on a whole argument: a set of numbers is cut into ranges, and a range into
 * aligned blocks, each of which is "the bits above are these". Parameters of 32 bits are compared in
 * 32 bits, because the kernel ignores what the register holds above them.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse.h"
#include "syscalls.h"

enum cond_op { COND_EQ, COND_NE, COND_LT, COND_LE, COND_GT, COND_GE, COND_MASKED, COND_IN, COND_NOT_IN };

struct written_cond {
	struct token arg;
	enum cond_op op;
	uint64_t mask;
	uint64_t *values;
	size_t n_values;
	struct token value_token;
	char *text;
};

void written_conds_free(struct written_conds *conds)
{
	for (size_t i = 0; i < conds->n; i++) {
		free(conds->list[i].values);
		free(conds->list[i].text);
	}
	free(conds->list);
	*conds = (struct written_conds){0};
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void calls_add(struct parser *parser, struct call_list *calls, int nr, bool specific)
{
	parser->loader->n_words++;
	*mem_push(&calls->list, &calls->n) = (struct called){.nr = nr, .specific = specific};
}

static const char *group_nearest(struct loader *loader, const char *name, size_t len)
{
	const char *nearest = NULL, *about, *known;
	unsigned best = text_tolerance(len) + 1;
	for (size_t i = 0; (known = syscall_group_name(i, &about)); i++) {
		unsigned distance = text_distance(name, len, known, strlen(known), best - 1);
		if (distance < best) {
			best = distance;
			nearest = known;
		}
	}
	return nearest ? nearest : definition_nearest(&loader->groups, name, len);
}

static void call_add(struct parser *parser, const struct token *token, const char *name, bool specific,
		     struct call_list *calls, unsigned depth);

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
	if (group->state == DEFINITION_BUSY || depth == MAX_NESTING) {
		policy_diag_other(parse_error(parser, token, "group '%s' contains itself, or is nested too deep", group->name),
				  group->pos, "defined here");
		return;
	}
	group->state = DEFINITION_BUSY;
	struct parser inner = {.loader = loader, .live = true};
	uint32_t file = group->pos.file;
	lex_begin(&inner.lex, &loader->policy->files[file], file, NULL);
	lex_goto(&inner.lex, &group->list);
	do {
		const struct token member = inner.lex.token;
		struct values values = {0};
		if (!parse_is_text(&inner))
			break;
		if (parse_values(&inner, &values))
			for (size_t i = 0; i < values.n; i++)
				call_add(&inner, &member, values.v[i].glob, false, calls, depth + 1);
		values_free(&values);
	} while (parse_accept(&inner, TOKEN_COMMA));
	group->state = DEFINITION_NEW;
}

/* Calls that other architectures have, 32-bit ones among them: a policy may name them everywhere, and where
 * there is no such call the filter refuses its number anyway. */
static bool known_elsewhere(const char *name)
{
	static const char names[] =
		" open creat link unlink mkdir rmdir rename symlink readlink chmod chown lchown mknod stat lstat access "
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
		"futex_time64 sched_rr_get_interval_time64 ";
	size_t len = strlen(name);
	for (const char *at = names; (at = strstr(at, name)); at += len)
		if (at[-1] == ' ' && at[len] == ' ')
			return true;
	return false;
}

static void call_add(struct parser *parser, const struct token *token, const char *name, bool specific,
		     struct call_list *calls, unsigned depth)
{
	if (++parser->loader->n_words > MAX_WORDS)
		return;	/* the next word complains */
	if (*name == '@') {
		call_group(parser, token, name, calls, depth);
		return;
	}
	const struct syscall_info *call = syscall_by_name(name, strlen(name));
	if (call) {
		calls_add(parser, calls, call->nr, specific);
		return;
	}
	if (*name && !strchr(name, ' ') && known_elsewhere(name))
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
	do {
		if (!parse_operand(parser, "a system call"))
			return false;
		const struct token token = parser->lex.token;
		struct values values = {0};
		if (parse_values(parser, &values))
			for (size_t i = 0; i < values.n; i++)
				call_add(parser, &token, values.v[i].glob, true, calls, 0);
		values_free(&values);
	} while (parse_accept(parser, TOKEN_COMMA));

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

/* ---- conditions ----------------------------------------------------------------------------- */

static bool parse_constants(struct parser *parser, struct written_cond *cond)
{
	if (!parse_operand(parser, "a number or a constant"))
		return false;
	const struct token token = parser->lex.token;
	struct values values = {0};
	bool ok = parse_values(parser, &values);
	for (size_t i = 0; i < values.n && ok; i++) {
		const char *name = values.v[i].glob;
		uint64_t value = 0;
		if (!number_parse(name, strlen(name), &value) && !syscall_constant(name, strlen(name), &value)) {
			policy_diag_help(parse_error(parser, &token, "unknown constant '%.60s'", name),
					 "numbers are decimal, 0x or 0-octal");
			ok = false;
		} else if (cond->n_values == MAX_LIST) {
			parse_error(parser, &token, "more than %d numbers in one condition", MAX_LIST);
			ok = false;
		} else {
			*mem_push(&cond->values, &cond->n_values) = value;
		}
	}
	values_free(&values);
	return ok;
}

static bool parse_one_constant(struct parser *parser, struct written_cond *cond)
{
	const struct token token = parser->lex.token;
	size_t before = cond->n_values;
	if (!parse_constants(parser, cond))
		return false;
	if (cond->n_values == before + 1)
		return true;
	policy_diag_help(parse_error(parser, &token, "one number is compared, and there are several"), "use 'in'");
	return false;
}

static bool parse_operator(struct parser *parser, struct written_cond *cond)
{
	static const struct { const char *name; enum cond_op op; } operators[] = {
		{"==", COND_EQ}, {"!=", COND_NE}, {"<", COND_LT}, {"<=", COND_LE}, {">", COND_GT}, {">=", COND_GE},
		{"&", COND_MASKED}, {"in", COND_IN}, {"not", COND_NOT_IN},
	};
	const struct token token = parser->lex.token;
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (!token_is(&token, operators[i].name))
			continue;
		cond->op = operators[i].op;
		lex_next(&parser->lex);
		return cond->op != COND_NOT_IN || parse_accept_word(parser, "in") || parse_unexpected(parser, "'in'");
	}
	if (token_is(&token, "=")) {
		policy_diag_help(parse_error(parser, &token, "a condition compares with '=='"), "write '=='");
		return false;
	}
	return parse_unexpected(parser, "a comparison (== != < <= > >= & in)");
}

static bool parse_cond(struct parser *parser, struct written_cond *cond)
{
	cond->arg = parser->lex.token;
	if (cond->arg.kind != TOKEN_WORD)
		return parse_unexpected(parser, "an argument");
	lex_next(&parser->lex);
	if (!parse_operator(parser, cond))
		return false;
	cond->value_token = parser->lex.token;
	if (cond->op == COND_IN || cond->op == COND_NOT_IN) {
		do {
			if (!parse_constants(parser, cond))
				return false;
		} while (parse_accept(parser, TOKEN_COMMA));
		return true;
	}
	if (!parse_one_constant(parser, cond))
		return false;
	if (cond->op != COND_MASKED)
		return true;
	cond->mask = cond->values[--cond->n_values];
	if (!parse_accept_word(parser, "=="))
		return parse_unexpected(parser, "'=='");
	return parse_one_constant(parser, cond);
}

bool parse_conds(struct parser *parser, struct written_conds *conds)
{
	lex_operators(&parser->lex, true);
	bool ok;
	do {
		const struct token first = parser->lex.token;
		struct written_cond *cond = mem_push(&conds->list, &conds->n);
		ok = parse_cond(parser, cond);
		cond->text = parse_source(parser, &first);
		if (ok && conds->n > 16) {
			parse_error(parser, &first, "more than 16 conditions");
			ok = false;
		}
	} while (ok && parse_accept_word(parser, "and"));
	lex_operators(&parser->lex, false);
	return ok;
}

/* ---- from conditions to masks --------------------------------------------------------------- */

static uint64_t width_mask(uint8_t bits)
{
	return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

/* VALUE as a parameter of BITS sees it: -100 is 0xffffff9c in 32 bits. */
static bool value_fits(uint64_t *value, uint8_t bits)
{
	uint64_t mask = width_mask(bits);
	bool negative = bits < 64 && (*value | (mask >> 1)) == UINT64_MAX;
	if (*value > mask && !negative)
		return false;
	*value &= mask;
	return true;
}

static void cube_add(struct policy_cond *cond, uint64_t mask, uint64_t value)
{
	*mem_push(&cond->any, &cond->n_any) = (struct policy_mask){.mask = mask, .value = value};
}

/* LO to HI, both included, as aligned blocks. */
static void range_add(struct policy_cond *cond, uint64_t lo, uint64_t hi, uint64_t width)
{
	while (cond->n_any <= MAX_CUBES) {
		uint64_t block = 0;	/* its size less one */
		while (block != width && (lo & (block * 2 + 1)) == 0 && (block * 2 + 1) <= hi - lo)
			block = block * 2 + 1;
		cube_add(cond, width & ~block, lo);
		if (hi - lo == block)
			return;
		lo += block + 1;
	}
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void complement_add(struct policy_cond *cond, const uint64_t *values, size_t n, uint64_t width)
{
	AUTO_FREE uint64_t *sorted = mem_zero(n * sizeof(*sorted));
	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_u64);
	uint64_t next = 0;
	for (size_t i = 0; i < n; i++) {
		if (sorted[i] > next)
			range_add(cond, next, sorted[i] - 1, width);
		if (sorted[i] == width)
			return;
		next = sorted[i] + 1;
	}
	range_add(cond, next, width, width);
}

static bool cond_build(struct parser *parser, const struct written_cond *written, uint8_t bits, struct policy_cond *cond)
{
	uint64_t width = width_mask(bits), mask = written->mask;
	AUTO_FREE uint64_t *values = mem_zero(written->n_values * sizeof(*values));
	bool fits = written->op != COND_MASKED || value_fits(&mask, bits);
	for (size_t i = 0; i < written->n_values; i++) {
		values[i] = written->values[i];
		fits &= value_fits(&values[i], bits);
	}
	if (!fits) {
		parse_error(parser, &written->value_token, "the number does not fit into %u bits", bits);
		return false;
	}
	uint64_t value = values[0];
	switch (written->op) {
	case COND_EQ:
	case COND_IN:
		for (size_t i = 0; i < written->n_values && cond->n_any <= MAX_CUBES; i++)
			cube_add(cond, width, values[i]);
		break;
	case COND_MASKED:
		if (!(value & ~mask))
			cube_add(cond, mask, value);
		break;
	case COND_NE:
	case COND_NOT_IN:
		complement_add(cond, values, written->n_values, width);
		break;
	case COND_LT:
		if (value)
			range_add(cond, 0, value - 1, width);
		break;
	case COND_LE:
		range_add(cond, 0, value, width);
		break;
	case COND_GT:
		if (value != width)
			range_add(cond, value + 1, width, width);
		break;
	case COND_GE:
		range_add(cond, value, width, width);
		break;
	}
	if (cond->n_any == 0)
		parse_error(parser, &written->arg, "this condition can never be true");
	else if (cond->n_any > MAX_CUBES)
		parse_error(parser, &written->arg, "this condition is too complex for a filter");
	return cond->n_any && cond->n_any <= MAX_CUBES;
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

static char *copy(const char *s)
{
	return s ? text_dup(s, strlen(s)) : NULL;
}

/* RULE without patterns, for CALLS[i] where TAKEN[i] is ROUND. */
static void split_one(struct parser *parser, const struct policy_rule *rule, const struct note *note,
		      const struct call_list *calls, const size_t *taken, size_t round,
		      const struct written_conds *conds, const struct place *places)
{
	struct policy_rule part = *rule;
	part.id = copy(rule->id);
	part.note = copy(rule->note);
	part.expires = copy(rule->expires);
	part.target = rule->target ? text_dup(rule->target, rule->target_len) : NULL;
	part.text = copy(rule->text);
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
		cond->text = copy(conds->list[i].text);
		ok = cond_build(parser, &conds->list[i], places[i].bits, cond) && ok;
	}
	struct note part_note = *note;
	part_note.first = round == 1;
	part_note.extra = copy(note->extra);
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
