/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hooks tell the core.  All run in the thread's own context, in process
 * context with no locks held, unless said otherwise, and may sleep.  None
 * takes a thread for granted: a thread without engines is let go at once.
 */
#ifndef UTRACE_EVENTS_EVENTS_H
#define UTRACE_EVENTS_EVENTS_H

#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/signal_types.h>

struct pt_regs;
struct utrace;
struct utrace_receiver;

/*
 * Current is at a call's entry, before ptrace and seccomp.  @dispatch: its flag is, too, the
 * program's own.  The result is for one of the two below; NULL: nobody is on the thread.
 */
struct utrace *utrace_call_begins(bool *dispatch);
/* The program's own dispatch takes the call: nobody is told. */
void utrace_call_dispatched(struct utrace *utrace);
/* It is told.  True: skip it, regs hold the result. */
bool utrace_report_syscall_entry(struct utrace *utrace, struct pt_regs *regs);

/* After the call, before ptrace's exit stop. */
void utrace_report_syscall_exit(struct pt_regs *regs);

/*
 * The call has ended and is audited next: the flags of its end are sampled, and before the hook
 * above it may sleep.
 */
void utrace_report_audit(void);

/*
 * A signal of current's was taken off its queue, or (@queued) is its own, still there, and next to
 * be taken; nothing is done about it yet.  With siglock held, which is dropped and taken again if
 * anybody is told: then true, and @info says what is to be delivered, or has a si_signo of 0 if
 * nothing is.
 */
bool utrace_report_signal(kernel_siginfo_t *info, enum pid_type type, bool queued);

/*
 * The kernel has dropped a signal that was sent to @receiver's thread: it is told before the
 * thread next comes to user mode, and not woken for that.  Any context, siglock held.
 */
void utrace_note_dropped(struct utrace_receiver *receiver, int sig);

/* Current is about to run a handler for @info, in the frame that was just built. */
void utrace_report_handler(const kernel_siginfo_t *info);

/* @sig, just put into current's own queue, is what was decided about another: not to be told. */
void utrace_signal_told(int sig);

/* A verdict that was just given, and waits for utrace_take_forced(); 0: none. */
u32 utrace_forced_verdict(void);

/*
 * What get_signal() is to be given for a verdict that only it can carry out: SIGKILL or SIGSTOP, 0
 * if there is none.  siglock held.
 */
int utrace_take_forced(kernel_siginfo_t *info);

/*
 * Get_signal() carries it out: by which signal it is to look, 0 if nothing was forced.  A core is
 * dumped by the second.  siglock is held by the first, and not by the second.
 */
int utrace_forced_stop(void);
int utrace_forced_end(void);

/*
 * Stepping.  Current is at a call's entry; about to take signals; has taken all there were, with
 * siglock held; a uprobe is about to step it over an instruction, and has done so.
 */
void utrace_step_at_entry(struct pt_regs *regs);
void utrace_step_before_signals(void);
void utrace_step_after_signals(void);
void utrace_step_before_probe(void);
void utrace_step_after_probe(void);

/*
 * The debugger of @task, which does not run, is to set or clear the flag.  True: a step was armed,
 * and is not any more; with @ours the flag is to be cleared first.  And after it: armed again
 * before user mode.
 */
bool utrace_step_withdraw(struct task_struct *task, bool *ours);
void utrace_step_again(struct task_struct *task);

/* The trap flag has trapped.  False: a SIGTRAP with this code is to follow, nobody's but ours. */
bool utrace_report_trap(int *code);

/*
 * Current is about to stop with its group: @sig begins the stop, 0: it takes part.  It goes on:
 * true if it was in such a stop.  Both with siglock held, which is dropped and taken again
 * meanwhile.
 */
void utrace_report_stopping(int sig);
bool utrace_report_continued(void);

/*
 * Of an exiting thread: is it the one its group's stop waits for?  If so, and it has left the group
 * to its stop now.
 */
bool utrace_completes_stop(void);
void utrace_report_left_stop(void);

/* In the parent: @child has not run.  Also takes from the child what it copied of our flags. */
void utrace_report_clone(struct task_struct *child);

/* After success and after ptrace's exec event, before the new image's first instruction. */
void utrace_report_exec(void);

/*
 * At the top of do_group_exit() (@group, before the group's exit has begun) and of do_exit().
 * Called for both on the way of one thread: the second time is silent.
 */
long utrace_report_exit(long code, bool group);

/* A zombie, or gone already if nobody waits for it: never holds, sighand may be NULL. */
void utrace_report_death(void);

/* In whatever thread reaps @task. */
void utrace_report_reap(struct task_struct *task);

/*
 * The kernel has just cleared or set flags of @task that we share with it (single
 * step, user dispatch): set ours again.  @task is current or does not run.  Any context.
 */
void utrace_rearm(struct task_struct *task);

/*
 * The mark on @task may be nobody's.  If it is somebody's, who attached just now, it stays:
 * utrace_enter() enters the thread in the table first and marks it then, so either we find it there
 * or the mark comes after.
 */
void utrace_drop_mark(struct task_struct *task);

/*
 * The thread's own user dispatch, as the program or its debugger set it, is kept by the core, since
 * its flag is the one that brings us to syscall entry (H-9).  @task is current, or does not run.
 * Between the two the flag is the program's alone.  False: nobody is on the thread.
 */
bool utrace_user_dispatch_show(struct task_struct *task);

/* Keep what the flag says now.  False: we came to it since @shown was false; do it again. */
bool utrace_user_dispatch_learn(struct task_struct *task, bool shown);

#endif
