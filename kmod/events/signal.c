// SPDX-License-Identifier: GPL-2.0-only
/* Signals: told when they are taken off their queue, before anything is done about them. */
#include <linux/ptrace.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "../compat/siglock.h"
#include "../compat/symbols.h"
#include "../report.h"
#include "../stop.h"
#include "events.h"
#include "resume.h"
#include "step.h"

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

/* Nor is anything forced on an init, which the kernel protects (H-16). */
static bool is_forced(const struct utrace_pass *pass)
{
	switch (pass->verdict & UTRACE_SIGNAL_MASK) {
	case UTRACE_SIGNAL_TERM:
	case UTRACE_SIGNAL_CORE:
	case UTRACE_SIGNAL_STOP:
	case UTRACE_SIGNAL_TSTP:
		return pass->info->si_signo &&
		       !(READ_ONCE(current->signal->flags) & SIGNAL_UNKILLABLE);
	}
	return false;
}

/* The verdict given while the thread was held, over the one of the pass.  Lock held. */
static void settle_signal(struct utrace_pass *pass)
{
	struct utrace *utrace = pass->utrace;
	struct utrace_signal_answer *answer = utrace->answer;

	if (answer->given) {
		answer->given = false;
		pass->verdict = answer->verdict;
		if (answer->changed)
			copy_siginfo(pass->info, &answer->info);
	}
	/* Who held it has let it go: nobody reads it just now. */
	copy_siginfo(&utrace->siginfo, pass->info);
}

/* Nobody would let it go on: then the kernel's own stop signals do nothing either. */
static void stop_unless_orphaned(struct utrace_pass *pass)
{
	u32 verdict = k_is_current_pgrp_orphaned() ? UTRACE_SIGNAL_IGN : UTRACE_SIGNAL_STOP;

	pass->verdict = (pass->verdict & ~UTRACE_SIGNAL_MASK) | verdict;
}

/* From now on no more are given. */
static void close_signal(struct utrace_pass *pass)
{
	struct utrace *utrace = pass->utrace;

	spin_lock_irq(&utrace->lock);
	settle_signal(pass);
	utrace->answer = NULL;
	spin_unlock_irq(&utrace->lock);
	/* Takes tasklist_lock. */
	if ((pass->verdict & UTRACE_SIGNAL_MASK) == UTRACE_SIGNAL_TSTP && is_forced(pass))
		stop_unless_orphaned(pass);

	spin_lock_irq(&utrace->lock);
	if ((pass->verdict & UTRACE_SIGNAL_MASK) == UTRACE_SIGNAL_IGN ||
	    !valid_signal(pass->info->si_signo))
		pass->info->si_signo = 0;
	if (is_forced(pass)) {
		utrace->forced = (struct utrace_forced){
			.verdict = pass->verdict & UTRACE_SIGNAL_MASK,
			.sig = pass->info->si_signo,
		};
	}
	spin_unlock_irq(&utrace->lock);
}

/* A copy to put back, freed by the kernel as any other; NULL: no memory. */
static struct sigqueue *copy_of(const kernel_siginfo_t *info)
{
	struct sigqueue *copy = kmem_cache_alloc(*k_sigqueue_cachep, GFP_KERNEL);

	if (!copy)
		return NULL;
	*copy = (struct sigqueue){};
	INIT_LIST_HEAD(&copy->list);
	copy_siginfo(&copy->info, info);
	return copy;
}

/*
 * Not sent anew: that a SIGCONT, say, was sent has had its effect.  Without a copy the number
 * alone, as the kernel does when memory is short.  siglock held.
 */
static void put_back(int sig, struct sigqueue *copy, enum pid_type type)
{
	struct sigpending *pending = type == PIDTYPE_PID ? &current->pending :
							   &current->signal->shared_pending;

	lockdep_assert_held(own_siglock());
	set_thread_flag(TIF_SIGPENDING);
	if (sig < SIGRTMIN && sigismember(&pending->signal, sig)) {
		/* It came again meanwhile, which stands for both, as ever. */
		if (copy)
			kmem_cache_free(*k_sigqueue_cachep, copy);
		return;
	}
	sigaddset(&pending->signal, sig);
	if (copy)
		list_add(&copy->list, &pending->list);
}

static void tell(struct utrace_pass *pass, bool fault)
{
	struct utrace_signal_answer answer = { .fault = fault };
	struct utrace *utrace = pass->utrace;

	copy_siginfo(&utrace->siginfo, pass->info);
	spin_lock_irq(&utrace->lock);
	utrace->answer = &answer;
	spin_unlock_irq(&utrace->lock);
	utrace_run_pass(pass);
	utrace_hold(utrace, pass->event);
	close_signal(pass);
	utrace_retire_if_idle(utrace);
}

