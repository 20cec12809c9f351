// SPDX-License-Identifier: GPL-2.0-only
/* Engines in BPF that are on every process from its next exec on. */
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched.h>

#include "attach.h"
#include "bpf_engine.h"
#include "hooks/hooks.h"

/* Added and removed under bpf_engines_mutex, gone through under bpf_maps. */
static LIST_HEAD(exec_engines);

/*
 * In a process's own context, before its exec is told.  The rights of who attached the engine are
 * looked at for the new image next, as are those of all others.
 */
static void exec_seen(void)
{
	struct bpf_engine *be;
	int idx, err;

	idx = srcu_read_lock(&bpf_maps);
	list_for_each_entry_srcu(be, &exec_engines, execs, srcu_read_lock_held(&bpf_maps))
	{
		if (be->cgroup && !bpf_cgroup_has(be->cgroup, current))
			continue;
		err = bpf_join(be, current, UTRACE_ATTACH_UNCHECKED);
		/* It is on it already, is just going, or may not be on it. */
		if (err && err != -EEXIST && err != -EOWNERDEAD && err != -EPERM && err != -ESRCH)
			pr_warn_ratelimited("process %d is not joined by a BPF engine: error %d\n",
					    task_pid_nr(current), err);
	}
	srcu_read_unlock(&bpf_maps, idx);
}

int bpf_execs_add(struct bpf_engine *be)
{
	int err;

	lockdep_assert_held(&bpf_engines_mutex);
	if (!(be->flags & (UTRACE_TARGET_EXECS | UTRACE_TARGET_CGROUP)))
		return 0;
	/* Also while it is on nobody. */
	err = utrace_hooks_get();
	if (err)
		return err;
	list_add_tail_rcu(&be->execs, &exec_engines);
	utrace_watch_execs(exec_seen);
	return 0;
}

void bpf_execs_remove(struct bpf_engine *be)
{
	lockdep_assert_held(&bpf_engines_mutex);
	if (list_empty(&be->execs))
		return;
	/* Who goes through the list goes on from here: it is not to point at itself. */
	list_del_rcu(&be->execs);
	if (list_empty(&exec_engines))
		utrace_watch_execs(NULL);
	utrace_hooks_put();
}
