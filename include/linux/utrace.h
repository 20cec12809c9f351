/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * utrace: several independent tracing engines on one thread.
 *
 * An engine is attached to one thread.  It asks for events by a mask; for each
 * event its callbacks run in the thread's own context, in process context
 * with no locks held, and may sleep briefly.  They must not wait for anything
 * outside: a callback that has to wait returns UTRACE_STOP and is answered
 * later by utrace_resume().  Only REAP may run in another thread's context.
 *
 * Engines are called in the order they were attached, at SYSCALL_ENTRY in the
 * reverse order: the engine attached last is closest to user mode.  For each
 * engine its report_quiesce() comes first, if it asked for QUIESCE, then the
 * callback of the event.  An engine attached during a pass hears nothing
 * of that pass.
 *
 * The thread runs only when no engine wants it held.  One engine's resume never
 * ends another's hold.  SIGKILL, a sibling's exec and the group's exit
 * end every hold at once.
 *
 * It is held after all engines were called.  In nested mode, while any engine
 * attached with UTRACE_ATTACH_NESTED is on the thread, it is held for each
 * engine that wants it before the next one is called, which so finds what
 * became of the event meanwhile: a call, a signal or an exit code as those
 * before it have left it.  A call killed there, or handed over to a debugger,
 * is told to no further engine.  Not before job control's stop, which comes
 * first in any case; and at CLONE the child does not run before the
 * holds are over.
 */
#ifndef _LINUX_UTRACE_H
#define _LINUX_UTRACE_H

#include <linux/err.h>
#include <linux/sched.h>

#include "../uapi/utrace.h"

struct kernel_siginfo;
struct pt_regs;
struct utrace_engine;

/**
 * struct utrace_engine_ops - what an engine hears
 * @owner: THIS_MODULE; it stays until the last of its engines is released
 * @report_quiesce: before each other callback, and near user mode with @event 0
 * @report_syscall_entry: before the call, before ptrace and seccomp see it;
 *	@regs may be changed, the returned action carries RUN or ABORT.  If it was held there, an
 *	engine that returned, or has asked for meanwhile, REPORT or INTERRUPT is called again before
 *	the call is run, with UTRACE_SYSCALL_RESUMED and the registers as they are now; what it
 *	returns then about the call prevails
 * @report_syscall_exit: after the call; the result in @regs may be changed
 * @report_signal: a signal was taken off its queue and nothing is done about it yet; @event, one of
 *	UTRACE_EVENTS_SIGNAL, is what would be.  @info may be changed, its si_signo too; the
 *	returned action carries enum utrace_signal_action: DELIVER by its disposition, or IGN, TERM,
 *	CORE or STOP whatever that says, and UTRACE_SIGNAL_HOLD, which is nothing at a fault.
 *	Signals whose disposition the kernel made unchangeable are not told.  One that is ignored
 *	is dropped when it is sent, and told afterwards, with UTRACE_SIGNAL_DROPPED, unless some
 *	engine that asks for SIGNAL_IGN has UTRACE_ATTACH_INTERCEPT.  And, with @event
 *	UTRACE_EVENT(SIGNAL_HANDLER), when a handler's frame has just been built: then @info and
 *	what is returned about the signal change nothing
 * @report_jctl: @type CLD_STOPPED: the thread is about to stop with its group, and @notify is
 *	CLD_STOPPED too if, as it looks now, the parent is told then.  A STOP does not keep it from
 *	that; it holds the thread when the group goes on.  CLD_CONTINUED: it goes on, or has not
 *	stopped after all; the parent was told, if anybody had to.
 *	CLD_STOPPED of an exiting thread (PF_EXITING): it has left its group, whose stop is complete
 *	by that; a STOP means nothing
 * @report_clone: @child is made and has run nothing; it may be attached to
 * @report_exec: after success, before the new image's first instruction
 * @report_exit: *@code, at first @orig_code, is what the parent will see, and may be changed;
 *	memory and files are whole.  A STOP is not honoured once the group's exit has begun
 * @report_step: the step that this engine asked for, by SINGLESTEP or BLOCKSTEP, was made
 * @report_death: a zombie; only UTRACE_DETACH means anything, no hold is possible
 * @report_reap: last of all, maybe in the reaper's context; must not block.  The
 *	engine is detached when it returns
 * @report_stopped: the thread is held because of this engine's asynchronous stop @seq and
 *	goes to sleep: once for each number that utrace_stop() answered with -EINPROGRESS.
 *	Called under the thread's lock with interrupts off: must neither block nor
 *	call back.  @seq is the highest number it is held for
 * @report_debugger: a stop of the thread's debugger waits until the hold has ended: once for
 *	each hold.  True: this engine holds it no more, and nothing of the program runs before that
 *	stop: at a call's entry, the call is begun anew after it, and told anew.  Not at EXIT, which
 *	no stop follows.  Called like @report_stopped
 * @report_lost: the owner may not trace the new image, so the core has detached the
 *	engine: the last call but @release
 * @release: the last reference is gone; frees the engine's data.  Any process context
 *
 * Callbacks get the strongest action that engines before it asked for and
 * return their own: enum utrace_resume_action, at syscall entry with enum
 * utrace_syscall_action, at a signal with enum utrace_signal_action.  A callback not given counts
 * as UTRACE_RESUME.
 */
