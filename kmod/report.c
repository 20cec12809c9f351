// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched/signal.h>

#include "gates.h"
#include "report.h"
#include "roster.h"
#include "stop.h"

static bool link_wants(const struct utrace_link *link, const struct utrace_pass *pass)
{
	u32 event = pass->event;

	/* First: it is all that is done for an engine which does not hear of it. */
	if (!(link->events & link->hears & (event | UTRACE_EVENT(QUIESCE))))
		return false;
	if (event == UTRACE_EVENT(STEP) && !(link->flags & UTRACE_LINK_STEPPED))
		return false;
	if (pass->resumed && !(link->flags & UTRACE_LINK_RESUMED))
		return false;
	if (event == UTRACE_EVENT(SYSCALL_EXIT) && (link->flags & UTRACE_LINK_UNTOLD))
		return false;
	return utrace_link_current(link);
}

/* Where the pass goes on: by the list if the roster was dropped since it came here. */
static struct list_head *step(struct utrace *utrace)
{
	struct utrace_link *link;

	if (!utrace->roster)
		return utrace->backward ? utrace->cursor->prev : utrace->cursor->next;
	link = utrace_roster_next(utrace);
	return link ? &link->entry : &utrace->attached;
}

/*
 * The next engine of this pass, or NULL.  Engines that attach meanwhile are on the other list; one
 * that detaches leaves this one, and takes the cursor off itself.  Lock held.
 */
static __always_inline struct utrace_link *next_link(struct utrace_pass *pass)
{
	struct utrace *utrace = pass->utrace;
	struct utrace_link *link;

	while ((utrace->cursor = step(utrace)) != &utrace->attached) {
		link = list_entry(utrace->cursor, struct utrace_link, entry);
		if (link_wants(link, pass))
			return link;
	}
	return NULL;
}

/* The pass's own reference.  Lock held, dropped if it may be the last. */
static void put_link(struct utrace *utrace, struct utrace_link *link)
{
	/* While it is attached the list has one. */
	if (likely(!(link->flags & UTRACE_LINK_DETACHED))) {
		refcount_dec(&link->ref);
		return;
	}
	spin_unlock_irq(&utrace->lock);
	utrace_engine_put(&link->engine);
	spin_lock_irq(&utrace->lock);
}

static u32 call_specific(struct utrace_pass *pass, struct utrace_link *link, u32 action)
{
	const struct utrace_engine_ops *ops = link->engine.ops;
	struct utrace_engine *engine = &link->engine;

	switch (pass->event) {
	case UTRACE_EVENT(SYSCALL_ENTRY):
		return ops->report_syscall_entry(
			action | pass->verdict | (pass->resumed ? UTRACE_SYSCALL_RESUMED : 0),
			engine, pass->regs);
	case UTRACE_EVENT(SYSCALL_EXIT):
		return ops->report_syscall_exit(action, engine, pass->regs);
	case UTRACE_EVENT(SIGNAL):
	case UTRACE_EVENT(SIGNAL_IGN):
	case UTRACE_EVENT(SIGNAL_STOP):
	case UTRACE_EVENT(SIGNAL_TERM):
	case UTRACE_EVENT(SIGNAL_CORE):
	case UTRACE_EVENT(SIGNAL_HANDLER):
		return ops->report_signal(action | pass->verdict |
						  (pass->dropped ? UTRACE_SIGNAL_DROPPED : 0),
					  engine, pass->event, pass->info);
	case UTRACE_EVENT(JCTL):
		return ops->report_jctl(action, engine, pass->jctl_type, pass->jctl_notify);
	case UTRACE_EVENT(CLONE):
		return ops->report_clone(action, engine, pass->clone_flags, pass->child);
	case UTRACE_EVENT(EXEC):
		return ops->report_exec(action, engine, pass->regs);
	case UTRACE_EVENT(EXIT):
		return ops->report_exit(action, engine, pass->orig_code, &pass->code);
	case UTRACE_EVENT(DEATH):
		return ops->report_death(engine, pass->group_dead);
	case UTRACE_EVENT(STEP):
		return ops->report_step(action, engine);
	}
	WARN_ON_ONCE(1);
	return UTRACE_RESUME;
}

