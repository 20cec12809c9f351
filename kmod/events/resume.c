// SPDX-License-Identifier: GPL-2.0-only
/* The pass before user mode: QUIESCE, and the holds that were asked for from outside. */
#include <linux/task_work.h>

#include "../gates.h"
#include "../report.h"
#include "../stop.h"
#include "resume.h"
#include "step.h"

void utrace_work(struct callback_head *head)
{
	struct utrace *utrace = container_of(head, struct utrace, work);
	struct utrace_pass pass = { .utrace = utrace, .may_stop = true };
	bool settle, leave;

	utrace_step_disarm(utrace, false);
	spin_lock_irq(&utrace->lock);
	/* On its way out its last works run: EXIT was told, DEATH comes. */
	leave = utrace->retired || (current->flags & PF_EXITING);
	settle = !leave && head->next && !utrace->work_settled;
	utrace->work_settled = true;
	if (!settle) {
		utrace->work_queued = false;
		utrace->step.working = !leave;
	}
	spin_unlock_irq(&utrace->lock);

	/*
	 * Works run last come, first served: one that was queued before ours, as the closing of
	 * a pipe, is next in the chain and has not run yet.  Once more round, and it has (H-19).
	 */
	if (settle) {
		if (!task_work_add(current, head, TWA_NONE))
			return;
		spin_lock_irq(&utrace->lock);
		utrace->work_queued = false;
		utrace->step.working = true;
		spin_unlock_irq(&utrace->lock);
	}
	utrace_gate(UTRACE_GATE_NOTE_TAKEN, current);
	if (!leave) {
		utrace_report_step(utrace);
		utrace_report_dropped(utrace);
		utrace_run_pass(&pass);
		utrace_hold(utrace, 0);
		utrace_step_arm(utrace);
		utrace_retire_if_idle(utrace);
	}
	utrace_put(utrace);
}
