/*
 * The filter compiler.
 *
 * A filter is three pieces, one behind the other:
 *
 *   the door       architecture, x32, numbers that the table does not know
 *   the front      calls whose arguments are looked at and whose rest is not the common answer: their cubes
 *                  one after the other, then the rest
 *   the body       everything else, by libseccomp: its binary tree over the numbers, with masked equalities
 *                  for the few calls whose rest is the common answer
 *
 * libseccomp never sees the answers themselves. It is given the index of an answer as the data of a TRACE
 * action, and the answers are put in afterwards: so neither the running kernel nor the version of the
 * library decides which actions there are (2.5 refuses TRAP with data), and a TRACE that should remain is
 * seen. It is given masked equalities only, on words in a fixed order, so that the conditions of one call
 * never overlap: ordered comparisons are miscompiled by versions before 2.6.1.
 *
 * A call that is plainly allowed is decided by its number alone, without a load of an argument, so that the
 * kernel's table of constant answers holds for it and the filter is not run at all.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "err.h"
#include "fd.h"
#include "filter_call.h"
#include "syscalls.h"

#define ANSWERS_MAX 4096
#define CUBES_PER_CALL 600

#define LOAD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the halves of an argument are found in this order");

struct program {
	struct sock_filter insns[BPF_MAXINSNS];
	unsigned len;
	bool full;
};

struct compiler {
	struct filter_call *calls;
	size_t n_calls;
	uint32_t common;		/* the body's default */
	uint32_t answers[ANSWERS_MAX];
	unsigned n_answers;
	struct program program;
};

static unsigned emit(struct program *program, struct sock_filter insn)
{
	if (program->len == BPF_MAXINSNS) {
		program->full = true;
		return program->len - 1;
	}
	program->insns[program->len] = insn;
	return program->len++;
}

/* ---- the door ------------------------------------------------------------------------------- */

static void emit_door(struct program *program)
{
	int max = syscall_max();

	emit(program, (struct sock_filter)LOAD(arch));
	emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0));
	emit(program, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
	emit(program, (struct sock_filter)LOAD(nr));
	/* Unsigned: -1 and the numbers with the x32 bit are above as well. */
	emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)max, 0, 1));
	emit(program, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | ENOSYS));
	for (int nr = 0; nr <= max; nr++) {
		int first = nr;

		while (nr <= max && syscall_by_nr(nr) == NULL)
			nr++;
		if (nr == first)
			continue;
		emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)first, 0, 2));
		emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)nr, 1, 0));
		emit(program, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | ENOSYS));
	}
}

/* ---- the front ------------------------------------------------------------------------------ */

struct miss { unsigned pc; bool taken; };