/* What a callback returned takes effect.  Lock held. */
static void apply(struct utrace_pass *pass, struct utrace_link *link, u32 action, u64 seq)
{
	u32 resume = utrace_resume_action(action);

	/* Mostly.  It is the weakest wish. */
	if (resume == UTRACE_RESUME && !link->step)
		return;
	if (resume == UTRACE_DETACH) {
		link->flags |= UTRACE_LINK_DETACHING;
		resume = UTRACE_RESUME;
	}
	if (resume == UTRACE_STOP) {
		if (pass->may_stop)
			utrace_link_stop(link, UTRACE_SLOT_REPORT, seq);
		else
			resume = UTRACE_RESUME;
	}
	if (pass->event == UTRACE_EVENT(SYSCALL_ENTRY) &&
	    (resume == UTRACE_REPORT || resume == UTRACE_INTERRUPT))
		utrace_link_note(link, UTRACE_LINK_AGAIN);
	/* The last one called before user mode decides. */
	link->step = 0;
	if (resume == UTRACE_SINGLESTEP || resume == UTRACE_BLOCKSTEP) {
		link->step = resume;
		pass->step = true;
	}
	pass->action = utrace_merge(pass->action, resume);
}

/*
 * One call of one callback.  Lock held, dropped meanwhile.  The events and the number are read,
 * and the engine is published as reporting, under the lock that set_events() and control()
 * take: so those either act before the call, or see that it runs.
 */
static __always_inline u32 call(struct utrace_pass *pass, struct utrace_link *link, bool quiesce)
{
	struct utrace *utrace = pass->utrace;
	u64 seq = utrace_link_number(link, UTRACE_SLOT_REPORT);
	u32 action;

	spin_unlock_irq(&utrace->lock);
	utrace_gate(UTRACE_GATE_CB_IN, current);
	if (quiesce)
		action = link->engine.ops->report_quiesce(pass->action, &link->engine, pass->event);
	else
		action = call_specific(pass, link, pass->action);
	utrace_gate(UTRACE_GATE_CB_OUT, current);
	spin_lock_irq(&utrace->lock);
	apply(pass, link, action, seq);
	return action;
}

/* As call().  Few ask for it. */
static noinline void call_quiesce(struct utrace_pass *pass, struct utrace_link *link)
{
	call(pass, link, true);
}

/* Lock held since it was found. */
static void tell(struct utrace_pass *pass, struct utrace_link *link)
{
	struct utrace *utrace = pass->utrace;
	u32 verdict;
	bool off;

	utrace->reporting = link;
	if (link->events & link->hears & UTRACE_EVENT(QUIESCE))
		call_quiesce(pass, link);
	/* Read anew: the quiesce call may have asked for this very event. */
	if (!(link->flags & (UTRACE_LINK_DETACHED | UTRACE_LINK_DETACHING)) &&
	    (link->events & link->hears & pass->event)) {
		verdict = utrace_verdict(call(pass, link, false));
		if (!pass->dropped)
			pass->verdict = verdict;
	}
	utrace->reporting = NULL;
	/* Told. */
	link->flags &=
		~(pass->event == UTRACE_EVENT(STEP) ? UTRACE_LINK_STEPPED : UTRACE_LINK_RESUMED);

	off = (link->flags & UTRACE_LINK_DETACHING) && !(link->flags & UTRACE_LINK_DETACHED);
	if (off)
		utrace_link_detach(link);
	/* Pairs with utrace_barrier(): what was returned is applied. */
	if (waitqueue_active(&utrace->barrier))
		wake_up_all(&utrace->barrier);
	if (off) {
		spin_unlock_irq(&utrace->lock);
		/* The list's. */
		utrace_engine_put(&link->engine);
		spin_lock_irq(&utrace->lock);
	}
}

/* Of an entry before.  Lock held. */
static void forget_call(struct utrace *utrace)
{
	struct utrace_link *link;

	if (!utrace->call_noted)
		return;
	utrace->call_noted = false;
	list_for_each_entry(link, &utrace->attached, entry)
		link->flags &= ~(UTRACE_LINK_AGAIN | UTRACE_LINK_RESUMED | UTRACE_LINK_UNTOLD);
}

bool utrace_again(struct utrace_pass *pass)
{
	struct utrace_link *link;
	bool any = false;

	lockdep_assert_held(&pass->utrace->lock);
	list_for_each_entry(link, &pass->utrace->attached, entry) {
		if (!(link->flags & UTRACE_LINK_AGAIN))
			continue;
		link->flags &= ~UTRACE_LINK_AGAIN;
		link->flags |= UTRACE_LINK_RESUMED;
		any = true;
	}
	if (any)
		pass->resumed = true;
	return any;
}

/*
 * Is its hold to be over before the next engine is called?  Also one that was answered already,
 * before it began: what was decided about the event takes effect all the same.  Lock held.
 */
