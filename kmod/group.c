// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat/worker.h"
#include "group.h"

/* All threads of @leader's group that are not in, with references. */
static struct task_struct **utrace_strangers(struct utrace_joiner *joiner,
					     struct task_struct *leader, unsigned int *count)
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
			    joiner->has(joiner, task))
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
int utrace_join_group(struct utrace_joiner *joiner, struct task_struct *leader, u32 *joined)
{
	struct task_struct **tasks;
	unsigned int count, i;
	int err = 0, one;
	u32 new;

	do {
		tasks = utrace_strangers(joiner, leader, &count);
		if (IS_ERR(tasks))
			return PTR_ERR(tasks);
		new = 0;
		for (i = 0; i < count; i++) {
			one = err ?: joiner->join(joiner, tasks[i]);
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
	} while (!err && new && !fatal_signal_pending(current));
	return err;
}

int utrace_may_target(struct task_struct *task, bool group)
{
	if (same_thread_group(task, current))
		return -EPERM;
	/*
	 * A leader may be gone while its group lives on.  The last of the others may leave it just
	 * now, or become the leader itself: then either answer is right.
	 */
	if (group && data_race(delay_group_leader(task)))
		return 0;
	if (utrace_task_is_kernel(task))
		return -EPERM;
	return READ_ONCE(task->exit_state) ? -ESRCH : 0;
}

struct task_struct *utrace_target_get(s32 id, bool group)
{
	struct task_struct *task = NULL;
	int err = -ESRCH;

	rcu_read_lock();
	if (id > 0)
		task = pid_task(find_vpid(id), PIDTYPE_PID);
	if (task) {
		err = utrace_may_target(task, group);
		if (!err)
			get_task_struct(task);
	}
	rcu_read_unlock();
	return err ? ERR_PTR(err) : task;
}
