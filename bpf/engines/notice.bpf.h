/* SPDX-License-Identifier: GPL-2.0-only */
/* Holds, job control and reaps, which the module alone knows. */
#ifndef _UTRACE_NOTICE_BPF_H
#define _UTRACE_NOTICE_BPF_H

/* The module's words on a thread of its own: all but the reaping are told by the thread itself. */
static __always_inline struct utrace_rec_notice *reserve_notice(struct observe_thread *thread,
								__u8 type)
{
	struct utrace_rec_notice *r = reserve(sizeof(*r));

	if (!r) {
		count_drop();
		return NULL;
	}
	fill_head_of_other(&r->head, thread, type, sizeof(*r));
	r->nr = NO_CALL;
	r->abi = UTRACE_ABI_X86_64;
	r->reserved = 0;
	r->event = 0;
	r->code = 0;
	return r;
}

static __always_inline int write_hold(__u8 type, __u32 event)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_thread *thread = thread_of(task);
	const struct pt_regs *regs;
	struct utrace_rec_notice *r;

	if (!thread || (thread->flags & OBSERVE_UNTIL_EXEC))
		return 0;
	r = reserve_notice(thread, type);
	if (!r)
		return 0;
	regs = (const struct pt_regs *)bpf_task_pt_regs(task);
	r->nr = regs->orig_ax;
	if (task->thread_info.status & TS_COMPAT)
		r->abi = UTRACE_ABI_I386;
	r->event = event;
	commit(r, sizeof(*r));
	return 0;
}

SEC("?tp_btf/utrace_stop")
int BPF_PROG(on_utrace_stop, struct task_struct *task, u32 event)
{
	return write_hold(UTRACE_REC_STOP, event);
}

SEC("?tp_btf/utrace_resume")
int BPF_PROG(on_utrace_resume, struct task_struct *task, u32 event)
{
	return write_hold(UTRACE_REC_RESUME, event);
}

SEC("?tp_btf/utrace_jctl")
int BPF_PROG(on_utrace_jctl, struct task_struct *task_arg, int type, int sig)
{
	struct observe_thread *thread = thread_of(bpf_get_current_task_btf());
	struct utrace_rec_notice *r;

	if (!thread || (thread->flags & OBSERVE_UNTIL_EXEC))
		return 0;
	r = reserve_notice(thread, UTRACE_REC_JCTL);
	if (!r)
		return 0;
	r->code = sig;
	commit(r, sizeof(*r));
	return 0;
}

/* By whoever reaps it. */
SEC("?tp_btf/utrace_reap")
int BPF_PROG(on_utrace_reap, struct task_struct *task)
{
	struct utrace_rec_notice *r;
	struct observe_thread *thread;

	/* Never so, but later kernels want it looked at. */
	if (!task)
		return 0;
	thread = thread_of(task);
	if (!thread || (thread->flags & OBSERVE_UNTIL_EXEC))
		return 0;
	r = reserve_notice(thread, UTRACE_REC_REAP);
	if (r)
		commit(r, sizeof(*r));
	if (thread->flags & OBSERVE_ZOMBIE) {
		thread->flags &= ~OBSERVE_ZOMBIE;
		__sync_fetch_and_add(&reaps_due, -1);
	}
	return 0;
}

#endif /* _UTRACE_NOTICE_BPF_H */
