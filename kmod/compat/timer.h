/* SPDX-License-Identifier: GPL-2.0-only */
/* Timers of nanoseconds: what they call was a member to be set, and is an argument since 6.13. */
#ifndef UTRACE_COMPAT_TIMER_H
#define UTRACE_COMPAT_TIMER_H

#include <linux/hrtimer.h>

static inline void utrace_timer_setup(struct hrtimer *timer,
				      enum hrtimer_restart (*over)(struct hrtimer *))
{
#ifdef UTRACE_HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, over, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = over;
#endif
}

#endif
