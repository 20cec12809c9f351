/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* What an engine in BPF is to the module: its struct_ops type, for both sides.  Append-only. */
#ifndef _UAPI_UTRACE_BPF_H
#define _UAPI_UTRACE_BPF_H

#include "utrace.h"

struct kernel_siginfo;
struct pt_regs;
struct task_struct;
struct utrace_engine;

#define UTRACE_BPF_NAME_SIZE 16

/* Beside UTRACE_TARGET_* of utrace.h: on every process of this machine from its next exec on. */
#define UTRACE_TARGET_EXECS (1u << 16)
/*
 * On the processes of a control group (v2), and of those below it, that are there now, and on what
 * comes to be there, from its next exec on.  With UTRACE_TARGET_GROUP, and without EXECS.
 */
#define UTRACE_TARGET_CGROUP (1u << 17)

/* The longest a thread is held by bpf_utrace_resume_after(), in nanoseconds: an hour. */
#define UTRACE_BPF_DELAY_MAX 3600000000000ull

/*
 * Reports as in struct utrace_engine_ops of include/linux/utrace.h; what they return too, but that
 * what is no action counts as UTRACE_RESUME.  All may be sleepable but report_reap().
 */
struct utrace_bpf_engine_ops {
	__u32 (*report_quiesce)(__u32 action, struct utrace_engine *engine, __u32 event);
	__u32 (*report_syscall_entry)(__u32 action, struct utrace_engine *engine,
				      struct pt_regs *regs);
	__u32 (*report_syscall_exit)(__u32 action, struct utrace_engine *engine,
				     struct pt_regs *regs);
	__u32 (*report_signal)(__u32 action, struct utrace_engine *engine, __u32 event,
			       struct kernel_siginfo *info);
	__u32 (*report_jctl)(__u32 action, struct utrace_engine *engine, int type, int notify);
	__u32 (*report_clone)(__u32 action, struct utrace_engine *engine, __u64 clone_flags,
			      struct task_struct *child);
	__u32 (*report_exec)(__u32 action, struct utrace_engine *engine, struct pt_regs *regs);
	__u32 (*report_exit)(__u32 action, struct utrace_engine *engine, long code);
	__u32 (*report_step)(__u32 action, struct utrace_engine *engine);
	void (*report_death)(struct utrace_engine *engine, int group_dead);
	void (*report_reap)(struct utrace_engine *engine, struct task_struct *task);

	/* Unique among those that are attached; not empty. */
	char name[UTRACE_BPF_NAME_SIZE];
	/* UTRACE_TARGET_GROUP, CHILDREN, HANDOVER, NESTED, INTERCEPT, EXECS, CGROUP. */
	__u32 flags;
	/* Of the signals, those that report_signal() is called for; 0: all. */
	__u32 signal_events;
	/*
	 * The thread it begins on, or with UTRACE_TARGET_GROUP the process, as the loader knows it;
	 * 0: none; with UTRACE_TARGET_CGROUP a descriptor of the group's directory.
	 */
	__s32 target;
	__u32 reserved;
};

#endif
