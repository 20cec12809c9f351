// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls, by two flags of the thread that others use too.  SYSCALL_USER_DISPATCH brings
 * it to syscall_user_dispatch() before ptrace and seccomp; SYSCALL_EXIT_TRAP, which says that a
 * step over the call is to be reported, to user_single_step_report() at the end.
 */
#include <linux/sched/signal.h>
#include <linux/wait_bit.h>
#include <asm/syscall.h>

#include "../compat/symbols.h"
#include "../events/events.h"
#include "hook.h"

/* The stop a debugger gets at the entry or the end of a call, and what comes of it. */
static void stop_for_ptrace(unsigned long message)
{
	unsigned int ptrace = current->ptrace;
	int sig;

	if (!(ptrace & PT_PTRACED))
		return;
	sig = k_ptrace_notify(ptrace & PT_TRACESYSGOOD ? SIGTRAP | 0x80 : SIGTRAP, message);
	/* A debugger that resumes with a signal has it sent, as after any system call stop. */
	if (sig)
		send_sig(sig, current, 1);
}

/*
 * A debugger gets both stops of a skipped call (H-20): the kernel leaves out the one at the entry
 * only.  It has to look like an entry, so the result stays aside meanwhile; but if the debugger
 * skips the call too, its result is the later word.
 */
static void stop_at_skipped_entry(struct pt_regs *regs)
{
	bool emulated = test_syscall_work(SYSCALL_EMU);
	long result = syscall_get_return_value(current, regs);

	if (!emulated && !test_syscall_work(SYSCALL_TRACE))
		return;
	syscall_set_return_value(current, regs, -ENOSYS, 0);
	stop_for_ptrace(PTRACE_EVENTMSG_SYSCALL_ENTRY);
	if (!emulated && syscall_get_nr(current, regs) != -1)
		syscall_set_return_value(current, regs, 0, result);
}

/* True: the call is not run. */
bool utrace_instead_syscall_user_dispatch(struct pt_regs *regs)
{
	UTRACE_HOOK(syscall_user_dispatch);
	struct utrace *utrace;
	bool dispatch;

	/* Ours, a debugger's, or both. */
	if (test_thread_flag(TIF_SINGLESTEP))
		utrace_step_at_entry(regs);
	/* A dispatched call has an ABI of its own: nobody is told of it, ptrace neither. */
	utrace = utrace_call_begins(&dispatch);
	if (dispatch && utrace_original_syscall_user_dispatch(regs)) {
		utrace_call_dispatched(utrace);
		return true;
	}
	if (!utrace || !utrace_report_syscall_entry(utrace, regs))
		return false;
	stop_at_skipped_entry(regs);
	return true;
}

void utrace_instead_user_single_step_report(struct pt_regs *regs)
{
	UTRACE_HOOK(user_single_step_report);

	utrace_report_syscall_exit(regs);
	/* A step that a debugger asked for.  Its stop at the end of the call is the step's. */
	if (test_thread_flag(TIF_SINGLESTEP)) {
		utrace_original_user_single_step_report(regs);
		return;
	}
	/* The flag was ours: the kernel has taken us for a step and left out the stop. */
	if (test_syscall_work(SYSCALL_TRACE))
		stop_for_ptrace(PTRACE_EVENTMSG_SYSCALL_EXIT);
}

#ifdef CONFIG_AUDITSYSCALL
/* It may wait for room in the log; hooks.c waits for whoever does. */
void utrace_instead___audit_syscall_exit(int success, long return_code)
{
	UTRACE_HOOK(__audit_syscall_exit);

	atomic_inc(&utrace_audits);
	utrace_report_audit();
	utrace_original___audit_syscall_exit(success, return_code);
	if (atomic_dec_and_test(&utrace_audits))
		wake_up_var(&utrace_audits);
}
#endif

/*
 * The three below are the kernel's only words on the program's own user dispatch; what they set,
 * or read, is the flag that we use too.  So the flag is the program's while the original runs.  The
 * thread is current, or held frozen by its debugger.  Once more if we came to it in between.
 */
int utrace_instead_set_syscall_user_dispatch(unsigned long mode, unsigned long offset,
					     unsigned long len, char __user *selector)
{
	UTRACE_HOOK(set_syscall_user_dispatch);
	bool shown;
	int ret;

	do {
		shown = utrace_user_dispatch_show(current);
		ret = utrace_original_set_syscall_user_dispatch(mode, offset, len, selector);
	} while (!utrace_user_dispatch_learn(current, shown));
	return ret;
}

#ifdef PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG
int utrace_instead_syscall_user_dispatch_set_config(struct task_struct *task, unsigned long size,
						    void __user *data)
{
	UTRACE_HOOK(syscall_user_dispatch_set_config);
	bool shown;
	int ret;

	do {
		shown = utrace_user_dispatch_show(task);
		ret = utrace_original_syscall_user_dispatch_set_config(task, size, data);
	} while (!utrace_user_dispatch_learn(task, shown));
	return ret;
}

int utrace_instead_syscall_user_dispatch_get_config(struct task_struct *task, unsigned long size,
						    void __user *data)
{
	UTRACE_HOOK(syscall_user_dispatch_get_config);
	bool shown;
	int ret;

	do {
		shown = utrace_user_dispatch_show(task);
		ret = utrace_original_syscall_user_dispatch_get_config(task, size, data);
	} while (!utrace_user_dispatch_learn(task, shown));
	return ret;
}
#endif
