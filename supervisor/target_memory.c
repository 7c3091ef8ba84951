/* A target's memory, by its number: process_vm_readv(2) and process_vm_writev(2) keep to the protection of pages, which
 * /proc/PID/mem does not. */
#include "target.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

static ssize_t memory_copy(struct target *target, uint64_t addr, void *own, size_t len, bool out)
{
	struct iovec local = { .iov_base = own, .iov_len = len };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)addr, .iov_len = len };
	ssize_t n;

	do {
		n = out ? process_vm_writev(target->tid, &local, 1, &remote, 1, 0)
			: process_vm_readv(target->tid, &local, 1, &remote, 1, 0);
	} while (n < 0 && errno == EPERM && cred_power());
	return n < 0 ? -errno : n;
}

static int memory_exact(struct target *target, uint64_t addr, void *own, size_t len, bool out)
{
	while (len) {
		ssize_t n = memory_copy(target, addr, own, len, out);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EFAULT;
		/* Short at an unreadable page, or at what one call copies (2 GiB). */
		addr += (uint64_t)n;
		own = (char *)own + n;
		len -= (size_t)n;
	}
	return 0;
}

int target_read(struct target *target, uint64_t addr, void *to, size_t len)
{
	return memory_exact(target, addr, to, len, false);
}

int target_write(struct target *target, uint64_t addr, const void *from, size_t len)
{
	union { const void *in; void *own; } data = { .in = from };

	return memory_exact(target, addr, data.own, len, true);
}

/* No page is read twice, and none beyond the one where the string ends. */
ssize_t target_read_string(struct target *target, uint64_t addr, char *to, size_t size)
{
	static const size_t page = 4096;
	size_t len = 0;

	while (len < size) {
		size_t chunk = page - (size_t)((addr + len) % page);
		const char *end;
		ssize_t n;

		if (len == 0 && chunk > 256)
			chunk = 256;	/* most paths are short */
		if (chunk > size - len)
			chunk = size - len;
		n = memory_copy(target, addr + len, to + len, chunk, false);
		if (n <= 0)
			return n < 0 ? n : -EFAULT;
		end = memchr(to + len, '\0', (size_t)n);
		if (end)
			return end - to;
		len += (size_t)n;
	}
	return -ENAMETOOLONG;
}
