// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds a thread at a signal that is about to kill its process, with memory, registers and files
 * whole and no core dumped yet, and tells its registers and its stack.
 *
 *	utracectl engine load crashcatch.bpf.o -p 812
 *	gdb -p 812                  gets it there
 *	utracectl resume 812        lets it crash
 */
#include "bpf/include/utrace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct crash {
	s32 pid;
	s32 tid UTRACE_IS_HELD;
	char comm[16];
	s32 signal UTRACE_IS_SIGNAL;
	s32 code;
	/* Of a fault: the address that could not be reached. */
	u64 address UTRACE_IS_HEX;
	u64 ip UTRACE_IS_HEX;
	u64 sp UTRACE_IS_HEX;
	u64 bp UTRACE_IS_HEX;
	u64 ax UTRACE_IS_HEX;
	u64 bx UTRACE_IS_HEX;
	u64 cx UTRACE_IS_HEX;
	u64 dx UTRACE_IS_HEX;
	u64 si UTRACE_IS_HEX;
	u64 di UTRACE_IS_HEX;
	u64 r8 UTRACE_IS_HEX;
	u64 r9 UTRACE_IS_HEX;
	u64 r10 UTRACE_IS_HEX;
	u64 r11 UTRACE_IS_HEX;
	u64 r12 UTRACE_IS_HEX;
	u64 r13 UTRACE_IS_HEX;
	u64 r14 UTRACE_IS_HEX;
	u64 r15 UTRACE_IS_HEX;
	u64 flags UTRACE_IS_HEX;
};

UTRACE_RECORDS(struct crash, 1 << 16);

/* Also at those that end it without a core dump, as SIGTERM; SIGKILL is told to nobody. */
const volatile bool term = false;

static void tell(const struct kernel_siginfo *info)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct crash *crash = bpf_ringbuf_reserve(&records, sizeof(*crash), 0);

	/* Nobody reads: it is held all the same. */
	if (!crash)
		return;
	crash->pid = task->tgid;
	crash->tid = task->pid;
	__builtin_memcpy(crash->comm, task->comm, sizeof(crash->comm));
	crash->signal = info->si_signo;
	crash->code = info->si_code;
	/* What the kernel itself sends at a fault has one. */
	crash->address = info->si_code > 0 ? (u64)info->_sifields._sigfault._addr : 0;
	crash->ip = regs->ip;
	crash->sp = regs->sp;
	crash->bp = regs->bp;
	crash->ax = regs->ax;
	crash->bx = regs->bx;
	crash->cx = regs->cx;
	crash->dx = regs->dx;
	crash->si = regs->si;
	crash->di = regs->di;
	crash->r8 = regs->r8;
	crash->r9 = regs->r9;
	crash->r10 = regs->r10;
	crash->r11 = regs->r11;
	crash->r12 = regs->r12;
	crash->r13 = regs->r13;
	crash->r14 = regs->r14;
	crash->r15 = regs->r15;
	crash->flags = regs->flags;
	bpf_ringbuf_submit(crash, 0);
}

UTRACE_REPORT(report_signal)
u32 BPF_PROG(on_signal, u32 action, struct utrace_engine *engine, u32 event,
	     struct kernel_siginfo *info)
{
	if (event == UTRACE_EVENT(SIGNAL_TERM) && !term)
		return utrace_pass(action);
	tell(info);
	return utrace_hold(action);
}

UTRACE_ENGINE(crashcatch) = {
	.name = "crashcatch",
	.flags = UTRACE_TARGET_HANDOVER,
	.signal_events = UTRACE_EVENT(SIGNAL_CORE) | UTRACE_EVENT(SIGNAL_TERM),
	.report_signal = (void *)on_signal,
};
