/* What a filter sees of a call: the ABI of this build, and what may stand in the halves of registers that the kernel does not look at. */
#ifndef USHER_TEST_ARCH_H
#define USHER_TEST_ARCH_H

#include <linux/audit.h>
#include <stdint.h>

#ifdef __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif
#define HIGH UINT64_C(0xdeadbeef00000000)

#endif
