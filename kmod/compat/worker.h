/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads of the kernel that look like a program's own: io_uring's and vhost's workers. */
#ifndef UTRACE_COMPAT_WORKER_H
#define UTRACE_COMPAT_WORKER_H

#include <linux/sched.h>

/* Has no user mode of its own, so there is nothing to trace. */
static inline bool utrace_task_is_kernel(const struct task_struct *task)
{
#ifdef PF_USER_WORKER
	return READ_ONCE(task->flags) & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER);
#else
	return READ_ONCE(task->flags) & (PF_KTHREAD | PF_IO_WORKER);
#endif
}

#endif
