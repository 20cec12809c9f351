// SPDX-License-Identifier: GPL-2.0-only
/* What the owner, or whoever may release in his place, asks of engines. */
#include <linux/slab.h>

#include "attach.h"
#include "session.h"

static int session_stop(struct session_thread *t, u64 *seq)
{
	int err = utrace_stop(t->engine, seq);

	if (!err)
		session_stopped(t, *seq);
	return err;
}

/* Off, with whatever it held.  @reason: the owner is told so; 0: it is his own wish. */
int session_detach(struct session_thread *t, enum utrace_gone_reason reason)
{
	struct session_held held;
	bool drop = !reason || t->owner->flags & UTRACE_TARGET_TRACE;
	int err;

	spin_lock_irq(&t->owner->session->lock);
	if (!session_settle(t)) {
		spin_unlock_irq(&t->owner->session->lock);
		return -ESRCH;
	}
	session_unhold(t, UTRACE_SEQ_LATEST, 0, &held);
	if (drop) {
		session_thread_unlink(t);
	} else if (!t->gone) {
		t->gone = true;
		t->reason = reason;
		t->value = 0;
		session_post(t, UTRACE_NOTICE_GONE);
	}
	spin_unlock_irq(&t->owner->session->lock);

	err = utrace_control(t->engine, UTRACE_DETACH);
	/*
	 * Dying, or a callback runs: it is off when that is over, and nobody hears of it any
	 * more.
	 */
	if (err == -EINPROGRESS || err == -EALREADY)
		err = 0;
	if (drop)
		session_thread_drop(t);
	else
		session_wake(t->owner->session);
	return err;
}

void session_detach_all(struct session_engine *se, enum utrace_gone_reason reason)
{
	struct utrace_session *session = se->session;
	struct session_thread *t;
	bool found;
	int unused;

	/* Allocates nothing: it has to work when nothing else does.  So it starts anew for each. */
	do {
		found = false;
		spin_lock_irq(&session->lock);
		list_for_each_entry(t, &se->threads, entry) {
			/* Without engine: whoever attaches it just now finds the engine retired. */
			if (!t->engine || (t->gone && reason))
				continue;
			utrace_engine_get(t->engine);
			/* The next turn need not pass by those that stay to be read. */
			list_move_tail(&t->entry, &se->threads);
			found = true;
			break;
		}
		spin_unlock_irq(&session->lock);
		if (found) {
			struct utrace_engine *engine = t->engine;

			unused = session_detach(t, reason);
			(void)unused;
			utrace_engine_put(engine);
			cond_resched();
		}
	} while (found);
}

static int session_control_one(struct utrace_session *session, struct session_thread *t,
			       struct utrace_control *control)
{
	struct utrace_engine_state state;
	u64 seq = 0;
	int err;

	if (control->flags & UTRACE_CONTROL_FOREIGN) {
		/* One's own session is one's own, whoever one is by now. */
		err = t->owner->session == session ?
			      0 :
			      utrace_may_release(t->engine, &t->owner->session->rights,
						 &session->rights);
		if (err)
			return err;
	}
	switch (control->action) {
	case UTRACE_STOP:
		err = session_stop(t, &seq);
		if (control->tid)
			control->seq = seq;
		break;
	case UTRACE_RESUME:
		err = session_resume(t, control->seq, t->owner->session != session);
		break;
	case UTRACE_DETACH: {
		bool foreign = control->flags & UTRACE_CONTROL_FOREIGN;

		err = session_detach(t, foreign ? UTRACE_GONE_RELEASED : 0);
		break;
	}
	default:
		err = utrace_control(t->engine, control->action);
		break;
	}
	if (err && err != -EINPROGRESS)
		return err;
	control->affected++;
	if (control->action == UTRACE_RESUME || control->action == UTRACE_DETACH) {
		utrace_engine_state(t->engine, &state);
		control->held_by_others += state.others;
	}
	return err;
}

/* What holds for those that are yet to join.  Before the threads are looked up. */
static void session_control_newborn(struct session_engine *se, u32 action)
{
	if (action != UTRACE_STOP && action != UTRACE_RESUME)
		return;
	spin_lock_irq(&se->session->lock);
	se->stop_newborn = action == UTRACE_STOP;
	spin_unlock_irq(&se->session->lock);
}

