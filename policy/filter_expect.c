/*
 * What the filter should answer, evaluated the slow and obvious way, in the order that filter.h gives. The
 * compiler asks it about one point of every part it splits the arguments into, and filter_check() asks it
 * about everything.
 */
#include <errno.h>

#include "filter_call.h"
#include "syscall_rules.h"
#include "syscalls.h"

static uint32_t errno_answer(int err)
{
	return SECCOMP_RET_ERRNO | (uint32_t)(err > 0 && err <= 4095 ? err : EPERM);
}

static uint32_t row_answer(const struct filter_row *row)
{
	switch (row->kind) {
	case FILTER_ALLOW:
		return SECCOMP_RET_ALLOW;
	case FILTER_LOG:
		return SECCOMP_RET_LOG;
	case FILTER_NOTIFY:
		return SECCOMP_RET_USER_NOTIF;
	case FILTER_ERRNO:
		return errno_answer(row->data);
	case FILTER_TRAP:
		return SECCOMP_RET_TRAP | row->data;
	case FILTER_KILL:
		break;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

bool filter_first_wins(const struct filter_row *a, const struct filter_row *b)
{
	return a->kind != b->kind ? a->kind > b->kind : a < b;
}

bool filter_never_notify(const struct filter_row *rows, size_t n_rows, int nr)
{
	if (syscall_vital(nr))
		return true;
	for (size_t i = 0; i < n_rows; i++) {
		if (rows[i].nr == nr && rows[i].step == FILTER_NEVER_NOTIFY)
			return true;
	}
	return false;
}

/* A refusal by the kernel itself. */
static uint32_t verdict_sealed(const struct policy_verdict *verdict)
{
	if (verdict->action == ACTION_ANSWER && verdict->rule != NULL) {
		if (verdict->rule->answer == ANSWER_ERRNO)
			return errno_answer((int)verdict->rule->answer_value);
		if (verdict->rule->answer == ANSWER_RETURN && verdict->rule->answer_value == 0)
			return SECCOMP_RET_ERRNO;
	}
	switch (verdict->stage) {
	case STAGE_KILL:
		return SECCOMP_RET_KILL_PROCESS;
	case STAGE_TRAP:
		return SECCOMP_RET_TRAP | (verdict->rule != NULL ? verdict->rule->number & SECCOMP_RET_DATA : 0);
	default:
		return errno_answer(verdict->err);
	}
}

/* No supervisor is asked about it: nobody wants to hear of it, or it has been proven. */
static bool answered_here(const struct policy_verdict *verdict)
{
	return verdict->sealed || verdict->audit == AUDIT_NONE || verdict->audit == AUDIT_COUNT;
}

static bool audit_each(enum policy_audit audit)
{
	return audit == AUDIT_ALL || audit == AUDIT_ALERT;
}

uint32_t filter_policy_answer(const struct policy_decision *decision, bool never)
{
	const struct policy_verdict *enforced = &decision->enforced, *would = &decision->would;
	bool allowed = enforced->action == ACTION_ALLOW;
	bool differs = allowed != (would->action == ACTION_ALLOW);
	bool quiet = answered_here(enforced);

	/* A difference is an event of the rule that would decide, so that rule says who hears of it. */
	if (differs && answered_here(would)) {
		if (allowed)
			return would->audit == AUDIT_NONE ? SECCOMP_RET_ALLOW : SECCOMP_RET_LOG;
		differs = false;
	}
	if (allowed && !differs && !audit_each(enforced->audit))
		return SECCOMP_RET_ALLOW;
	if (allowed ? !never : !quiet || (differs && !never))
		return SECCOMP_RET_USER_NOTIF;
	return allowed ? SECCOMP_RET_LOG : verdict_sealed(enforced);
}

static bool row_holds(const struct filter_row *row, const struct seccomp_data *data)
{
	if (row->nr != data->nr)
		return false;
	for (size_t i = 0; i < row->n_tests; i++) {
		if ((data->args[row->tests[i].arg] & row->tests[i].mask) != row->tests[i].value)
			return false;
	}
	return true;
}

uint32_t filter_expected(const struct policy *policy, const struct filter_row *rows, size_t n_rows,
			 const struct seccomp_data *data)
{
	const struct filter_row *first = NULL;
	bool brokered = false, exempt = false;
	struct policy_decision decision;
	uint64_t args[6];
	uint32_t answer;

	if (data->arch != FILTER_ARCH)
		return SECCOMP_RET_KILL_PROCESS;
	if (syscall_by_nr(data->nr) == NULL)
		return SECCOMP_RET_ERRNO | ENOSYS;
	for (size_t i = 0; i < n_rows; i++) {
		if (!row_holds(&rows[i], data))
			continue;
		if (rows[i].step == FILTER_FIRST && (first == NULL || filter_first_wins(&rows[i], first)))
			first = &rows[i];
		if (rows[i].step == FILTER_BROKER && rows[i].kind == FILTER_ALLOW)
			exempt = true;
		else if (rows[i].step == FILTER_BROKER)
			brokered = true;
	}
	if (first != NULL)
		return row_answer(first);
	for (unsigned i = 0; i < 6; i++)
		args[i] = data->args[i];
	decision = policy_decide_call(policy, data->nr, args);
	answer = filter_policy_answer(&decision, filter_never_notify(rows, n_rows, data->nr));
	/* What the policy lets through, logged or not, is still the broker's if it is a broker's call. */
	if ((answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG) && brokered && !exempt)
		return SECCOMP_RET_USER_NOTIF;
	return answer;
}
