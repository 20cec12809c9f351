// SPDX-License-Identifier: GPL-2.0-only
/* Clone, exec, exit, death, reap. */
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

#include "../attach.h"
#include "../compat/worker.h"
#include "../gates.h"
#include "../report.h"
#include "../stop.h"
#include "../trace.h"
#include "events.h"

/* What of clone's flags can be told from the child it made. */
static unsigned long child_flags(const struct task_struct *child)
{
	return (same_thread_group((struct task_struct *)child, current) ? CLONE_THREAD : 0) |
	       (child->mm == current->mm ? CLONE_VM : 0) |
	       (child->files == current->files ? CLONE_FILES : 0) |
	       (child->fs == current->fs ? CLONE_FS : 0) |
	       (child->sighand == current->sighand ? CLONE_SIGHAND : 0) |
	       (child->vfork_done ? CLONE_VFORK : 0);
}

/* The child's flags are a copy of its parent's: without an engine of its own they mean nothing. */
static void disown_child(struct task_struct *child)
{
	unsigned long *work = &task_thread_info(child)->syscall_work;

	if (!test_tsk_thread_flag(child, TIF_SINGLESTEP))
		clear_bit(SYSCALL_WORK_BIT_SYSCALL_EXIT_TRAP, work);
	/*
	 * It is in its group's list already, so somebody may have attached to it before we came:
	 * then the mark is its own.
	 */
	utrace_drop_mark(child);
}

void utrace_report_clone(struct task_struct *child)
{
	struct utrace *utrace = utrace_find(current);
	struct utrace_pass pass = {
		.utrace = utrace,
		.event = UTRACE_EVENT(CLONE),
		.may_stop = true,
		.child = child,
		.clone_flags = child_flags(child),
	};

	disown_child(child);
	if (!utrace)
		return;
	utrace_gate(UTRACE_GATE_CLONE_IN, current);
	if (!utrace_task_is_kernel(child) && utrace_is_heard(utrace, pass.event)) {
		utrace_run_pass(&pass);
		/*
		 * A parent in vfork() next waits for the child, so it is held here and the
		 * child with it; any other lets the child go and is held before it runs user
		 * code.  Nested holds are over by now, and the child waited for them.
		 */
		if (child->vfork_done)
			utrace_hold(utrace, pass.event);
		else if (pass.action == UTRACE_STOP)
			utrace_kick(utrace, false);
		utrace_retire_if_idle(utrace);
	}
	utrace_put(utrace);
}

void utrace_report_exec(void)
{
	struct utrace_pass pass = {
		.event = UTRACE_EVENT(EXEC),
		.may_stop = true,
		.regs = task_pt_regs(current),
	};
	struct utrace *utrace;

	utrace_exec_seen();
	utrace = utrace_find(current);
	if (!utrace)
		return;
	pass.utrace = utrace;
	utrace_gate(UTRACE_GATE_EXEC_IN, current);
	/* The kernel cleared the program's user dispatch, and with it our flag. */
	spin_lock_irq(&utrace->lock);
	utrace->user_dispatch = false;
	utrace_set_flags(utrace);
	spin_unlock_irq(&utrace->lock);
	utrace_recheck_owners(utrace);
	utrace_run_pass(&pass);
	utrace_hold(utrace, pass.event);
	utrace_retire_if_idle(utrace);
	utrace_put(utrace);
}

/* From now on another exit code can be given. */
static void open_exit(struct utrace *utrace)
{
	spin_lock_irq(&utrace->lock);
	utrace->at_exit = true;
	utrace->exit_given = false;
	spin_unlock_irq(&utrace->lock);
}

/* The one given while the thread was held, over the one of the pass.  Lock held. */
static void settle_exit(struct utrace_pass *pass)
{
	struct utrace *utrace = pass->utrace;

	if (!utrace->exit_given)
		return;
	utrace->exit_given = false;
	pass->code = utrace->exit_code;
}

