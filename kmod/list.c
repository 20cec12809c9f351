// SPDX-License-Identifier: GPL-2.0-only
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/ptrace.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "list.h"

int utrace_lister_init(struct utrace_lister *lister, const struct utrace_owner *asker, s32 tgid,
		       unsigned int room)
{
	*lister = (struct utrace_lister){
		.asker = asker,
		.ns = task_active_pid_ns(current),
		.tgid = tgid,
		.room = room,
		.infos = kvcalloc(room ?: 1, sizeof(*lister->infos), GFP_KERNEL_ACCOUNT),
	};
	return lister->infos ? 0 : -ENOMEM;
}

void utrace_lister_end(struct utrace_lister *lister)
{
	kvfree(lister->infos);
}

s32 utrace_debugger_of(const struct utrace_engine *engine, struct pid_namespace *ns)
{
	struct task_struct *debugger;
	s32 pid;

	rcu_read_lock();
	debugger = ptrace_parent(utrace_engine_task(engine));
	pid = debugger ? task_tgid_nr_ns(debugger, ns) : 0;
	rcu_read_unlock();
	return pid;
}

bool utrace_lister_may_know(const struct utrace_lister *lister, const struct utrace_owner *owner)
{
	return uid_eq(lister->asker->cred->euid, owner->cred->euid) ||
	       file_ns_capable(lister->asker->file, &init_user_ns, CAP_SYS_PTRACE);
}

struct utrace_info *utrace_list_engine(struct utrace_lister *lister, struct utrace_engine *engine,
				       u32 since)
{
	struct task_struct *task = utrace_engine_task(engine);
	s32 tid = task_pid_nr_ns(task, lister->ns);
	s32 tgid = task_tgid_nr_ns(task, lister->ns);
	struct utrace_engine_state state;
	struct utrace_info *info;

	if (!tid || (lister->tgid && tgid != lister->tgid))
		return NULL;
	lister->found++;
	if (lister->filled == lister->room)
		return NULL;
	info = &lister->infos[lister->filled++];
	info->tid = tid;
	info->tgid = tgid;
	info->nr = -1;

	utrace_engine_state(engine, &state);
	if (state.asleep)
		info->flags |= UTRACE_INFO_ASLEEP;
	if (state.awaited)
		info->debugger = utrace_debugger_of(engine, lister->ns);
	if (state.seq[UTRACE_SLOT_ASYNC]) {
		info->flags |= UTRACE_INFO_HELD_ASYNC;
		info->seq = state.seq[UTRACE_SLOT_ASYNC];
	}
	if (state.seq[UTRACE_SLOT_REPORT]) {
		info->flags |= UTRACE_INFO_HELD_REPORT;
		info->seq = state.seq[UTRACE_SLOT_REPORT];
	}
	if (info->seq)
		info->since_ns = ktime_get_ns() - jiffies_to_nsecs((u32)jiffies - since);
	return info;
}
