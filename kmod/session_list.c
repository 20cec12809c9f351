// SPDX-License-Identifier: GPL-2.0-only
/* What sessions own, as an asker may see it. */
#include <linux/pid_namespace.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

#include "compat/call.h"
#include "list.h"
#include "session.h"

/* Only while the session holds it: under its lock. */
static void session_list_place(struct session_thread *t, struct utrace_info *info)
{
	struct task_struct *task = utrace_engine_task(t->engine);

	spin_lock_irq(&t->owner->session->lock);
	if (t->held_seq || t->stops)
		info->nr = max(syscall_get_nr(task, task_pt_regs(task)), -1);
	if (session_has_signal(t))
		info->signo = t->value;
	spin_unlock_irq(&t->owner->session->lock);
}

static void session_list_owner(struct utrace_lister *lister, struct utrace_session *session,
			       struct utrace_info *info)
{
	struct task_struct *leader;

	info->owner = pid_nr_ns(session->owner, lister->ns);
	if (!info->owner)
		return;
	rcu_read_lock();
	leader = pid_task(session->owner, PIDTYPE_TGID);
	if (leader)
		strscpy(info->owner_comm, leader->comm, sizeof(info->owner_comm));
	rcu_read_unlock();
}

static void session_list_thread(struct utrace_lister *lister, struct session_thread *t)
{
	struct utrace_info *info = utrace_list_engine(lister, t->engine, READ_ONCE(t->since));

	if (!info)
		return;
	info->engine = t->owner->id;
	info->events = READ_ONCE(t->events);
	if (t->owner->flags & UTRACE_TARGET_TRACE)
		info->flags |= UTRACE_INFO_TRACE;
	if (t->owner->flags & UTRACE_TARGET_NESTED)
		info->flags |= UTRACE_INFO_NESTED;
	session_list_owner(lister, t->owner->session, info);
	if (info->flags & UTRACE_INFO_HELD_REPORT)
		info->event = 1u << READ_ONCE(t->event);
	if (info->seq && utrace_lister_may_know(lister, &t->owner->session->rights))
		session_list_place(t, info);
}

static int session_list_session(struct utrace_session *session, void *arg)
{
	struct utrace_lister *lister = arg;
	struct session_selection selection;
	struct session_engine *se;
	unsigned int i;
	u64 last = 0;
	int err = 0;

	while ((se = session_engine_next(session, last))) {
		last = se->id;
		err = session_select(se, 0, &selection);
		if (!err) {
			for (i = 0; i < selection.count; i++)
				session_list_thread(lister, selection.threads[i]);
			session_deselect(&selection);
		}
		session_engine_put(se);
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

int session_list(struct utrace_lister *lister)
{
	return session_for_each(session_list_session, lister);
}
