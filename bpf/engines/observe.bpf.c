// SPDX-License-Identifier: GPL-2.0-only
/*
 * The observer: what chosen threads do, as records in a ring for each CPU.
 *
 * Calls are recorded when they end. Their arguments are still in pt_regs then, one record does
 * where two would, and the memory they point to was just faulted in by the kernel, so it can be
 * read where at the entry it often cannot. What this cannot show comes from elsewhere: a
 * successful exec has lost its arguments (sched_process_exec), a call that never returns ends
 * with its thread (sched_process_exit), one in progress is found by a scan (scan_pending).
 *
 * Nothing here wakes the consumer: a wake-up costs many times what the record does.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "include/uapi/utrace_observe.h"
#include "include/uapi/utrace_records.h"
#include "include/uapi/utrace_predicate.h"
#include "bpf/include/call_registers.bpf.h"
#include "bpf/include/decide.bpf.h"
#include "bpf/engines/unpreempted.bpf.h"
#include "bpf/engines/lane.bpf.h"
#include "bpf/engines/payload.bpf.h"
#include "bpf/engines/slot.bpf.h"
#include "bpf/engines/task.bpf.h"
#include "bpf/engines/thread.bpf.h"
#include "bpf/engines/predicate.bpf.h"
#include "bpf/engines/call.bpf.h"
#include "bpf/engines/notice.bpf.h"
#include "bpf/engines/signal.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline int call_seen(const struct pt_regs *regs, long ret, const enum turn turn)
{
	struct observe_slot *slot = slot_at(regs);
	struct observe_thread *thread;
	struct observe_home *home;
	struct task_struct *task;
	__u64 address;

	if (!slot)
		return 0;
	if (slot->regs == (__u64)regs) {
		thread = &slot->thread;
		address = slot->task;
	} else {
		task = bpf_get_current_task_btf();
		home = home_of(task);
		if (!home)
			return 0;
		take_slot(home, slot, regs, task);
		thread = thread_in(home);
		address = (__u64)task;
	}
	if (!is_due(thread, turn))
		return 0;
	if (thread->flags & (OBSERVE_NEWBORN | OBSERVE_UNTIL_EXEC | OBSERVE_EXECED)) {
		thread->flags &= ~(OBSERVE_NEWBORN | OBSERVE_EXECED);
		return 0;
	}
	return call_ended(current_at(address), thread, regs, ret, 0);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	return UNPREEMPTED(call_seen(regs, ret, FIRST_TURN));
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(on_sys_exit_again, struct pt_regs *regs, long ret)
{
	return UNPREEMPTED(call_seen(regs, ret, SECOND_TURN));
}

/* With the module: its per-thread hook instead, so that other threads pay nothing. */
SEC("?tp_btf/utrace_syscall_exit")
int BPF_PROG(on_utrace_syscall_exit, struct task_struct *task, struct pt_regs *regs, long ret)
{
	return regs ? call_seen(regs, ret, ONLY_TURN) : 0;
}

static __always_inline int fork_seen(struct task_struct *child, const enum turn turn)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_thread *thread = thread_of(task);
	bool same_process = child->tgid == task->tgid;
	struct utrace_rec_fork *r;
	bool followed;

	/* A thread that the attaching scan has not reached yet: its process is chosen already. */
	if (!thread)
		thread = adopt(task);
	if (!thread || !is_due(thread, turn) || (thread->flags & OBSERVE_UNTIL_EXEC))
		return 0;
	followed = same_process || (thread->flags & OBSERVE_FOLLOW);
	if (followed)
		followed = inherit(child, thread);

	r = reserve(sizeof(*r));
	if (!r) {
		lose(thread);
		return 0;
	}
	fill_head(&r->head, thread, UTRACE_REC_FORK, sizeof(*r));
	r->child_tgid = tgid_of(child);
	r->child_tid = pid_of(child);
	r->flags = (same_process ? UTRACE_FORK_F_THREAD : 0) |
		   (followed ? UTRACE_FORK_F_FOLLOWED : 0);
	r->reserved = 0;
	commit(r, sizeof(*r));
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	return UNPREEMPTED(fork_seen(child, FIRST_TURN));
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(on_fork_again, struct task_struct *parent, struct task_struct *child)
{
	return UNPREEMPTED(fork_seen(child, SECOND_TURN));
}

static __always_inline int exec_seen(struct linux_binprm *bprm, const enum turn turn)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_thread *thread = thread_of(task);
	const struct pt_regs *regs;
	struct scratch *scratch;
	struct utrace_rec_exec *r;
	__u32 old_tid;
	__u32 off;

	if (!thread || !is_due(thread, turn))
		return 0;
	thread->calls++;
	thread->flags = (thread->flags & ~OBSERVE_UNTIL_EXEC) | OBSERVE_EXECED;
	/* Another thread than the first has taken the first one's number. */
	old_tid = thread->tid;
	thread->tid = thread->tgid;
	regs = (const struct pt_regs *)bpf_task_pt_regs(task);
	if (chooses && !wants_exec(thread, regs->orig_ax, bprm->filename))
		return 0;
	scratch = get_scratch();
	if (!scratch)
		return 0;
	r = &scratch->exec;
	fill_head(&r->head, thread, UTRACE_REC_EXEC, sizeof(*r));
	r->nr = regs->orig_ax;
	r->old_tid = old_tid;
	r->argc = bprm->argc;
	r->envc = bprm->envc;
	r->abi = UTRACE_ABI_X86_64;
	__builtin_memset(r->reserved, 0, sizeof(r->reserved));
	off = copy_file_name(scratch, sizeof(*r), bprm->filename);
	off = copy_argv(scratch, off, task->mm);
	write_out(scratch, &r->head, off);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	return UNPREEMPTED(exec_seen(bprm, FIRST_TURN));
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(on_exec_again, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	return UNPREEMPTED(exec_seen(bprm, SECOND_TURN));
}