struct utrace_engine_ops {
	struct module *owner;
	u32 (*report_quiesce)(u32 action, struct utrace_engine *engine, u32 event);
	u32 (*report_syscall_entry)(u32 action, struct utrace_engine *engine, struct pt_regs *regs);
	u32 (*report_syscall_exit)(u32 action, struct utrace_engine *engine, struct pt_regs *regs);
	u32 (*report_signal)(u32 action, struct utrace_engine *engine, u32 event,
			     struct kernel_siginfo *info);
	u32 (*report_jctl)(u32 action, struct utrace_engine *engine, int type, int notify);
	u32 (*report_clone)(u32 action, struct utrace_engine *engine, unsigned long clone_flags,
			    struct task_struct *child);
	u32 (*report_exec)(u32 action, struct utrace_engine *engine, struct pt_regs *regs);
	u32 (*report_exit)(u32 action, struct utrace_engine *engine, long orig_code, long *code);
	u32 (*report_death)(struct utrace_engine *engine, bool group_dead);
	u32 (*report_step)(u32 action, struct utrace_engine *engine);
	void (*report_reap)(struct utrace_engine *engine, struct task_struct *task);
	void (*report_stopped)(struct utrace_engine *engine, u64 seq);
	bool (*report_debugger)(struct utrace_engine *engine);
	void (*report_lost)(struct utrace_engine *engine);
	void (*release)(struct utrace_engine *engine);
};

/**
 * struct utrace_engine - one tracer on one thread
 * @ops: its callbacks
 * @data: its own
 *
 * Made by utrace_attach_task(); the core keeps the rest beside it.
 */
struct utrace_engine {
	const struct utrace_engine_ops *ops;
	void *data;
};

/* What a callback is given, and returns, in its parts. */
static inline enum utrace_resume_action utrace_resume_action(u32 action)
{
	return action & UTRACE_RESUME_MASK;
}

static inline enum utrace_syscall_action utrace_syscall_action(u32 action)
{
	return action & UTRACE_SYSCALL_ABORT;
}

/* And UTRACE_SIGNAL_HOLD. */
static inline u32 utrace_signal_action(u32 action)
{
	return action & UTRACE_VERDICT_MASK;
}

/* ---- attach ---- */

#define UTRACE_ATTACH_MATCH_OPS	 0x01u /* look for an engine with these ops */
#define UTRACE_ATTACH_MATCH_DATA 0x02u /* and this data */
#define UTRACE_ATTACH_CREATE	 0x10u /* make one */
#define UTRACE_ATTACH_EXCLUSIVE	 0x20u /* -EEXIST if one matches */
#define UTRACE_ATTACH_INHERIT \
	0x40u /* @target is the child of a report_clone() to this owner's engine */
#define UTRACE_ATTACH_NESTED 0x80u /* the thread's holds are nested while this engine is on it */
/* Ignored signals that it asks for are queued: see UTRACE_TARGET_INTERCEPT. */
#define UTRACE_ATTACH_INTERCEPT 0x100u

