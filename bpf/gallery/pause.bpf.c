// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds a thread at the entry of a call, before the kernel does anything about it.
 *
 *	utracectl engine load pause.bpf.o --if 'call == unlinkat && path ~ "*.conf"' -p 812
 *	gdb -p PID                  gets it there
 *	utracectl resume PID        lets the call be made
 */
#include "bpf/include/utrace_choice.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* So many of all its threads' calls; 0: each. */
const volatile unsigned int times = 1;

struct paused {
	int pid;
	int tid;
	char comm[16];
	int call UTRACE_IS_SYSCALL;
	unsigned long long arg0 UTRACE_IS_HEX;
	unsigned long long arg1 UTRACE_IS_HEX;
	unsigned long long arg2 UTRACE_IS_HEX;
};

UTRACE_RECORDS(struct paused, 64 * 1024);

unsigned int held = 0;

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct paused *record;

	if (!utrace_chosen(regs))
		return utrace_pass(action);
	if (times && __sync_fetch_and_add(&held, 1) >= times)
		return utrace_pass(action);
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (record) {
		record->pid = task->tgid;
		record->tid = task->pid;
		bpf_get_current_comm(record->comm, sizeof(record->comm));
		record->call = regs->orig_ax;
		record->arg0 = bpf_utrace_argument(regs, 0);
		record->arg1 = bpf_utrace_argument(regs, 1);
		record->arg2 = bpf_utrace_argument(regs, 2);
		bpf_ringbuf_submit(record, 0);
	}
	return utrace_hold(action);
}

UTRACE_ENGINE(pause) = {
	.name = "pause",
	.flags = UTRACE_TARGET_HANDOVER,
	.report_syscall_entry = (void *)on_entry,
};
