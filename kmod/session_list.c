// SPDX-License-Identifier: GPL-2.0-only
/* Who is on whom, as far as the asker's pid namespace reaches. */
#include <linux/jiffies.h>
#include <linux/pid_namespace.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "compat/call.h"
#include "session.h"

struct session_lister {
	struct utrace_session *asker;
	struct pid_namespace *ns;
	s32 tgid;
	unsigned int room;
	unsigned int filled;
	unsigned int found;
	struct utrace_info *infos;
};

/*
 * The number of the call or signal is the business of those who could read it from the thread
 * itself.
 */
static bool session_may_know(struct session_lister *lister, struct session_thread *t)
{
	return uid_eq(lister->asker->rights.cred->euid, t->owner->session->rights.cred->euid) ||
	       file_ns_capable(lister->asker->rights.file, &init_user_ns, CAP_SYS_PTRACE);
}

/* Only while the session holds it: under its lock. */
static void session_list_place(struct session_thread *t, struct utrace_info *info)
{
	struct task_struct *task = utrace_engine_task(t->engine);

	spin_lock_irq(&t->owner->session->lock);
	if (t->held_seq || t->stop_seq)
		info->nr = max(syscall_get_nr(task, task_pt_regs(task)), -1);
	if (session_has_signal(t))
		info->signo = t->value;
	spin_unlock_irq(&t->owner->session->lock);
}

static void session_list_owner(struct session_lister *lister, struct utrace_session *session,
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

static void session_list_thread(struct session_lister *lister, struct session_thread *t)
{
	struct task_struct *task = utrace_engine_task(t->engine);
	s32 tid = task_pid_nr_ns(task, lister->ns);
	s32 tgid = task_tgid_nr_ns(task, lister->ns);
	struct utrace_engine_state state;
	struct utrace_info *info;

	if (!tid || (lister->tgid && tgid != lister->tgid))
		return;
	lister->found++;
	if (lister->filled == lister->room)
		return;
	info = &lister->infos[lister->filled++];
	info->engine = t->owner->id;
	info->tid = tid;
	info->tgid = tgid;
	info->events = READ_ONCE(t->events);
	info->nr = -1;
	if (t->owner->flags & UTRACE_TARGET_TRACE)
		info->flags |= UTRACE_INFO_TRACE;
	if (t->owner->flags & UTRACE_TARGET_NESTED)
		info->flags |= UTRACE_INFO_NESTED;
	session_list_owner(lister, t->owner->session, info);

	utrace_engine_state(t->engine, &state);
	if (state.asleep)
		info->flags |= UTRACE_INFO_ASLEEP;
	if (state.awaited)
		info->debugger = session_debugger(t, lister->ns);
	if (state.seq[UTRACE_SLOT_ASYNC]) {
		info->flags |= UTRACE_INFO_HELD_ASYNC;
		info->seq = state.seq[UTRACE_SLOT_ASYNC];
	}
	if (state.seq[UTRACE_SLOT_REPORT]) {
		info->flags |= UTRACE_INFO_HELD_REPORT;
		info->seq = state.seq[UTRACE_SLOT_REPORT];
		info->event = 1u << READ_ONCE(t->event);
	}
	if (info->seq) {
		info->since_ns =
			ktime_get_ns() - jiffies_to_nsecs((u32)jiffies - READ_ONCE(t->since));
		if (session_may_know(lister, t))
			session_list_place(t, info);
	}
}

static int session_list_session(struct utrace_session *session, void *arg)
{
	struct session_lister *lister = arg;
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

struct utrace_info *session_list(struct utrace_session *session, s32 tgid, unsigned int *count,
				 unsigned int *filled)
{
	struct session_lister lister = {
		.asker = session,
		.ns = task_active_pid_ns(current),
		.tgid = tgid,
		/* No more than there can be, whatever room the caller has. */
		.room = min(*count, session_thread_count()),
	};
	int err;

	lister.infos = kvcalloc(lister.room ?: 1, sizeof(*lister.infos), GFP_KERNEL_ACCOUNT);
	if (!lister.infos)
		return ERR_PTR(-ENOMEM);
	err = session_for_each(session_list_session, &lister);
	if (err) {
		kvfree(lister.infos);
		return ERR_PTR(err);
	}
	*count = lister.found;
	*filled = lister.filled;
	return lister.infos;
}