/**
 * struct utrace_owner - by whose rights an engine is attached
 * @cred: checked at attach, as ptrace would, and anew at every exec
 * @file: for file_ns_capable(): the opener's capabilities
 *
 * An engine without an owner belongs to the kernel and may stay on any image.
 */
struct utrace_owner {
	const struct cred *cred;
	struct file *file;
};

/**
 * utrace_attach_task - attach an engine to a thread, or look one up
 * @target: the thread; the caller holds a reference
 * @flags: UTRACE_ATTACH_MATCH_*, UTRACE_ATTACH_CREATE, UTRACE_ATTACH_EXCLUSIVE, and of a new one
 *	UTRACE_ATTACH_INHERIT, UTRACE_ATTACH_NESTED, UTRACE_ATTACH_INTERCEPT
 * @ops: its callbacks, or what to match
 * @data: its data, or what to match
 * @owner: by whose rights, NULL for the kernel's; valid until @ops->release
 *
 * A new engine asks for no events and so hears nothing before
 * utrace_set_events(): complete @data first.
 *
 * Context: may sleep.
 * Return: the engine with a reference for the caller, or
 *	-ENOENT without CREATE: none matches;
 *	-EINVAL CREATE without @ops;
 *	-EPERM a kernel thread, or the owner may not trace the target;
 *	-EEXIST EXCLUSIVE and one matches;
 *	-ESRCH the target is dead and reaped, or about to be;
 *	-ENODEV the module of @ops is going;
 *	-EINTR a signal came while waiting for the target's exec to end;
 *	-ENOMEM.
 */
struct utrace_engine *utrace_attach_task(struct task_struct *target, u32 flags,
					 const struct utrace_engine_ops *ops, void *data,
					 const struct utrace_owner *owner);

struct utrace_engine *utrace_attach_pid(struct pid *pid, u32 flags,
					const struct utrace_engine_ops *ops, void *data,
					const struct utrace_owner *owner);

/**
 * utrace_may_attach - would utrace_attach_task() be allowed
 * @target: the thread; the caller holds a reference
 * @owner: by whose rights
 *
 * Context: may sleep.
 * Return: 0, or what utrace_attach_task() would give for want of rights.
 */
int __must_check utrace_may_attach(struct task_struct *target, const struct utrace_owner *owner);

/* ---- references ---- */

void utrace_engine_get(struct utrace_engine *engine);
void utrace_engine_put(struct utrace_engine *engine);

/**
 * utrace_engine_task - the thread an engine is, or was, attached to
 *
 * Return: the thread; valid as long as the caller holds a reference on @engine.
 */
struct task_struct *utrace_engine_task(const struct utrace_engine *engine);

/* ---- control: none of these blocks, but for the barrier ---- */

/**
 * utrace_set_events - replace the set of events an engine hears
 * @engine: the caller holds a reference
 * @events: UTRACE_EVENT() bits
 *
 * Return: 0, or
 *	-ESRCH detached, or the target is reaped;
 *	-EALREADY newly asking for DEATH or QUIESCE of a dying target, or giving up
 *		DEATH or QUIESCE when the death report has begun: nothing changed;
 *	-EINPROGRESS done, but a callback to this engine is running that may still be
 *		of the old set: utrace_barrier() ends the doubt;
 *	-EINVAL an unknown event.
 */
int __must_check utrace_set_events(struct utrace_engine *engine, u32 events);

/**
 * utrace_control - ask something of an engine's thread
 * @engine: the caller holds a reference
 * @action: STOP, INTERRUPT, REPORT, RESUME, SINGLESTEP or BLOCKSTEP (the latest number) or DETACH
 *
 * Return: 0 it is so now, or
 *	-EINPROGRESS STOP: it runs still, and will stop before it runs another
 *		instruction of its own; DETACH: a callback to this engine is running,
 *		it is detached when that returns;
 *	-ESRCH detached, reaped, or dead and the action is not DETACH;
 *	-EALREADY DETACH while its death report runs: the report does it;
 *	-EINVAL no such action, or a step without asking for UTRACE_EVENT(STEP).
 */
int __must_check utrace_control(struct utrace_engine *engine, enum utrace_resume_action action);

