/* Calls on pidfds that Debian 12's C library and headers lack. */
#ifndef USHER_PIDFD_H
#define USHER_PIDFD_H

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

/* 6.11: the namespace, as a descriptor. */
#define PIDFD_GET_CGROUP_NAMESPACE _IO(0xFF, 1)
#define PIDFD_GET_IPC_NAMESPACE    _IO(0xFF, 2)
#define PIDFD_GET_NET_NAMESPACE    _IO(0xFF, 4)
#define PIDFD_GET_USER_NAMESPACE   _IO(0xFF, 9)

/* struct pidfd_info of linux/pidfd.h (6.13), its first 64 bytes: it only grows. */
struct pidfd_facts {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};

/* PIDFD_GET_INFO. 0; -ENOTTY before 6.13; -ESRCH for the dead. */
int pidfd_facts(int pidfd, struct pidfd_facts *facts);

#endif
