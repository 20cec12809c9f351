/* SPDX-License-Identifier: GPL-2.0-only */
/* Stepping, for the other events.  All of the current thread, without a lock held. */
#ifndef UTRACE_EVENTS_STEP_H
#define UTRACE_EVENTS_STEP_H

#include <linux/types.h>

struct utrace;

/* The last thing before user mode: if an engine wants a step. */
void utrace_step_arm(struct utrace *utrace);

/* The trap flag goes; @call: the end of the call that was just begun will end the step. */
void utrace_step_disarm(struct utrace *utrace, bool call);

/* It is one step further.  Nothing if no engine wants one. */
void utrace_step_made(struct utrace *utrace);

/* Before a call is run: a step that was asked for at its entry ends with it. */
void utrace_step_into_call(struct utrace *utrace);

/* At a call's end: was it to be stepped over? */
void utrace_step_over_call(struct utrace *utrace);

/* If one was made: tell it, and hold. */
void utrace_report_step(struct utrace *utrace);

#endif
