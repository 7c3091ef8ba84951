#include "net_words.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"

/* include/uapi/linux/netlink.h */
static const char *const families[] = {
	[0] = "NETLINK_ROUTE", [2] = "NETLINK_USERSOCK", [3] = "NETLINK_FIREWALL", [4] = "NETLINK_SOCK_DIAG", [5] = "NETLINK_NFLOG",
	[6] = "NETLINK_XFRM", [7] = "NETLINK_SELINUX", [8] = "NETLINK_ISCSI", [9] = "NETLINK_AUDIT", [10] = "NETLINK_FIB_LOOKUP",
	[11] = "NETLINK_CONNECTOR", [12] = "NETLINK_NETFILTER", [14] = "NETLINK_DNRTMSG", [15] = "NETLINK_KOBJECT_UEVENT",
	[16] = "NETLINK_GENERIC", [18] = "NETLINK_SCSITRANSPORT", [19] = "NETLINK_ECRYPTFS", [20] = "NETLINK_RDMA",
	[21] = "NETLINK_CRYPTO", [22] = "NETLINK_SMC",
};

const char *netlink_name(uint16_t family)
{
	return family < ARRAY_SIZE(families) ? families[family] : NULL;
}

bool netlink_named(const char *name, uint16_t *family)
{
	char *end;

	for (uint16_t i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i] && strcmp(families[i], name) == 0) {
			*family = i;
			return true;
		}
	unsigned long number = strtoul(name, &end, 10);
	*family = (uint16_t)number;
	return *name >= '0' && *name <= '9' && !*end && number < 32;
}
