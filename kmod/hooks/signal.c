// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a thread takes its signals, on its way to user mode: get_signal().  It looks for faults of
 * the thread's own first, by code that is inlined, so they are looked for, and told, before it
 * begins, and stay in their queue meanwhile.  All others it takes by dequeue_signal(), and they are
 * told there.
 */
#include <linux/cgroup.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "../compat/siglock.h"
#include "../compat/step.h"
#include "../compat/symbols.h"
#include "../events/events.h"
#include "hook.h"

#define FAULTS \
	(sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) | \
	 sigmask(SIGFPE) | sigmask(SIGSYS))

/* The one that get_signal() would take first, by its own rule.  siglock held. */
static struct sigqueue *first_fault(void)
{
	struct sigpending *pending = &current->pending;
	struct sigqueue *queued;

	if (!(pending->signal.sig[0] & ~current->blocked.sig[0] & FAULTS))
		return NULL;
	list_for_each_entry(queued, &pending->list, list)
		if (queued->info.si_code > SI_USER && (sigmask(queued->info.si_signo) & FAULTS))
			return queued;
	return NULL;
}

/*
 * Take it off the queue.  It is the only one of its number there: they are not real-time signals.
 */
static void take_fault(int sig)
{
	kernel_siginfo_t info;
	enum pid_type type;
	sigset_t mask;

	sigfillset(&mask);
	sigdelset(&mask, sig);
	utrace_original_dequeue_signal(UTRACE_DEQUEUE_ARGUMENTS(&mask, &info, &type));
	/*
	 * It was cleared with the last signal, but a call that was broken is restarted on that way.
	 */
	set_thread_flag(TIF_SIGPENDING);
}

/* Into current's own queue, as what was decided and not to be told again. */
static void put_instead(kernel_siginfo_t *info)
{
	sigset_t *pending = &current->pending.signal;
	int sig = info->si_signo;
	bool was = sigismember(pending, sig);

	k_send_signal_locked(sig, info, current, PIDTYPE_PID);
	/*
	 * It is told once it is not blocked any more; or it was there before, and is told as that.
	 */
	if (!was && sigismember(pending, sig) && !sigismember(&current->blocked, sig))
		utrace_signal_told(sig);
}

/* What was decided about fault @sig.  False: it goes on to be delivered.  siglock held. */
static bool settle_fault(int sig, kernel_siginfo_t *info)
{
	/* Gone if another thread has the program ignore it from now on. */
	struct sigqueue *queued = first_fault();
	bool there = queued && queued->info.si_signo == sig;

	if (own_end_decided())
		return false;
	if (utrace_forced_verdict()) {
		/* Before it looks for that it would take another fault. */
		for (; queued; queued = first_fault())
			take_fault(queued->info.si_signo);
		return false;
	}
	if (info->si_signo == sig && info->si_code > SI_USER) {
		if (there)
			copy_siginfo(&queued->info, info);
		return false;
	}
	if (there)
		take_fault(sig);
	if (info->si_signo)
		put_instead(info);
	return true;
}

void utrace_before_get_signal(struct ksignal *ksig)
{
	UTRACE_HOOK(get_signal);
	struct sigqueue *queued;
	kernel_siginfo_t info;
	bool again = true;
	int sig;

	/* Ours, a debugger's, or both. */
	if (test_thread_flag(TIF_SINGLESTEP))
		utrace_step_before_signals();
	if (!task_sigpending(current) || utrace_in_uprobe())
		return;
	spin_lock_irq(own_siglock());
	/* If a fault was next in the round in which it went on. */
	utrace_report_continued();
	while (again && (queued = first_fault())) {
		sig = queued->info.si_signo;
		copy_siginfo(&info, &queued->info);
		again = utrace_report_signal(&info, PIDTYPE_PID, true) && settle_fault(sig, &info);
	}
	spin_unlock_irq(own_siglock());
}

/* Has get_signal() to begin anew before it may take another?  siglock held. */
static bool begin_anew(void)
{
	return own_end_decided() || current->signal->flags & SIGNAL_CLD_MASK ||
	       current->jobctl & (JOBCTL_PENDING_MASK | JOBCTL_TRAP_FREEZE) ||
	       cgroup_task_frozen(current);
}

/*
 * siglock held, dropped while it is told.  Whatever is pending by then is looked at as after a
 * debugger's stop at a signal.
 */
int utrace_instead_dequeue_signal(UTRACE_DEQUEUE_PARAMETERS)
{
	UTRACE_HOOK(dequeue_signal);
	int sig, forced;

	/* As get_signal() alone asks: see below. */
	if (mask == &current->blocked && utrace_report_continued() && begin_anew()) {
		set_thread_flag(TIF_SIGPENDING);
		return 0;
	}
	/* About a fault. */
	forced = mask == &current->blocked ? utrace_take_forced(info) : 0;
	if (forced)
		return forced;
	for (;;) {
		sig = utrace_original_dequeue_signal(UTRACE_DEQUEUE_ARGUMENTS(mask, info, type));
		/* signalfd and sigtimedwait() ask by a set of their own: there it is data. */
		if (mask != &current->blocked)
			return sig;
		if (!sig) {
			utrace_step_after_signals();
			return 0;
		}
		if (!utrace_report_signal(info, *type, false))
			return sig;
		sig = info->si_signo;
		forced = own_end_decided() ? 0 : utrace_take_forced(info);
		if (forced)
			return forced;
		/*
		 * It stays, for the image of a sibling's exec or until the new one is not blocked.
		 */
		if (sig && (own_end_decided() || sigismember(&current->blocked, sig))) {
			k_send_signal_locked(sig, info, current, *type);
			sig = 0;
		}
		if (sig)
			return sig;
		/*
		 * Nothing to do about it: the next one, so that a call that both have broken ends
		 * as the next one says.
		 */
		if (begin_anew()) {
			set_thread_flag(TIF_SIGPENDING);
			return 0;
		}
	}
}

/* The original lets a debugger, and a thread that it steps into the handler, stop first. */
void utrace_instead_signal_setup_done(int failed, struct ksignal *ksig, int stepping)
{
	UTRACE_HOOK(signal_setup_done);

	utrace_original_signal_setup_done(failed, ksig, stepping);
	if (!failed)
		utrace_report_handler(&ksig->info);
}
