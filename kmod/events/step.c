// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps.  The trap flag is set as the last thing of the work before user mode, and taken away first
 * thing when the thread is in the kernel again: so ptrace, signal frames, children and whoever
 * examines the thread never see it.  docs/decisions/0010-stepping.md
 */
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>

#include "../compat/step.h"
#include "../compat/symbols.h"
#include "../gates.h"
#include "../report.h"
#include "../stop.h"
#include "events.h"
#include "step.h"

/*
 * Until it is retired: the trap must find our hook even if the last engine goes meanwhile.  Under
 * the lock, with an engine there, whose own use of the hooks is what is doubled: waiting for
 * whoever removes them might be waiting for the very hook that this thread is in.
 */
static void pin(struct utrace *utrace)
{
	lockdep_assert_held(&utrace->lock);
	if (utrace->step.pinned)
		return;
	utrace_hooks_hold();
	__module_get(THIS_MODULE);
	utrace->step.pinned = true;
}

/* How, if it can be done now; the thread stays ours from here on. */
static u32 begin(struct utrace *utrace)
{
	struct utrace_step *step = &utrace->step;
	u32 kind;

	spin_lock_irq(&utrace->lock);
	step->working = false;
	kind = utrace->retired ? 0 : utrace_wanted_step(utrace);
	/*
	 * First the signals: a handler ends the step, and so does the probe's own step.  Where
	 * those end we are called.
	 */
	step->waits = kind && task_sigpending(current);
	if (step->waits || utrace_in_uprobe())
		kind = 0;
	if (kind)
		step->armed = true;
	spin_unlock_irq(&utrace->lock);
	return kind;
}

void utrace_step_arm(struct utrace *utrace)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct utrace_step *step = &utrace->step;
	bool wanted;
	u32 kind;
	int insn;

	spin_lock_irq(&utrace->lock);
	wanted = utrace_wanted_step(utrace);
	if (wanted)
		pin(utrace);
	else
		step->working = false;
	spin_unlock_irq(&utrace->lock);
	if (!wanted)
		return;
	kind = begin(utrace);
	if (!kind)
		return;
	/* A debugger may set it only of a thread that it has stopped, which comes by here later. */
	step->shared = test_thread_flag(TIF_SINGLESTEP);
	step->own = utrace_own_trap(regs);
	step->ip = instruction_pointer(regs);
	insn = step->shared || step->own ? -1 : utrace_next_insn(regs);
	step->pushes = insn == UTRACE_INSN_PUSHF;
	step->plain = kind == UTRACE_SINGLESTEP && utrace_trap_is_plain(regs, insn);
	if (step->plain)
		utrace_set_trap(regs);
	else if (kind == UTRACE_BLOCKSTEP)
		k_user_enable_block_step(current);
	else
		k_user_enable_single_step(current);
	spin_lock_irq(&utrace->lock);
	utrace_set_flags(utrace);
	spin_unlock_irq(&utrace->lock);
	utrace_gate(UTRACE_GATE_ARMED, current);
}

/* The kernel forgets whose it is when the next instruction sets it; but that has not run. */
static void clear_forgotten(struct utrace *utrace)
{
	struct pt_regs *regs = task_pt_regs(utrace->task);
	struct utrace_step *step = &utrace->step;

	if (!step->shared && !step->own && instruction_pointer(regs) == step->ip)
		regs->flags &= ~(unsigned long)X86_EFLAGS_TF;
}

void utrace_step_disarm(struct utrace *utrace, bool call)
{
	struct utrace_step *step = &utrace->step;

	if (!step->armed)
		return;
	if (step->plain)
		utrace_clear_trap(task_pt_regs(current));
	else if (!step->shared)
		k_user_disable_single_step(current);
	clear_forgotten(utrace);
	spin_lock_irq(&utrace->lock);
	step->armed = false;
	step->over_call = call;
	utrace_set_flags(utrace);
	spin_unlock_irq(&utrace->lock);
}

void utrace_step_made(struct utrace *utrace)
{
	struct utrace_step *step = &utrace->step;
	bool any;

	spin_lock_irq(&utrace->lock);
	any = utrace_end_step(utrace);
	step->waits = false;
	if (step->over_call) {
		step->over_call = false;
		utrace_set_flags(utrace);
	}
	if (any)
		step->done = true;
	spin_unlock_irq(&utrace->lock);
	if (any)
		utrace_kick(utrace, false);
}

