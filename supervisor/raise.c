#include "raise.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"

bool raise_caps(struct raised *raised, uint64_t caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	uint32_t half[2] = { (uint32_t)caps, (uint32_t)(caps >> 32) };

	if (syscall(SYS_capget, &header, data))
		return false;
	raised->before[0] = data[0];
	raised->before[1] = data[1];
	for (int i = 0; i < 2; i++)
		if ((data[i].permitted & half[i]) != half[i])
			return false;
	if ((data[0].effective & half[0]) == half[0] && (data[1].effective & half[1]) == half[1])
		return false;
	for (int i = 0; i < 2; i++)
		data[i].effective |= half[i];
	return syscall(SYS_capset, &header, data) == 0;
}

void raise_end(const struct raised *raised)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	ASSERT(syscall(SYS_capset, &header, raised->before) == 0);
}
