#include "access.h"

#include <stdio.h>
#include <string.h>

static const char *const verdicts[] = { [ACCESS_ALLOW] = "allow", [ACCESS_WOULD_DENY] = "would-deny", [ACCESS_DENY] = "deny" };

const char *access_verdict_name(enum access_verdict verdict)
{
	return verdicts[verdict];
}

int access_verdict_named(const char *name)
{
	for (int i = ACCESS_ALLOW; i <= ACCESS_DENY; i++)
		if (strcmp(verdicts[i], name) == 0)
			return i;
	return -1;
}

const char *access_ops_text(uint32_t ops, char buf[ACCESS_OPS_TEXT])
{
	size_t len = 0;

	buf[0] = '\0';
	for (int op = 0; op < OP_COUNT; op++)
		if (ops & OP_BIT(op))
			len += (size_t)snprintf(buf + len, ACCESS_OPS_TEXT - len, "%s%s", len ? "," : "", policy_op_name((enum policy_op)op));
	return buf;
}

uint32_t access_ops_parse(const char *text, size_t len)
{
	uint32_t ops = 0;

	while (len) {
		const char *comma = memchr(text, ',', len);
		size_t n = comma ? (size_t)(comma - text) : len;
		int op = policy_op_named(text, n);
		if (op < 0)
			return 0;
		ops |= OP_BIT(op);
		n += comma != NULL;
		text += n;
		len -= n;
	}
	return ops;
}
