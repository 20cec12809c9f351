// SPDX-License-Identifier: GPL-2.0-only
/*
 * The observer: what chosen threads do, as records in one ring buffer.
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
#include "bpf/engines/payload.bpf.h"
#include "bpf/engines/thread.bpf.h"
#include "bpf/engines/notice.bpf.h"
#include "bpf/engines/signal.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define SIGKILL	      9
#define SIGSYS	      31
#define SIGNAL_BIT(n) (1UL << ((n)-1))

/* Rare records share the slow way out: built in scratch, copied at its real size. */
static __always_inline void write_out(void *record, struct utrace_rec_head *head, __u32 len)
{
	head->len = len;
	if (len > SCRATCH_BYTES || bpf_ringbuf_output(&ring, record, len, BPF_RB_NO_WAKEUP))
		count_drop();
}

static __always_inline void fill_args(struct utrace_rec_syscall *r, const struct pt_regs *regs,
				      __u16 abi, int count)
{
	if (abi == UTRACE_ABI_I386) {
		r->args[0] = (__u32)regs->bx;
		r->args[1] = (__u32)regs->cx;
		r->args[2] = (__u32)regs->dx;
		if (count <= 3)
			return;
		r->args[3] = (__u32)regs->si;
		r->args[4] = (__u32)regs->di;
		r->args[5] = (__u32)regs->bp;
	} else {
		r->args[0] = regs->di;
		r->args[1] = regs->si;
		r->args[2] = regs->dx;
		if (count <= 3)
			return;
		r->args[3] = regs->r10;
		r->args[4] = regs->r8;
		r->args[5] = regs->r9;
	}
}

/* All but the arguments. */
static __always_inline void fill_call(struct utrace_rec_syscall *r, const struct pt_regs *regs,
				      long ret, __u16 abi, __u16 flags)
{
	int nr = regs->orig_ax;

	/* sigreturn puts back the registers of the interrupted code, this one as "no call". */
	if (nr == NO_CALL) {
		nr = abi == UTRACE_ABI_I386 ? 173 : 15;
		flags |= UTRACE_CALL_F_NR_LOST;
	}
	if (abi == UTRACE_ABI_X86_64 && (nr & __X32_SYSCALL_BIT)) {
		nr &= ~__X32_SYSCALL_BIT;
		abi = UTRACE_ABI_X32;
	}
	r->nr = nr;
	r->abi = abi;
	r->flags = flags;
	r->ret = ret;
}

#define CALL_BYTES(count) (offsetof(struct utrace_rec_syscall, args) + (count) * sizeof(__u64))

/* A record of a call with its first `count` arguments, which must be a constant. */
static __always_inline void write_call(struct observe_thread *thread, const struct pt_regs *regs,
				       long ret, __u16 abi, __u16 flags, const int count)
{
	struct utrace_rec_syscall *r = bpf_ringbuf_reserve(&ring, CALL_BYTES(count), 0);

	if (!r) {
		lose(thread);
		return;
	}
	fill_head(&r->head, thread, UTRACE_REC_SYSCALL, CALL_BYTES(count));
	fill_call(r, regs, ret, abi, flags);
	if (count)
		fill_args(r, regs, abi, count);
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

static __always_inline const volatile struct utrace_copy_rules *rules_of(__u32 at, __u16 abi)
{
	/* Beyond all numbers there are: a call that has no rules. */
	if (at >= UTRACE_SYSCALLS)
		at = UTRACE_SYSCALLS - 1;
	/* The verifier of 6.1 loses the bound on its way through the multiplication. */
	barrier_var(at);
	at &= UTRACE_SYSCALLS - 1;
	return abi == UTRACE_ABI_I386 ? &rules_32[at] : &rules_64[at];
}

static __noinline int write_with_payloads(struct scratch *scratch, __u32 at)
{
	const volatile struct utrace_copy_rules *rules;
	__u32 off = sizeof(struct utrace_rec_syscall);
	int i;

	if (!scratch)
		return 0;
	rules = rules_of(at, scratch->call.abi);
	for (i = 0; i < UTRACE_COPY_RULES; i++) {
		struct utrace_copy_rule rule = rules->rule[i];

		if (rule.kind == UTRACE_COPY_NONE)
			break;
		off = copy_argument(scratch, off, &rule);
	}
	write_out(scratch, &scratch->call.head, off);
	return 0;
}

/* Whether what is pending is the end of this thread before its next instruction. */
static __noinline __u16 ends_here(struct task_struct *task)
{
	struct sighand_struct *sighand = task->sighand;
	void *handler = NULL;

	if (task->pending.signal.sig[0] & SIGNAL_BIT(SIGKILL))
		return UTRACE_CALL_F_NO_RETURN;
	/* seccomp's way to end a process: the call was not made, and its result is its number. */
	if (task->blocked.sig[0] & SIGNAL_BIT(SIGSYS))
		return 0;
	if (bpf_probe_read_kernel(&handler, sizeof(handler),
				  &sighand->action[SIGSYS - 1].sa.sa_handler) ||
	    handler)
		return 0;
	return UTRACE_CALL_F_NO_RETURN;
}

/* The end of one call of the current thread; the hot path. */
static __always_inline int call_ended(struct task_struct *task, struct observe_thread *thread,
				      const struct pt_regs *regs, long ret, __u16 flags)
{
	__u16 abi = task->thread_info.status & TS_COMPAT ? UTRACE_ABI_I386 : UTRACE_ABI_X86_64;
	__u32 at = (__u32)regs->orig_ax & ~__X32_SYSCALL_BIT;
	const volatile struct utrace_copy_rules *rules = rules_of(at, abi);
	struct scratch *scratch;
	__u8 args = rules->args;

	thread->calls++;
	if (task->pending.signal.sig[0] & (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSYS)))
		flags |= ends_here(task);

	if (rules->rule[0].kind == UTRACE_COPY_NONE) {
		/* Space is reserved in constant sizes only, and half of all calls are short. */
		if (args == 1)
			write_call(thread, regs, ret, abi, flags, 0);
		else if (args && args <= 4)
			write_call(thread, regs, ret, abi, flags, 3);
		else
			write_call(thread, regs, ret, abi, flags, 6);
		return 0;
	}
	scratch = get_scratch();
	if (!scratch)
		return 0;
	fill_head(&scratch->call.head, thread, UTRACE_REC_SYSCALL, sizeof(scratch->call));
	fill_call(&scratch->call, regs, ret, abi, flags);
	fill_args(&scratch->call, regs, abi, 6);
	write_with_payloads(scratch, at);
	return 0;
}

