// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds a program before its first instruction, when one of that name is run.
 *
 *	utracectl engine load exechold.bpf.o -f --set name=cc1 -- make
 *	utracectl engine load exechold.bpf.o --every-exec --if 'path ~ "*.cgi" && uid == 33'
 *	gdb -p PID                  gets it at its first instruction
 *	utracectl resume PID        lets it run
 */
#include "bpf/include/utrace_choice.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define NAME_SIZE 16

/*
 * As ps and the kernel have it, cut after 15 characters; empty: every program, but for the one that
 * is to let go.
 */
const volatile char name[NAME_SIZE] = "";
static const char resumer[NAME_SIZE] = "utracectl";

static __always_inline bool is_called(const struct task_struct *task, const volatile char *wanted)
{
	int i;

	for (i = 0; i < NAME_SIZE; i++) {
		if (task->comm[i] != wanted[i])
			return false;
		if (!wanted[i])
			return true;
	}
	return true;
}

UTRACE_REPORT(report_exec)
u32 BPF_PROG(on_exec, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (name[0] ? !is_called(task, name) : is_called(task, resumer))
		return utrace_pass(action);
	if (!utrace_chosen_exec())
		return utrace_pass(action);
	return utrace_hold(action);
}

UTRACE_ENGINE(exechold) = {
	.name = "exechold",
	.flags = UTRACE_TARGET_HANDOVER,
	.report_exec = (void *)on_exec,
};
