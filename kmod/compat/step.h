/* SPDX-License-Identifier: GPL-2.0-only */
/* The trap flag of x86, and what of it a program can see. */
#ifndef UTRACE_COMPAT_STEP_H
#define UTRACE_COMPAT_STEP_H

#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/uprobes.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/syscall.h>

#include "symbols.h"

/* An instruction has at most so many bytes. */
#define UTRACE_INSN_SIZE 15

static inline bool utrace_is_prefix(u8 byte, bool wide)
{
	switch (byte) {
	case 0x26: /* segments */
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66: /* sizes */
	case 0x67:
	case 0xf0: /* lock, repeat */
	case 0xf2:
	case 0xf3:
		return true;
	}
	return wide && (byte & 0xf0) == 0x40; /* REX */
}

/* What an instruction does with the flags: by its first byte behind the prefixes. */
#define UTRACE_INSN_PUSHF 0x9c
#define UTRACE_INSN_POPF  0x9d
#define UTRACE_INSN_IRET  0xcf

/* That byte of the next one, -1: it cannot be read.  Current's registers.  May sleep. */
static inline int utrace_next_insn(struct pt_regs *regs)
{
	bool wide = user_64bit_mode(regs);
	unsigned long ip = instruction_pointer(regs);
	u8 code[UTRACE_INSN_SIZE];
	int i, size = sizeof(code);

	/* It was about to run, so as a rule it is there and readable; the long way always works. */
	if (copy_from_user_nofault(code, (void __user *)ip, sizeof(code)))
		size = k_access_remote_vm(current->mm, ip, code, sizeof(code), FOLL_FORCE);
	for (i = 0; i < size; i++)
		if (!utrace_is_prefix(code[i], wide))
			return code[i];
	return -1;
}

/*
 * May the flag be set by utrace_set_trap()?  Not if the instruction sets it itself, nor where code
 * may lie elsewhere than the instruction pointer says.
 */
static inline bool utrace_trap_is_plain(struct pt_regs *regs, int insn)
{
	return user_64bit_mode(regs) && insn >= 0 && insn != UTRACE_INSN_POPF &&
	       insn != UTRACE_INSN_IRET;
}

/*
 * What user_enable_single_step(), and user_disable_single_step(), come to for current when nobody
 * else has set the flag: without their own, long way to read the instruction.
 */
static inline void utrace_set_trap(struct pt_regs *regs)
{
	set_thread_flag(TIF_SINGLESTEP);
	set_task_syscall_work(current, SYSCALL_EXIT_TRAP);
	regs->flags |= X86_EFLAGS_TF;
	set_thread_flag(TIF_FORCED_TF);
}

static inline void utrace_clear_trap(struct pt_regs *regs)
{
	clear_thread_flag(TIF_SINGLESTEP);
	clear_task_syscall_work(current, SYSCALL_EXIT_TRAP);
	if (test_and_clear_thread_flag(TIF_FORCED_TF))
		regs->flags &= ~(unsigned long)X86_EFLAGS_TF;
}

/*
 * It was: take the trap flag out of what it pushed, of any size.  Or another thread has unmapped it
 * meanwhile.  May sleep.
 */
static inline void utrace_clean_pushed(struct pt_regs *regs)
{
	unsigned long second = user_stack_pointer(regs) + 1;
	u8 byte;

	if (k_access_remote_vm(current->mm, second, &byte, 1, FOLL_FORCE) != 1)
		return;
	byte &= ~(X86_EFLAGS_TF >> 8);
	k_access_remote_vm(current->mm, second, &byte, 1, FOLL_FORCE | FOLL_WRITE);
}

/* At the entry of a call: SYSCALL has left the flags in a register, others have not. */
static inline void utrace_clean_call(struct pt_regs *regs)
{
	if (!in_ia32_syscall())
		regs->r11 &= ~(unsigned long)X86_EFLAGS_TF;
}

/* Is the flag set, and not by the kernel for someone who steps? */
static inline bool utrace_own_trap(const struct pt_regs *regs)
{
	return (regs->flags & X86_EFLAGS_TF) && !test_thread_flag(TIF_FORCED_TF);
}

/* In the middle of an instruction that a uprobe steps over get_signal() takes nothing. */
static inline bool utrace_in_uprobe(void)
{
#ifdef CONFIG_UPROBES
	return current->utask && current->utask->active_uprobe;
#else
	return false;
#endif
}

#endif
