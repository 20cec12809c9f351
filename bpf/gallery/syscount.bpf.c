// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts system calls, and how long they take, in the kernel: what comes out is a table.
 *
 *	utracectl engine load syscount.bpf.o -f -- make
 */
#include "bpf/include/utrace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define MAX_THREADS 10240

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
	u64 time_ns;
	s32 call;
};

/* By thread, between a call's entry and its exit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREADS);
	__type(key, s32);
	__type(value, struct begun);
} entries SEC(".maps");

/* Calls whose entry was not kept, or not seen: of more threads than that. */
unsigned long long missed = 0;

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	s32 tid = bpf_get_current_task_btf()->pid;
	struct begun begun = { .time_ns = bpf_ktime_get_ns(), .call = (s32)regs->orig_ax };

	if (bpf_map_update_elem(&entries, &tid, &begun, BPF_ANY))
		__sync_fetch_and_add(&missed, 1);
	return utrace_pass(action);
}

static void add(const struct begun *begun, bool failed)
{
	struct call call = { .call = begun->call };
	u64 took = bpf_ktime_get_ns() - begun->time_ns;
	struct count none = {};
	struct count *count;

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
	s32 tid = bpf_get_current_task_btf()->pid;
	struct begun *begun = bpf_map_lookup_elem(&entries, &tid);
	s64 result = (s64)regs->ax;

	if (!begun)
		return utrace_pass(action);
	add(begun, result < 0 && result >= -4095);
	bpf_map_delete_elem(&entries, &tid);
	return utrace_pass(action);
}

/* exit_group() and the like have no exit of their own. */
UTRACE_REPORT(report_exit)
u32 BPF_PROG(on_end, u32 action, struct utrace_engine *engine, long code)
{
	s32 tid = bpf_get_current_task_btf()->pid;
	struct begun *begun = bpf_map_lookup_elem(&entries, &tid);

	if (begun) {
		add(begun, false);
		bpf_map_delete_elem(&entries, &tid);
	}
	return utrace_pass(action);
}

UTRACE_ENGINE(syscount) = {
	.name = "syscount",
	.report_syscall_entry = (void *)on_entry,
	.report_syscall_exit = (void *)on_exit,
	.report_exit = (void *)on_end,
};
