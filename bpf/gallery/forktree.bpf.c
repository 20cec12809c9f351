// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells who begets whom: processes that are born, what they run, how they end.
 *
 *	utracectl engine load forktree.bpf.o -f -- make
 */
#include "bpf/include/utrace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum what {
	born,
	runs,
	ends,
};

struct event {
	/* Since the machine was started. */
	u64 time_ns;
	enum what what;
	s32 pid;
	s32 parent;
	char comm[16];
	/* As wait(2) gives it, of who ends. */
	s32 status UTRACE_IS_HEX;
};

UTRACE_RECORDS(struct event, 1 << 18);

/* Also threads, which are born and end. */
const volatile bool threads = false;

/* Events that there was no room for, because nobody read. */
unsigned long long lost = 0;

static void tell(enum what what, const struct task_struct *task, s32 status)
{
	struct event *event = bpf_ringbuf_reserve(&records, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	event->time_ns = bpf_ktime_get_ns();
	event->what = what;
	event->pid = task->pid;
	event->parent = task->pid == task->tgid ? task->real_parent->tgid : task->tgid;
	__builtin_memcpy(event->comm, task->comm, sizeof(event->comm));
	event->status = status;
	bpf_ringbuf_submit(event, 0);
}

UTRACE_REPORT(report_clone)
u32 BPF_PROG(on_clone, u32 action, struct utrace_engine *engine, u64 clone_flags,
	     struct task_struct *child)
{
	if (threads || child->pid == child->tgid)
		tell(born, child, 0);
	return utrace_pass(action);
}

UTRACE_REPORT(report_exec)
u32 BPF_PROG(on_exec, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	tell(runs, bpf_get_current_task_btf(), 0);
	return utrace_pass(action);
}

UTRACE_REPORT(report_exit)
u32 BPF_PROG(on_exit, u32 action, struct utrace_engine *engine, long code)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (threads || task->pid == task->tgid)
		tell(ends, task, code);
	return utrace_pass(action);
}

UTRACE_ENGINE(forktree) = {
	.name = "forktree",
	.report_clone = (void *)on_clone,
	.report_exec = (void *)on_exec,
	.report_exit = (void *)on_exit,
};
