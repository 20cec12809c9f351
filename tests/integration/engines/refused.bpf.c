// SPDX-License-Identifier: GPL-2.0-only
/* For tests: follows what is no pointer, which the verifier does not take. */
#include "bpf/include/utrace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	return *(const u32 *)regs->si ? utrace_pass(action) : utrace_abort();
}

UTRACE_ENGINE(refused) = {
	.name = "refused",
	.report_syscall_entry = (void *)on_entry,
};
