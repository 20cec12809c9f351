// SPDX-License-Identifier: GPL-2.0-only
/* The hold: the one place where a traced thread sleeps for its engines. */
#include <linux/ptrace.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>

#include "compat/siglock.h"
#include "compat/symbols.h"
#include "gates.h"
#include "stop.h"
#include "trace.h"

/*
 * TASK_INTERRUPTIBLE lets a group stop wake the thread, so that it takes part; TASK_WAKEKILL
 * lets SIGKILL; and __TASK_TRACED lets us, and nobody else.  JOBCTL_TRACED stays off: to ptrace
 * it is no stop of its own.
 */
#define UTRACE_HOLD_STATE (TASK_INTERRUPTIBLE | TASK_WAKEKILL | __TASK_TRACED)

bool utrace_task_stopped(const struct utrace *utrace)
{
	return READ_ONCE(utrace->task->__state) & (__TASK_STOPPED | __TASK_TRACED);
}

bool utrace_debugger_waits(const struct utrace *utrace)
{
	struct task_struct *task = utrace->task;

	return utrace->asleep && READ_ONCE(task->ptrace) &&
	       (READ_ONCE(task->jobctl) & JOBCTL_TRAP_MASK ||
		sigismember(&task->pending.signal, SIGSTOP));
}

/* A held thread counts in a group stop, its parent sees what it would have seen without us. */
static void join_group_stop(void) __releases(siglock)
{
	bool notify = k_task_participate_group_stop(current);

	spin_unlock_irq(own_siglock());
	if (!notify)
		return;
	read_lock(k_tasklist_lock);
	k_do_notify_parent_cldstop(current, false, CLD_STOPPED);
	read_unlock(k_tasklist_lock);
}

/* Tell the engines whose asynchronous stop takes effect now.  Lock held. */
static void announce_stops(struct list_head *list)
{
	struct utrace_link *link;

	list_for_each_entry(link, list, entry) {
		const struct utrace_slot *slot = &link->slot[UTRACE_SLOT_ASYNC];

		if (!utrace_slot_open(slot) || (link->flags & UTRACE_LINK_TOLD) ||
		    !utrace_link_current(link))
			continue;
		link->flags |= UTRACE_LINK_TOLD;
		if (link->engine.ops->report_stopped)
			link->engine.ops->report_stopped(&link->engine, slot->stop_seq);
	}
}

/* Those that hold it learn that a debugger waits, and may leave it to him.  Lock held. */
static void tell_debugger(struct utrace *utrace, struct list_head *list)
{
	struct utrace_link *link;

	list_for_each_entry(link, list, entry) {
		if (!utrace_link_open(link) || (link->flags & UTRACE_LINK_AWAITED) ||
		    !utrace_link_current(link) || !link->engine.ops->report_debugger)
			continue;
		link->flags |= UTRACE_LINK_AWAITED;
		utrace->debugger_told = true;
		if (!link->engine.ops->report_debugger(&link->engine))
			continue;
		utrace_slot_release_latest(&link->slot[UTRACE_SLOT_REPORT]);
		utrace_slot_release_latest(&link->slot[UTRACE_SLOT_ASYNC]);
		utrace->handed_over = true;
	}
}

/* A new hold: nobody was told.  Lock held. */
static void forget_debugger(struct utrace *utrace)
{
	struct utrace_link *link;

	utrace->handed_over = false;
	if (!utrace->debugger_told)
		return;
	utrace->debugger_told = false;
	list_for_each_entry(link, &utrace->attached, entry)
		link->flags &= ~UTRACE_LINK_AWAITED;
	list_for_each_entry(link, &utrace->attaching, entry)
		link->flags &= ~UTRACE_LINK_AWAITED;
}

/*
 * A signal for the group may have been given to current, which does not take it while it is held:
 * wake others that can.  As the kernel does when a thread blocks a signal or exits; of a thread
 * that a debugger has stopped it never thinks that it would take one.  siglock held.
 */
static void pass_signals_on(void)
{
	sigset_t left;
	struct task_struct *t;

	sigandnsets(&left, &current->signal->shared_pending.signal, &current->blocked);
	for_each_thread(current, t) {
		sigset_t takes;

		/* Who is held like us would only pass it back. */
		if (t == current || (READ_ONCE(t->flags) & PF_EXITING) ||
		    (READ_ONCE(t->__state) & (__TASK_STOPPED | __TASK_TRACED)))
			continue;
		sigandnsets(&takes, &left, &t->blocked);
		if (sigisemptyset(&takes))
			continue;
		sigandsets(&left, &left, &t->blocked);
		if (!test_and_set_tsk_thread_flag(t, TIF_SIGPENDING) &&
		    !k_wake_up_state(t, TASK_INTERRUPTIBLE))
			kick_process(t);
	}
}

