/* SPDX-License-Identifier: GPL-2.0-only */
/* Which call a thread is in, and its arguments, by the registers that it came with. */
#ifndef UTRACE_CALL_REGISTERS_BPF_H
#define UTRACE_CALL_REGISTERS_BPF_H

/* uapi's macros are not in BTF, so vmlinux.h lacks them. */
#define TS_COMPAT	  0x0002
#define __X32_SYSCALL_BIT 0x40000000

#define NO_CALL (-1)

/* Of the x86-64 table, for a program that was run by whatever call. */
#define NR_EXECVE   59
#define NR_EXECVEAT 322

/* Without regard to x32, which which_call() finds out. */
static __always_inline __u16 abi_of(const struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT ? UTRACE_ABI_I386 : UTRACE_ABI_X86_64;
}

struct which_call {
	int nr; /* without x32's bit */
	__u16 abi;
	bool lost; /* it is known by what it did to the registers only */
};

static __always_inline struct which_call which_call(int nr, __u16 abi)
{
	struct which_call which = { .nr = nr, .abi = abi };

	/* sigreturn puts back the registers of the interrupted code, this one as "no call". */
	if (nr == NO_CALL) {
		which.nr = abi == UTRACE_ABI_I386 ? 173 : 15;
		which.lost = true;
	} else if (abi == UTRACE_ABI_X86_64 && (nr & __X32_SYSCALL_BIT)) {
		which.nr &= ~__X32_SYSCALL_BIT;
		which.abi = UTRACE_ABI_X32;
	}
	return which;
}

/* Its place in a table of UTRACE_SYSCALLS rows; the last is that of calls beyond all numbers. */
static __always_inline __u32 row_of_call(const struct pt_regs *regs)
{
	__u32 row = (__u32)regs->orig_ax & ~__X32_SYSCALL_BIT;

	if (row >= UTRACE_SYSCALLS)
		row = UTRACE_SYSCALLS - 1;
	/* The verifier of 6.1 loses the bound on its way through the multiplication. */
	barrier_var(row);
	return row & (UTRACE_SYSCALLS - 1);
}

/* The first `count` arguments, which must be a constant. */
static __always_inline void fill_args(__u64 *args, const struct pt_regs *regs, __u16 abi, int count)
{
	if (abi == UTRACE_ABI_I386) {
		args[0] = (__u32)regs->bx;
		args[1] = (__u32)regs->cx;
		args[2] = (__u32)regs->dx;
		if (count <= 3)
			return;
		args[3] = (__u32)regs->si;
		args[4] = (__u32)regs->di;
		args[5] = (__u32)regs->bp;
	} else {
		args[0] = regs->di;
		args[1] = regs->si;
		args[2] = regs->dx;
		if (count <= 3)
			return;
		args[3] = regs->r10;
		args[4] = regs->r8;
		args[5] = regs->r9;
	}
}

#endif
