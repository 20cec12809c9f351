// SPDX-License-Identifier: GPL-2.0-only
/* For tests: counts what it is told, by enum utrace_event, and holds the thread at one of them. */
#include "bpf/include/utrace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define EVENTS 32

const volatile int hold_at = -1;
const volatile bool leave = false;

/* bpf_engine_test.cc has the same. */
struct {
	unsigned long long events[EVENTS];
	unsigned long long last_signal;
	unsigned long long last_child;
	unsigned long long getppids;
	char last_path[64];
	long long fd_length;
	char fd_path[64];
} told = {};

static u32 count(u32 bit, u32 action)
{
	if (bit >= EVENTS)
		return utrace_pass(action);
	__sync_fetch_and_add(&told.events[bit], 1);
	if ((int)bit != hold_at)
		return utrace_pass(action);
	return (action & UTRACE_VERDICT_MASK) | (leave ? UTRACE_DETACH : UTRACE_STOP);
}

UTRACE_REPORT(report_quiesce)
u32 BPF_PROG(on_quiesce, u32 action, struct utrace_engine *engine, u32 event)
{
	/* Before all others, too. */
	return event ? UTRACE_RESUME : count(UTRACE_EVENT_BIT_QUIESCE, action);
}

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	if (regs->orig_ax == 110 /* getppid */)
		__sync_fetch_and_add(&told.getppids, 1);
	if (regs->orig_ax == 257 /* openat */)
		bpf_utrace_read_user_str(told.last_path, sizeof(told.last_path), (void *)regs->si);
	if (regs->orig_ax == 74 /* fsync */)
		told.fd_length = bpf_utrace_fd_path(regs->di, told.fd_path, sizeof(told.fd_path));
	return count(UTRACE_EVENT_BIT_SYSCALL_ENTRY, action);
}

UTRACE_REPORT(report_syscall_exit)
u32 BPF_PROG(on_exit_of_call, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	return count(UTRACE_EVENT_BIT_SYSCALL_EXIT, action);
}

UTRACE_REPORT(report_signal)
u32 BPF_PROG(on_signal, u32 action, struct utrace_engine *engine, u32 event,
	     struct kernel_siginfo *info)
{
	u32 bit;

	told.last_signal = info->si_signo;
	for (bit = 0; bit < EVENTS; bit++)
		if (event == 1u << bit)
			return count(bit, action);
	return utrace_pass(action);
}

UTRACE_REPORT(report_jctl)
u32 BPF_PROG(on_jctl, u32 action, struct utrace_engine *engine, int type, int notify)
{
	return count(UTRACE_EVENT_BIT_JCTL, action);
}

UTRACE_REPORT(report_clone)
u32 BPF_PROG(on_clone, u32 action, struct utrace_engine *engine, u64 clone_flags,
	     struct task_struct *child)
{
	told.last_child = child->pid;
	return count(UTRACE_EVENT_BIT_CLONE, action);
}

UTRACE_REPORT(report_exec)
u32 BPF_PROG(on_exec, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	return count(UTRACE_EVENT_BIT_EXEC, action);
}

UTRACE_REPORT(report_exit)
u32 BPF_PROG(on_exit, u32 action, struct utrace_engine *engine, long code)
{
	return count(UTRACE_EVENT_BIT_EXIT, action);
}

UTRACE_REPORT(report_death)
void BPF_PROG(on_death, struct utrace_engine *engine, int group_dead)
{
	count(UTRACE_EVENT_BIT_DEATH, 0);
}

SEC("struct_ops/report_reap")
void BPF_PROG(on_reap, struct utrace_engine *engine, struct task_struct *task)
{
	count(UTRACE_EVENT_BIT_REAP, 0);
}

UTRACE_ENGINE(recorder) = {
	.name = "recorder",
	.report_quiesce = (void *)on_quiesce,
	.report_syscall_entry = (void *)on_entry,
	.report_syscall_exit = (void *)on_exit_of_call,
	.report_signal = (void *)on_signal,
	.report_jctl = (void *)on_jctl,
	.report_clone = (void *)on_clone,
	.report_exec = (void *)on_exec,
	.report_exit = (void *)on_exit,
	.report_death = (void *)on_death,
	.report_reap = (void *)on_reap,
};
