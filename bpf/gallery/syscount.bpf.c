// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts system calls, and how long they take, in the kernel: what comes out is a table.
 *
 *	utracectl engine load syscount.bpf.o -f -- make
 */
#include "bpf/gallery/timed_call.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct count {
	u64 calls;
	u64 errors;
	u64 total_ns;
	u64 max_ns;
};

UTRACE_TABLE(struct call, struct count, 1024);

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	call_begins(regs);
	return utrace_pass(action);
}

static void add(bool failed)
{
	struct count none = {};
	struct count *count;
	struct call which;
	u64 took;

	if (!call_ends(&which, &took))
		return;
	count = entry_of(&table, &which, &none);
	if (!count)
		return;
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
