// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts one system call, and lets it fail if asked to.
 *
 *	utracectl engine load template.bpf.o --set call=openat -- ls
 */
#include "bpf/include/utrace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Its options, given by --set: const volatile, with what they are if nothing is given. */
const volatile int call UTRACE_IS_SYSCALL = -1;
const volatile int error UTRACE_IS_ERRNO = 0;

/* What it keeps, of all threads it is on; bpftool map dump name template.bss shows it. */
unsigned long long calls = 0;

/* One program for each report it hears of; it runs in the thread that it is about. */
UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	if ((int)regs->orig_ax != call)
		return utrace_pass(action);
	__sync_fetch_and_add(&calls, 1);
	if (!error)
		return utrace_pass(action);
	bpf_utrace_set_result(regs, -error);
	return utrace_abort();
}

UTRACE_ENGINE(template) = {
	.name = "template",
	.report_syscall_entry = (void *)on_entry,
};
