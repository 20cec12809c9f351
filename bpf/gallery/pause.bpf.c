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

/* So many of all its threads' calls, or of each thread's; 0: every one. */
const volatile unsigned int times = 1;
const volatile bool each_thread = false;

struct paused {
	int pid;
	int tid UTRACE_IS_HELD;
	char comm[16];
	int call UTRACE_IS_SYSCALL;
	unsigned long long arg0 UTRACE_IS_HEX;
	unsigned long long arg1 UTRACE_IS_HEX;
	unsigned long long arg2 UTRACE_IS_HEX;
};

UTRACE_RECORDS(struct paused, 64 * 1024);

unsigned int held = 0;

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, unsigned int);
} helds SEC(".maps");

/* Was it held that often before?  Without memory for a count it is not held. */
static __always_inline bool is_enough(struct task_struct *task)
{
	unsigned int *own;

	if (!times)
		return false;
	if (!each_thread)
		return __sync_fetch_and_add(&held, 1) >= times;
	own = bpf_task_storage_get(&helds, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return !own || (*own)++ >= times;
}

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct paused *record;

	if (!utrace_chosen(regs))
		return utrace_pass(action);
	if (is_enough(task))
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
