/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* What the iterator over a process's threads tells its loader of each; no program of others. */
#ifndef _UAPI_UTRACE_REGISTERS_H
#define _UAPI_UTRACE_REGISTERS_H

/* vmlinux.h, which BPF programs include first, has these types already. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* Of a thread in user mode; a 32-bit program's have their upper halves clear. */
struct utrace_user_registers {
	__u64 ax, bx, cx, dx, si, di, bp, sp;
	__u64 r8, r9, r10, r11, r12, r13, r14, r15;
	__u64 ip;
	__u64 cs;
};

/* As it went into the kernel, where it is unless it is on a CPU. */
struct utrace_thread_registers {
	__u32 tid; /* as the loader's pid namespace has it */
	__u32 on_cpu;
	__u64 run_ns; /* CPU time: while it is the same, and on_cpu is 0, so are the registers */
	struct utrace_user_registers registers;
};

#endif /* _UAPI_UTRACE_REGISTERS_H */
