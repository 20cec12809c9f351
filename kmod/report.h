/* SPDX-License-Identifier: GPL-2.0-only */
/* The pass: one event told to each engine in turn. */
#ifndef UTRACE_REPORT_H
#define UTRACE_REPORT_H

#include "engine.h"

struct utrace_pass {
	struct utrace *utrace;
	u32 event;     /* one UTRACE_EVENT(), or 0 near user mode */
	bool may_stop; /* a STOP means something here */
	bool late;     /* but it takes effect later, in nested mode too */
	bool resumed;  /* a further pass at the same entry, for those that asked */
	bool dropped;  /* a signal about which nothing is to be decided any more */

	/* What the event's callback is given. */
	struct pt_regs *regs;
	struct kernel_siginfo *info;
	struct task_struct *child;
	unsigned long clone_flags;
	long orig_code;
	long code;
	bool group_dead;
	int jctl_type;
	int jctl_notify;

	/*
	 * After a hold: what was decided meanwhile takes effect, so that the engines that come next
	 * are told of it.  Or NULL.  Lock held.
	 */
	void (*settle)(struct utrace_pass *pass);

	/*
	 * Out: the strongest wish, and the last engine's verdict on the system call or the signal.
	 */
	u32 action;
	u32 verdict;
	/* Out: some engine wants a step. */
	bool step;
	/* Out: nested: it was held between two engines, and that was over before the pass was. */
	bool held;
	/* Out: at a call that is not run now, the engines that had not been called are not. */
	bool cut;
	/* Out: at a call, nobody holds the thread: its hold is over, as it were, and settled. */
	bool closed;
};

/*
 * At an entry, after a hold: did any engine ask to be called again?  The next pass is for those.
 * Lock held.
 */
bool utrace_again(struct utrace_pass *pass);

/*
 * Call every engine that wants the event: in attach order, at SYSCALL_ENTRY in reverse.  In the
 * thread's own context, no lock held.  One pass at a time per thread follows from that.
 *
 * In nested mode, which any engine on the thread may ask for, the thread is held in here for an
 * engine before the next one is called.
 */
void utrace_run_pass(struct utrace_pass *pass);

/* Would a pass call anybody?  No lock: an engine that asks just now hears of the next event. */
static inline bool utrace_is_heard(const struct utrace *utrace, u32 event)
{
	return READ_ONCE(utrace->heard) & (event | UTRACE_EVENT(QUIESCE));
}

#endif