/* Tests one half of an argument. *MISS is the jump that is to lead away where it fails. */
static void emit_test(struct program *program, uint32_t offset, uint32_t mask, uint32_t value, struct miss *miss)
{
	uint16_t code = BPF_JMP | BPF_JEQ | BPF_K;
	uint32_t k = value;

	emit(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
	if (value == 0 || (mask == value && (mask & (mask - 1)) == 0)) {
		code = BPF_JMP | BPF_JSET | BPF_K;
		k = mask;
	} else if (mask != UINT32_MAX) {
		emit(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	}
	*miss = (struct miss){ emit(program, (struct sock_filter)BPF_JUMP(code, k, 0, 0)), value == 0 };
}

/* A cube has at most 12 tests of three instructions, and a return: the longest jump is short. */
#define CUBE_LEN_MAX 37

static void emit_cube(struct program *program, const struct filter_cube *cube)
{
	struct miss misses[12];
	size_t n = 0;

	for (unsigned arg = 0; arg < 6; arg++) {
		const struct policy_mask *test = &cube->args[arg];
		uint32_t low = (uint32_t)(offsetof(struct seccomp_data, args) + 8 * arg);

		if (test->mask >> 32 != 0)
			emit_test(program, low + 4, (uint32_t)(test->mask >> 32), (uint32_t)(test->value >> 32),
				  &misses[n++]);
		if ((uint32_t)test->mask != 0)
			emit_test(program, low, (uint32_t)test->mask, (uint32_t)test->value, &misses[n++]);
	}
	emit(program, (struct sock_filter)RETURN(cube->ret));
	while (n-- > 0) {
		struct sock_filter *jump = &program->insns[misses[n].pc];
		uint8_t distance = (uint8_t)(program->len - misses[n].pc - 1);

		*(misses[n].taken ? &jump->jt : &jump->jf) = distance;
	}
}

static bool in_front(const struct compiler *compiler, const struct filter_call *call)
{
	return call->n != 0 && call->rest != compiler->common;
}

static void emit_front(struct compiler *compiler)
{
	struct program *program = &compiler->program;

	for (size_t i = 0; i < compiler->n_calls; i++) {
		const struct filter_call *call = &compiler->calls[i];
		bool far = call->n > (UINT8_MAX - 1) / CUBE_LEN_MAX;
		unsigned entry, miss = 0;

		if (!in_front(compiler, call))
			continue;
		entry = emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->nr,
								   far ? 1 : 0, 0));
		if (far)
			miss = emit(program, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
		for (size_t j = 0; j < call->n; j++)
			emit_cube(program, &call->cubes[j]);
		emit(program, (struct sock_filter)RETURN(call->rest));
		if (far)
			program->insns[miss].k = program->len - miss - 1;
		else
			program->insns[entry].jf = (uint8_t)(program->len - entry - 1);
	}
}

/* ---- the body ------------------------------------------------------------------------------- */

static uint32_t answer_symbol(struct compiler *compiler, uint32_t answer)
{
	unsigned i = 0;

	while (i < compiler->n_answers && compiler->answers[i] != answer)
		i++;
	if (i == compiler->n_answers) {
		ASSERT(i < ANSWERS_MAX);
		compiler->answers[compiler->n_answers++] = answer;
	}
	return SCMP_ACT_TRACE(i);
}

static int body_rule(struct compiler *compiler, scmp_filter_ctx context, int nr, const struct filter_cube *cube)
{
	struct scmp_arg_cmp tests[6];
	unsigned n = 0;

	for (unsigned arg = 0; arg < 6; arg++) {
		if (cube->args[arg].mask != 0)
			tests[n++] = (struct scmp_arg_cmp){
				.arg = arg, .op = SCMP_CMP_MASKED_EQ,
				.datum_a = cube->args[arg].mask, .datum_b = cube->args[arg].value,
			};
	}
	return seccomp_rule_add_exact_array(context, answer_symbol(compiler, cube->ret), nr, n, tests);
}

static int body_rules(struct compiler *compiler, scmp_filter_ctx context)
{
	int err = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	for (size_t i = 0; i < compiler->n_calls && err == 0; i++) {
		const struct filter_call *call = &compiler->calls[i];
		const struct filter_cube rest = { .ret = call->rest };

		if (in_front(compiler, call))
			continue;
		if (call->rest != compiler->common)
			err = body_rule(compiler, context, call->nr, &rest);
		for (size_t j = 0; j < call->n && err == 0; j++)
			err = body_rule(compiler, context, call->nr, &call->cubes[j]);
	}
	return err;
}

/* libseccomp begins with checks of its own for what the door has let through, and has the number loaded
 * behind them. */
static unsigned body_start(const struct sock_filter *insns, unsigned len)
{
	unsigned start = 0;

	if (len > 4 && insns[0].code == (BPF_LD | BPF_W | BPF_ABS) &&
	    insns[0].k == offsetof(struct seccomp_data, arch) &&
	    insns[1].code == (BPF_JMP | BPF_JEQ | BPF_K) && insns[1].k == FILTER_ARCH && insns[1].jt == 0 &&
	    insns[2].code == (BPF_LD | BPF_W | BPF_ABS) && insns[2].k == offsetof(struct seccomp_data, nr)) {
		start = 3;
		if (insns[3].code == (BPF_JMP | BPF_JGE | BPF_K) && insns[3].k == 0x40000000 &&
		    insns[4].code == (BPF_JMP | BPF_JEQ | BPF_K) && insns[4].k == UINT32_MAX &&
		    3 + 1 + insns[3].jf == 5)
			start = 5;
	}
	return start;
}

static int emit_body(struct compiler *compiler)
{
	static const size_t most = BPF_MAXINSNS * sizeof(struct sock_filter);
	AUTO_FD fd = memfd_create("filter", MFD_CLOEXEC);
	AUTO_FREE struct sock_filter *insns = malloc(most);
	scmp_filter_ctx context = seccomp_init(answer_symbol(compiler, compiler->common));
	ssize_t size;
	unsigned len;
	int err;

	if (fd < 0 || insns == NULL || context == NULL) {
		err = fd < 0 ? -errno : -ENOMEM;
		if (context != NULL)
			seccomp_release(context);
		return err;
	}
	err = body_rules(compiler, context);
	if (err == 0)
		err = seccomp_export_bpf(context, fd);
	/* The system's failure: RLIMIT_FSIZE holds for this as well. */
	if (err == -ECANCELED && errno)
		err = -errno;
	seccomp_release(context);
	if (err < 0)
		return err;
	size = pread(fd, insns, most, 0);
	if (size < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) != size)
		return -E2BIG;
	len = (unsigned)((size_t)size / sizeof(*insns));
	for (unsigned i = body_start(insns, len); i < len; i++) {
		struct sock_filter insn = insns[i];

		if (BPF_CLASS(insn.code) == BPF_RET) {
			uint32_t index = insn.k & SECCOMP_RET_DATA;

			if (insn.k == SECCOMP_RET_KILL_THREAD)
				insn.k = SECCOMP_RET_KILL_PROCESS;
			else if ((insn.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE &&
				 index < compiler->n_answers)
				insn.k = compiler->answers[index];
			else
				return -EINVAL;
		}
		emit(&compiler->program, insn);
	}
	return 0;
}

/* ---- all together --------------------------------------------------------------------------- */

/* The answer that most calls give as their rest needs no rule. */
static uint32_t common_choose(const struct filter_call *calls, size_t n)
{
	struct { uint32_t answer; size_t n; } seen[64] = { { SECCOMP_RET_ALLOW, 0 } };
	size_t n_seen = 1, best = 0;

	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		while (j < n_seen && seen[j].answer != calls[i].rest)
			j++;
		if (j == n_seen && n_seen < ARRAY_SIZE(seen))
			seen[n_seen++].answer = calls[i].rest;
		if (j < n_seen)
			seen[j].n++;
	}
	for (size_t j = 1; j < n_seen; j++) {
		if (seen[j].n > seen[best].n)
			best = j;
	}
	return seen[best].answer;
}

