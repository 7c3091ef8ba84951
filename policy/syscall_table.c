/*
 * Every system call of Linux 6.18 with its numbers and parameters.
 *
 * One row per call: its number on x86-64, its number in the generic table that aarch64 uses (-1 where it
 * does not exist), and its parameters by the names of the manual pages. The numbers stand here and are not
 * taken from headers, because the headers at hand are usually older than the kernel that runs.
 *
 * A parameter is narrow, I(), when the kernel drops the upper half of the register: int, unsigned, mode_t,
 * uid_t, pid_t, ... and a few that are declared unsigned long but used as less (clone's flags, the fd of
 * mmap and readv, mbind's mode). A condition on a narrow parameter must not look at the upper half, or a
 * program could hide a value from it.
 *
 * Calls that the kernel once had or only reserved (tuxcall, vserver, ...) are rows too: they have names
 * that policies mention, and answer ENOSYS by themselves.
 */
#include <string.h>

#include "syscalls.h"
#include "err.h"

#ifdef __x86_64__
#define NR(x86_64, generic) (x86_64)
#else
#define NR(x86_64, generic) (generic)
#endif
#define I(param) { #param, 32 }
#define L(param) { #param, 64 }
#define NONE { NULL, 0 }

#define SYSCALL_MAX 469

static const struct syscall_info calls[] = {
	{ NR(0, 63), "read", { I(fd), L(buf), L(count) } },
	{ NR(1, 64), "write", { I(fd), L(buf), L(count) } },
	{ NR(2, -1), "open", { L(pathname), I(flags), I(mode) } },
	{ NR(3, 57), "close", { I(fd) } },
	{ NR(4, -1), "stat", { L(pathname), L(statbuf) } },
	{ NR(5, 80), "fstat", { I(fd), L(statbuf) } },
	{ NR(6, -1), "lstat", { L(pathname), L(statbuf) } },
	{ NR(7, -1), "poll", { L(fds), I(nfds), I(timeout) } },
	{ NR(8, 62), "lseek", { I(fd), L(offset), I(whence) } },
	{ NR(9, 222), "mmap", { L(addr), L(length), L(prot), L(flags), I(fd), L(offset) } },
	{ NR(10, 226), "mprotect", { L(addr), L(len), L(prot) } },
	{ NR(11, 215), "munmap", { L(addr), L(len) } },
	{ NR(12, 214), "brk", { L(addr) } },
	{ NR(13, 134), "rt_sigaction", { I(signum), L(act), L(oact), L(sigsetsize) } },
	{ NR(14, 135), "rt_sigprocmask", { I(how), L(set), L(oset), L(sigsetsize) } },
	{ NR(15, 139), "rt_sigreturn", { NONE } },
	{ NR(16, 29), "ioctl", { I(fd), I(cmd), L(arg) } },
	{ NR(17, 67), "pread64", { I(fd), L(buf), L(count), L(offset) } },
	{ NR(18, 68), "pwrite64", { I(fd), L(buf), L(count), L(offset) } },
	{ NR(19, 65), "readv", { I(fd), L(iov), L(vlen) } },
	{ NR(20, 66), "writev", { I(fd), L(iov), L(vlen) } },
	{ NR(21, -1), "access", { L(pathname), I(mode) } },
	{ NR(22, -1), "pipe", { L(pipefd) } },
	{ NR(23, -1), "select", { I(nfds), L(readfds), L(writefds), L(exceptfds), L(timeout) } },
	{ NR(24, 124), "sched_yield", { NONE } },
	{ NR(25, 216), "mremap", { L(addr), L(old_len), L(new_len), L(flags), L(new_addr) } },
	{ NR(26, 227), "msync", { L(addr), L(len), I(flags) } },
	{ NR(27, 232), "mincore", { L(start), L(len), L(vec) } },
	{ NR(28, 233), "madvise", { L(addr), L(length), I(advice) } },
	{ NR(29, 194), "shmget", { I(key), L(size), I(shmflg) } },
	{ NR(30, 196), "shmat", { I(shmid), L(shmaddr), I(shmflg) } },
	{ NR(31, 195), "shmctl", { I(shmid), I(cmd), L(buf) } },
	{ NR(32, 23), "dup", { I(oldfd) } },
	{ NR(33, -1), "dup2", { I(oldfd), I(newfd) } },
	{ NR(34, -1), "pause", { NONE } },
	{ NR(35, 101), "nanosleep", { L(request), L(remain) } },
	{ NR(36, 102), "getitimer", { I(which), L(value) } },
	{ NR(37, -1), "alarm", { I(seconds) } },
	{ NR(38, 103), "setitimer", { I(which), L(value), L(ovalue) } },
	{ NR(39, 172), "getpid", { NONE } },
	{ NR(40, 71), "sendfile", { I(out_fd), I(in_fd), L(offset), L(count) } },
	{ NR(41, 198), "socket", { I(domain), I(type), I(protocol) } },
	{ NR(42, 203), "connect", { I(fd), L(addr), I(addrlen) } },
	{ NR(43, 202), "accept", { I(fd), L(addr), L(addrlen) } },
	{ NR(44, 206), "sendto", { I(fd), L(buf), L(len), I(flags), L(addr), I(addrlen) } },
	{ NR(45, 207), "recvfrom", { I(fd), L(buf), L(size), I(flags), L(addr), L(addrlen) } },
	{ NR(46, 211), "sendmsg", { I(fd), L(msg), I(flags) } },
	{ NR(47, 212), "recvmsg", { I(fd), L(msg), I(flags) } },
	{ NR(48, 210), "shutdown", { I(fd), I(how) } },
	{ NR(49, 200), "bind", { I(fd), L(addr), I(addrlen) } },
	{ NR(50, 201), "listen", { I(fd), I(backlog) } },
	{ NR(51, 204), "getsockname", { I(fd), L(addr), L(addrlen) } },
	{ NR(52, 205), "getpeername", { I(fd), L(addr), L(addrlen) } },
	{ NR(53, 199), "socketpair", { I(domain), I(type), I(protocol), L(sv) } },
	{ NR(54, 208), "setsockopt", { I(fd), I(level), I(optname), L(optval), I(optlen) } },
	{ NR(55, 209), "getsockopt", { I(fd), I(level), I(optname), L(optval), L(optlen) } },
	{ NR(56, 220), "clone", { I(flags), L(newsp), L(parent_tidptr), L(child_tidptr), L(tls) } },
	{ NR(57, -1), "fork", { NONE } },
	{ NR(58, -1), "vfork", { NONE } },
	{ NR(59, 221), "execve", { L(pathname), L(argv), L(envp) } },
	{ NR(60, 93), "exit", { I(status) } },
	{ NR(61, 260), "wait4", { I(pid), L(stat_addr), I(options), L(usage) } },
	{ NR(62, 129), "kill", { I(pid), I(sig) } },
	{ NR(63, 160), "uname", { L(name) } },
	{ NR(64, 190), "semget", { I(key), I(nsems), I(semflg) } },
	{ NR(65, 193), "semop", { I(semid), L(tsops), I(nsops) } },
	{ NR(66, 191), "semctl", { I(semid), I(semnum), I(cmd), L(arg) } },
	{ NR(67, 197), "shmdt", { L(shmaddr) } },
	{ NR(68, 186), "msgget", { I(key), I(msgflg) } },
	{ NR(69, 189), "msgsnd", { I(msqid), L(msgp), L(msgsz), I(msgflg) } },
	{ NR(70, 188), "msgrcv", { I(msqid), L(msgp), L(msgsz), L(msgtyp), I(msgflg) } },
	{ NR(71, 187), "msgctl", { I(msqid), I(cmd), L(buf) } },
	{ NR(72, 25), "fcntl", { I(fd), I(cmd), L(arg) } },
	{ NR(73, 32), "flock", { I(fd), I(operation) } },
	{ NR(74, 82), "fsync", { I(fd) } },
	{ NR(75, 83), "fdatasync", { I(fd) } },
	{ NR(76, 45), "truncate", { L(pathname), L(length) } },
	{ NR(77, 46), "ftruncate", { I(fd), L(length) } },
	{ NR(78, -1), "getdents", { I(fd), L(dirent), I(count) } },
	{ NR(79, 17), "getcwd", { L(buf), L(size) } },
	{ NR(80, 49), "chdir", { L(pathname) } },
	{ NR(81, 50), "fchdir", { I(fd) } },
	{ NR(82, -1), "rename", { L(oldname), L(newname) } },
	{ NR(83, -1), "mkdir", { L(pathname), I(mode) } },
	{ NR(84, -1), "rmdir", { L(pathname) } },
	{ NR(85, -1), "creat", { L(pathname), I(mode) } },
	{ NR(86, -1), "link", { L(oldname), L(newname) } },
	{ NR(87, -1), "unlink", { L(pathname) } },
	{ NR(88, -1), "symlink", { L(target), L(linkpath) } },
	{ NR(89, -1), "readlink", { L(pathname), L(buf), I(bufsiz) } },
	{ NR(90, -1), "chmod", { L(pathname), I(mode) } },
	{ NR(91, 52), "fchmod", { I(fd), I(mode) } },
	{ NR(92, -1), "chown", { L(pathname), I(owner), I(group) } },
	{ NR(93, 55), "fchown", { I(fd), I(owner), I(group) } },
	{ NR(94, -1), "lchown", { L(pathname), I(owner), I(group) } },
	{ NR(95, 166), "umask", { I(mask) } },
	{ NR(96, 169), "gettimeofday", { L(tv), L(tz) } },
	{ NR(97, 163), "getrlimit", { I(resource), L(rlim) } },
	{ NR(98, 165), "getrusage", { I(who), L(usage) } },
	{ NR(99, 179), "sysinfo", { L(info) } },
	{ NR(100, 153), "times", { L(tbuf) } },
	{ NR(101, 117), "ptrace", { L(request), I(pid), L(addr), L(data) } },
	{ NR(102, 174), "getuid", { NONE } },
	{ NR(103, 116), "syslog", { I(type), L(buf), I(len) } },
	{ NR(104, 176), "getgid", { NONE } },
	{ NR(105, 146), "setuid", { I(uid) } },
	{ NR(106, 144), "setgid", { I(gid) } },
	{ NR(107, 175), "geteuid", { NONE } },
	{ NR(108, 177), "getegid", { NONE } },
	{ NR(109, 154), "setpgid", { I(pid), I(pgid) } },
	{ NR(110, 173), "getppid", { NONE } },
	{ NR(111, -1), "getpgrp", { NONE } },
	{ NR(112, 157), "setsid", { NONE } },
	{ NR(113, 145), "setreuid", { I(ruid), I(euid) } },
	{ NR(114, 143), "setregid", { I(rgid), I(egid) } },
	{ NR(115, 158), "getgroups", { I(gidsetsize), L(grouplist) } },
	{ NR(116, 159), "setgroups", { I(gidsetsize), L(grouplist) } },
	{ NR(117, 147), "setresuid", { I(ruid), I(euid), I(suid) } },
	{ NR(118, 148), "getresuid", { L(ruidp), L(euidp), L(suidp) } },
	{ NR(119, 149), "setresgid", { I(rgid), I(egid), I(sgid) } },
	{ NR(120, 150), "getresgid", { L(rgidp), L(egidp), L(sgidp) } },
	{ NR(121, 155), "getpgid", { I(pid) } },
	{ NR(122, 151), "setfsuid", { I(uid) } },
	{ NR(123, 152), "setfsgid", { I(gid) } },
	{ NR(124, 156), "getsid", { I(pid) } },
	{ NR(125, 90), "capget", { L(header), L(dataptr) } },
	{ NR(126, 91), "capset", { L(header), L(data) } },
	{ NR(127, 136), "rt_sigpending", { L(set), L(sigsetsize) } },
	{ NR(128, 137), "rt_sigtimedwait", { L(set), L(info), L(timeout), L(sigsetsize) } },
	{ NR(129, 138), "rt_sigqueueinfo", { I(pid), I(sig), L(info) } },
	{ NR(130, 133), "rt_sigsuspend", { L(mask), L(sigsetsize) } },
	{ NR(131, 132), "sigaltstack", { L(uss), L(uoss) } },
	{ NR(132, -1), "utime", { L(pathname), L(times) } },
	{ NR(133, -1), "mknod", { L(pathname), I(mode), I(dev) } },
	{ NR(134, -1), "uselib", { L(library) } },
	{ NR(135, 92), "personality", { I(persona) } },
	{ NR(136, -1), "ustat", { I(dev), L(buf) } },
	{ NR(137, 43), "statfs", { L(pathname), L(buf) } },
	{ NR(138, 44), "fstatfs", { I(fd), L(buf) } },
	{ NR(139, -1), "sysfs", { I(option), L(arg1), L(arg2) } },
	{ NR(140, 141), "getpriority", { I(which), I(who) } },
	{ NR(141, 140), "setpriority", { I(which), I(who), I(prio) } },
	{ NR(142, 118), "sched_setparam", { I(pid), L(param) } },
	{ NR(143, 121), "sched_getparam", { I(pid), L(param) } },
	{ NR(144, 119), "sched_setscheduler", { I(pid), I(policy), L(param) } },
	{ NR(145, 120), "sched_getscheduler", { I(pid) } },
	{ NR(146, 125), "sched_get_priority_max", { I(policy) } },
	{ NR(147, 126), "sched_get_priority_min", { I(policy) } },
	{ NR(148, 127), "sched_rr_get_interval", { I(pid), L(interval) } },
	{ NR(149, 228), "mlock", { L(addr), L(len) } },
	{ NR(150, 229), "munlock", { L(addr), L(len) } },
	{ NR(151, 230), "mlockall", { I(flags) } },
	{ NR(152, 231), "munlockall", { NONE } },
	{ NR(153, 58), "vhangup", { NONE } },
	{ NR(154, -1), "modify_ldt", { I(func), L(ptr), L(bytecount) } },
	{ NR(155, 41), "pivot_root", { L(new_root), L(put_old) } },
	{ NR(156, -1), "_sysctl", { L(args) } },
	{ NR(157, 167), "prctl", { I(option), L(arg2), L(arg3), L(arg4), L(arg5) } },
	{ NR(158, -1), "arch_prctl", { I(code), L(addr) } },
	{ NR(159, 171), "adjtimex", { L(txc_p) } },
	{ NR(160, 164), "setrlimit", { I(resource), L(rlim) } },
	{ NR(161, 51), "chroot", { L(pathname) } },
	{ NR(162, 81), "sync", { NONE } },
	{ NR(163, 89), "acct", { L(name) } },
	{ NR(164, 170), "settimeofday", { L(tv), L(tz) } },
	{ NR(165, 40), "mount", { L(source), L(target), L(fstype), L(flags), L(data) } },
	{ NR(166, 39), "umount2", { L(target), I(flags) } },
	{ NR(167, 224), "swapon", { L(specialfile), I(swapflags) } },
	{ NR(168, 225), "swapoff", { L(specialfile) } },
	{ NR(169, 142), "reboot", { I(magic1), I(magic2), I(cmd), L(arg) } },
	{ NR(170, 161), "sethostname", { L(name), I(len) } },
	{ NR(171, 162), "setdomainname", { L(name), I(len) } },
	{ NR(172, -1), "iopl", { I(level) } },
	{ NR(173, -1), "ioperm", { L(from), L(num), I(turn_on) } },
	{ NR(174, -1), "create_module", { L(name), L(size) } },
	{ NR(175, 105), "init_module", { L(module_image), L(len), L(param_values) } },
	{ NR(176, 106), "delete_module", { L(name), I(flags) } },
	{ NR(177, -1), "get_kernel_syms", { L(table) } },
	{ NR(178, -1), "query_module", { L(name), I(which), L(buf), L(bufsize), L(ret) } },
	{ NR(179, 60), "quotactl", { I(op), L(special), I(id), L(addr) } },
	{ NR(180, 42), "nfsservctl", { I(cmd), L(argp), L(resp) } },
	{ NR(181, -1), "getpmsg", { NONE } },
	{ NR(182, -1), "putpmsg", { NONE } },
	{ NR(183, -1), "afs_syscall", { NONE } },
	{ NR(184, -1), "tuxcall", { NONE } },
	{ NR(185, -1), "security", { NONE } },
	{ NR(186, 178), "gettid", { NONE } },
	{ NR(187, 213), "readahead", { I(fd), L(offset), L(count) } },
	{ NR(188, 5), "setxattr", { L(pathname), L(name), L(value), L(size), I(flags) } },
	{ NR(189, 6), "lsetxattr", { L(pathname), L(name), L(value), L(size), I(flags) } },
	{ NR(190, 7), "fsetxattr", { I(fd), L(name), L(value), L(size), I(flags) } },
	{ NR(191, 8), "getxattr", { L(pathname), L(name), L(value), L(size) } },
	{ NR(192, 9), "lgetxattr", { L(pathname), L(name), L(value), L(size) } },
	{ NR(193, 10), "fgetxattr", { I(fd), L(name), L(value), L(size) } },
	{ NR(194, 11), "listxattr", { L(pathname), L(list), L(size) } },
	{ NR(195, 12), "llistxattr", { L(pathname), L(list), L(size) } },
	{ NR(196, 13), "flistxattr", { I(fd), L(list), L(size) } },
	{ NR(197, 14), "removexattr", { L(pathname), L(name) } },
	{ NR(198, 15), "lremovexattr", { L(pathname), L(name) } },
	{ NR(199, 16), "fremovexattr", { I(fd), L(name) } },
	{ NR(200, 130), "tkill", { I(pid), I(sig) } },
	{ NR(201, -1), "time", { L(tloc) } },
	{ NR(202, 98), "futex", { L(uaddr), I(op), I(val), L(utime), L(uaddr2), I(val3) } },
	{ NR(203, 122), "sched_setaffinity", { I(pid), I(len), L(mask) } },
	{ NR(204, 123), "sched_getaffinity", { I(pid), I(len), L(mask) } },
	{ NR(205, -1), "set_thread_area", { L(info) } },
	{ NR(206, 0), "io_setup", { I(nr_events), L(ctxp) } },
	{ NR(207, 1), "io_destroy", { L(ctx) } },
	{ NR(208, 4), "io_getevents", { L(ctx_id), L(min_nr), L(nr), L(events), L(timeout) } },
	{ NR(209, 2), "io_submit", { L(ctx_id), L(nr), L(iocbpp) } },
	{ NR(210, 3), "io_cancel", { L(ctx_id), L(iocb), L(result) } },
	{ NR(211, -1), "get_thread_area", { L(info) } },
	{ NR(212, 18), "lookup_dcookie", { L(cookie), L(buffer), L(len) } },
	{ NR(213, -1), "epoll_create", { I(size) } },
	{ NR(214, -1), "epoll_ctl_old", { NONE } },
	{ NR(215, -1), "epoll_wait_old", { NONE } },
	{ NR(216, 234), "remap_file_pages", { L(addr), L(size), L(prot), L(pgoff), L(flags) } },
	{ NR(217, 61), "getdents64", { I(fd), L(dirent), I(count) } },
	{ NR(218, 96), "set_tid_address", { L(tidptr) } },
	{ NR(219, 128), "restart_syscall", { NONE } },
	{ NR(220, 192), "semtimedop", { I(semid), L(tsops), I(nsops), L(timeout) } },
	{ NR(221, 223), "fadvise64", { I(fd), L(offset), L(len), I(advice) } },
	{ NR(222, 107), "timer_create", { I(clockid), L(timer_event_spec), L(created_timer_id) } },
	{ NR(223, 110), "timer_settime", { I(timerid), I(flags), L(new_setting), L(old_setting) } },
	{ NR(224, 108), "timer_gettime", { I(timerid), L(setting) } },
	{ NR(225, 109), "timer_getoverrun", { I(timerid) } },
	{ NR(226, 111), "timer_delete", { I(timerid) } },
	{ NR(227, 112), "clock_settime", { I(clockid), L(tp) } },
	{ NR(228, 113), "clock_gettime", { I(clockid), L(tp) } },
	{ NR(229, 114), "clock_getres", { I(clockid), L(tp) } },
	{ NR(230, 115), "clock_nanosleep", { I(clockid), I(flags), L(request), L(remain) } },
	{ NR(231, 94), "exit_group", { I(status) } },
	{ NR(232, -1), "epoll_wait", { I(epfd), L(events), I(maxevents), I(timeout) } },
	{ NR(233, 21), "epoll_ctl", { I(epfd), I(op), I(fd), L(event) } },
	{ NR(234, 131), "tgkill", { I(tgid), I(pid), I(sig) } },
	{ NR(235, -1), "utimes", { L(pathname), L(utimes) } },
	{ NR(236, -1), "vserver", { NONE } },
	{ NR(237, 235), "mbind", { L(addr), L(len), I(mode), L(nmask), L(maxnode), I(flags) } },
	{ NR(238, 237), "set_mempolicy", { I(mode), L(nmask), L(maxnode) } },
	{ NR(239, 236), "get_mempolicy", { L(policy), L(nmask), L(maxnode), L(addr), L(flags) } },
	{ NR(240, 180), "mq_open", { L(name), I(oflag), I(mode), L(attr) } },
	{ NR(241, 181), "mq_unlink", { L(name) } },
	{ NR(242, 182), "mq_timedsend", { I(mqdes), L(msg_ptr), L(msg_len), I(msg_prio),
	  L(abs_timeout) } },
	{ NR(243, 183), "mq_timedreceive", { I(mqdes), L(msg_ptr), L(msg_len), L(msg_prio),
	  L(abs_timeout) } },
	{ NR(244, 184), "mq_notify", { I(mqdes), L(notification) } },
	{ NR(245, 185), "mq_getsetattr", { I(mqdes), L(mqstat), L(omqstat) } },
	{ NR(246, 104), "kexec_load", { L(entry), L(nr_segments), L(segments), L(flags) } },
	{ NR(247, 95), "waitid", { I(which), I(pid), L(infop), I(options), L(usage) } },
	{ NR(248, 217), "add_key", { L(type), L(description), L(payload), L(plen), I(ringid) } },
	{ NR(249, 218), "request_key", { L(type), L(description), L(callout_info), I(destringid) } },
	{ NR(250, 219), "keyctl", { I(option), L(arg2), L(arg3), L(arg4), L(arg5) } },
	{ NR(251, 30), "ioprio_set", { I(which), I(who), I(ioprio) } },
	{ NR(252, 31), "ioprio_get", { I(which), I(who) } },
	{ NR(253, -1), "inotify_init", { NONE } },
	{ NR(254, 27), "inotify_add_watch", { I(fd), L(pathname), I(mask) } },
	{ NR(255, 28), "inotify_rm_watch", { I(fd), I(wd) } },
	{ NR(256, 238), "migrate_pages", { I(pid), L(maxnode), L(old_nodes), L(new_nodes) } },
	{ NR(257, 56), "openat", { I(dirfd), L(pathname), I(flags), I(mode) } },
	{ NR(258, 34), "mkdirat", { I(dirfd), L(pathname), I(mode) } },
	{ NR(259, 33), "mknodat", { I(dirfd), L(pathname), I(mode), I(dev) } },
	{ NR(260, 54), "fchownat", { I(dirfd), L(pathname), I(owner), I(group), I(flags) } },
	{ NR(261, -1), "futimesat", { I(dirfd), L(pathname), L(utimes) } },
	{ NR(262, 79), "newfstatat", { I(dirfd), L(pathname), L(statbuf), I(flags) } },
	{ NR(263, 35), "unlinkat", { I(dirfd), L(pathname), I(flags) } },
	{ NR(264, 38), "renameat", { I(olddirfd), L(oldname), I(newdirfd), L(newname) } },
	{ NR(265, 37), "linkat", { I(olddirfd), L(oldname), I(newdirfd), L(newname), I(flags) } },
	{ NR(266, 36), "symlinkat", { L(target), I(newdirfd), L(linkpath) } },
	{ NR(267, 78), "readlinkat", { I(dirfd), L(pathname), L(buf), I(bufsiz) } },
	{ NR(268, 53), "fchmodat", { I(dirfd), L(pathname), I(mode) } },
	{ NR(269, 48), "faccessat", { I(dirfd), L(pathname), I(mode) } },
	{ NR(270, 72), "pselect6", { I(nfds), L(readfds), L(writefds), L(exceptfds), L(timeout),
	  L(sig) } },
	{ NR(271, 73), "ppoll", { L(fds), I(nfds), L(timeout), L(sigmask), L(sigsetsize) } },
	{ NR(272, 97), "unshare", { L(flags) } },
	{ NR(273, 99), "set_robust_list", { L(head), L(len) } },
	{ NR(274, 100), "get_robust_list", { I(pid), L(head_ptr), L(len_ptr) } },
	{ NR(275, 76), "splice", { I(fd_in), L(off_in), I(fd_out), L(off_out), L(len), I(flags) } },
	{ NR(276, 77), "tee", { I(fd_in), I(fd_out), L(len), I(flags) } },
	{ NR(277, 84), "sync_file_range", { I(fd), L(offset), L(nbytes), I(flags) } },
	{ NR(278, 75), "vmsplice", { I(fd), L(iov), L(nr_segs), I(flags) } },
	{ NR(279, 239), "move_pages", { I(pid), L(nr_pages), L(pages), L(nodes), L(status),
	  I(flags) } },
	{ NR(280, 88), "utimensat", { I(dirfd), L(pathname), L(utimes), I(flags) } },
	{ NR(281, 22), "epoll_pwait", { I(epfd), L(events), I(maxevents), I(timeout), L(sigmask),
	  L(sigsetsize) } },
	{ NR(282, -1), "signalfd", { I(ufd), L(mask), L(sizemask) } },
	{ NR(283, 85), "timerfd_create", { I(clockid), I(flags) } },
	{ NR(284, -1), "eventfd", { I(initval) } },
	{ NR(285, 47), "fallocate", { I(fd), I(mode), L(offset), L(len) } },
	{ NR(286, 86), "timerfd_settime", { I(ufd), I(flags), L(utmr), L(otmr) } },
	{ NR(287, 87), "timerfd_gettime", { I(ufd), L(otmr) } },
	{ NR(288, 242), "accept4", { I(fd), L(addr), L(addrlen), I(flags) } },
	{ NR(289, 74), "signalfd4", { I(ufd), L(mask), L(sizemask), I(flags) } },
	{ NR(290, 19), "eventfd2", { I(initval), I(flags) } },
	{ NR(291, 20), "epoll_create1", { I(flags) } },
	{ NR(292, 24), "dup3", { I(oldfd), I(newfd), I(flags) } },
	{ NR(293, 59), "pipe2", { L(pipefd), I(flags) } },
	{ NR(294, 26), "inotify_init1", { I(flags) } },
	{ NR(295, 69), "preadv", { I(fd), L(iov), L(vlen), L(pos_l), L(pos_h) } },
	{ NR(296, 70), "pwritev", { I(fd), L(iov), L(vlen), L(pos_l), L(pos_h) } },
	{ NR(297, 240), "rt_tgsigqueueinfo", { I(tgid), I(pid), I(sig), L(info) } },
	{ NR(298, 241), "perf_event_open", { L(attr), I(pid), I(cpu), I(group_fd), L(flags) } },
	{ NR(299, 243), "recvmmsg", { I(fd), L(mmsg), I(vlen), I(flags), L(timeout) } },
	{ NR(300, 262), "fanotify_init", { I(flags), I(event_f_flags) } },
	{ NR(301, 263), "fanotify_mark", { I(fanotify_fd), I(flags), L(mask), I(dirfd), L(pathname) } },
	{ NR(302, 261), "prlimit64", { I(pid), I(resource), L(new_rlim), L(old_rlim) } },
	{ NR(303, 264), "name_to_handle_at", { I(dirfd), L(pathname), L(handle), L(mnt_id),
	  I(flags) } },
	{ NR(304, 265), "open_by_handle_at", { I(mount_fd), L(handle), I(flags) } },
	{ NR(305, 266), "clock_adjtime", { I(clockid), L(utx) } },
	{ NR(306, 267), "syncfs", { I(fd) } },
	{ NR(307, 269), "sendmmsg", { I(fd), L(mmsg), I(vlen), I(flags) } },
	{ NR(308, 268), "setns", { I(fd), I(nstype) } },
	{ NR(309, 168), "getcpu", { L(cpup), L(nodep), L(unused) } },
	{ NR(310, 270), "process_vm_readv", { I(pid), L(lvec), L(liovcnt), L(rvec), L(riovcnt),
	  L(flags) } },
	{ NR(311, 271), "process_vm_writev", { I(pid), L(lvec), L(liovcnt), L(rvec), L(riovcnt),
	  L(flags) } },
	{ NR(312, 272), "kcmp", { I(pid1), I(pid2), I(type), L(idx1), L(idx2) } },
	{ NR(313, 273), "finit_module", { I(fd), L(param_values), I(flags) } },
	{ NR(314, 274), "sched_setattr", { I(pid), L(attr), I(flags) } },
	{ NR(315, 275), "sched_getattr", { I(pid), L(attr), I(size), I(flags) } },
	{ NR(316, 276), "renameat2", { I(olddirfd), L(oldname), I(newdirfd), L(newname), I(flags) } },
	{ NR(317, 277), "seccomp", { I(op), I(flags), L(args) } },
	{ NR(318, 278), "getrandom", { L(buf), L(buflen), I(flags) } },
	{ NR(319, 279), "memfd_create", { L(name), I(flags) } },
	{ NR(320, 294), "kexec_file_load", { I(kernel_fd), I(initrd_fd), L(cmdline_len), L(cmdline),
	  L(flags) } },
	{ NR(321, 280), "bpf", { I(cmd), L(attr), I(size) } },
	{ NR(322, 281), "execveat", { I(fd), L(pathname), L(argv), L(envp), I(flags) } },
	{ NR(323, 282), "userfaultfd", { I(flags) } },
	{ NR(324, 283), "membarrier", { I(cmd), I(flags), I(cpu_id) } },
	{ NR(325, 284), "mlock2", { L(addr), L(len), I(flags) } },
	{ NR(326, 285), "copy_file_range", { I(fd_in), L(off_in), I(fd_out), L(off_out), L(len),
	  I(flags) } },
	{ NR(327, 286), "preadv2", { I(fd), L(iov), L(vlen), L(pos_l), L(pos_h), I(flags) } },
	{ NR(328, 287), "pwritev2", { I(fd), L(iov), L(vlen), L(pos_l), L(pos_h), I(flags) } },
	{ NR(329, 288), "pkey_mprotect", { L(addr), L(len), L(prot), I(pkey) } },
	{ NR(330, 289), "pkey_alloc", { L(flags), L(init_val) } },
	{ NR(331, 290), "pkey_free", { I(pkey) } },
	{ NR(332, 291), "statx", { I(dirfd), L(pathname), I(flags), I(mask), L(buffer) } },
	{ NR(333, 292), "io_pgetevents", { L(ctx_id), L(min_nr), L(nr), L(events), L(timeout),
	  L(usig) } },
	{ NR(334, 293), "rseq", { L(rseq), I(rseq_len), I(flags), I(sig) } },
	{ NR(335, -1), "uretprobe", { NONE } },
	{ NR(336, -1), "uprobe", { NONE } },
	{ NR(424, 424), "pidfd_send_signal", { I(pidfd), I(sig), L(info), I(flags) } },
	{ NR(425, 425), "io_uring_setup", { I(entries), L(params) } },
	{ NR(426, 426), "io_uring_enter", { I(fd), I(to_submit), I(min_complete), I(flags), L(argp),
	  L(argsz) } },
	{ NR(427, 427), "io_uring_register", { I(fd), I(opcode), L(arg), I(nr_args) } },
	{ NR(428, 428), "open_tree", { I(dirfd), L(pathname), I(flags) } },
	{ NR(429, 429), "move_mount", { I(from_dirfd), L(from_pathname), I(to_dirfd), L(to_pathname),
	  I(flags) } },
	{ NR(430, 430), "fsopen", { L(fs_name), I(flags) } },
	{ NR(431, 431), "fsconfig", { I(fd), I(cmd), L(key), L(value), I(aux) } },
	{ NR(432, 432), "fsmount", { I(fd), I(flags), I(attr_flags) } },
	{ NR(433, 433), "fspick", { I(dirfd), L(pathname), I(flags) } },
	{ NR(434, 434), "pidfd_open", { I(pid), I(flags) } },
	{ NR(435, 435), "clone3", { L(args), L(size) } },
	{ NR(436, 436), "close_range", { I(fd), I(max_fd), I(flags) } },
	{ NR(437, 437), "openat2", { I(dirfd), L(pathname), L(how), L(size) } },
	{ NR(438, 438), "pidfd_getfd", { I(pidfd), I(fd), I(flags) } },
	{ NR(439, 439), "faccessat2", { I(dirfd), L(pathname), I(mode), I(flags) } },
	{ NR(440, 440), "process_madvise", { I(pidfd), L(iov), L(vlen), I(advice), I(flags) } },
	{ NR(441, 441), "epoll_pwait2", { I(epfd), L(events), I(maxevents), L(timeout), L(sigmask),
	  L(sigsetsize) } },
	{ NR(442, 442), "mount_setattr", { I(dirfd), L(pathname), I(flags), L(attr), L(size) } },
	{ NR(443, 443), "quotactl_fd", { I(fd), I(cmd), I(id), L(addr) } },
	{ NR(444, 444), "landlock_create_ruleset", { L(attr), L(size), I(flags) } },
	{ NR(445, 445), "landlock_add_rule", { I(ruleset_fd), I(rule_type), L(rule_attr), I(flags) } },
	{ NR(446, 446), "landlock_restrict_self", { I(ruleset_fd), I(flags) } },
	{ NR(447, 447), "memfd_secret", { I(flags) } },
	{ NR(448, 448), "process_mrelease", { I(pidfd), I(flags) } },
	{ NR(449, 449), "futex_waitv", { L(waiters), I(nr_futexes), I(flags), L(timeout),
	  I(clockid) } },
	{ NR(450, 450), "set_mempolicy_home_node", { L(start), L(len), L(home_node), L(flags) } },
	{ NR(451, 451), "cachestat", { I(fd), L(cstat_range), L(cstat), I(flags) } },
	{ NR(452, 452), "fchmodat2", { I(dirfd), L(pathname), I(mode), I(flags) } },
	{ NR(453, 453), "map_shadow_stack", { L(addr), L(size), I(flags) } },
	{ NR(454, 454), "futex_wake", { L(uaddr), L(mask), I(nr), I(flags) } },
	{ NR(455, 455), "futex_wait", { L(uaddr), L(val), L(mask), I(flags), L(timeout), I(clockid) } },
	{ NR(456, 456), "futex_requeue", { L(waiters), I(flags), I(nr_wake), I(nr_requeue) } },
	{ NR(457, 457), "statmount", { L(req), L(buf), L(bufsize), I(flags) } },
	{ NR(458, 458), "listmount", { L(req), L(mnt_ids), L(nr_mnt_ids), I(flags) } },
	{ NR(459, 459), "lsm_get_self_attr", { I(attr), L(ctx), L(size), I(flags) } },
	{ NR(460, 460), "lsm_set_self_attr", { I(attr), L(ctx), I(size), I(flags) } },
	{ NR(461, 461), "lsm_list_modules", { L(ids), L(size), I(flags) } },
	{ NR(462, 462), "mseal", { L(addr), L(len), L(flags) } },
	{ NR(463, 463), "setxattrat", { I(dirfd), L(pathname), I(at_flags), L(name), L(args),
	  L(size) } },
	{ NR(464, 464), "getxattrat", { I(dirfd), L(pathname), I(at_flags), L(name), L(args),
	  L(size) } },
	{ NR(465, 465), "listxattrat", { I(dirfd), L(pathname), I(at_flags), L(list), L(size) } },
	{ NR(466, 466), "removexattrat", { I(dirfd), L(pathname), I(at_flags), L(name) } },
	{ NR(467, 467), "open_tree_attr", { I(dirfd), L(pathname), I(flags), L(attr), L(size) } },
	{ NR(468, 468), "file_getattr", { I(dirfd), L(pathname), L(attr), L(size), I(at_flags) } },
	{ NR(469, 469), "file_setattr", { I(dirfd), L(pathname), L(attr), L(size), I(at_flags) } },
};

