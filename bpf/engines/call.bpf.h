/* SPDX-License-Identifier: GPL-2.0-only */
/* The record of one call of the current thread. */
#ifndef _UTRACE_CALL_BPF_H
#define _UTRACE_CALL_BPF_H

#define SIGKILL	      9
#define SIGSYS	      31
#define SIGNAL_BIT(n) (1UL << ((n)-1))

/* Rare records share the slow way out: built in scratch, copied at their real size. */
static __always_inline void write_out(void *record, struct utrace_rec_head *head, __u32 len)
{
	void *room;

	head->len = len;
	room = len > SCRATCH_BYTES ? NULL : reserve(len);
	if (!room) {
		count_drop();
		return;
	}
	/* From memory of our own: cannot fail. */
	bpf_probe_read_kernel(room, len, record);
	commit(room, len);
}

/* All but the arguments. */
static __always_inline void fill_call(struct utrace_rec_syscall *r, const struct pt_regs *regs,
				      long ret, __u16 abi, __u16 flags)
{
	struct which_call which = which_call(regs->orig_ax, abi);

	r->nr = which.nr;
	r->abi = which.abi;
	r->flags = flags | (which.lost ? UTRACE_CALL_F_NR_LOST : 0);
	r->ret = ret;
}

#define CALL_BYTES(count) (offsetof(struct utrace_rec_syscall, args) + (count) * sizeof(__u64))

/* A record of a call with its first `count` arguments, which must be a constant. */
static __always_inline void write_call(struct observe_thread *thread, const struct pt_regs *regs,
				       long ret, __u16 abi, __u16 flags, const int count)
{
	struct utrace_rec_syscall *r = reserve(CALL_BYTES(count));

	if (!r) {
		lose(thread);
		return;
	}
	fill_head(&r->head, thread, UTRACE_REC_SYSCALL, CALL_BYTES(count));
	fill_call(r, regs, ret, abi, flags);
	if (count)
		fill_args(r->args, regs, abi, count);
	commit(r, CALL_BYTES(count));
}

static __always_inline const volatile struct utrace_copy_rules *rules_of(__u32 at, __u16 abi)
{
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
	__u16 abi = abi_of(task);
	__u32 at = row_of_call(regs);
	const volatile struct utrace_copy_rules *rules = rules_of(at, abi);
	struct scratch *scratch;
	__u8 args = rules->args;

	thread->calls++;
	if (task->pending.signal.sig[0] & (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSYS)))
		flags |= ends_here(task);
	if (chooses && !wants_call(thread, regs, ret, abi, rules))
		return 0;

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
	fill_args(scratch->call.args, regs, abi, 6);
	write_with_payloads(scratch, at);
	return 0;
}

#endif /* _UTRACE_CALL_BPF_H */
