// SPDX-License-Identifier: GPL-2.0-only
/* Engines in BPF that are on all processes of a control group. */
#include <linux/cgroup.h>
#include <linux/err.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "bpf_engine.h"
#include "group.h"

#ifdef CONFIG_CGROUPS

struct cgroup *bpf_cgroup_get(s32 fd)
{
	struct cgroup *cgroup = cgroup_get_from_fd(fd);
	bool unified;

	if (IS_ERR(cgroup))
		return cgroup;
	rcu_read_lock();
	unified = cgroup->root == task_dfl_cgroup(current)->root;
	rcu_read_unlock();
	if (unified)
		return cgroup;
	cgroup_put(cgroup);
	return ERR_PTR(-EOPNOTSUPP);
}

void bpf_cgroup_put(struct cgroup *cgroup)
{
	if (cgroup)
		cgroup_put(cgroup);
}

bool bpf_cgroup_has(struct cgroup *cgroup, struct task_struct *task)
{
	bool has;

	rcu_read_lock();
	has = task_under_cgroup_hierarchy(task, cgroup);
	rcu_read_unlock();
	return has;
}

/* The process in it whose number is the next from *@nr on, with a reference; or NULL. */
static struct task_struct *next_process(struct cgroup *cgroup, int *nr)
{
	struct task_struct *task = NULL;
	struct pid *pid;

	rcu_read_lock();
	while (!task && (pid = find_ge_pid(*nr, &init_pid_ns))) {
		*nr = pid_nr(pid) + 1;
		task = pid_task(pid, PIDTYPE_TGID);
		if (task &&
		    (utrace_may_target(task, true) || !task_under_cgroup_hierarchy(task, cgroup)))
			task = NULL;
		if (task)
			get_task_struct(task);
	}
	rcu_read_unlock();
	return task;
}

/*
 * Until a walk finds nobody new: who is born of one that is in already joins in its creator's clone
 * report.  What comes into it from elsewhere meanwhile joins at its exec, as later.  An engine that
 * follows no children is on those that are there: it would run after a group that forks for ever.
 */
int bpf_cgroup_join(struct bpf_engine *be)
{
	struct task_struct *task;
	u32 joined;
	int nr, err;

	do {
		joined = 0;
		nr = 1;
		while ((task = next_process(be->cgroup, &nr))) {
			err = bpf_join_process(be, task, &joined);
			put_task_struct(task);
			/* Some may not be traced: no reason to leave out the others. */
			if (err && err != -ESRCH && err != -EPERM)
				return err;
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	} while (joined && (be->flags & UTRACE_TARGET_CHILDREN));
	return 0;
}

#else

struct cgroup *bpf_cgroup_get(s32 fd)
{
	return ERR_PTR(-EOPNOTSUPP);
}

void bpf_cgroup_put(struct cgroup *cgroup)
{
}

bool bpf_cgroup_has(struct cgroup *cgroup, struct task_struct *task)
{
	return false;
}

int bpf_cgroup_join(struct bpf_engine *be)
{
	return -EOPNOTSUPP;
}

#endif