static __always_inline int on_exit_of_call(const struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_thread *thread = bpf_task_storage_get(&threads, task, 0, 0);

	if (!thread)
		return 0;
	if (thread->flags & (OBSERVE_NEWBORN | OBSERVE_UNTIL_EXEC | OBSERVE_EXECED)) {
		__u32 flags = thread->flags;

		thread->flags = flags & ~(OBSERVE_NEWBORN | OBSERVE_EXECED);
		return 0;
	}
	return call_ended(task, thread, regs, ret, 0);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	return on_exit_of_call(regs, ret);
}

/* With the module: its per-thread hook instead, so that other threads pay nothing. */
SEC("?tp_btf/utrace_syscall_exit")
int BPF_PROG(on_utrace_syscall_exit, struct task_struct *task, struct pt_regs *regs, long ret)
{
	return regs ? on_exit_of_call(regs, ret) : 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_thread *thread = bpf_task_storage_get(&threads, task, 0, 0);
	bool same_process = child->tgid == task->tgid;
	struct utrace_rec_fork *r;
	bool followed;

	/* A thread that the attaching scan has not reached yet: its process is chosen already. */
	if (!thread)
		thread = adopt(task);
	if (!thread || (thread->flags & OBSERVE_UNTIL_EXEC))
		return 0;
	followed = same_process || (thread->flags & OBSERVE_FOLLOW);
	if (followed)
		followed = inherit(child, thread);

	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
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
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task_arg, pid_t old_pid, struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_thread *thread = bpf_task_storage_get(&threads, task, 0, 0);
	const struct pt_regs *regs;
	struct scratch *scratch;
	struct utrace_rec_exec *r;
	__u32 old_tid;
	__u32 off;

	if (!thread)
		return 0;
	thread->calls++;
	thread->flags = (thread->flags & ~OBSERVE_UNTIL_EXEC) | OBSERVE_EXECED;
	/* Another thread than the first has taken the first one's number. */
	old_tid = thread->tid;
	thread->tid = thread->tgid;
	scratch = get_scratch();
	if (!scratch)
		return 0;
	r = &scratch->exec;
	fill_head(&r->head, thread, UTRACE_REC_EXEC, sizeof(*r));
	regs = (const struct pt_regs *)bpf_task_pt_regs(task);
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

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task_arg)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_thread *thread = bpf_task_storage_get(&threads, task, 0, 0);
	const struct pt_regs *regs;
	struct utrace_rec_exit *r;

	if (!thread)
		return 0;
	if (!(thread->flags & OBSERVE_UNTIL_EXEC)) {
		regs = (const struct pt_regs *)bpf_task_pt_regs(task);
		if (!(thread->flags & OBSERVE_NEWBORN) && dies_in_call(task, regs))
			call_ended(task, thread, regs, 0, UTRACE_CALL_F_NO_RETURN);
		r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
		if (r) {
			fill_head(&r->head, thread, UTRACE_REC_EXIT, sizeof(*r));
			r->code = task->exit_code;
			r->flags = task->signal->live.counter == 0 ? UTRACE_EXIT_F_GROUP : 0;
			bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
		} else {
			lose(thread);
		}
		if (calls_from_module) {
			if (is_heard(task)) {
				thread->flags |= OBSERVE_DYING;
				__sync_fetch_and_add(&deaths_due, 1);
			} else {
				note_unheard(thread);
			}
		}
	}
	/* Last: once nothing is live, the consumer takes what is in the ring and ends. */
	count_out(thread);
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
	__u16 abi;

	if (!task)
		return 0;
	thread = bpf_task_storage_get(&threads, task, 0, 0);
	if (!thread || thread->state != OBSERVE_LIVE)
		return 0;
	if (calls_from_module)
		look_for_deaf(task, thread);
	if ((thread->flags & (OBSERVE_NEWBORN | OBSERVE_UNTIL_EXEC | OBSERVE_EXECED)))
		return 0;
	out.calls = *(volatile __u32 *)&thread->calls;
	out.record.head.ts = bpf_ktime_get_ns();
	if (!*(volatile unsigned int *)&task->__state)
		return 0;
	regs = (const struct pt_regs *)bpf_task_pt_regs(task);
	if ((long)regs->orig_ax < 0)
		return 0;
	abi = task->thread_info.status & TS_COMPAT ? UTRACE_ABI_I386 : UTRACE_ABI_X86_64;
	fill_call(&out.record, regs, 0, abi, 0);
	fill_args(&out.record, regs, abi, 6);
	/* It may have come back, and even gone in again, while its registers were read. */
	if (*(volatile __u32 *)&thread->calls != (__u32)out.calls)
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
