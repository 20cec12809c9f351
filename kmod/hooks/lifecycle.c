// SPDX-License-Identifier: GPL-2.0-only
/* Where a thread is born, gets a new image, exits, is dead and is gone. */
#include <linux/sched/signal.h>

#include "../events/events.h"
#include "hook.h"

/* In the parent, once the child cannot fail to come into being any more. */
void utrace_before_wake_up_new_task(struct task_struct *child)
{
	UTRACE_HOOK(wake_up_new_task);

	utrace_report_clone(child);
}

/* The last thing exec does before it goes back; PTRACE_EVENT_EXEC has just been. */
void utrace_before_proc_exec_connector(struct task_struct *task)
{
	UTRACE_HOOK(proc_exec_connector);

	utrace_report_exec();
}

/*
 * A thread that brings its group's exit about is seen here first, while SIGKILL still works as
 * always; one that only follows its group is seen in do_exit().
 */
int utrace_before_do_group_exit(int code)
{
	UTRACE_HOOK(do_group_exit);
	const struct signal_struct *signal = current->signal;

	/* The code of whatever ended the group meanwhile goes before it. */
	if (code == SIGKILL)
		code = utrace_forced_end() ?: code;

	/* Racing with the start of a group exit is harmless: a hold then ends at once. */
	if (!(READ_ONCE(signal->flags) & SIGNAL_GROUP_EXIT) && !READ_ONCE(signal->group_exec_task))
		code = utrace_report_exit(code, true);
	return code;
}

/*
 * After an oops the kernel may come here with locks held and much else awry: hooks.c leaves out
 * what make_task_dead() calls, and here is what else must not sleep.
 */
int utrace_before_do_exit(long code)
{
	UTRACE_HOOK(do_exit);

	if (!in_atomic() && !irqs_disabled() && current->mm && !(current->flags & PF_EXITING))
		code = utrace_report_exit(code, false);
	return code;
}

/* Just after exit_notify(): a zombie, or reaped already. */
void utrace_before_proc_exit_connector(struct task_struct *task)
{
	UTRACE_HOOK(proc_exit_connector);

	utrace_report_death();
}

void utrace_before_release_task(struct task_struct *task)
{
	UTRACE_HOOK(release_task);

	utrace_report_reap(task);
}
