// SPDX-License-Identifier: GPL-2.0-only
/* What others ask of an engine and its thread.  Each errno names a race: include/linux/utrace.h. */
#include <linux/module.h>

#include "compat/symbols.h"
#include "gates.h"
#include "stop.h"

#define UTRACE_EVENTS_AT_DEATH (UTRACE_EVENT(DEATH) | UTRACE_EVENT(QUIESCE))

/* Beyond control: no callback but DEATH and REAP can follow.  Lock held. */
static bool past_control(const struct utrace *utrace)
{
	return utrace->dying || utrace->dead || READ_ONCE(utrace->task->exit_state);
}

static bool is_off(const struct utrace_link *link)
{
	return (link->flags & UTRACE_LINK_DETACHED) || link->utrace->reaping;
}

/* A callback to this engine runs, and it is not us who runs it.  Lock held. */
static bool reports_elsewhere(const struct utrace_link *link)
{
	return link->utrace->reporting == link && link->utrace->task != current;
}

int utrace_set_events(struct utrace_engine *engine, u32 events)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	u32 old;
	int ret = 0;

	if (events & ~UTRACE_EVENTS_ALL)
		return -EINVAL;

	spin_lock_irq(&utrace->lock);
	old = link->events;
	if (is_off(link)) {
		ret = -ESRCH;
	} else if (past_control(utrace) && (events & ~old & UTRACE_EVENTS_AT_DEATH)) {
		ret = -EALREADY;
	} else if (utrace->dying && (old & ~events & UTRACE_EVENTS_AT_DEATH)) {
		ret = -EALREADY;
	} else {
		link->events = events;
		/* Asked for by itself, a call's end is told without its beginning too. */
		if (events & ~old & UTRACE_EVENT(SYSCALL_EXIT))
			link->flags &= ~UTRACE_LINK_UNTOLD;
		utrace_sum_events(utrace);
		if ((old & ~events) && reports_elsewhere(link))
			ret = -EINPROGRESS;
	}
	spin_unlock_irq(&utrace->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(utrace_set_events);

int utrace_stop(struct utrace_engine *engine, u64 *seq)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	int ret = 0;

	spin_lock_irq(&utrace->lock);
	if (is_off(link) || past_control(utrace)) {
		spin_unlock_irq(&utrace->lock);
		return -ESRCH;
	}
	*seq = utrace_link_number(link, UTRACE_SLOT_ASYNC);
	utrace_link_stop(link, UTRACE_SLOT_ASYNC, *seq);
	link->flags &= ~UTRACE_LINK_TOLD;
	spin_unlock_irq(&utrace->lock);

	/*
	 * The work first, the look after it: a thread found asleep in job control's or ptrace's
	 * stop will run the work, and be held, before it runs user code (H-15).
	 */
	utrace_kick(utrace, false);
	utrace_gate(UTRACE_GATE_QUEUED, utrace->task);

	spin_lock_irq(&utrace->lock);
	if (utrace_task_stopped(utrace))
		link->flags |= UTRACE_LINK_TOLD;
	else
		ret = -EINPROGRESS;
	spin_unlock_irq(&utrace->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(utrace_stop);

/* Does it change anything, or is it late, or repeated?  Lock held. */
static bool is_news(const struct utrace_link *link, u64 seq)
{
	return seq == UTRACE_SEQ_LATEST || seq > link->slot[UTRACE_SEQ_SLOT(seq)].go_seq;
}

static int release(struct utrace_engine *engine, u64 seq, u32 step)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	int ret = 0;

	spin_lock_irq(&utrace->lock);
	if (!step && is_news(link, seq))
		link->asked_step = 0;
	if (is_off(link) || past_control(utrace)) {
		ret = -ESRCH;
	} else if (seq == UTRACE_SEQ_LATEST) {
		utrace_slot_release_latest(&link->slot[UTRACE_SLOT_REPORT]);
		utrace_slot_release_latest(&link->slot[UTRACE_SLOT_ASYNC]);
	} else {
		ret = utrace_slot_release(&link->slot[UTRACE_SEQ_SLOT(seq)], seq);
	}
	/* Under the lock under which it falls asleep: no wake-up is lost. */
	if (!ret)
		utrace_wake_if_free(utrace);
	spin_unlock_irq(&utrace->lock);
	return ret;
}

int utrace_resume(struct utrace_engine *engine, u64 seq)
{
	return release(engine, seq, 0);
}
EXPORT_SYMBOL_GPL(utrace_resume);

int utrace_step(struct utrace_engine *engine, u64 seq, enum utrace_resume_action action)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	bool kick = false;
	int ret = 0;

	if (action != UTRACE_SINGLESTEP && action != UTRACE_BLOCKSTEP)
		return -EINVAL;
	spin_lock_irq(&utrace->lock);
	if (is_off(link) || past_control(utrace)) {
		ret = -ESRCH;
	} else if (!(link->events & link->hears & UTRACE_EVENT(STEP))) {
		ret = -EINVAL;
	} else if (seq != UTRACE_SEQ_LATEST &&
		   !utrace_slot_handed(&link->slot[UTRACE_SEQ_SLOT(seq)], seq)) {
		ret = -ERANGE;
	} else if (is_news(link, seq)) {
		link->asked_step = action;
		/* The work that runs takes the lock once more before it arms. */
		kick = !utrace->step.working;
	}
	spin_unlock_irq(&utrace->lock);
	/* First: once released it must not come to user mode without. */
	if (kick)
		utrace_kick(utrace, false);
	return ret ?: release(engine, seq, action);
}
EXPORT_SYMBOL_GPL(utrace_step);

