/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A traced thread: which engines it has, what it was asked, where it is in its death.
 */
#ifndef UTRACE_TASK_H
#define UTRACE_TASK_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/signal_types.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/wait.h>

#include "action.h"
#include "hooks/hooks.h"

struct utrace_link;
struct utrace_roster;

/* What was decided about a signal while the thread was held at it. */
struct utrace_signal_answer {
	bool given;
	/* About a fault of the thread's own, which stays in its queue meanwhile. */
	bool fault;
	/* Is there an info? */
	bool changed;
	u32 verdict;
	kernel_siginfo_t info;
};

/*
 * A verdict that only the kernel's own code can carry out, which is given another signal meanwhile:
 * SIGKILL or SIGSTOP, of which the disposition cannot be but the default.  Set by the thread, under
 * both siglock and its lock; it keeps the thread from being retired.
 */
struct utrace_forced {
	/* UTRACE_SIGNAL_TERM, CORE or STOP; 0: none. */
	u32 verdict;
	/* By which signal it is to look. */
	int sig;
	/* get_signal() has it by now. */
	bool taken;
};

/*
 * A step, by the trap flag.  It is in the thread's registers only from the end of the work before
 * user mode until the thread is next in the kernel for a call, a signal or a work: so nobody who
 * looks at a thread that does not run sees it.  All is the thread's own; what others look at it
 * changes under the lock.
 */
struct utrace_step {
	/* The flag is there.  Others: until it is taken away the thread is not retired. */
	bool armed;
	/* The work runs that arms in the end.  Others. */
	bool working;
	/* In a call, the end of which is the end of the step.  Others. */
	bool over_call;
	/* Signals are taken first. */
	bool waits;
	/* It was made, and is told next. */
	bool done;
	/* A debugger steps the thread too: the flag is left to it. */
	bool shared;
	/* The program had set the flag itself. */
	bool own;
	/* The instruction, at ip, shows the program the flag. */
	bool pushes;
	/* Nobody else has set the flag, nor does the instruction. */
	bool plain;
	/* The hooks and the module stay for it. */
	bool pinned;
	unsigned long ip;
};

/**
 * struct utrace - what is known of a traced thread
 *
 * Found by its task in a hash table.  It lives while a reference is held: by the table, by each
 * engine, by a queued work, and by whoever looks at it.  Retired, it is out of the table and the
 * thread carries none of our flags.
 */
struct utrace {
	struct hlist_node hash;
	struct rcu_head rcu;
	refcount_t ref;
	struct task_struct *task;

	/*
	 * Guards all below.  IRQ-safe, since it nests inside siglock; the run queue's and
	 * the task's pi_lock nest inside it (waking, set_special_state()).
	 */
	spinlock_t lock;
	/* Superset of the engines' events; and of those that some callback waits for. */
	u32 events;
	u32 heard;
	/* Some of those that hear of SIGNAL_IGN want the signal queued. */
	bool intercepts;

	/* Engines the passes see, in attach order; and those that wait for the next pass. */
	struct list_head attached;
	struct list_head attaching;
	/* Where in attached the pass is; an engine that leaves takes it off itself. */
	struct list_head *cursor;
	/* By which it finds the next one.  Or NULL: by looking at each. */
	struct utrace_roster *roster;
	/* Passes since any of them went, or asked for other events. */
	u8 quiet;
	/* The last number given out, without its slot bit. */
	u64 counter;

	/* Whose callback runs just now. */
	struct utrace_link *reporting;
	wait_queue_head_t barrier;

	struct callback_head work;
	bool work_queued;
	/* The work has let older works run first (H-19). */
	bool work_settled;

	/* The last hold ended, or will, with a debugger's stop in its place.  The thread's own. */
	bool handed_over;
	/* In the hold's sleep: a wake-up may be meant for us, and is never taken for ptrace's. */
	bool asleep;
	/* The pass walks from the last engine to the first. */
	bool backward;
	/* Some engine's link has a note about the call, of those that its end wipes out. */
	bool call_noted;
	/* Some link may have an open slot: else none has. */
	bool may_hold;
	/* Some link was told that a debugger waits. */
	bool debugger_told;
	bool retired;
	bool exit_reported;
	/* The death report runs; it is done; the zombie is being reaped. */
	bool dying;
	bool dead;
	bool reaping;

	/*
	 * It went into job control's stop, and that it goes on has not been told.  Under siglock.
	 */
	bool job_stopped;

	/* The program's own user dispatch (H-9). */
	bool user_dispatch;
	/* The flag is lent to the kernel's own code, which sets or reads it. */
	bool dispatch_shown;
	/*
	 * From the entry pass until its hold is over; and the verdict given meanwhile to skip
	 * the call.
	 */
	bool at_entry;
	bool abort;
	long abort_result;
	/* As at_entry: from EXIT's pass until its hold is over; and the code given meanwhile. */
	bool at_exit;
	bool exit_given;
	long exit_code;

	/*
	 * From a signal's pass until its hold is over: where verdicts go that are given meanwhile.
	 */
	struct utrace_signal_answer *answer;
	/*
	 * The signal of that pass, or of the last one, as the engines before have left it.  Only
	 * the thread writes it, while nobody holds it there.
	 */
	kernel_siginfo_t siginfo;
	/*
	 * A number in its own queue that was told already, and what was decided about it: 0 if
	 * none.  The thread's own.
	 */
	int signal_told;
	struct utrace_forced forced;
	struct utrace_step step;
	/* Among those that are asked before their signals are sent. */
	struct utrace_receiver receiver;
};

/* @work: what a thread runs before user mode after utrace_kick(). */
int utrace_task_init(task_work_func_t work);
/* With no engine left: waits until the last thread is out of here. */
void utrace_task_exit(void);

/* A reference to what is known of a thread, or NULL.  Any context. */
struct utrace *utrace_find(struct task_struct *task);
/* The same, made if need be.  ERR_PTR: -ENOMEM, -ESRCH (reaped). */
struct utrace *utrace_obtain(struct task_struct *task);
void utrace_put(struct utrace *utrace);

static inline void utrace_hold_ref(struct utrace *utrace)
{
	refcount_inc(&utrace->ref);
}

/*
 * If it has no engine any more: take it out of the table and our flags off the thread.  No lock
 * held.
 */
void utrace_retire_if_idle(struct utrace *utrace);

/* Bring the thread's flags in line with events.  Lock held, or the thread is new. */
void utrace_set_flags(struct utrace *utrace);

/*
 * Have the thread come by before it next runs user code; interrupt breaks a blocking call.  Also
 * under siglock, without interrupt.
 */
void utrace_kick(struct utrace *utrace, bool interrupt);

#endif
