// SPDX-License-Identifier: GPL-2.0-only
/* For tests: on a program that another program chooses at its exec, and which that lets go. */
#include "bpf/include/utrace_beside.bpf.h"

char LICENSE[] SEC("license") = "GPL";

extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

/* What it is on, by the name that ps shows, and whose end lets that go. */
const volatile char program[16] = "";
const volatile int waker = 0;
/* A thread that is chosen when any program runs, though it sleeps. */
const volatile int sleeper = 0;

static const char nobody[16] = "nobody";

/* bpf_beside_test.cc has the same. */
struct {
	int held;
	int unknown;
	int sleeping;
	int reserved;
	unsigned long long number;
	unsigned long long reports;
} told = {};

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old, struct linux_binprm *bprm)
{
	struct task_struct *asleep;
	int i;

	if (sleeper && (asleep = bpf_task_from_pid(sleeper))) {
		told.sleeping = utrace_pick(asleep) ?: 1;
		bpf_task_release(asleep);
	}
	for (i = 0; i < 16; i++) {
		if (task->comm[i] != program[i])
			return 0;
		if (!program[i])
			break;
	}
	told.unknown = bpf_utrace_pick(nobody, task);
	utrace_pick(task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct task_struct *held;

	if (task->pid != waker || !told.held)
		return 0;
	held = bpf_task_from_pid(told.held);
	if (!held)
		return 0;
	utrace_let_go(held, told.number);
	bpf_task_release(held);
	return 0;
}

UTRACE_REPORT(report_quiesce)
u32 BPF_PROG(on_quiesce, u32 action, struct utrace_engine *engine, u32 event)
{
	if (event)
		return UTRACE_RESUME;
	told.reports++;
	if (told.held)
		return UTRACE_RESUME;
	told.held = bpf_get_current_task_btf()->pid;
	told.number = bpf_utrace_report_seq(engine);
	return utrace_hold(action);
}

UTRACE_ENGINE(picker) = {
	.name = "picker",
	.report_quiesce = (void *)on_quiesce,
};
