// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a thread stops with its group.  Before and not around it: in job control's stop it may be
 * for ever, and our code must not be on its stack then (contract 12).  That it goes on is told
 * where it next takes a signal, in the same round of get_signal().
 */
#include "../events/events.h"
#include "hook.h"

/* siglock held.  @sig: what begins the stop, 0 to take part in one. */
void utrace_before_do_signal_stop(int sig)
{
	UTRACE_HOOK(do_signal_stop);

	utrace_report_stopping(sig);
}
