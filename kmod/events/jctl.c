// SPDX-License-Identifier: GPL-2.0-only
/*
 * Job control: a thread is about to stop with its group, and it goes on.
 *
 * Only the kernel's own code stops it, and counts it; we are called before, with the thread
 * running, and after.  A STOP of an engine does not keep it from stopping with its group, so that
 * its parent sees what it would have seen: it takes effect when the group goes on.
 */
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>

#include "../compat/siglock.h"
#include "../gates.h"
#include "../report.h"
#include "../stop.h"
#include "../trace.h"
#include "events.h"

/* siglock held, dropped meanwhile: what was true before has to be looked at anew. */
static void tell(struct utrace *utrace, int type, int notify, int sig)
{
	struct utrace_pass pass = {
		.utrace = utrace,
		.event = UTRACE_EVENT(JCTL),
		.may_stop = true,
		/* First it stops, as its parent is told. */
		.late = type == CLD_STOPPED,
		.jctl_type = type,
		.jctl_notify = notify,
	};

	spin_unlock_irq(own_siglock());
	utrace_gate(UTRACE_GATE_JCTL_IN, current);
	UTRACE_TRACE(jctl, current, type, sig);
	if (utrace_is_heard(utrace, pass.event)) {
		utrace_run_pass(&pass);
		if (type == CLD_CONTINUED)
			utrace_hold(utrace, pass.event);
		else if (pass.action == UTRACE_STOP)
			/* Should it not come by utrace_report_continued(). */
			utrace_kick(utrace, false);
		utrace_retire_if_idle(utrace);
	}
	spin_lock_irq(own_siglock());
}

/* As it looks now: will the parent be told when current stops?  siglock held. */
static bool completes_stop(void)
{
	const struct signal_struct *signal = current->signal;

	if (!(current->jobctl & JOBCTL_STOP_PENDING))
		return thread_group_empty(current);
	return signal->group_stop_count == 1 && (current->jobctl & JOBCTL_STOP_CONSUME);
}

void utrace_report_stopping(int sig)
{
	struct utrace *utrace;
	bool known;

	lockdep_assert_held(own_siglock());
	/* Nor will it stop if SIGCONT came after the signal that was to stop it. */
	if (own_end_decided() || !(current->jobctl & (JOBCTL_STOP_PENDING | JOBCTL_STOP_DEQUEUED)))
		return;
	utrace = utrace_find(current);
	if (!utrace)
		return;
	/* Still set if it only went from job control's stop to ptrace's, or back. */
	known = utrace->job_stopped;
	utrace->job_stopped = true;
	if (!sig)
		sig = current->jobctl & JOBCTL_STOP_SIGMASK;
	if (!known)
		tell(utrace, CLD_STOPPED, completes_stop() ? CLD_STOPPED : 0, sig);
	utrace_put(utrace);
}

bool utrace_report_continued(void)
{
	struct utrace *utrace;
	bool goes_on;

	lockdep_assert_held(own_siglock());
	utrace = utrace_find(current);
	if (!utrace)
		return false;
	goes_on = utrace->job_stopped && !own_end_decided();
	if (goes_on) {
		utrace->job_stopped = false;
		/* An engine may want it held since the stop: only after that it goes on. */
		spin_unlock_irq(own_siglock());
		utrace_hold(utrace, UTRACE_EVENT(JCTL));
		spin_lock_irq(own_siglock());
		if (!own_end_decided())
			tell(utrace, CLD_CONTINUED, 0, 0);
	}
	utrace_put(utrace);
	return goes_on;
}

bool utrace_completes_stop(void)
{
	bool last;

	/* Most exit in peace; whoever begins a stop just now sees that we are leaving. */
	if (!(READ_ONCE(current->jobctl) & JOBCTL_STOP_PENDING))
		return false;
	spin_lock_irq(own_siglock());
	last = !own_end_decided() && (current->jobctl & JOBCTL_STOP_PENDING) && completes_stop();
	spin_unlock_irq(own_siglock());
	return last;
}

void utrace_report_left_stop(void)
{
	struct utrace *utrace = utrace_find(current);
	struct utrace_pass pass = {
		.utrace = utrace,
		.event = UTRACE_EVENT(JCTL),
		.jctl_type = CLD_STOPPED,
		.jctl_notify = CLD_STOPPED,
	};

	if (!utrace)
		return;
	/*
	 * Not if it was ended meanwhile, and the stop with it.  Nor after an oops, where EXIT is
	 * not told either.
	 */
	if (utrace->exit_reported && (READ_ONCE(current->signal->flags) & SIGNAL_STOP_STOPPED)) {
		UTRACE_TRACE(jctl, current, CLD_STOPPED,
			     READ_ONCE(current->signal->group_exit_code));
		if (utrace_is_heard(utrace, pass.event))
			utrace_run_pass(&pass);
		utrace_retire_if_idle(utrace);
	}
	utrace_put(utrace);
}
