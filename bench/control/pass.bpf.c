// SPDX-License-Identifier: GPL-2.0-only
/* Looks at each system call, and lets it pass. */
#include "bpf/include/utrace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	return utrace_pass(action);
}

UTRACE_REPORT(report_syscall_exit)
u32 BPF_PROG(on_exit, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	return utrace_pass(action);
}

UTRACE_ENGINE(bench_pass) = {
	.name = "bench_pass",
	.report_syscall_entry = (void *)on_entry,
	.report_syscall_exit = (void *)on_exit,
};