bool utrace_report_signal(kernel_siginfo_t *info, enum pid_type type, bool queued)
{
	struct utrace_pass pass = { .may_stop = true, .info = info, .settle = settle_signal };
	struct sigqueue *copy = NULL;
	kernel_siginfo_t told;
	int sig = info->si_signo;
	bool hold;

	lockdep_assert_held(own_siglock());
	pass.event = event_of(sig);
	if (!pass.event || own_end_decided())
		return false;
	pass.utrace = utrace_find(current);
	if (!pass.utrace)
		return false;
	if (!queued && type == PIDTYPE_PID && pass.utrace->signal_told == sig) {
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
	copy_siginfo(&told, info);
	tell(&pass, queued);
	utrace_put(pass.utrace);
	hold = !queued && (pass.verdict & UTRACE_SIGNAL_HOLD);
	if (hold)
		copy = copy_of(&told);
	spin_lock_irq(own_siglock());
	if (hold)
		put_back(sig, copy, type);
	return true;
}

void utrace_note_dropped(struct utrace_receiver *receiver, int sig)
{
	struct utrace *utrace = container_of(receiver, struct utrace, receiver);

	receiver->dropped |= BIT_ULL(sig - 1);
	/* Also where it was noted before: the work may just have taken the others. */
	utrace_kick(utrace, false);
}

static u64 take_dropped(struct utrace *utrace)
{
	u64 dropped;

	spin_lock_irq(own_siglock());
	dropped = utrace->receiver.dropped;
	utrace->receiver.dropped = 0;
	spin_unlock_irq(own_siglock());
	return dropped;
}

void utrace_report_dropped(struct utrace *utrace)
{
	struct utrace_pass pass = {
		.utrace = utrace,
		.event = UTRACE_EVENT(SIGNAL_IGN),
		.may_stop = true,
		.dropped = true,
	};
	kernel_siginfo_t info;
	u64 dropped;

	/* Noted before the work was queued; who is too late for this look queues it again. */
	dropped = READ_ONCE(utrace->receiver.dropped) ? take_dropped(utrace) : 0;
	for (; dropped && utrace_is_heard(utrace, pass.event); dropped &= dropped - 1) {
		/* Nobody cares any more. */
		if (fatal_signal_pending(current))
			return;
		/* As of one that was not queued for want of memory. */
		clear_siginfo(&info);
		info.si_signo = __ffs64(dropped) + 1;
		info.si_code = SI_USER;
		copy_siginfo(&utrace->siginfo, &info);
		pass.info = &info;
		utrace_run_pass(&pass);
		utrace_hold(utrace, pass.event);
	}
}

void utrace_report_handler(const kernel_siginfo_t *info)
{
	struct utrace_pass pass = { .event = UTRACE_EVENT(SIGNAL_HANDLER), .may_stop = true };
	struct utrace *utrace = utrace_find(current);
	kernel_siginfo_t told;

	if (!utrace)
		return;
	utrace_step_made(utrace);
	/* As at the signal itself, nobody just because it asked for QUIESCE. */
	if (READ_ONCE(utrace->heard) & pass.event) {
		copy_siginfo(&told, info);
		copy_siginfo(&utrace->siginfo, info);
		pass.utrace = utrace;
		pass.info = &told;
		utrace_run_pass(&pass);
		utrace_hold(utrace, pass.event);
		utrace_retire_if_idle(utrace);
	}
	utrace_put(utrace);
}

void utrace_signal_told(int sig)
{
	struct utrace *utrace = utrace_find(current);

	if (!utrace)
		return;
	utrace->signal_told = sig;
	utrace_put(utrace);
}

u32 utrace_forced_verdict(void)
{
	struct utrace *utrace = utrace_find(current);
	u32 verdict = 0;

	if (!utrace)
		return 0;
	if (!utrace->forced.taken)
		verdict = utrace->forced.verdict;
	utrace_put(utrace);
	return verdict;
}

int utrace_take_forced(kernel_siginfo_t *info)
{
	struct utrace *utrace = utrace_find(current);
	struct utrace_forced *forced;
	int sig = 0;

	lockdep_assert_held(own_siglock());
	if (!utrace)
		return 0;
	forced = &utrace->forced;
	spin_lock(&utrace->lock);
	if (forced->taken) {
		/* A debugger would not have it. */
		memset(forced, 0, sizeof(*forced));
	} else if (forced->verdict) {
		forced->taken = true;
		sig = forced->verdict == UTRACE_SIGNAL_STOP ? SIGSTOP : SIGKILL;
		copy_siginfo(info, &utrace->siginfo);
		info->si_signo = sig;
	}
	spin_unlock(&utrace->lock);
	utrace_put(utrace);
	return sig;
}

/* What get_signal() was given in its place comes to be now.  True: it was given that. */
static bool settle_forced(struct utrace *utrace, bool stop, struct utrace_forced *was)
{
	struct utrace_forced *forced = &utrace->forced;
	unsigned long irq;
	bool mine;

	spin_lock_irqsave(&utrace->lock, irq);
	mine = forced->taken && (forced->verdict == UTRACE_SIGNAL_STOP) == stop;
	if (mine) {
		*was = *forced;
		memset(forced, 0, sizeof(*forced));
	}
	spin_unlock_irqrestore(&utrace->lock, irq);
	return mine;
}

int utrace_forced_stop(void)
{
	struct utrace *utrace = utrace_find(current);
	struct utrace_forced was = {};

	lockdep_assert_held(own_siglock());
	if (!utrace)
		return 0;
	if (settle_forced(utrace, true, &was)) {
		/* Not under siglock.  The kernel looks next for a SIGCONT that comes meanwhile. */
		spin_unlock_irq(own_siglock());
		utrace_retire_if_idle(utrace);
		spin_lock_irq(own_siglock());
	}
	utrace_put(utrace);
	return was.sig;
}

int utrace_forced_end(void)
{
	struct utrace *utrace = utrace_find(current);
	struct utrace_forced was = {};

	if (!utrace)
		return 0;
	if (settle_forced(utrace, false, &was)) {
		/* First: for however long the dump takes nobody waits for this thread. */
		utrace_retire_if_idle(utrace);
		if (was.verdict == UTRACE_SIGNAL_CORE)
			k_coredump(&utrace->siginfo);
	}
	utrace_put(utrace);
	return was.sig;
}