/**
 * utrace_stop - ask for a stop and learn its number
 * @engine: the caller holds a reference
 * @seq: receives the number that utrace_resume() has to answer
 *
 * Return: as utrace_control() with UTRACE_STOP.
 */
int __must_check utrace_stop(struct utrace_engine *engine, u64 *seq);

/**
 * utrace_resume - let the thread go on, as far as this engine goes
 * @engine: the caller holds a reference
 * @seq: the number it answers, or UTRACE_SEQ_LATEST
 *
 * Early, late, repeated and stale answers are all right: an answer releases the stops
 * of its own slot up to its own number, and none later.
 *
 * Return: 0, or -ESRCH as utrace_control(); -ERANGE this number was never handed
 *	to this engine (nothing changed).
 */
int __must_check utrace_resume(struct utrace_engine *engine, u64 seq);

/**
 * utrace_step - let the thread go on by a step
 * @engine: the caller holds a reference; asks for UTRACE_EVENT(STEP)
 * @seq: as in utrace_resume()
 * @action: UTRACE_SINGLESTEP: one instruction, or UTRACE_BLOCKSTEP: to the next branch that is
 *	taken; of several engines' wishes the shorter one counts for all
 *
 * A system call is one instruction, whatever it takes; at its entry, what is left of it.  A signal
 * with a handler ends the step at the handler's first instruction.  Then report_step() is called,
 * of the engines that asked for a step.  The program and debuggers see nothing of it.  It lasts,
 * over holds and other events, until it is made, or the next utrace_resume() with a number that is
 * news, or UTRACE_SEQ_LATEST.
 *
 * A callback asks for the same by what it returns; its wish ends with the next callback to its
 * engine.
 *
 * Return: as utrace_resume(), and -EINVAL it does not ask for UTRACE_EVENT(STEP), or there is no
 *	such action.
 */
int __must_check utrace_step(struct utrace_engine *engine, u64 seq,
			     enum utrace_resume_action action);

/**
 * utrace_barrier - wait until no callback to this engine runs
 * @engine: the caller holds a reference
 *
 * Context: may sleep; a callback of this engine gets 0 at once.
 * Return: 0 none runs and what the last one returned was applied;
 *	-ESRCH it is detached and none runs;
 *	-ERESTARTSYS a signal came.
 */
int __must_check utrace_barrier(struct utrace_engine *engine);

/**
 * utrace_report_seq - the number of the callback that is running
 * @engine: in a callback of this engine
 *
 * Return: what utrace_resume() has to answer if this callback returns STOP.
 */
u64 utrace_report_seq(struct utrace_engine *engine);

/**
 * struct utrace_engine_state - how an engine and its thread stand
 * @seq: by slot, the number this engine holds the thread for; 0 if it does not
 * @asleep: the thread does sleep now, in a hold or in job control's or ptrace's stop
 * @others: another engine holds it too
 * @awaited: a debugger waits until it is let go
 */
struct utrace_engine_state {
	u64 seq[2];
	bool asleep;
	bool others;
	bool awaited;
};

/**
 * utrace_engine_state - look at an engine and its thread
 * @engine: the caller holds a reference; a detached one holds nothing
 * @state: filled in; old news as soon as it is there
 */
void utrace_engine_state(struct utrace_engine *engine, struct utrace_engine_state *state);

/**
 * utrace_tell_debugger_again - for an engine that could not hand over just now
 *
 * Calls its report_debugger() once more, if a debugger still waits.
 */
void utrace_tell_debugger_again(struct utrace_engine *engine);

/* ---- examination ---- */

/**
 * struct utrace_examiner - a thread that is being looked at
 * @task: the thread, pinned
 */
struct utrace_examiner {
	struct task_struct *task;
	/* private: */
	unsigned long switches;
};

/**
 * utrace_prepare_examine - begin to look at a thread this engine holds
 * @engine: the caller holds a reference
 * @exam: to be given to utrace_finish_examine()
 *
 * Between the two the thread's registers may be read and written.  Memory
 * goes through utrace_access_vm().
 *
 * Context: may sleep, until the thread that was told to stop is asleep.
 * Return: 0; -EINVAL this engine does not hold it; -ESRCH dead, dying or detached;
 *	-EAGAIN it was asked to stop while it slept in a call, or before it was born, and
 *	stops when that is over: @report_stopped tells;
 *	-EPERM the image was not checked for this engine's owner; -ERESTARTSYS a signal came.
 */
