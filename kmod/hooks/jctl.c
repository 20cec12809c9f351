// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a thread stops with its group.  Before and not around it: in job control's stop it may be
 * for ever, and our code must not be on its stack then (contract 12).  That it goes on is told
 * where it next takes a signal, in the same round of get_signal().
 */
#include "../events/events.h"
#include "hook.h"

/* siglock held.  @sig: what begins the stop, 0 to take part in one. */
int utrace_before_do_signal_stop(int sig)
{
	UTRACE_HOOK(do_signal_stop);

	/* The only one that can be forced. */
	if (sig == SIGSTOP)
		sig = utrace_forced_stop() ?: sig;
	utrace_report_stopping(sig);
	return sig;
}

/* In do_exit(): from now on @task, current, takes part in nothing of its group's any more. */
void utrace_instead_exit_signals(struct task_struct *task)
{
	UTRACE_HOOK(exit_signals);
	bool last = utrace_completes_stop();

	utrace_original_exit_signals(task);
	if (last)
		utrace_report_left_stop();
}
