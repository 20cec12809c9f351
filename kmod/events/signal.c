// SPDX-License-Identifier: GPL-2.0-only
/* Signals: told when they are taken off their queue, before anything is done about them. */
#include <linux/ptrace.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "../compat/siglock.h"
#include "../report.h"
#include "../stop.h"
#include "events.h"

/* What would be done about it, 0 if it is not to be told.  siglock held. */
static u32 event_of(int sig)
{
	const struct k_sigaction *action;

	if (sig == SIGKILL || !valid_signal(sig) || !sig)
		return 0;
	action = &own_sighand()->action[sig - 1];
	/* The kernel's own last word, as of seccomp or a failed exec (H-5). */
	if (action->sa.sa_flags & SA_IMMUTABLE)
		return 0;
	if (action->sa.sa_handler == SIG_IGN)
		return UTRACE_EVENT(SIGNAL_IGN);
	if (action->sa.sa_handler != SIG_DFL)
		return UTRACE_EVENT(SIGNAL);
	if (sig_kernel_ignore(sig) ||
	    ((current->signal->flags & SIGNAL_UNKILLABLE) && !sig_kernel_only(sig)))
		return UTRACE_EVENT(SIGNAL_IGN);
	if (sig_kernel_stop(sig))
		return UTRACE_EVENT(SIGNAL_STOP);
	return sig_kernel_coredump(sig) ? UTRACE_EVENT(SIGNAL_CORE) : UTRACE_EVENT(SIGNAL_TERM);
}

/* The verdict given while the thread was held, over the one of the pass. */
static void take_verdict(struct utrace_pass *pass, struct utrace_signal_answer *answer)
{
	struct utrace *utrace = pass->utrace;

	spin_lock_irq(&utrace->lock);
	utrace->answer = NULL;
	spin_unlock_irq(&utrace->lock);
	if (answer->given) {
		pass->verdict = answer->verdict;
		if (answer->verdict == UTRACE_SIGNAL_DELIVER)
			copy_siginfo(pass->info, &answer->info);
	}
	if (pass->verdict == UTRACE_SIGNAL_IGN || !valid_signal(pass->info->si_signo))
		pass->info->si_signo = 0;
}

static void tell(struct utrace_pass *pass)
{
	struct utrace_signal_answer answer = {};
	struct utrace *utrace = pass->utrace;

	copy_siginfo(&utrace->siginfo, pass->info);
	spin_lock_irq(&utrace->lock);
	utrace->answer = &answer;
	spin_unlock_irq(&utrace->lock);
	utrace_run_pass(pass);
	utrace_hold(utrace, pass->event);
	take_verdict(pass, &answer);
	utrace_retire_if_idle(utrace);
}

bool utrace_report_signal(kernel_siginfo_t *info, enum pid_type type, bool queued)
{
	struct utrace_pass pass = { .may_stop = true, .info = info };

	lockdep_assert_held(own_siglock());
	pass.event = event_of(info->si_signo);
	if (!pass.event || own_end_decided())
		return false;
	pass.utrace = utrace_find(current);
	if (!pass.utrace)
		return false;
	if (!queued && type == PIDTYPE_PID && pass.utrace->signal_told == info->si_signo) {
		pass.utrace->signal_told = 0;
		pass.event = 0;
	}
	/* Nobody is called for a signal just because it asked for QUIESCE. */
	if (!(READ_ONCE(pass.utrace->heard) & pass.event)) {
		utrace_put(pass.utrace);
		return false;
	}
	/*
	 * As for a debugger, whatever its number is now: a SIGCONT that comes while siglock is
	 * dropped takes this away, and with it the stop that was to be.
	 */
	current->jobctl |= JOBCTL_STOP_DEQUEUED;
	spin_unlock_irq(own_siglock());
	tell(&pass);
	utrace_put(pass.utrace);
	spin_lock_irq(own_siglock());
	return true;
}

void utrace_signal_told(int sig)
{
	struct utrace *utrace = utrace_find(current);

	if (!utrace)
		return;
	utrace->signal_told = sig;
	utrace_put(utrace);
}
