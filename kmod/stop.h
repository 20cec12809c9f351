/* SPDX-License-Identifier: GPL-2.0-only */
/* Holding a thread. */
#ifndef UTRACE_STOP_H
#define UTRACE_STOP_H

#include "engine.h"

/*
 * Sleep for as long as any engine wants current held, and nothing stronger forbids it.  In the
 * thread's own context, no lock held, may sleep.  @event is where, for those who look (0: near
 * user mode).
 */
bool utrace_hold(struct utrace *utrace, u32 event);

/* True: it would not sleep now, and need not be called.  Lock held. */
bool utrace_hold_unwanted_slow(struct utrace *utrace);
static inline bool utrace_hold_unwanted(struct utrace *utrace)
{
	if (utrace->may_hold || utrace->debugger_told || utrace->handed_over)
		return utrace_hold_unwanted_slow(utrace);
	return true;
}

/* Does a stop of its debugger's wait until the thread is let go?  Old news without siglock. */
bool utrace_debugger_waits(const struct utrace *utrace);

/*
 * Is the thread asleep in a hold, in job control's stop or in ptrace's?  Derived from its real
 * state, so true only while that cannot change: under its lock a hold does not begin or end.
 */
bool utrace_task_stopped(const struct utrace *utrace);

#endif