int syscall_max(void)
{
	return SYSCALL_MAX;
}

const struct syscall_info *syscall_by_nr(int nr)
{
	if (nr < 0)
		return NULL;
	/* The first rows of the x86-64 table stand at their own number. */
	if ((size_t)nr < ARRAY_SIZE(calls) && calls[nr].nr == nr)
		return &calls[nr];
	for (size_t i = ARRAY_SIZE(calls); i-- > 0;) {
		if (calls[i].nr == nr)
			return &calls[i];
	}
	return NULL;
}

const struct syscall_info *syscall_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].nr >= 0 && strncmp(calls[i].name, name, len) == 0 && calls[i].name[len] == '\0')
			return &calls[i];
	}
	return NULL;
}

#define NAME_MAX_LEN 32

/* Edit distance in which two letters that changed places count once, or a number above LIMIT as soon as it
 * is known to be above. */
static unsigned name_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit)
{
	unsigned rows[3][NAME_MAX_LEN + 1] = { 0 };

	if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
		return limit + 1;
	for (unsigned j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3], best;

		row[0] = best = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned cost = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < cost)
				cost = last[j] + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < cost)
				cost = before[j - 2] + 1;
			row[j] = cost;
			if (cost < best)
				best = cost;
		}
		if (best > limit + 1)
			return limit + 1;
	}
	return rows[a_len % 3][b_len];
}

const char *syscall_nearest(const char *name, size_t len)
{
	const char *nearest = NULL;
	unsigned limit = len < 4 ? 1 : len < 8 ? 2 : 3;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned distance;

		if (calls[i].nr < 0)
			continue;
		distance = name_distance(name, len, calls[i].name, strlen(calls[i].name), limit);
		if (distance <= limit) {
			nearest = calls[i].name;
			if (distance == 0)
				break;
			limit = distance - 1;
		}
	}
	return nearest;
}
