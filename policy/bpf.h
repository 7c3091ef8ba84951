/* Classic BPF as seccomp(2) takes it. */
#ifndef USHER_BPF_H
#define USHER_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* Would the kernel accept it? */
bool bpf_valid(const struct sock_filter *insns, unsigned len);
/* Runs a valid program. *STEPS, if not NULL, is the number of instructions executed. */
uint32_t bpf_exec(const struct sock_filter *insns, const struct seccomp_data *data, unsigned *steps);

#endif
