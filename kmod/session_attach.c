// SPDX-License-Identifier: GPL-2.0-only
/* How threads come to an engine: one, a whole group, or by birth. */
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat/symbols.h"
#include "group.h"
#include "session.h"

/* More than the user asked for: deaths are always told, and births make children join. */
u32 session_core_events(const struct session_engine *se, u32 events)
{
	events |= UTRACE_EVENT(DEATH);
	if (se->flags & (UTRACE_TARGET_GROUP | UTRACE_TARGET_CHILDREN))
		events |= UTRACE_EVENT(CLONE);
	/* A thread that execs may take over its leader's id. */
	if (!(se->flags & UTRACE_TARGET_TRACE))
		events |= UTRACE_EVENT(EXEC);
	return events;
}

/* Undoes a join that found its session dead or its target dying. */
static void session_leave(struct utrace_engine *engine)
{
	int unused;

	/* Whatever it says, the engine is off or about to be, and tells nobody. */
	unused = utrace_control(engine, UTRACE_DETACH);
	(void)unused;
	utrace_engine_put(engine);
}

int session_join(struct session_engine *se, struct task_struct *task, bool newborn)
{
	const struct utrace_engine_ops *ops = se->flags & UTRACE_TARGET_TRACE ? &session_trace_ops :
										&session_ops;
	struct utrace_session *session = se->session;
	struct utrace_engine *engine;
	u32 flags = UTRACE_ATTACH_CREATE;
	struct session_thread *t;
	bool dead, stop;
	u32 events;
	u64 seq;
	int err;

	/* A newborn is its creator's image, which was checked. */
	if (newborn)
		flags |= UTRACE_ATTACH_INHERIT;
	if (se->flags & UTRACE_TARGET_NESTED)
		flags |= UTRACE_ATTACH_NESTED;
	if (se->flags & UTRACE_TARGET_INTERCEPT)
		flags |= UTRACE_ATTACH_INTERCEPT;

	t = session_thread_create(se, task);
	if (IS_ERR(t))
		return PTR_ERR(t);
	engine = utrace_attach_task(task, flags, ops, t, &session->rights);
	if (IS_ERR(engine)) {
		spin_lock_irq(&session->lock);
		session_thread_unlink(t);
		spin_unlock_irq(&session->lock);
		session_thread_destroy(t);
		session_engine_tidy(se);
		return PTR_ERR(engine);
	}

	spin_lock_irq(&session->lock);
	dead = session->dead || se->retired;
	stop = se->stop_newborn;
	events = t->events;
	if (dead) {
		session_thread_unlink(t);
	} else {
		/* From here on it can be found; who takes it apart has the reference. */
		t->engine = engine;
		utrace_engine_get(engine);
		if (newborn && !(se->flags & UTRACE_TARGET_TRACE))
			session_post(t, UTRACE_NOTICE_ATTACHED);
	}
	spin_unlock_irq(&session->lock);
	if (dead) {
		session_leave(engine);
		session_engine_tidy(se);
		return -EOWNERDEAD;
	}

	err = utrace_set_events(engine, session_core_events(se, events));
	if (err == -EINPROGRESS)
		err = 0;
	if (!err && stop) {
		err = utrace_stop(engine, &seq);
		if (!err)
			session_stopped(t, seq);
		else if (err == -EINPROGRESS)
			err = 0;
	}
	if (err) {
		/* -EALREADY and -ESRCH: it has begun to die, so there is nothing to trace. */
		bool ours;

		spin_lock_irq(&session->lock);
		ours = t->linked;
		if (ours)
			session_thread_unlink(t);
		spin_unlock_irq(&session->lock);
		if (ours)
			session_leave(engine);
		session_engine_tidy(se);
		err = err == -EALREADY ? -ESRCH : err;
	} else if (newborn) {
		session_wake(session);
	}
	utrace_engine_put(engine);
	return err;
}

struct session_joiner {
	struct utrace_joiner joiner;
	struct session_engine *se;
};

static bool session_joiner_has(struct utrace_joiner *joiner, struct task_struct *task)
{
	return session_thread_exists(container_of(joiner, struct session_joiner, joiner)->se, task);
}

static int session_joiner_join(struct utrace_joiner *joiner, struct task_struct *task)
{
	return session_join(container_of(joiner, struct session_joiner, joiner)->se, task, false);
}

static int session_join_group(struct session_engine *se, struct task_struct *leader, u32 *joined)
{
	struct session_joiner joiner = {
		.joiner = { .has = session_joiner_has, .join = session_joiner_join },
		.se = se,
	};

	return utrace_join_group(&joiner.joiner, leader, joined);
}

static struct task_struct *session_target(const struct utrace_attach *attach)
{
	bool group = attach->flags & UTRACE_TARGET_GROUP;
	struct task_struct *task;
	unsigned int flags;
	struct pid *pid;
	int err;

	if (!(attach->flags & UTRACE_TARGET_PIDFD))
		return utrace_target_get(attach->target, group);
	pid = k_pidfd_get_pid(attach->target, &flags);
	if (IS_ERR(pid))
		return ERR_CAST(pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return ERR_PTR(-ESRCH);
	err = utrace_may_target(task, group);
	if (err) {
		put_task_struct(task);
		return ERR_PTR(err);
	}
	return task;
}

int session_attach(struct utrace_session *session, struct utrace_attach *attach)
{
	struct task_struct *task;
	struct session_engine *se;
	u32 events = UTRACE_EVENTS_ALL;
	u32 joined = 0;
	int err;

	if (!(attach->flags & UTRACE_TARGET_TRACE))
		events = UTRACE_EVENTS_STOPPABLE | UTRACE_EVENT(DEATH);
	if ((attach->flags & ~UTRACE_TARGET_FLAGS_ALL) || (attach->events & ~events) ||
	    attach->reserved ||
	    ((attach->flags & UTRACE_TARGET_TRACE) &&
	     (attach->flags &
	      (UTRACE_TARGET_HANDOVER | UTRACE_TARGET_NESTED | UTRACE_TARGET_INTERCEPT))))
		return -EINVAL;

	task = session_target(attach);
	if (IS_ERR(task))
		return PTR_ERR(task);
	se = session_engine_create(session, attach->flags, attach->events, attach->cookie);
	if (IS_ERR(se)) {
		err = PTR_ERR(se);
		goto out_task;
	}
	if (attach->flags & UTRACE_TARGET_GROUP) {
		err = session_join_group(se, task, &joined);
	} else {
		err = session_join(se, task, false);
		joined = !err;
	}
	if (!err && !joined)
		err = -ESRCH;

	spin_lock_irq(&session->lock);
	se->attaching = false;
	spin_unlock_irq(&session->lock);
	if (err) {
		session_engine_retire(se);
		session_detach_all(se, 0);
	} else {
		attach->engine = se->id;
		attach->threads = joined;
	}
	session_engine_tidy(se);
	session_engine_put(se);
out_task:
	put_task_struct(task);
	return err;
}