int __must_check utrace_prepare_examine(struct utrace_engine *engine, struct utrace_examiner *exam);

/**
 * utrace_finish_examine - end it
 *
 * Return: 0; -EAGAIN the thread woke meanwhile: what was read may not be true.
 */
int __must_check utrace_finish_examine(struct utrace_engine *engine, struct utrace_examiner *exam);

/**
 * utrace_access_vm - read or write the memory of a thread this engine holds
 * @buf: kernel memory of @len bytes
 *
 * The address space is the one the owner's rights were checked for: after an exec
 * that was not checked yet this gives -EPERM, and so it does once the program has made
 * itself undumpable, unless the owner has CAP_SYS_PTRACE over it.
 *
 * Return: bytes done, short at the first bad page; or an errno.
 */
ssize_t utrace_access_vm(struct utrace_engine *engine, unsigned long addr, void *buf, size_t len,
			 bool write);

/**
 * utrace_abort_syscall - skip the call at whose entry this engine was called
 * @seq: the number of that callback, or UTRACE_SEQ_LATEST
 * @result: what the program will see
 *
 * For an engine that returned, or is about to return, STOP; resume the thread after it.
 *
 * Return: 0; -EINVAL the thread is not, or no longer, at that entry; -ESRCH detached.
 */
int __must_check utrace_abort_syscall(struct utrace_engine *engine, u64 seq, long result);

/**
 * utrace_set_signal - decide about the signal at which this engine was called
 * @seq: the number of that callback, or UTRACE_SEQ_LATEST
 * @verdict: enum utrace_signal_action, and UTRACE_SIGNAL_HOLD
 * @info: what it is instead; NULL: what the callbacks made of it.  Not with IGN
 *
 * For an engine that returned, or is about to return, STOP; resume the thread after it.  Over what
 * the callbacks decided; of several engines the last to call it prevails.
 *
 * Return: 0; -EINVAL the thread is not, or no longer, at that signal, there is no such verdict,
 *	@info has no valid number, or to HOLD it makes no sense: at a fault of the thread's own,
 *	or when it is delivered as it is; -EPERM the thread is of an init, which nothing may be
 *	forced on; -ESRCH detached.
 */
int __must_check utrace_set_signal(struct utrace_engine *engine, u64 seq, u32 verdict,
				   const struct kernel_siginfo *info);

/**
 * utrace_set_exit_code - change what the parent will be told
 * @seq: the number of its report_exit(), or UTRACE_SEQ_LATEST
 * @code: as wait(2) gives it, 0 to 0xffff
 *
 * As utrace_set_signal().  If the exit of the whole process had begun before, it has no effect but
 * on the thread's own code.
 *
 * Return: 0; -EINVAL the thread is not, or no longer, at its exit, or there is no such code;
 *	-ESRCH detached.
 */
int __must_check utrace_set_exit_code(struct utrace_engine *engine, u64 seq, long code);

/**
 * utrace_inject_signal - send the thread a signal
 * @engine: the caller holds a reference
 * @info: it and its si_signo; its si_code may be one that only the kernel has
 *
 * Into the thread's own queue.  It is told to engines, this one too, as any other is, and may be
 * blocked, or ignored, as any other.
 *
 * Context: process, interrupts on, no spinlock held.
 * Return: 0; -EINVAL @info has no valid number; -EAGAIN of the real-time signals no more can be
 *	queued; -EPERM SIGKILL or SIGSTOP for an init; -ESRCH detached, or the thread is dead.
 */
int __must_check utrace_inject_signal(struct utrace_engine *engine, struct kernel_siginfo *info);

/**
 * utrace_signal_info - the signal at which the thread is held
 * @engine: holds the thread in its report_signal()
 *
 * Takes no lock.
 *
 * Return: what was taken off the queue; it does not change until this engine has resumed the
 *	thread, and its memory is there as long as the caller's reference on @engine.
 */
const struct kernel_siginfo *utrace_signal_info(const struct utrace_engine *engine);

#endif /* _LINUX_UTRACE_H */
