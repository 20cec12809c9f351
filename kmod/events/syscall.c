// SPDX-License-Identifier: GPL-2.0-only
/* System calls: before and after. */
#include <linux/sched/signal.h>
#include <asm/syscall.h>

#include "../gates.h"
#include "../report.h"
#include "../stop.h"
#include "../trace.h"
#include "events.h"
#include "step.h"

/* The verdict given while the thread was held, over the one of the pass.  Lock held. */
static void settle_entry(struct utrace_pass *pass)
{
	struct utrace *utrace = pass->utrace;

	if (!utrace->abort)
		return;
	utrace->abort = false;
	syscall_set_return_value(current, pass->regs, 0, utrace->abort_result);
	pass->verdict = UTRACE_SYSCALL_ABORT;
}

/* From now on no more are given.  True: after this hold somebody is to be told again. */
static bool close_entry(struct utrace_pass *pass, bool held)
{
	struct utrace *utrace = pass->utrace;
	bool again;

	spin_lock_irq(&utrace->lock);
	utrace->at_entry = false;
	settle_entry(pass);
	again = held && !utrace->handed_over && utrace_again(pass);
	spin_unlock_irq(&utrace->lock);
	return again;
}

/* Every engine, and then those that asked for it again and again.  True: skip the call. */
static bool run_entry(struct utrace_pass *pass)
{
	bool skip, held, again;

	do {
		utrace_run_pass(pass);
		/* Also if it was let go before it fell asleep. */
		held = pass->held || pass->action == UTRACE_STOP;
		/* Else who has handed over would be forgotten. */
		if (!pass->cut && !pass->closed)
			held |= utrace_hold(pass->utrace, pass->event);
		again = !pass->closed && close_entry(pass, held);
		/* Killed at the entry: the call is not run. */
		if (fatal_signal_pending(current))
			return true;
	} while (again);
	skip = pass->verdict & UTRACE_SYSCALL_ABORT;
	/*
	 * To its debugger's stop first, and the call is begun anew after that, as one that a signal
	 * breaks before it has done anything.
	 */
	if (!skip && pass->utrace->handed_over) {
		syscall_set_return_value(current, pass->regs, -ERESTARTNOINTR, 0);
		set_thread_flag(TIF_SIGPENDING);
		return true;
	}
	/* Aborted, and then let run after all: to ptrace and seccomp it is as if nothing were. */
	if (!skip && pass->resumed)
		syscall_set_return_value(current, pass->regs, -ENOSYS, 0);
	return skip;
}

struct utrace *utrace_call_begins(bool *dispatch)
{
	struct utrace *utrace;

	utrace_gate(UTRACE_GATE_ENTRY_SAMPLED, current);
	utrace = utrace_find(current);
	*dispatch = utrace ? READ_ONCE(utrace->user_dispatch) :
			     test_task_syscall_work(current, SYSCALL_USER_DISPATCH);
	return utrace;
}

void utrace_call_dispatched(struct utrace *utrace)
{
	if (utrace)
		utrace_put(utrace);
}

bool utrace_report_syscall_entry(struct utrace *utrace, struct pt_regs *regs)
{
	struct utrace_pass pass = {
		.utrace = utrace,
		.event = UTRACE_EVENT(SYSCALL_ENTRY),
		.may_stop = true,
		.regs = regs,
		.settle = settle_entry,
	};
	bool skip = false;

	/* Gone since the flag was sampled, or the flag is the program's own (H-1). */
	if (utrace_is_heard(utrace, pass.event)) {
		skip = run_entry(&pass);
		utrace_step_into_call(utrace);
		utrace_retire_if_idle(utrace);
	}
	if (READ_ONCE(utrace->events) & pass.event)
		UTRACE_TRACE(syscall_entry, current, regs);
	utrace_put(utrace);
	return skip;
}

void utrace_report_syscall_exit(struct pt_regs *regs)
{
	struct utrace_pass pass = {
		.event = UTRACE_EVENT(SYSCALL_EXIT),
		.may_stop = true,
		.regs = regs,
	};
	struct utrace *utrace;

	utrace_gate(UTRACE_GATE_EXIT_SAMPLED, current);
	utrace = utrace_find(current);
	if (!utrace)
		return;
	utrace_step_over_call(utrace);
	pass.utrace = utrace;
	if (utrace_is_heard(utrace, pass.event)) {
		utrace_run_pass(&pass);
		if (!pass.closed)
			utrace_hold(utrace, pass.event);
		utrace_retire_if_idle(utrace);
	}
	/* Last, so that it records the result the program will see (H-20). */
	if (READ_ONCE(utrace->events) & pass.event)
		UTRACE_TRACE(syscall_exit, current, regs, syscall_get_return_value(current, regs));
	utrace_put(utrace);
}

void utrace_report_audit(void)
{
	struct utrace *utrace;

	utrace_gate(UTRACE_GATE_AUDIT_IN, current);
	utrace = utrace_find(current);
	if (utrace)
		utrace_put(utrace);
	else
		utrace_drop_mark(current);
}

void utrace_drop_mark(struct task_struct *task)
{
	clear_bit(UTRACE_WORK_BIT, &task_thread_info(task)->syscall_work);
	/* Pairs with utrace_enter(). */
	smp_mb__after_atomic();
	utrace_rearm(task);
}

void utrace_rearm(struct task_struct *task)
{
	struct utrace *utrace = utrace_find(task);
	unsigned long irq;

	if (!utrace)
		return;
	spin_lock_irqsave(&utrace->lock, irq);
	if (!utrace->retired)
		utrace_set_flags(utrace);
	spin_unlock_irqrestore(&utrace->lock, irq);
	utrace_put(utrace);
}

bool utrace_user_dispatch_show(struct task_struct *task)
{
	struct utrace *utrace = utrace_find(task);

	if (!utrace)
		return false;
	spin_lock_irq(&utrace->lock);
	utrace->dispatch_shown = true;
	if (!utrace->user_dispatch)
		clear_task_syscall_work(task, SYSCALL_USER_DISPATCH);
	spin_unlock_irq(&utrace->lock);
	utrace_put(utrace);
	return true;
}

bool utrace_user_dispatch_learn(struct task_struct *task, bool shown)
{
	struct utrace *utrace = utrace_find(task);
	bool known = true;

	if (!utrace)
		return true;
	spin_lock_irq(&utrace->lock);
	/* Another one than was shown, if that was retired meanwhile. */
	known = shown && utrace->dispatch_shown;
	if (known) {
		utrace->dispatch_shown = false;
		utrace->user_dispatch = test_task_syscall_work(task, SYSCALL_USER_DISPATCH);
		if (!utrace->retired)
			utrace_set_flags(utrace);
	}
	spin_unlock_irq(&utrace->lock);
	utrace_put(utrace);
	return known;
}