/* And from now on no more. */
static void close_exit(struct utrace_pass *pass)
{
	spin_lock_irq(&pass->utrace->lock);
	pass->utrace->at_exit = false;
	settle_exit(pass);
	spin_unlock_irq(&pass->utrace->lock);
}

long utrace_report_exit(long code, bool group)
{
	struct utrace *utrace = utrace_find(current);
	struct utrace_pass pass = {
		.utrace = utrace,
		.event = UTRACE_EVENT(EXIT),
		.may_stop = true,
		.orig_code = code,
		.code = code,
		.settle = settle_exit,
	};

	if (!utrace)
		return code;
	/* exit_group() is told before the group's exit begins: only there may it be held (H-11). */
	if (!utrace->exit_reported) {
		utrace->exit_reported = true;
		/*
		 * An exec that failed after it changed the rights comes by here, and not by the
		 * exec hook (H-3).
		 */
		utrace_recheck_owners(utrace);
		open_exit(utrace);
		utrace_run_pass(&pass);
		utrace_hold(utrace, pass.event);
		close_exit(&pass);
		code = pass.code;
		utrace_retire_if_idle(utrace);
	}
	utrace_put(utrace);
	return code;
}

/* REAP, to each engine, and the end of them.  After DEATH; maybe in the reaper's context. */
static void reap(struct utrace *utrace)
{
	struct utrace_link *link;

	UTRACE_TRACE(reap, utrace->task);
	spin_lock_irq(&utrace->lock);
	list_splice_tail_init(&utrace->attaching, &utrace->attached);
	while ((link = list_first_entry_or_null(&utrace->attached, struct utrace_link, entry))) {
		bool wants = link->events & link->hears & UTRACE_EVENT(REAP);

		utrace_link_detach(link);
		spin_unlock_irq(&utrace->lock);
		if (wants)
			link->engine.ops->report_reap(&link->engine, utrace->task);
		/* The list's. */
		utrace_engine_put(&link->engine);
		spin_lock_irq(&utrace->lock);
	}
	spin_unlock_irq(&utrace->lock);
	utrace_retire_if_idle(utrace);
}

void utrace_report_death(void)
{
	struct utrace *utrace = utrace_find(current);
	struct utrace_pass pass = {
		.utrace = utrace,
		.event = UTRACE_EVENT(DEATH),
		.group_dead = !atomic_read(&current->signal->live),
	};
	bool reaped;

	if (!utrace)
		return;
	utrace_gate(UTRACE_GATE_DEATH_IN, current);
	spin_lock_irq(&utrace->lock);
	/* Attached to a zombie: only REAP follows. */
	if (utrace->dead) {
		spin_unlock_irq(&utrace->lock);
		utrace_put(utrace);
		return;
	}
	utrace->dying = true;
	spin_unlock_irq(&utrace->lock);

	UTRACE_TRACE(death, current, current->exit_code);
	utrace_run_pass(&pass);
	utrace_gate(UTRACE_GATE_DEATH_OUT, current);

	spin_lock_irq(&utrace->lock);
	utrace->dying = false;
	utrace->dead = true;
	reaped = utrace->reaping;
	spin_unlock_irq(&utrace->lock);
	/* Reaped while DEATH was told: REAP was left to us, so that it comes after (contract 6). */
	if (reaped)
		reap(utrace);
	else
		utrace_retire_if_idle(utrace);
	utrace_put(utrace);
}

void utrace_report_reap(struct task_struct *task)
{
	struct utrace *utrace = utrace_find(task);
	bool now;

	if (!utrace)
		return;
	utrace_gate(UTRACE_GATE_REAP_IN, task);
	spin_lock_irq(&utrace->lock);
	now = utrace->dead && !utrace->reaping;
	utrace->reaping = true;
	spin_unlock_irq(&utrace->lock);
	if (now)
		reap(utrace);
	utrace_put(utrace);
}
