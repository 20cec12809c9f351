/* SPDX-License-Identifier: GPL-2.0-only */
/* All threads of a process: who comes while one walks over them is not missed. */
#ifndef UTRACE_GROUP_H
#define UTRACE_GROUP_H

#include <linux/sched.h>

/**
 * struct utrace_joiner - who makes threads join
 * @has: whether a thread is in.  Under RCU
 * @join: one joins; 0, or -EEXIST and -ESRCH which end nothing, or another errno.  May sleep
 */
struct utrace_joiner {
	bool (*has)(struct utrace_joiner *joiner, struct task_struct *task);
	int (*join)(struct utrace_joiner *joiner, struct task_struct *task);
};

/*
 * The caller holds a reference to @leader; whoever is born of a thread that is in already has to
 * join by its creator's clone report.  0, and @joined goes up by those that joined; or -ENOMEM,
 * -EINTR, or what join() gave first.
 */
int utrace_join_group(struct utrace_joiner *joiner, struct task_struct *leader, u32 *joined);

/*
 * The thread @id, as the caller's pid namespace has it, or @group: the process of that thread; with
 * a reference.  -EPERM: the kernel's, or of the caller's own process; -ESRCH: none, or a dead one.
 */
struct task_struct *utrace_target_get(s32 id, bool group);
/* The same of a thread that is there already: 0, or that errno. */
int utrace_may_target(struct task_struct *task, bool group);

#endif
