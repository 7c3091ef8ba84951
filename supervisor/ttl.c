#include "ttl.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

static uint32_t ttl_in(const unsigned char *answer, int len)
{
	uint32_t ttl = UINT32_MAX;
	ns_msg message;

	if (ns_initparse(answer, len, &message) < 0)
		return ttl;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		ns_rr record;

		if (ns_parserr(&message, ns_s_an, i, &record) < 0)
			break;
		if (ns_rr_ttl(record) < ttl)
			ttl = ns_rr_ttl(record);
	}
	return ttl;
}

uint32_t ttl_of(const char *name)
{
	static const ns_type types[] = { ns_t_a, ns_t_aaaa };
	struct __res_state state;
	uint32_t ttl = UINT32_MAX;

	memset(&state, 0, sizeof(state));
	if (res_ninit(&state) < 0)
		return ttl;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		unsigned char answer[NS_MAXMSG];
		int len = res_nsearch(&state, name, ns_c_in, (int)types[i], answer, sizeof(answer));
		uint32_t of_this = len > 0 ? ttl_in(answer, len < (int)sizeof(answer) ? len : (int)sizeof(answer)) : UINT32_MAX;

		if (of_this < ttl)
			ttl = of_this;
	}
	res_nclose(&state);
	return ttl;
}
