/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system call in a thread's registers, as far as <asm/syscall.h> does not have it: older
 * kernels cannot write number and arguments.  The thread is current or held.
 */
#ifndef UTRACE_COMPAT_CALL_H
#define UTRACE_COMPAT_CALL_H

#include <linux/ptrace.h>
#include <linux/sched.h>
#include <asm/syscall.h>

/* By the i386 table: numbers and arguments differ. */
static inline bool utrace_call_compat(struct task_struct *task)
{
	return syscall_get_arch(task) == AUDIT_ARCH_I386;
}

/*
 * In the middle of its call, where the result's place still has what the entry put there.  A call
 * that has just ended with -ENOSYS looks the same: it is taken for unfinished.
 */
static inline bool utrace_call_unfinished(struct task_struct *task, struct pt_regs *regs)
{
	return syscall_get_nr(task, regs) >= 0 && syscall_get_return_value(task, regs) == -ENOSYS;
}

/* Do both have the same call, and the same in its result's place? */
static inline bool utrace_call_same(const struct pt_regs *a, const struct pt_regs *b)
{
	return a->orig_ax == b->orig_ax && a->ax == b->ax;
}

/* At the call's entry: run this one instead. */
static inline void utrace_call_set(struct task_struct *task, struct pt_regs *regs, int nr,
				   const u64 args[6])
{
	regs->orig_ax = nr;
	if (utrace_call_compat(task)) {
		regs->bx = (u32)args[0];
		regs->cx = (u32)args[1];
		regs->dx = (u32)args[2];
		regs->si = (u32)args[3];
		regs->di = (u32)args[4];
		regs->bp = (u32)args[5];
	} else {
		regs->di = args[0];
		regs->si = args[1];
		regs->dx = args[2];
		regs->r10 = args[3];
		regs->r8 = args[4];
		regs->r9 = args[5];
	}
}

#endif
