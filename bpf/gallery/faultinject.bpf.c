// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets a call fail: all of them, or every Nth, or those after the first few.
 *
 *	utracectl engine load faultinject.bpf.o --set call=openat --set error=ENOSPC -- make
 *	utracectl engine load faultinject.bpf.o --if 'call == openat && path ~ "*.o"' -- make
 */
#include "bpf/include/utrace_choice.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Which call, and what it gives instead. */
const volatile int call UTRACE_IS_SYSCALL = -1;
const volatile int error UTRACE_IS_ERRNO = 5;
/* Of each so many calls one fails, the last; after so many that do not. */
const volatile unsigned int every = 1;
const volatile unsigned int after = 0;

/* Of all its threads. */
unsigned long long seen = 0;
unsigned long long failed = 0;

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	unsigned long long nth;

	/* Without a call it is about those of --if, or none. */
	if (call >= 0 ? (int)regs->orig_ax != call : !utrace_choice.chooses)
		return utrace_pass(action);
	if (!utrace_chosen(regs))
		return utrace_pass(action);
	nth = __sync_fetch_and_add(&seen, 1) + 1;
	if (nth <= after || every == 0 || (nth - after) % every != 0)
		return utrace_pass(action);
	__sync_fetch_and_add(&failed, 1);
	bpf_utrace_set_result(regs, -error);
	return utrace_abort();
}

UTRACE_ENGINE(faultinject) = {
	.name = "faultinject",
	.report_syscall_entry = (void *)on_entry,
};