static int session_control_check(const struct utrace_control *control)
{
	bool foreign = control->flags & UTRACE_CONTROL_FOREIGN;

	if (control->flags & ~UTRACE_CONTROL_FOREIGN || control->tid < 0 || control->affected ||
	    control->held_by_others)
		return -EINVAL;
	switch (control->action) {
	case UTRACE_RESUME:
		/* A number belongs to one thread. */
		return control->seq && !control->tid ? -EINVAL : 0;
	case UTRACE_DETACH:
		return control->seq ? -EINVAL : 0;
	case UTRACE_STOP:
	case UTRACE_INTERRUPT:
	case UTRACE_REPORT:
		return foreign || control->seq ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

/* Once over the threads it is about: -EINPROGRESS if it is not yet so on one of them. */
static int session_control_each(struct utrace_session *session, struct session_engine *se,
				struct utrace_control *control)
{
	struct session_selection selection;
	bool going = false;
	unsigned int i;
	int err, one;

	err = session_select(se, control->tid, &selection);
	if (err)
		return err;
	for (i = 0; i < selection.count; i++) {
		one = session_control_one(session, selection.threads[i], control);
		going |= one == -EINPROGRESS;
		/* Of many, some may have died or been let go meanwhile. */
		if (one == -EINPROGRESS || (!control->tid && one == -ESRCH))
			continue;
		err = err ?: one;
	}
	session_deselect(&selection);
	return err ?: (going ? -EINPROGRESS : 0);
}

int session_control(struct utrace_session *session, struct utrace_control *control)
{
	bool foreign = control->flags & UTRACE_CONTROL_FOREIGN;
	bool all = !control->tid;
	bool detach = control->action == UTRACE_DETACH;
	struct session_engine *se;
	u32 before;
	int err;

	err = session_control_check(control);
	if (err)
		return err;
	se = session_engine_find(foreign ? NULL : session, control->engine);
	if (IS_ERR(se))
		return PTR_ERR(se);
	err = -EINVAL;
	if (se->flags & UTRACE_TARGET_TRACE && !detach)
		goto out;
	if (all && !foreign) {
		session_control_newborn(se, control->action);
		if (detach)
			session_engine_retire(se);
	}
	do {
		before = control->affected;
		err = session_control_each(session, se, control);
		/* Until there is none: some may have been born of those whose turn had not come. */
	} while (!err && all && detach && control->affected != before);
	/* Allowed on each of them: so also on those that are yet to join. */
	if (!err && all && foreign)
		session_control_newborn(se, control->action);
	if (!err && all && !detach && !control->affected)
		err = -ESRCH;
	if (all && detach && !foreign) {
		/* Those too whose end has not been read yet. */
		session_detach_all(se, 0);
		session_engine_tidy(se);
	}
out:
	session_engine_put(se);
	return err;
}

int session_set_events(struct utrace_session *session, const struct utrace_set_events *set)
{
	struct session_selection selection;
	struct session_engine *se;
	u32 allowed = UTRACE_EVENTS_ALL;
	unsigned int i;
	int err, one;

	if (set->flags || set->tid < 0)
		return -EINVAL;
	se = session_engine_find(session, set->engine);
	if (IS_ERR(se))
		return PTR_ERR(se);
	if (!(se->flags & UTRACE_TARGET_TRACE))
		allowed = UTRACE_EVENTS_STOPPABLE | UTRACE_EVENT(DEATH);
	err = set->events & ~allowed ? -EINVAL : 0;
	if (err)
		goto out;
	if (!set->tid) {
		spin_lock_irq(&session->lock);
		se->events = set->events;
		spin_unlock_irq(&session->lock);
	}
	err = session_select(se, set->tid, &selection);
	if (err)
		goto out;
	for (i = 0; i < selection.count; i++) {
		struct session_thread *t = selection.threads[i];

		WRITE_ONCE(t->events, set->events);
		one = utrace_set_events(t->engine, session_core_events(se, set->events));
		/* Dying: it will tell its death and no more. */
		if (one == -EALREADY || (!set->tid && one == -ESRCH))
			continue;
		if (!err || err == -EINPROGRESS)
			err = one ?: err;
	}
	session_deselect(&selection);
out:
	session_engine_put(se);
	return err;
}

int session_set_calls(struct utrace_session *session, const struct utrace_syscall_set *set)
{
	struct session_calls *calls = NULL, *old;
	struct session_engine *se;

	if (set->flags)
		return -EINVAL;
	if (memchr_inv(set->bits, 0, sizeof(set->bits))) {
		calls = kzalloc(sizeof(*calls), GFP_KERNEL_ACCOUNT);
		if (!calls)
			return -ENOMEM;
		bitmap_from_arr64(calls->bits, set->bits, UTRACE_SYSCALL_SET_BITS);
	}
	se = session_engine_find(session, set->engine);
	if (IS_ERR(se)) {
		kfree(calls);
		return PTR_ERR(se);
	}
	spin_lock_irq(&session->lock);
	old = rcu_replace_pointer(se->calls, calls, lockdep_is_held(&session->lock));
	spin_unlock_irq(&session->lock);
	kfree_rcu(old, rcu);
	session_engine_put(se);
	return 0;
}

int session_barrier(struct utrace_session *session, const struct utrace_barrier *barrier)
{
	struct session_selection selection;
	struct session_engine *se;
	unsigned int i;
	int err, one;

	if (barrier->flags || barrier->reserved || barrier->tid < 0)
		return -EINVAL;
	se = session_engine_find(session, barrier->engine);
	if (IS_ERR(se))
		return PTR_ERR(se);
	err = session_select(se, barrier->tid, &selection);
	if (err)
		goto out;
	for (i = 0; i < selection.count && !err; i++) {
		one = utrace_barrier(selection.threads[i]->engine);
		if (one != -ESRCH || barrier->tid)
			err = one;
	}
	session_deselect(&selection);
out:
	session_engine_put(se);
	return err;
}

static int session_brake_one(struct utrace_session *session, void *arg)
{
	struct session_engine *se;
	u64 last = 0;

	while ((se = session_engine_next(session, last))) {
		last = se->id;
		/* Its threads stay until their owner has read that they are gone. */
		session_engine_retire(se);
		session_detach_all(se, UTRACE_GONE_RELEASED);
		session_engine_tidy(se);
		session_engine_put(se);
	}
	return 0;
}

void session_brake(void)
{
	session_for_each(session_brake_one, NULL);
}
