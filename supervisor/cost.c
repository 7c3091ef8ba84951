#include "cost.h"

#include "evidence/access.h"

/* Medians of bench/run on the machine of COST_SOURCE, by the name of its question: x native. The only place for them. */
enum measured { BY_FILTER, BY_LANDLOCK, OPEN, CREATE, STAT, CONNECT, NOT_MEASURED };
static const double ratios[] = {
	[BY_FILTER] = 1.2,	/* untrapped */
	[BY_LANDLOCK] = 1.4,	/* landlock */
	[OPEN] = 10,		/* open */
	[CREATE] = 16,		/* create */
	[STAT] = 13,		/* stat */
	[CONNECT] = 1.8,	/* connect */
	[NOT_MEASURED] = 0,
};

static const struct {
	const char *key, *what;
	enum measured brokered;
} kinds[] = {
	[COST_READ] = { "read", "opens that only read", OPEN },
	[COST_CHANGE] = { "change", "opens that write, create or truncate; rename, delete, ...", CREATE },
	[COST_STAT] = { "stat", "stat, access, readlink", STAT },
	[COST_EXEC] = { "exec", "execve", NOT_MEASURED },
	[COST_CONNECT] = { "connect", "connects of TCP sockets", CONNECT },
	[COST_SOCKET] = { "socket", "binds, and connects and sends to other sockets", NOT_MEASURED },
	[COST_OTHER] = { "other", "everything else", BY_FILTER },
};

static struct cost made(enum cost_kind kind, const char *layer, enum measured how)
{
	return (struct cost){ .key = kinds[kind].key, .what = kinds[kind].what, .layer = layer, .ratio = ratios[how] };
}

static bool is_brokered(const struct plan *plan, enum cost_kind kind)
{
	switch (kind) {
	case COST_READ:
	case COST_CHANGE:
		return plan->files;
	case COST_STAT:
		return plan->stat;
	case COST_EXEC:
		return plan->exec || plan->creds_vary;
	case COST_CONNECT:
		return plan->unix_paths && !plan->ports;
	case COST_SOCKET:
		return plan->unix_paths;
	default:
		return false;
	}
}

struct cost cost_of(const struct plan *plan, enum cost_kind kind)
{
	if (kind == COST_READ && plan->reads == READS_TREES)
		return made(kind, "Landlock", BY_LANDLOCK);
	if (kind == COST_READ && (plan->reads == READS_FREE || plan->reads == READS_VIEW))
		return made(kind, "filter", BY_FILTER);
	if (kind == COST_CONNECT && plan->ports)
		return made(kind, "Landlock", NOT_MEASURED);
	if (!is_brokered(plan, kind))
		return made(kind, "filter", BY_FILTER);
	return made(kind, kind == COST_EXEC && plan->exec ? "broker, exec gate" : "broker", kinds[kind].brokered);
}

static enum cost_kind kind_of(const struct access *access)
{
	const uint32_t stat = OP_BIT(OP_STAT), reads = stat | OP_BIT(OP_READ) | OP_BIT(OP_LIST);

	if (!access->ops)
		return COST_OTHER;
	if (access->proto == PROTO_TCP && access->ops == OP_BIT(OP_CONNECT))
		return COST_CONNECT;
	if (access->proto >= 0 || access->ops & OPS_NETWORK)
		return COST_SOCKET;
	if (access->ops & OP_BIT(OP_EXEC))
		return COST_EXEC;
	return !(access->ops & ~stat) ? COST_STAT : !(access->ops & ~reads) ? COST_READ : COST_CHANGE;
}

void cost_count(struct cost_use *use, const struct access *access)
{
	use->calls[kind_of(access)] += access->count;
}

double cost_mean(const struct plan *plan, const struct cost_use *use)
{
	double sum = 0, n = 0;

	for (int kind = 0; kind < COST_KINDS; kind++) {
		struct cost cost = cost_of(plan, (enum cost_kind)kind);

		sum += cost.ratio * (double)use->calls[kind];
		n += cost.ratio > 0 ? (double)use->calls[kind] : 0;
	}
	return n > 0 ? sum / n : 0;
}
