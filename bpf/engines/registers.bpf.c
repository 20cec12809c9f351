// SPDX-License-Identifier: GPL-2.0-only
/* The registers of threads that are not on a CPU, without stopping them. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "include/uapi/utrace_registers.h"
#include "bpf/engines/task.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* An int, or since some 7.x a byte: loads of unsigned ones are fitted to the kernel's size. */
struct task_struct___on_cpu {
	unsigned int on_cpu;
} __attribute__((preserve_access_index));

SEC("iter/task")
int read_registers(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct utrace_thread_registers out = {};
	const struct pt_regs *regs;

	if (ctx->meta->seq_num == 0)
		find_own_namespace();
	if (!task || (task->flags & (PF_EXITING | PF_KTHREAD)))
		return 0;
	out.tid = pid_of(task);
	/* Before the registers: who finds both unchanged later knows that it has not run since. */
	out.run_ns = *(volatile u64 *)&task->se.sum_exec_runtime;
	out.on_cpu = *(volatile unsigned int *)&((struct task_struct___on_cpu *)task)->on_cpu;
	regs = (const struct pt_regs *)bpf_task_pt_regs(task);
	out.registers.ax = regs->ax;
	out.registers.bx = regs->bx;
	out.registers.cx = regs->cx;
	out.registers.dx = regs->dx;
	out.registers.si = regs->si;
	out.registers.di = regs->di;
	out.registers.bp = regs->bp;
	out.registers.sp = regs->sp;
	out.registers.r8 = regs->r8;
	out.registers.r9 = regs->r9;
	out.registers.r10 = regs->r10;
	out.registers.r11 = regs->r11;
	out.registers.r12 = regs->r12;
	out.registers.r13 = regs->r13;
	out.registers.r14 = regs->r14;
	out.registers.r15 = regs->r15;
	out.registers.ip = regs->ip;
	out.registers.cs = regs->cs;
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	return 0;
}
