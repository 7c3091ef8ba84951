/*
 * An interpreter and a listing for the classic BPF that seccomp(2) takes: the rules of the kernel's
 * bpf_check_classic() and seccomp_check_filter(), and the semantics of its old interpreter.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bpf.h"
#include "err.h"
#include "filter.h"

#define CODE_LD_ABS  (BPF_LD | BPF_W | BPF_ABS)
#define CODE_LD_LEN  (BPF_LD | BPF_W | BPF_LEN)
#define CODE_LDX_LEN (BPF_LDX | BPF_W | BPF_LEN)

static bool alu_valid(const struct sock_filter *insn)
{
	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		return (insn->code & ~(BPF_ALU | 0xf0 | BPF_X)) == 0;
	case BPF_DIV:
		return BPF_SRC(insn->code) == BPF_X || insn->k != 0;
	case BPF_LSH:
	case BPF_RSH:
		return BPF_SRC(insn->code) == BPF_X || insn->k < 32;
	case BPF_NEG:
		return insn->code == (BPF_ALU | BPF_NEG);
	default:
		return false;
	}
}

/* LEFT: instructions behind this one. */
static bool jump_valid(const struct sock_filter *insn, unsigned left)
{
	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		return insn->code == (BPF_JMP | BPF_JA) && insn->k < left;
	case BPF_JEQ:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JSET:
		return insn->jt < left && insn->jf < left;
	default:
		return false;
	}
}

static bool insn_valid(const struct sock_filter *insn, unsigned left)
{
	if (insn->code > UINT8_MAX)
		return false;
	switch (BPF_CLASS(insn->code)) {
	case BPF_LD:
		if (insn->code == CODE_LD_ABS)
			return insn->k < sizeof(struct seccomp_data) && insn->k % 4 == 0;
		return insn->code == CODE_LD_LEN || insn->code == (BPF_LD | BPF_IMM) ||
		       (insn->code == (BPF_LD | BPF_MEM) && insn->k < BPF_MEMWORDS);
	case BPF_LDX:
		return insn->code == CODE_LDX_LEN || insn->code == (BPF_LDX | BPF_IMM) ||
		       (insn->code == (BPF_LDX | BPF_MEM) && insn->k < BPF_MEMWORDS);
	case BPF_ST:
	case BPF_STX:
		return (insn->code == BPF_ST || insn->code == BPF_STX) && insn->k < BPF_MEMWORDS;
	case BPF_ALU:
		return alu_valid(insn);
	case BPF_JMP:
		return jump_valid(insn, left);
	case BPF_RET:
		return insn->code == (BPF_RET | BPF_K) || insn->code == (BPF_RET | BPF_A);
	default:
		return insn->code == (BPF_MISC | BPF_TAX) || insn->code == (BPF_MISC | BPF_TXA);
	}
}

/* Is each scratch word stored, on every path, before it is loaded? Jumps go forward only, so one pass that
 * hands the set of stored words on to the targets is exact. */
static bool memory_valid(const struct sock_filter *insns, unsigned len)
{
	uint16_t *stored = calloc(len, sizeof(*stored));
	uint16_t now = 0;
	bool valid = stored != NULL;

	for (unsigned pc = 0; valid && pc < len; pc++)
		stored[pc] = UINT16_MAX;
	for (unsigned pc = 0; valid && pc < len; pc++) {
		const struct sock_filter *insn = &insns[pc];

		now &= stored[pc];
		switch (BPF_CLASS(insn->code)) {
		case BPF_ST:
		case BPF_STX:
			now = (uint16_t)(now | 1U << insn->k);
			break;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(insn->code) == BPF_MEM)
				valid = (now >> insn->k & 1) != 0;
			break;
		case BPF_JMP:
			if (BPF_OP(insn->code) == BPF_JA) {
				stored[pc + 1 + insn->k] &= now;
			} else {
				stored[pc + 1 + insn->jt] &= now;
				stored[pc + 1 + insn->jf] &= now;
			}
			now = UINT16_MAX;
			break;
		default:
			break;
		}
	}
	free(stored);
	return valid;
}

bool bpf_valid(const struct sock_filter *insns, unsigned len)
{
	if (len == 0 || len > BPF_MAXINSNS || BPF_CLASS(insns[len - 1].code) != BPF_RET)
		return false;
	for (unsigned pc = 0; pc < len; pc++) {
		if (!insn_valid(&insns[pc], len - pc - 1))
			return false;
	}
	return memory_valid(insns, len);
}

static uint32_t alu_exec(uint16_t code, uint32_t a, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		return a + operand;
	case BPF_SUB:
		return a - operand;
	case BPF_MUL:
		return a * operand;
	case BPF_DIV:
		return a / operand;
	case BPF_AND:
		return a & operand;
	case BPF_OR:
		return a | operand;
	case BPF_XOR:
		return a ^ operand;
	case BPF_LSH:
		return a << (operand & 31);
	case BPF_RSH:
		return a >> (operand & 31);
	default:
		return -a;
	}
}

static bool jump_taken(uint16_t code, uint32_t a, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == operand;
	case BPF_JGT:
		return a > operand;
	case BPF_JGE:
		return a >= operand;
	default:
		return (a & operand) != 0;
	}
}

