/* SPDX-License-Identifier: GPL-2.0-only */
/* What a task_struct says: its flags, and its pids as the tracer's pid namespace has them. */
#ifndef _UTRACE_TASK_BPF_H
#define _UTRACE_TASK_BPF_H

/* The kernel's macros are not in BTF, so vmlinux.h lacks them. */
#define PF_EXITING  0x00000004
#define PF_SIGNALED 0x00000400
#define PF_KTHREAD  0x00200000

/* The namespace and its depth, found by the first scan, which runs in the tracer's own context. */
__u32 pidns_level;
__u64 pidns;

static __noinline __u32 pid_in_namespace(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid number = {};

	bpf_probe_read_kernel(&number, sizeof(number), &pid->numbers[pidns_level]);
	/* Who is outside, such as a sender of signals, has none. */
	return (__u64)number.ns == pidns ? number.nr : 0;
}

static __always_inline void find_own_namespace(void)
{
	struct pid *pid = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid);
	struct upid number = {};

	pidns_level = BPF_CORE_READ(pid, level);
	bpf_probe_read_kernel(&number, sizeof(number), &pid->numbers[pidns_level]);
	pidns = (__u64)number.ns;
}

static __always_inline __u32 pid_of(struct task_struct *task)
{
	return pidns_level ? pid_in_namespace(task) : task->pid;
}

static __always_inline __u32 tgid_of(struct task_struct *task)
{
	return pidns_level ? pid_in_namespace(task->group_leader) : task->tgid;
}

#endif