static bool holds_first(const struct utrace_pass *pass, const struct utrace_link *link)
{
	const struct utrace_link *other;

	if (!pass->may_stop || pass->late)
		return false;
	/* First: mostly nobody wants it. */
	if (pass->action != UTRACE_STOP && !pass->utrace->may_hold)
		return false;
	if (pass->action != UTRACE_STOP && (!utrace_link_open(link) || !utrace_link_current(link)))
		return false;
	list_for_each_entry(other, &pass->utrace->attached, entry)
		if (other->flags & UTRACE_LINK_NESTED)
			return true;
	return false;
}

/*
 * The thread is nobody's while it sleeps: no callback runs, and engines come and go as they like.
 * One that comes is on the other list; one that goes takes the cursor off itself, and of those left
 * each is looked at anew when its turn comes.  No second pass begins: only this thread begins one.
 */
static void hold_first(struct utrace_pass *pass, u32 before)
{
	struct utrace *utrace = pass->utrace;

	spin_unlock_irq(&utrace->lock);
	utrace_hold(utrace, pass->event);
	spin_lock_irq(&utrace->lock);
	/* It is over: to the next engine it is as if this one had asked for nothing. */
	pass->action = before;
	pass->held = true;
	if (pass->settle)
		pass->settle(pass);
	/*
	 * Killed, or begun anew after its debugger's stop, the call is not run: nobody nearer to
	 * the kernel sees it.  Whatever else was told to some has happened, and is told to all.
	 */
	if (pass->event == UTRACE_EVENT(SYSCALL_ENTRY))
		pass->cut = fatal_signal_pending(current) || utrace->handed_over;
}

/* The call is not run: those that are left.  Lock held. */
static noinline void leave_untold(struct utrace_pass *pass)
{
	struct utrace_link *link;

	/* In a further pass all were told before. */
	while (!pass->resumed && (link = next_link(pass)))
		utrace_link_note(link, UTRACE_LINK_UNTOLD);
}

/* Lock held, dropped meanwhile. */
static void tell_all(struct utrace_pass *pass)
{
	struct utrace *utrace = pass->utrace;
	struct utrace_link *link;
	u32 before = pass->action;

	while (!pass->cut && (link = next_link(pass))) {
		refcount_inc(&link->ref);
		tell(pass, link);
		if (holds_first(pass, link))
			hold_first(pass, before);
		before = pass->action;
		put_link(utrace, link);
	}
	if (unlikely(pass->cut))
		leave_untold(pass);
}

/* With this pass, unless somebody holds the thread at it.  Lock held. */
static void close_call(struct utrace_pass *pass)
{
	struct utrace *utrace = pass->utrace;

	if (pass->held || pass->action == UTRACE_STOP || !utrace_hold_unwanted(utrace))
		return;
	pass->closed = true;
	utrace->at_entry = false;
	if (pass->settle)
		pass->settle(pass);
}

void utrace_run_pass(struct utrace_pass *pass)
{
	struct utrace *utrace = pass->utrace;
	bool reverse = pass->event == UTRACE_EVENT(SYSCALL_ENTRY);

	pass->action = UTRACE_RESUME;
	pass->held = false;
	pass->cut = false;
	pass->closed = false;
	/* And UTRACE_SIGNAL_DELIVER.  In a further pass it is what the ones before have left. */
	if (!pass->resumed)
		pass->verdict = UTRACE_SYSCALL_RUN;

	spin_lock_irq(&utrace->lock);
	list_splice_tail_init(&utrace->attaching, &utrace->attached);
	utrace->cursor = &utrace->attached;
	utrace->backward = reverse;
	utrace_roster_want(utrace, pass->event);
	if (reverse)
		utrace->at_entry = true;
	if (reverse && !pass->resumed)
		forget_call(utrace);
	tell_all(pass);
	if (pass->event == UTRACE_EVENT(SYSCALL_EXIT))
		forget_call(utrace);
	if (pass->event & (UTRACE_EVENT(SYSCALL_ENTRY) | UTRACE_EVENT(SYSCALL_EXIT)))
		close_call(pass);
	spin_unlock_irq(&utrace->lock);
	utrace_gate(UTRACE_GATE_APPLIED, current);

	/*
	 * Asked for by a callback; near user mode it would never end, and after STEP the work that
	 * arms goes on just now.
	 */
	if (pass->event && (pass->action == UTRACE_REPORT || pass->action == UTRACE_INTERRUPT ||
			    (pass->step && pass->event != UTRACE_EVENT(STEP))))
		utrace_kick(utrace, pass->action == UTRACE_INTERRUPT);
}
