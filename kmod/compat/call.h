/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system call in a thread's registers, as far as <asm/syscall.h> does not have it: older
 * kernels cannot write number and arguments.  The thread is current or held.
 */
#ifndef UTRACE_COMPAT_CALL_H
#define UTRACE_COMPAT_CALL_H

#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/syscall.h>
#include <asm/user.h>
#include <asm/user32.h>

/* By the i386 table: numbers and arguments differ. */
static inline bool utrace_call_compat(struct task_struct *task)
{
	return syscall_get_arch(task) == AUDIT_ARCH_I386;
}

/* Its place in the table: x32 calls are those of 64 bits, and say so by a bit of their own. */
static inline unsigned int utrace_call_index(struct task_struct *task, struct pt_regs *regs)
{
	unsigned int nr = syscall_get_nr(task, regs);

	return utrace_call_compat(task) ? nr : nr & ~__X32_SYSCALL_BIT;
}

/*
 * In the middle of its call, where the result's place still has what the entry put there.  A call
 * that has just ended with -ENOSYS looks the same: it is taken for unfinished.
 */
static inline bool utrace_call_unfinished(struct task_struct *task, struct pt_regs *regs)
{
	return syscall_get_nr(task, regs) >= 0 && syscall_get_return_value(task, regs) == -ENOSYS;
}

/* Do the first @len bytes of a register set, in @buf, have another word at @offset? */
static inline bool utrace_word_differs(const void *buf, unsigned int len, unsigned int offset,
				       const void *word, unsigned int size)
{
	return offset + size <= len && memcmp(buf + offset, word, size);
}

/*
 * Would a write of @buf to the general registers, as a program of @bits sees them, change the call,
 * or what is in its result's place?  The low half of a register comes first.
 */
static inline bool utrace_call_differs(const struct pt_regs *regs, int bits, const void *buf,
				       unsigned int len)
{
	if (bits == 32)
		return utrace_word_differs(buf, len, offsetof(struct user_regs_struct32, orig_eax),
					   &regs->orig_ax, 4) ||
		       utrace_word_differs(buf, len, offsetof(struct user_regs_struct32, eax),
					   &regs->ax, 4);
	return utrace_word_differs(buf, len, offsetof(struct user_regs_struct, orig_ax),
				   &regs->orig_ax, 8) ||
	       utrace_word_differs(buf, len, offsetof(struct user_regs_struct, ax), &regs->ax, 8);
}

/* After a write that did not differ: one of 32 bits has cut off what says "unfinished". */
static inline void utrace_call_restore(struct pt_regs *regs, const struct pt_regs *before)
{
	regs->orig_ax = before->orig_ax;
	regs->ax = before->ax;
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
