#include "call.h"

#include <errno.h>
#include <stdlib.h>

#include "calls/list.h"
#include "harden.h"
#include "plan.h"

const struct call *call_by_nr(int nr)
{
	if (nr < 0 || (size_t)nr >= call_table_size || !call_table[nr].name)
		return NULL;
	return &call_table[nr];
}

/* PLAN traps CALL, the row of NR, at least for some arguments: .tests. */
static bool call_wanted(const struct call *call, int nr, const struct plan *plan)
{
	switch (call->when) {
	case CALL_FILES:
		/* getxattr */
		return plan->files && !(plan->reads == READS_VIEW && call->ops == OP_BIT(OP_READ));
	case CALL_STAT:
		return plan->stat;
	case CALL_HIDE:
		return plan->reads != READS_VIEW && list_hides(plan->policy);
	case CALL_MODIFY_FD:
		return ((plan->restricted | plan->recorded) & call->ops) != 0;
	case CALL_UNIX:
		return plan->unix_paths;
	case CALL_REACH:
		return plan->unix_paths && !plan->ports;
	case CALL_PEERS:
		return plan->peers;
	case CALL_REDIRECTS:
		return plan->redirects;
	case CALL_LISTEN:
		return (plan->peers_of[PROTO_TCP] & OP_BIT(OP_BIND)) != 0;
	case CALL_ACCEPT:
		return (plan->peers_of[PROTO_TCP] & OP_BIT(OP_BIND)) != 0 && !plan->ports;
	case CALL_PAIR:
		return plan->ports;
	case CALL_EXEC:
		/* An exec changes capabilities, which are cached. */
		return plan->exec || plan->creds_vary;
	case CALL_CRED:
		return plan->creds_vary;
	case CALL_APPEND:
		return plan->files && harden_append_only(plan->policy);
	case CALL_PROCESS:
		return plan->landlock;
	case CALL_MOUNT:
		return call->mounts ? plan->mount_api : plan->topology_fixed || plan->mounts;
	case CALL_REFUSED:
		if (call->topology)
			return plan->topology_fixed || (call->mounts && plan->mounts) || call->serve;
		return !(call->free_ok && plan->free) && !(call->named_ok && harden_named(plan->policy, nr));
	case CALL_NEVER:
	default:
		return false;
	}
}

const struct call *call_trapping(const struct plan *plan, const struct seccomp_data *data)
{
	const struct call *call = call_by_nr(data->nr);

	if (!call || !call_wanted(call, data->nr, plan))
		return NULL;
	if (call->trapped)
		return call->trapped(plan, (const uint64_t *)data->args) ? call : NULL;
	for (size_t i = 0; i < call->n_tests; i++)
		if ((data->args[call->tests[i].arg] & call->tests[i].mask) == call->tests[i].value)
			return call;
	return call->n_tests ? NULL : call;
}

static int call_rows_add(const struct call *call, int nr, const struct plan *plan, struct filter_rows *rows)
{
	struct filter_row row = { .nr = nr, .step = FILTER_BROKER, .kind = FILTER_NOTIFY };
	int err = 0;

	if (call->rows)
		return call->rows(plan, rows);
	if (!call->n_tests)
		return filter_rows_add(rows, &row);
	row.n_tests = 1;
	for (size_t i = 0; i < call->n_tests && !err; i++) {
		row.tests[0] = call->tests[i];
		err = filter_rows_add(rows, &row);
	}
	return err;
}

int call_filter_rows(const struct plan *plan, struct filter_row **rows, size_t *n)
{
	struct filter_rows all = { 0 };
	int err = harden_rows(plan, &all);

	for (size_t nr = 0; nr < call_table_size && !err; nr++)
		if (call_table[nr].name && call_wanted(&call_table[nr], (int)nr, plan))
			err = call_rows_add(&call_table[nr], (int)nr, plan, &all);
	if (err) {
		free(all.list);
		return err;
	}
	*rows = all.list;
	*n = all.n;
	return 0;
}
