// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stepping by others, and where the trap flag traps.  What the kernel makes of that is a SIGTRAP
 * which it forces: it would reset how the program treats that signal, so ours must not even begin
 * (H-16).
 */
#include <linux/signal.h>

#include "../events/events.h"
#include "hook.h"

/*
 * Every resume of a thread by its debugger comes to one of these three, and we set and clear the
 * flag of current by them too.  Works, and so our arming, also run on the way into a debugger's
 * stop: he begins with a thread whose trap flag is not ours.
 */
static bool take_from_debugger(struct task_struct *task)
{
	bool ours, by_debugger = task != current && utrace_step_withdraw(task, &ours);

	if (by_debugger && ours)
		utrace_original_user_disable_single_step(task);
	return by_debugger;
}

void utrace_instead_user_enable_single_step(struct task_struct *task)
{
	UTRACE_HOOK(user_enable_single_step);
	bool again = take_from_debugger(task);

	utrace_original_user_enable_single_step(task);
	if (again)
		utrace_step_again(task);
}

void utrace_instead_user_enable_block_step(struct task_struct *task)
{
	UTRACE_HOOK(user_enable_block_step);
	bool again = take_from_debugger(task);

	utrace_original_user_enable_block_step(task);
	if (again)
		utrace_step_again(task);
}

/* It also clears SYSCALL_EXIT_TRAP. */
void utrace_instead_user_disable_single_step(struct task_struct *task)
{
	UTRACE_HOOK(user_disable_single_step);
	bool again = take_from_debugger(task);

	utrace_original_user_disable_single_step(task);
	utrace_rearm(task);
	if (again)
		utrace_step_again(task);
}

int utrace_instead_force_sig_fault(int sig, int code, void __user *address)
{
	UTRACE_HOOK(force_sig_fault);

	/* On x86 nothing else has this code. */
	if (sig == SIGTRAP && code == TRAP_TRACE && !utrace_report_trap(&code))
		return 0;
	return utrace_original_force_sig_fault(sig, code, address);
}

void utrace_before_arch_uprobe_pre_xol(struct arch_uprobe *probe, struct pt_regs *regs)
{
	UTRACE_HOOK(arch_uprobe_pre_xol);

	/* Ours, a debugger's, or both. */
	if (test_thread_flag(TIF_SINGLESTEP))
		utrace_step_before_probe();
}

void utrace_before_arch_uprobe_post_xol(struct arch_uprobe *probe, struct pt_regs *regs)
{
	UTRACE_HOOK(arch_uprobe_post_xol);

	utrace_step_after_probe();
}
