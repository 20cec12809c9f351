// SPDX-License-Identifier: GPL-2.0-only
#include <linux/auxvec.h>
#include <linux/jhash.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
/* Where dumpable is the thread's, and no flag of its address space. */
#ifndef SUID_DUMP_USER
#include <linux/sched/exec_state.h>
#endif
#include <linux/security.h>

#include "rights.h"
#include "symbols.h"

int utrace_yama_scope(void)
{
	return k_ptrace_scope ? READ_ONCE(*k_ptrace_scope) : 0;
}

bool utrace_exec_secure(struct task_struct *task)
{
	const unsigned long *auxv = task->mm->saved_auxv;
	size_t i;

	for (i = 0; i + 1 < AT_VECTOR_SIZE && auxv[i] != AT_NULL; i += 2)
		if (auxv[i] == AT_SECURE)
			return auxv[i + 1];
	/* The kernel always writes one: without it we do not know. */
	return true;
}

bool utrace_image_dumpable(struct task_struct *task, struct mm_struct *mm)
{
#ifdef SUID_DUMP_USER
	return get_dumpable(mm) == SUID_DUMP_USER;
#else
	return k_task_exec_state_get_dumpable(task) == TASK_DUMPABLE_OWNER;
#endif
}

bool utrace_image_capable(struct task_struct *task, struct mm_struct *mm, struct file *file)
{
#ifdef SUID_DUMP_USER
	return file_ns_capable(file, mm->user_ns, CAP_SYS_PTRACE);
#else
	bool capable;

	rcu_read_lock();
	capable = file_ns_capable(file, rcu_dereference(task->exec_state)->user_ns, CAP_SYS_PTRACE);
	rcu_read_unlock();
	return capable;
#endif
}

u64 utrace_task_label(struct task_struct *task)
{
#ifdef UTRACE_HAVE_LSM_PROP
	struct lsm_prop label = {};

	security_task_getlsmprop_obj(task, &label);
#else
	u32 label = 0;

	security_task_getsecid_obj(task, &label);
#endif
	return (u64)jhash(&label, sizeof(label), 1) << 32 | jhash(&label, sizeof(label), 2);
}
