// SPDX-License-Identifier: GPL-2.0-only
/* For tests: what an engine may do about other threads, ordered by a call that makes no sense. */
#include "bpf/include/utrace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* getpriority(order, tid); bpf_engine_test.cc has the same. */
enum {
	ORDER_ATTACH = 70,
	ORDER_HOLD_ME,
	ORDER_RESUME,
	ORDER_STOP,
	ORDER_RESUME_STOPPED,
	ORDER_ARGUMENT,
	ORDER_CALL,
};

#define NR_GETPRIORITY 140
#define NR_GETPPID     110
#define SIGUSR1	       10
#define SIGTERM	       15

unsigned long long held_seq = 0;
unsigned long long stop_seq = 0;

extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

static int about(struct utrace_engine *engine, struct task_struct *task, u64 order)
{
	u64 seq = 0;
	int err = -22;

	if (order == ORDER_ATTACH)
		err = bpf_utrace_attach(engine, task);
	if (order == ORDER_RESUME)
		err = bpf_utrace_resume(engine, task, held_seq);
	if (order == ORDER_RESUME_STOPPED)
		err = bpf_utrace_resume(engine, task, stop_seq);
	if (order == ORDER_STOP) {
		err = bpf_utrace_stop(engine, task, &seq);
		stop_seq = seq;
	}
	return err;
}

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	u64 order = bpf_utrace_argument(regs, 0);
	struct task_struct *task;

	if (regs->orig_ax != NR_GETPRIORITY || order < ORDER_ATTACH || order > ORDER_CALL)
		return utrace_pass(action);
	if (order == ORDER_HOLD_ME) {
		held_seq = bpf_utrace_report_seq(engine);
		return utrace_hold(action);
	}
	if (order == ORDER_ARGUMENT) {
		bpf_utrace_set_argument(regs, 0, 0);
		return utrace_pass(action);
	}
	if (order == ORDER_CALL) {
		bpf_utrace_set_call(regs, NR_GETPPID);
		return utrace_pass(action);
	}
	task = bpf_task_from_pid(bpf_utrace_argument(regs, 1));
	if (!task)
		return utrace_pass(action);
	bpf_utrace_set_result(regs, about(engine, task, order));
	bpf_task_release(task);
	return utrace_abort();
}

UTRACE_REPORT(report_signal)
u32 BPF_PROG(on_signal, u32 action, struct utrace_engine *engine, u32 event,
	     struct kernel_siginfo *info)
{
	if (info->si_signo == SIGUSR1)
		bpf_utrace_set_signal(info, SIGTERM);
	return utrace_pass(action);
}

UTRACE_ENGINE(conductor) = {
	.name = "conductor",
	.report_syscall_entry = (void *)on_entry,
	.report_signal = (void *)on_signal,
};
