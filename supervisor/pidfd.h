/* Calls on pidfds that Debian 12's C library and headers lack. */
#ifndef USHER_PIDFD_H
#define USHER_PIDFD_H

#include <stdint.h>
#include <sys/types.h>

/* struct pidfd_info of linux/pidfd.h (6.13), its first 64 bytes: it only grows. */
struct pidfd_facts {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};

/* PIDFD_GET_INFO. 0; -ENOTTY before 6.13; -ESRCH for the dead. */
int pidfd_facts(int pidfd, struct pidfd_facts *facts);

#endif
