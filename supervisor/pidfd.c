#include "pidfd.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define PIDFD_INFO_PID   (UINT64_C(1) << 0)
#define PIDFD_INFO_CREDS (UINT64_C(1) << 1)

_Static_assert(sizeof(struct pidfd_facts) == 64, "PIDFD_INFO_SIZE_VER0");

int pidfd_facts(int pidfd, struct pidfd_facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	facts->mask = PIDFD_INFO_PID | PIDFD_INFO_CREDS;
	return ioctl(pidfd, _IOWR(0xFF, 11, struct pidfd_facts), facts) ? -errno : 0;
}