static __always_inline bool dies_in_call(struct task_struct *task, const struct pt_regs *regs)
{
	long nr = (long)regs->orig_ax;

	if (task->thread_info.status & TS_COMPAT) {
		if (nr == 1 || nr == 252)
			return true;
	} else if (nr == 60 || nr == 231) {
		return true;
	}
	/*
	 * seccomp's way to end one thread: it never gets as far as the end of the call, as it would
	 * to be ended by the signal.
	 */
	return nr >= 0 && task->exit_code == SIGSYS && !(task->flags & PF_SIGNALED);
}

static __always_inline int exit_seen(const enum turn turn)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_home *home = home_of(task);
	struct observe_thread *thread;
	const struct pt_regs *regs;
	struct utrace_rec_exit *r;

	if (!home)
		return 0;
	leave_slot(home);
	thread = &home->thread;
	if (!is_due(thread, turn))
		return 0;
	if (!(thread->flags & OBSERVE_UNTIL_EXEC)) {
		regs = (const struct pt_regs *)bpf_task_pt_regs(task);
		if (!(thread->flags & OBSERVE_NEWBORN) && dies_in_call(task, regs))
			call_ended(task, thread, regs, 0, UTRACE_CALL_F_NO_RETURN);
		r = reserve(sizeof(*r));
		if (r) {
			fill_head(&r->head, thread, UTRACE_REC_EXIT, sizeof(*r));
			r->code = task->exit_code;
			r->flags = task->signal->live.counter == 0 ? UTRACE_EXIT_F_GROUP : 0;
			commit(r, sizeof(*r));
		} else {
			lose(thread);
		}
		if (calls_from_module) {
			if (is_heard(task)) {
				thread->flags |= OBSERVE_DYING;
				__sync_fetch_and_add(&deaths_due, 1);
			} else {
				note_unheard(home);
			}
		}
	}
	/* Last: once nothing is live, the consumer takes what is in the ring and ends. */
	count_out(home);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	return UNPREEMPTED(exit_seen(FIRST_TURN));
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(on_exit_again, struct task_struct *task)
{
	return UNPREEMPTED(exit_seen(SECOND_TURN));
}

/* Also tells the exit, if both its programs were skipped. */
SEC("?tp_btf/utrace_death")
int BPF_PROG(on_utrace_death, struct task_struct *task_arg, long code)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_home *home = home_of(task);
	struct observe_thread *thread;
	struct utrace_rec_notice *r;

	if (!home)
		return 0;
	if (preemptible && home->state == OBSERVE_LIVE)
		exit_seen(ONLY_TURN);
	thread = &home->thread;
	if (!(thread->flags & OBSERVE_DYING))
		return 0;
	thread->flags &= ~OBSERVE_DYING;
	r = reserve_notice(thread, UTRACE_REC_DEATH);
	if (r) {
		r->code = code;
		commit(r, sizeof(*r));
	}
	/* First, so that one of the two is due all the time. */
	thread->flags |= OBSERVE_ZOMBIE;
	__sync_fetch_and_add(&reaps_due, 1);
	__sync_fetch_and_add(&deaths_due, -1);
	return 0;
}

/*
 * Attaching: user space has put a state on the first thread of each chosen process; this gives
 * one to all others. A thread being born meanwhile is either in the list this walks, or its
 * sched_process_fork comes after the first thread was marked and on_fork sees to it.
 */
SEC("iter/task")
int scan_attach(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (ctx->meta->seq_num == 0)
		find_own_namespace();
	if (task)
		adopt(task);
	return 0;
}

/* Calls in progress: threads asleep with a call's number in their registers. */
SEC("iter/task")
int scan_pending(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct observe_pending out = {};
	struct observe_thread *thread;
	const struct pt_regs *regs;
	struct observe_home *home;
	unsigned int state;
	__u16 abi;

	if (!task)
		return 0;
	home = home_of(task);
	if (!home || home->state != OBSERVE_LIVE)
		return 0;
	if (!(task->flags & PF_EXITING))
		seen_threads++;
	thread = thread_in(home);
	if (calls_from_module)
		look_for_deaf(task, home, thread->flags);
	/* What is asked of a call is mostly not known before its end. */
	if (chooses || (thread->flags & (OBSERVE_NEWBORN | OBSERVE_UNTIL_EXEC | OBSERVE_EXECED)))
		return 0;
	out.calls = *(volatile __u32 *)&thread->calls;
	out.record.head.ts = bpf_ktime_get_ns();
	state = *(volatile unsigned int *)&task->__state;
	/* Stopped by job control it is in no call any more, only on its way out of one. */
	if (!state || (state & TASK_STOPPED))
		return 0;
	regs = (const struct pt_regs *)bpf_task_pt_regs(task);
	if ((long)regs->orig_ax < 0)
		return 0;
	abi = abi_of(task);
	fill_call(&out.record, regs, 0, abi, 0);
	fill_args(out.record.args, regs, abi, 6);
	/* It may have come back, and even gone in again, while its registers were read. */
	if (thread_in(home) != thread || *(volatile __u32 *)&thread->calls != (__u32)out.calls)
		return 0;
	out.record.head.len = sizeof(out.record);
	out.record.head.type = UTRACE_REC_PENDING;
	out.record.head.flags = UTRACE_REC_F_UNNUMBERED;
	out.record.head.body = sizeof(out.record);
	out.record.head.seq = thread->seq;
	out.record.head.tgid = thread->tgid;
	out.record.head.tid = thread->tid;
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	return 0;
}
