/* SPDX-License-Identifier: GPL-2.0-only */
/* The lock of signals, job control, exit and exec. */
#ifndef UTRACE_COMPAT_SIGLOCK_H
#define UTRACE_COMPAT_SIGLOCK_H

#include <linux/sched/signal.h>

/* Ours stays as long as we run: only our own exec or exit replaces it. */
static inline struct sighand_struct *own_sighand(void)
{
	return rcu_dereference_protected(current->sighand, true);
}

static inline spinlock_t *own_siglock(void)
{
	return &own_sighand()->siglock;
}

/*
 * Nothing more is to be done for current's sake, though it may not have died yet: SIGKILL, the
 * group's exit, or a sibling's exec.  siglock held.
 */
static inline bool own_end_decided(void)
{
	const struct signal_struct *signal = current->signal;

	lockdep_assert_held(own_siglock());
	return __fatal_signal_pending(current) || (signal->flags & SIGNAL_GROUP_EXIT) ||
	       (signal->group_exec_task && signal->group_exec_task != current);
}

#endif