/*
 * Go to sleep once, if still wanted.  False: the hold is over.
 *
 * The state is set under siglock, so that a signal either is seen here or wakes us; and under
 * the thread's lock, so that a resume either is seen here or wakes us.  Lock order: siglock,
 * the thread's lock, pi_lock.
 */
static bool sleep_once(struct utrace *utrace, u32 event, bool *had_signal, bool *had_notify)
{
	bool wanted;

	spin_lock_irq(own_siglock());
	/*
	 * No thread but the one that does it begins or goes on with a hold once its group exits or
	 * execs (H-10).
	 */
	if (own_end_decided()) {
		spin_unlock_irq(own_siglock());
		return false;
	}
	if (current->jobctl & JOBCTL_STOP_PENDING) {
		join_group_stop();
		return true;
	}
	/*
	 * With either flag set schedule() would return at once; the wish is kept and given back
	 * at the end.
	 */
	if (test_and_clear_thread_flag(TIF_SIGPENDING)) {
		*had_signal = true;
		pass_signals_on();
	}
	if (test_and_clear_thread_flag(TIF_NOTIFY_SIGNAL))
		*had_notify = true;

	spin_lock(&utrace->lock);
	utrace->asleep = true;
	/* Behind EXIT there is no debugger's stop: the program would be lost to both. */
	if (utrace_debugger_waits(utrace) && event != UTRACE_EVENT(EXIT)) {
		tell_debugger(utrace, &utrace->attached);
		tell_debugger(utrace, &utrace->attaching);
	}
	if (!utrace_wants_hold(utrace)) {
		utrace->asleep = false;
		spin_unlock(&utrace->lock);
		spin_unlock_irq(own_siglock());
		return false;
	}
	announce_stops(&utrace->attached);
	announce_stops(&utrace->attaching);
	set_special_state(UTRACE_HOLD_STATE);
	utrace_gate(UTRACE_GATE_ASLEEP, current);
	spin_unlock(&utrace->lock);
	spin_unlock_irq(own_siglock());

	/* css_set_lock inside: a spinlock, right in any task state. */
	k_cgroup_enter_frozen();
	schedule();
	k_cgroup_leave_frozen(true);

	spin_lock_irq(&utrace->lock);
	utrace->asleep = false;
	/* If it is let go, a stop or the end of its group is met where it would be without us. */
	wanted = utrace_wants_hold(utrace);
	spin_unlock_irq(&utrace->lock);
	return wanted;
}

/* Give back what the sleep took: signals, others' works, the group's stop. */
static void finish_hold(bool had_signal, bool had_notify)
{
	struct signal_struct *signal = current->signal;

	spin_lock_irq(own_siglock());
	if (!(current->flags & PF_EXITING) && !__fatal_signal_pending(current) &&
	    ((signal->flags & SIGNAL_STOP_STOPPED) || signal->group_stop_count)) {
		/*
		 * As __ptrace_unlink() does: its group is stopped, so it stops before it runs
		 * on.
		 */
		current->jobctl |= JOBCTL_STOP_PENDING;
		if (!(current->jobctl & JOBCTL_STOP_SIGMASK))
			current->jobctl |= SIGSTOP;
	}
	recalc_sigpending();
	/*
	 * Set again even if the signal is gone: a call that has returned -ERESTARTSYS relies on the
	 * signal path to restart it.
	 */
	if (had_signal || (current->jobctl & JOBCTL_PENDING_MASK))
		set_thread_flag(TIF_SIGPENDING);
	if (had_notify)
		set_thread_flag(TIF_NOTIFY_SIGNAL);
	spin_unlock_irq(own_siglock());
}

bool utrace_hold_unwanted_slow(struct utrace *utrace)
{
	bool wanted = utrace_wants_hold(utrace);

	forget_debugger(utrace);
	return !wanted;
}

bool utrace_hold(struct utrace *utrace, u32 event)
{
	bool had_signal = false, had_notify = false, unwanted;

	might_sleep();
	spin_lock_irq(&utrace->lock);
	unwanted = utrace_hold_unwanted(utrace);
	spin_unlock_irq(&utrace->lock);
	if (unwanted)
		return false;

	utrace_gate(UTRACE_GATE_PRE_SLEEP, current);
	UTRACE_TRACE(stop, current, event);
	while (sleep_once(utrace, event, &had_signal, &had_notify))
		;
	finish_hold(had_signal, had_notify);
	UTRACE_TRACE(resume, current, event);
	return true;
}