static int ask_report(struct utrace_engine *engine, bool interrupt)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	int ret = 0;

	spin_lock_irq(&utrace->lock);
	if (is_off(link) || past_control(utrace))
		ret = -ESRCH;
	else if (utrace->at_entry && (link->events & UTRACE_EVENT(SYSCALL_ENTRY)))
		utrace_link_note(link, UTRACE_LINK_AGAIN);
	else if (!interrupt && !(link->events & UTRACE_EVENT(QUIESCE)))
		ret = -EINVAL;
	spin_unlock_irq(&utrace->lock);
	if (!ret)
		utrace_kick(utrace, interrupt);
	return ret;
}

static int detach(struct utrace_engine *engine)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	bool off = false;
	int ret = 0;

	spin_lock_irq(&utrace->lock);
	if (is_off(link)) {
		ret = -ESRCH;
	} else if (utrace->dying) {
		ret = -EALREADY;
	} else if (utrace->reporting == link) {
		link->flags |= UTRACE_LINK_DETACHING;
		ret = utrace->task == current ? 0 : -EINPROGRESS;
	} else {
		utrace_link_detach(link);
		off = true;
	}
	spin_unlock_irq(&utrace->lock);
	if (off) {
		utrace_retire_if_idle(utrace);
		/* The list's. */
		utrace_engine_put(engine);
	}
	return ret;
}

int utrace_control(struct utrace_engine *engine, enum utrace_resume_action action)
{
	u64 seq;

	switch (action) {
	case UTRACE_STOP:
		return utrace_stop(engine, &seq);
	case UTRACE_INTERRUPT:
		return ask_report(engine, true);
	case UTRACE_REPORT:
		return ask_report(engine, false);
	case UTRACE_SINGLESTEP:
	case UTRACE_BLOCKSTEP:
		return utrace_step(engine, UTRACE_SEQ_LATEST, action);
	case UTRACE_RESUME:
		return utrace_resume(engine, UTRACE_SEQ_LATEST);
	case UTRACE_DETACH:
		return detach(engine);
	}
	return -EINVAL;
}
EXPORT_SYMBOL_GPL(utrace_control);

int utrace_barrier(struct utrace_engine *engine)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	int ret;

	if (utrace->task == current)
		return 0;
	spin_lock_irq(&utrace->lock);
	/*
	 * Cleared, and waiters looked for, under this lock and after the result was applied:
	 * tell().
	 */
	ret = wait_event_interruptible_lock_irq(utrace->barrier, utrace->reporting != link,
						utrace->lock);
	if (!ret && is_off(link))
		ret = -ESRCH;
	spin_unlock_irq(&utrace->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(utrace_barrier);

void utrace_tell_debugger_again(struct utrace_engine *engine)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;

	spin_lock_irq(&utrace->lock);
	link->flags &= ~UTRACE_LINK_AWAITED;
	/* It looks anew before it sleeps on. */
	if (utrace->asleep)
		k_wake_up_state(utrace->task, __TASK_TRACED);
	spin_unlock_irq(&utrace->lock);
}
EXPORT_SYMBOL_GPL(utrace_tell_debugger_again);

void utrace_engine_state(struct utrace_engine *engine, struct utrace_engine_state *state)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	u32 flags;
	int i;

	memset(state, 0, sizeof(*state));
	spin_lock_irq(&utrace->lock);
	flags = link->flags;
	if (!(flags & UTRACE_LINK_DETACHED) && !past_control(utrace)) {
		for (i = 0; i < ARRAY_SIZE(link->slot); i++)
			if (utrace_slot_open(&link->slot[i]))
				state->seq[i] = link->slot[i].stop_seq;
		state->asleep = utrace_task_stopped(utrace);
		state->others = utrace_others_hold(utrace, link);
		state->awaited = utrace_debugger_waits(utrace);
	}
	spin_unlock_irq(&utrace->lock);
}
EXPORT_SYMBOL_GPL(utrace_engine_state);
