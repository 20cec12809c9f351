// SPDX-License-Identifier: GPL-2.0-only
/* For programs beside an engine: is that on the thread that runs them? */
#include <linux/sched/signal.h>

#include "bpf_engine.h"
#include "compat/worker.h"

/* What a worker does it does for its process, of which nobody says for which thread. */
static bool is_on_process(struct bpf_engine *be)
{
	struct bpf_thread *t;
	bool found = false;

	spin_lock_irq(&be->lock);
	list_for_each_entry(t, &be->threads, entry) {
		found = same_thread_group(utrace_engine_task(t->engine), current);
		if (found)
			break;
	}
	spin_unlock_irq(&be->lock);
	return found;
}

bool bpf_engine_on_current(const char *name)
{
	struct bpf_engine *be;
	bool on = false;
	int idx;

	if (current->flags & PF_KTHREAD)
		return false;
	idx = srcu_read_lock(&bpf_maps);
	be = bpf_engine_named(name);
	if (be)
		on = utrace_task_is_kernel(current) ? is_on_process(be) :
						      bpf_engine_is_on(be, current);
	srcu_read_unlock(&bpf_maps, idx);
	return on;
}
