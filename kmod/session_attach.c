// SPDX-License-Identifier: GPL-2.0-only
/* How threads come to an engine: one, a whole group, or by birth. */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat/symbols.h"
#include "compat/worker.h"
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

/* All threads of @leader's group that are not in @se, with references. */
static struct task_struct **session_strangers(struct session_engine *se, struct task_struct *leader,
					      unsigned int *count)
{
	struct task_struct **tasks, *task;
	unsigned int room;

	for (;;) {
		/* A few more than there are: they may be multiplying. */
		room = READ_ONCE(leader->signal->nr_threads) + 16;
		tasks = kvmalloc_array(room, sizeof(*tasks), GFP_KERNEL_ACCOUNT);
		if (!tasks)
			return ERR_PTR(-ENOMEM);
		*count = 0;
		rcu_read_lock();
		for_each_thread(leader, task) {
			if (utrace_task_is_kernel(task) || READ_ONCE(task->exit_state) ||
			    session_thread_exists(se, task))
				continue;
			if (*count == room)
				break;
			tasks[(*count)++] = get_task_struct(task);
		}
		rcu_read_unlock();
		if (*count < room)
			return tasks;
		while (*count)
			put_task_struct(tasks[--*count]);
		kvfree(tasks);
		if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
	}
}

/*
 * Until a walk finds no stranger: who is born of a thread that is in already joins in its
 * creator's clone report, and who was born of one that was not is in the list before its creator
 * joined.
 */
static int session_join_group(struct session_engine *se, struct task_struct *leader, u32 *joined)
{
	struct task_struct **tasks;
	unsigned int count, i;
	int err = 0, one;
	u32 new;

	do {
		tasks = session_strangers(se, leader, &count);
		if (IS_ERR(tasks))
			return PTR_ERR(tasks);
		new = 0;
		for (i = 0; i < count; i++) {
			one = err ?: session_join(se, tasks[i], false);
			put_task_struct(tasks[i]);
			if (!one)
				new ++;
			else if (one != -EEXIST && one != -ESRCH)
				err = one;
			cond_resched();
		}
		kvfree(tasks);
		*joined += new;
		/* Those dying now are not counted: they make no more threads. */
	} while (!err && new);
	return err;
}

static struct task_struct *session_target(const struct utrace_attach *attach)
{
	struct task_struct *task;
	unsigned int flags;
	struct pid *pid;

	if (!(attach->flags & UTRACE_TARGET_PIDFD)) {
		if (attach->target <= 0)
			return ERR_PTR(-ESRCH);
		rcu_read_lock();
		task = pid_task(find_vpid(attach->target), PIDTYPE_PID);
		if (task)
			get_task_struct(task);
		rcu_read_unlock();
		return task ?: ERR_PTR(-ESRCH);
	}
	pid = k_pidfd_get_pid(attach->target, &flags);
	if (IS_ERR(pid))
		return ERR_CAST(pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	return task ?: ERR_PTR(-ESRCH);
}

static int session_may_target(struct task_struct *task)
{
	if (same_thread_group(task, current) || utrace_task_is_kernel(task))
		return -EPERM;
	return READ_ONCE(task->exit_state) ? -ESRCH : 0;
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
	err = -ESRCH;
	/* A leader may be gone while its group lives on. */
	if (!(attach->flags & UTRACE_TARGET_GROUP) || !delay_group_leader(task))
		err = session_may_target(task);
	else if (!same_thread_group(task, current))
		err = 0;
	if (err)
		goto out_task;

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