void utrace_step_into_call(struct utrace *utrace)
{
	/* At every call that is told: nearly always nobody would hear of one. */
	if (!(READ_ONCE(utrace->heard) & UTRACE_EVENT(STEP)))
		return;
	spin_lock_irq(&utrace->lock);
	if (utrace_wanted_step(utrace) && !utrace->step.over_call) {
		utrace->step.over_call = true;
		utrace_set_flags(utrace);
	}
	spin_unlock_irq(&utrace->lock);
}

void utrace_step_over_call(struct utrace *utrace)
{
	/* Armed in the middle of the call, as by a work that it runs. */
	if (!utrace->step.over_call && !utrace->step.armed)
		return;
	utrace_step_disarm(utrace, false);
	utrace_step_made(utrace);
}

void utrace_report_step(struct utrace *utrace)
{
	struct utrace_pass pass = {
		.utrace = utrace,
		.event = UTRACE_EVENT(STEP),
		.may_stop = true,
	};

	if (!utrace->step.done)
		return;
	utrace->step.done = false;
	utrace_run_pass(&pass);
	utrace_hold(utrace, pass.event);
}

void utrace_step_at_entry(struct pt_regs *regs)
{
	struct utrace *utrace = utrace_find(current);

	if (!utrace)
		return;
	if (utrace->step.armed) {
		if (!utrace->step.shared && !utrace->step.own)
			utrace_clean_call(regs);
		utrace_step_disarm(utrace, true);
	}
	utrace_put(utrace);
}

void utrace_step_before_signals(void)
{
	struct utrace *utrace = utrace_find(current);

	if (!utrace)
		return;
	if (utrace->step.armed) {
		utrace_step_disarm(utrace, false);
		/* Without a signal it arms again before get_signal() returns, with one after it. */
		utrace_kick(utrace, false);
	}
	utrace_put(utrace);
}

void utrace_step_after_signals(void)
{
	struct utrace *utrace = utrace_find(current);

	if (!utrace)
		return;
	if (utrace->step.waits)
		utrace_kick(utrace, false);
	utrace_put(utrace);
}

void utrace_step_before_probe(void)
{
	struct utrace *utrace = utrace_find(current);

	if (!utrace)
		return;
	/* Else the probe would take it for the program's own, and send a signal. */
	utrace_step_disarm(utrace, false);
	utrace_put(utrace);
}

void utrace_step_after_probe(void)
{
	struct utrace *utrace = utrace_find(current);

	if (!utrace)
		return;
	utrace_step_made(utrace);
	utrace_put(utrace);
}

bool utrace_step_withdraw(struct task_struct *task, bool *ours)
{
	struct utrace *utrace = utrace_find(task);
	bool armed;

	if (!utrace)
		return false;
	spin_lock_irq(&utrace->lock);
	armed = utrace->step.armed;
	if (armed)
		clear_forgotten(utrace);
	*ours = !utrace->step.shared;
	utrace->step.armed = false;
	spin_unlock_irq(&utrace->lock);
	utrace_put(utrace);
	return armed;
}

void utrace_step_again(struct task_struct *task)
{
	struct utrace *utrace = utrace_find(task);

	if (!utrace)
		return;
	utrace_kick(utrace, false);
	utrace_put(utrace);
}

bool utrace_report_trap(int *code)
{
	struct pt_regs *regs = task_pt_regs(current);
	struct utrace *utrace = utrace_find(current);
	bool ours = false;

	if (!utrace)
		return true;
	if (utrace->step.armed) {
		ours = !utrace->step.shared && !utrace->step.own;
		if (utrace->step.pushes)
			utrace_clean_pushed(regs);
		utrace_step_disarm(utrace, false);
		utrace_step_made(utrace);
	}
	utrace_put(utrace);
	if (!ours)
		return true;
	current->thread.virtual_dr6 &= ~DR_STEP;
	/* A watchpoint of a debugger's, at the same instruction. */
	*code = TRAP_HWBKPT;
	return current->thread.virtual_dr6 & DR_TRAP_BITS;
}
