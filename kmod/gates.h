/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gates, in gate builds only: named points at which a chosen thread waits until it is let go,
 * so that a test can make an interleaving happen.
 */
#ifndef UTRACE_GATES_H
#define UTRACE_GATES_H

#include <linux/sched.h>

enum utrace_gate_point {
	UTRACE_GATE_ENTRY_SAMPLED, /* the hook is entered, nothing is decided */
	UTRACE_GATE_EXIT_SAMPLED,  /* the same at the end of a call */
	UTRACE_GATE_CB_IN,	   /* before a callback */
	UTRACE_GATE_CB_OUT,	   /* after it, its answer not applied */
	UTRACE_GATE_APPLIED,
	UTRACE_GATE_PRE_SLEEP, /* a hold is decided, the state not set */
	UTRACE_GATE_ASLEEP,    /* the state is set: seen, never waited at */
	UTRACE_GATE_QUEUED,
	UTRACE_GATE_NOTE_TAKEN,
	UTRACE_GATE_DEATH_IN,  /* a zombie, the report not begun */
	UTRACE_GATE_DEATH_OUT, /* everybody told, the report not over */
	UTRACE_GATE_REAP_IN,
	UTRACE_GATE_CLONE_IN,
	UTRACE_GATE_EXEC_IN,
	UTRACE_GATE_JCTL_IN,  /* about to tell of a stop, or of its end, no lock held */
	UTRACE_GATE_AUDIT_IN, /* a call's end, its flag sampled and the hook to come */
	UTRACE_GATE_ANSWERED, /* an answer is noted, the thread not let go */
	UTRACE_GATE_ARMED,    /* the trap flag is set, user mode comes */
	UTRACE_GATE_POINTS
};

#ifdef UTRACE_GATES
int utrace_gates_init(void);
/* Lets everybody go. */
void utrace_gates_exit(void);
/*
 * Whoever runs here waits if the gate of @task is closed; SIGKILL ends that.  May sleep, but at
 * ASLEEP.
 */
void utrace_gate(enum utrace_gate_point point, struct task_struct *task);
#else
static inline int utrace_gates_init(void)
{
	return 0;
}

static inline void utrace_gates_exit(void)
{
}

static inline void utrace_gate(enum utrace_gate_point point, struct task_struct *task)
{
}
#endif

#endif
