// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts system calls, and how long they take, in the kernel: what comes out is a table.
 *
 *	utracectl engine load syscount.bpf.o -f -- make
 */
#include "bpf/include/utrace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct call {
	s32 call UTRACE_IS_SYSCALL;
};

struct count {
	u64 calls;
	u64 errors;
	u64 total_ns;
	u64 max_ns;
};

UTRACE_TABLE(struct call, struct count, 1024);

struct begun {
	u64 time_ns; /* 0: it is in no call */
	s32 call;
};

/* Of each thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct begun);
} entries SEC(".maps");

/* Calls that are not counted, for want of memory. */
unsigned long long missed = 0;

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct begun *begun;

	begun = bpf_task_storage_get(&entries, bpf_get_current_task_btf(), 0,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (begun) {
		begun->call = (s32)regs->orig_ax;
		begun->time_ns = bpf_ktime_get_ns();
	} else {
		__sync_fetch_and_add(&missed, 1);
	}
	return utrace_pass(action);
}

/* The call that the thread is in, if it is in one, is over. */
static void add(bool failed)
{
	struct begun *begun;
	struct call call;
	u64 took;
	struct count none = {};
	struct count *count;

	begun = bpf_task_storage_get(&entries, bpf_get_current_task_btf(), 0, 0);
	if (!begun || !begun->time_ns)
		return;
	took = bpf_ktime_get_ns() - begun->time_ns;
	begun->time_ns = 0;
	call.call = begun->call;
	count = bpf_map_lookup_elem(&table, &call);
	if (!count) {
		bpf_map_update_elem(&table, &call, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&table, &call);
		if (!count)
			return;
	}
	__sync_fetch_and_add(&count->calls, 1);
	__sync_fetch_and_add(&count->total_ns, took);
	if (failed)
		__sync_fetch_and_add(&count->errors, 1);
	/* Two at once may leave the smaller of both. */
	if (took > count->max_ns)
		count->max_ns = took;
}

UTRACE_REPORT(report_syscall_exit)
u32 BPF_PROG(on_exit, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	s64 result = (s64)regs->ax;

	add(result < 0 && result >= -4095);
	return utrace_pass(action);
}

/* exit_group() and the like have no exit of their own. */
UTRACE_REPORT(report_exit)
u32 BPF_PROG(on_end, u32 action, struct utrace_engine *engine, long code)
{
	add(false);
	return utrace_pass(action);
}

UTRACE_ENGINE(syscount) = {
	.name = "syscount",
	.report_syscall_entry = (void *)on_entry,
	.report_syscall_exit = (void *)on_exit,
	.report_exit = (void *)on_end,
};