uint32_t bpf_exec(const struct sock_filter *insns, const struct seccomp_data *data, unsigned *steps)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };
	unsigned count = 0;

	for (const struct sock_filter *insn = insns;; insn++) {
		uint32_t operand = BPF_SRC(insn->code) == BPF_X ? x : insn->k, *to = &a, value;

		count++;
		switch (BPF_CLASS(insn->code)) {
		case BPF_LDX:
			to = &x;
			/* fallthrough */
		case BPF_LD:
			if (insn->code == CODE_LD_ABS)
				memcpy(&value, (const char *)data + insn->k, sizeof(value));
			else if (BPF_MODE(insn->code) == BPF_LEN)
				value = sizeof(*data);
			else
				value = BPF_MODE(insn->code) == BPF_MEM ? mem[insn->k] : insn->k;
			*to = value;
			break;
		case BPF_ST:
			mem[insn->k] = a;
			break;
		case BPF_STX:
			mem[insn->k] = x;
			break;
		case BPF_ALU:
			if (BPF_OP(insn->code) == BPF_DIV && operand == 0)
				return SECCOMP_RET_KILL_THREAD;
			a = alu_exec(insn->code, a, operand);
			break;
		case BPF_JMP:
			if (BPF_OP(insn->code) == BPF_JA)
				insn += insn->k;
			else
				insn += jump_taken(insn->code, a, operand) ? insn->jt : insn->jf;
			break;
		case BPF_RET:
			if (steps != NULL)
				*steps = count;
			return BPF_RVAL(insn->code) == BPF_A ? a : insn->k;
		default:
			if (insn->code == (BPF_MISC | BPF_TAX))
				x = a;
			else
				a = x;
		}
	}
}

uint32_t filter_run(const struct filter *filter, const struct seccomp_data *data, unsigned *steps)
{
	if (steps != NULL)
		*steps = 0;
	if (!bpf_valid(filter->insns, filter->len))
		return SECCOMP_RET_KILL_PROCESS;
	return bpf_exec(filter->insns, data, steps);
}

/* ---- listing -------------------------------------------------------------------------------- */

static void print_load(uint32_t k, FILE *to)
{
	if (k == offsetof(struct seccomp_data, nr))
		fprintf(to, "ld   nr");
	else if (k == offsetof(struct seccomp_data, arch))
		fprintf(to, "ld   arch");
	else if (k < offsetof(struct seccomp_data, args))
		fprintf(to, "ld   ip.%s", k % 8 == 0 ? "low" : "high");
	else
		fprintf(to, "ld   args[%u].%s", (k - 16) / 8, k % 8 == 0 ? "low" : "high");
}

static void print_return(uint32_t k, FILE *to)
{
	const char *name;
	uint32_t data = k & SECCOMP_RET_DATA;

	switch (k & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		fprintf(to, "ret  allow");
		break;
	case SECCOMP_RET_LOG:
		fprintf(to, "ret  log");
		break;
	case SECCOMP_RET_USER_NOTIF:
		fprintf(to, "ret  notify");
		break;
	case SECCOMP_RET_ERRNO:
		name = policy_errno_name((int)data);
		if (name != NULL)
			fprintf(to, "ret  errno %s", name);
		else
			fprintf(to, "ret  errno %u", data);
		break;
	case SECCOMP_RET_TRAP:
		fprintf(to, "ret  trap %u", data);
		break;
	case SECCOMP_RET_KILL_PROCESS:
		fprintf(to, "ret  kill process");
		break;
	case SECCOMP_RET_KILL_THREAD:
		fprintf(to, "ret  kill thread");
		break;
	default:
		fprintf(to, "ret  0x%08x", k);
	}
}

static void print_insn(const struct sock_filter *insn, unsigned pc, FILE *to)
{
	static const char *const alu[] = { "add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor" };
	static const char *const jump[] = { "ja", "jeq", "jgt", "jge", "jset" };

	if (insn->code == CODE_LD_ABS)
		print_load(insn->k, to);
	else if (insn->code == (BPF_RET | BPF_K))
		print_return(insn->k, to);
	else if (insn->code == (BPF_JMP | BPF_JA))
		fprintf(to, "ja   %u", pc + 1 + insn->k);
	else if (BPF_CLASS(insn->code) == BPF_JMP && BPF_SRC(insn->code) == BPF_K && BPF_OP(insn->code) <= BPF_JSET)
		fprintf(to, "%-4s 0x%x, %u, %u", jump[BPF_OP(insn->code) >> 4], insn->k, pc + 1 + insn->jt,
			pc + 1 + insn->jf);
	else if (BPF_CLASS(insn->code) == BPF_ALU && BPF_SRC(insn->code) == BPF_K && BPF_OP(insn->code) <= BPF_XOR)
		fprintf(to, "%-4s 0x%x", alu[BPF_OP(insn->code) >> 4], insn->k);
	else
		fprintf(to, ".insn 0x%02x, %u, %u, 0x%x", insn->code, insn->jt, insn->jf, insn->k);
}

void filter_print(const struct filter *filter, FILE *to)
{
	for (unsigned pc = 0; pc < filter->len; pc++) {
		fprintf(to, "%4u: ", pc);
		print_insn(&filter->insns[pc], pc, to);
		fputc('\n', to);
	}
}
