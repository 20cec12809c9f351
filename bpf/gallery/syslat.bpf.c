// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long system calls take, sorted in the kernel into powers of ten: what comes out is a table.
 *
 *	utracectl engine load syslat.bpf.o --if 'call in (fsync, fdatasync)' -p 812
 */
#include "bpf/include/utrace_choice.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct call {
	s32 call UTRACE_IS_SYSCALL;
};

/* Calls, and those that took less than that, and no less than the one before. */
struct latency {
	u64 calls;
	u64 below_1us;
	u64 below_10us;
	u64 below_100us;
	u64 below_1ms;
	u64 below_10ms;
	u64 below_100ms;
	u64 below_1s;
	u64 longer;
};

UTRACE_TABLE(struct call, struct latency, 1024);

struct begun {
	u64 time_ns; /* 0: it is in no call that counts */
	s32 call;
};

/* Of each thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct begun);
} entries SEC(".maps");

/* Calls that are not in the table, for want of memory. */
unsigned long long missed = 0;

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct begun *begun;

	begun = bpf_task_storage_get(&entries, bpf_get_current_task_btf(), 0,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!begun) {
		__sync_fetch_and_add(&missed, 1);
		return utrace_pass(action);
	}
	begun->call = (s32)regs->orig_ax;
	begun->time_ns = utrace_chosen(regs) ? bpf_ktime_get_ns() : 0;
	return utrace_pass(action);
}

static struct latency *latency_of(s32 nr)
{
	struct call call = { .call = nr };
	struct latency none = {};
	struct latency *latency = bpf_map_lookup_elem(&table, &call);

	if (latency)
		return latency;
	bpf_map_update_elem(&table, &call, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&table, &call);
}

static u64 *place_of(struct latency *latency, u64 ns)
{
	if (ns < 1000)
		return &latency->below_1us;
	if (ns < 10 * 1000)
		return &latency->below_10us;
	if (ns < 100 * 1000)
		return &latency->below_100us;
	if (ns < 1000 * 1000)
		return &latency->below_1ms;
	if (ns < 10 * 1000 * 1000)
		return &latency->below_10ms;
	if (ns < 100 * 1000 * 1000)
		return &latency->below_100ms;
	return ns < 1000 * 1000 * 1000 ? &latency->below_1s : &latency->longer;
}

UTRACE_REPORT(report_syscall_exit)
u32 BPF_PROG(on_exit, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct latency *latency;
	struct begun *begun;
	u64 took;

	begun = bpf_task_storage_get(&entries, bpf_get_current_task_btf(), 0, 0);
	if (!begun || !begun->time_ns)
		return utrace_pass(action);
	took = bpf_ktime_get_ns() - begun->time_ns;
	begun->time_ns = 0;
	latency = latency_of(begun->call);
	if (!latency) {
		__sync_fetch_and_add(&missed, 1);
		return utrace_pass(action);
	}
	__sync_fetch_and_add(&latency->calls, 1);
	__sync_fetch_and_add(place_of(latency, took), 1);
	return utrace_pass(action);
}

UTRACE_ENGINE(syslat) = {
	.name = "syslat",
	.report_syscall_entry = (void *)on_entry,
	.report_syscall_exit = (void *)on_exit,
};
