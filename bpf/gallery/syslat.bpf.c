// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long system calls take, sorted in the kernel into powers of ten: what comes out is a table.
 *
 *	utracectl engine load syslat.bpf.o --if 'call in (fsync, fdatasync)' -p 812
 */
#include "bpf/gallery/timed_call.bpf.h"

char LICENSE[] SEC("license") = "GPL";

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

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	call_begins(regs);
	return utrace_pass(action);
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
	struct latency none = {};
	struct latency *latency;
	struct call which;
	u64 took;

	if (!call_ends(&which, &took))
		return utrace_pass(action);
	latency = entry_of(&table, &which, &none);
	if (!latency)
		return utrace_pass(action);
	__sync_fetch_and_add(&latency->calls, 1);
	__sync_fetch_and_add(place_of(latency, took), 1);
	return utrace_pass(action);
}

UTRACE_ENGINE(syslat) = {
	.name = "syslat",
	.report_syscall_entry = (void *)on_entry,
	.report_syscall_exit = (void *)on_exit,
};