static int calls_split(struct compiler *compiler, const struct policy *policy, const struct filter_row *rows,
		       size_t n_rows, struct policy_diags *diags)
{
	for (int nr = 0; nr <= syscall_max(); nr++) {
		const struct syscall_info *info = syscall_by_nr(nr);
		struct filter_call *call = &compiler->calls[compiler->n_calls];
		int err;

		if (info == NULL)
			continue;
		err = filter_call_split(call, policy, rows, n_rows, nr);
		compiler->n_calls++;
		if (err == -E2BIG || (err == 0 && call->n > CUBES_PER_CALL)) {
			policy_diag_add(diags, DIAG_ERROR, policy->defaults[SECTION_SYSCALLS].pos,
					"the conditions about '%s' are too complex for a filter", info->name);
			return -EINVAL;
		}
		if (err < 0)
			return err;
	}
	return 0;
}

static int program_take(const struct program *program, struct filter *filter)
{
	if (program->full)
		return -E2BIG;
	filter->insns = malloc(program->len * sizeof(*filter->insns));
	if (filter->insns == NULL)
		return -ENOMEM;
	memcpy(filter->insns, program->insns, program->len * sizeof(*filter->insns));
	filter->len = (unsigned short)program->len;
	return 0;
}

int filter_compile(const struct policy *policy, const struct filter_row *rows, size_t n_rows,
		   struct filter *filter, struct policy_diags *diags)
{
	AUTO_FREE struct compiler *compiler = calloc(1, sizeof(*compiler));
	int err;

	*filter = (struct filter){ 0 };
	if (compiler == NULL)
		return -ENOMEM;
	compiler->calls = calloc((size_t)syscall_max() + 1, sizeof(*compiler->calls));
	if (compiler->calls == NULL)
		return -ENOMEM;
	err = calls_split(compiler, policy, rows, n_rows, diags);
	if (err == 0) {
		compiler->common = common_choose(compiler->calls, compiler->n_calls);
		emit_door(&compiler->program);
		emit_front(compiler);
		err = emit_body(compiler);
	}
	if (err == 0)
		err = program_take(&compiler->program, filter);
	for (size_t i = 0; i < compiler->n_calls; i++)
		free(compiler->calls[i].cubes);
	free(compiler->calls);
	return err;
}

void filter_free(struct filter *filter)
{
	free(filter->insns);
	*filter = (struct filter){ 0 };
}
