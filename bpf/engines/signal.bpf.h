/* SPDX-License-Identifier: GPL-2.0-only */
/* Signals: when they are delivered, and those that kill when they are sent. */
#ifndef _UTRACE_SIGNAL_BPF_H
#define _UTRACE_SIGNAL_BPF_H

static __always_inline void fill_signal(struct utrace_rec_signal *r, int signo,
					struct kernel_siginfo *info)
{
	__builtin_memset(r->info, 0, sizeof(r->info));
	r->signo = signo;
	r->flags = 0;
	r->sender_tgid = 0;
	r->sender_tid = 0;
	/* Small numbers stand for "none"; reading there fails, as it should. */
	if (bpf_probe_read_kernel(r->info, sizeof(r->info), info)) {
		__builtin_memset(r->info, 0, sizeof(r->info));
		r->flags |= UTRACE_SIGNAL_F_NO_INFO;
	}
}

static __always_inline int signal_seen(int signo, struct kernel_siginfo *info,
				       struct k_sigaction *action, const enum turn turn)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct observe_thread *thread = thread_of(task);
	struct utrace_rec_signal *r;

	if (!thread || !is_due(thread, turn) || (thread->flags & OBSERVE_UNTIL_EXEC))
		return 0;
	r = reserve(sizeof(*r));
	if (!r) {
		lose(thread);
		return 0;
	}
	fill_head(&r->head, thread, UTRACE_REC_SIGNAL, sizeof(*r));
	fill_signal(r, signo, info);
	/* SIG_DFL and SIG_IGN are 0 and 1. */
	if ((unsigned long)action->sa.sa_handler > 1)
		r->flags |= UTRACE_SIGNAL_F_HANDLED;
	commit(r, sizeof(*r));
	return 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(on_signal, int signo, struct kernel_siginfo *info, struct k_sigaction *action)
{
	return UNPREEMPTED(signal_seen(signo, info, action, FIRST_TURN));
}

SEC("?tp_btf/signal_deliver")
int BPF_PROG(on_signal_again, int signo, struct kernel_siginfo *info, struct k_sigaction *action)
{
	return UNPREEMPTED(signal_seen(signo, info, action, SECOND_TURN));
}

/*
 * kill(2) of a deadly signal may carry no siginfo at all (7.3 does so): to the kernel that stands
 * for one by SI_USER of the sender, so it is written out here as it would be for the receiver.
 * The argument is read as plain memory, since the verifier takes it for a pointer that is never 0.
 */
static __always_inline void fill_implied_info(struct utrace_rec_signal *r, void *info_argument)
{
	struct kernel_siginfo *implied = (void *)r->info;
	__u64 info = 0;

	if (bpf_probe_read_kernel(&info, sizeof(info), info_argument) || info)
		return;
	r->flags &= ~UTRACE_SIGNAL_F_NO_INFO;
	implied->si_signo = r->signo;
	implied->_sifields._kill._pid = r->sender_tgid;
	implied->_sifields._kill._uid = (__u32)bpf_get_current_uid_gid();
}

/*
 * A deadly signal is often never delivered: sending it makes the whole group exit at once. Who
 * sent it, and which it was, is known here only. All others are told when they are delivered.
 */
static __always_inline bool killed_by_sending(struct task_struct *task, int signo)
{
	struct signal_struct *signal = task->signal;

	return (signal->flags & SIGNAL_GROUP_EXIT) && signal->group_exit_code == signo;
}

static __always_inline int kill_seen(int signo, struct kernel_siginfo *info, void *info_argument,
				     struct task_struct *task, const enum turn turn)
{
	struct observe_thread *thread;
	struct utrace_rec_signal *r;
	struct observe_home *home;
	struct task_struct *sender;

	home = home_of(task);
	if (!home)
		return 0;
	thread = thread_in(home);
	if ((thread->flags & OBSERVE_UNTIL_EXEC) || !killed_by_sending(task, signo))
		return 0;
	/* As is_due(), but senders are many; the receiver's siglock keeps them apart. */
	if (preemptible && turn == SECOND_TURN && home->kill_told) {
		home->kill_told = 0;
		return 0;
	}
	if (preemptible && turn == FIRST_TURN)
		home->kill_told = 1;
	r = reserve(sizeof(*r));
	if (!r) {
		count_drop();
		return 0;
	}
	fill_head_of_other(&r->head, thread, UTRACE_REC_SIGNAL_SENT, sizeof(*r));
	fill_signal(r, signo, info);
	sender = bpf_get_current_task_btf();
	r->sender_tgid = tgid_of(sender);
	r->sender_tid = pid_of(sender);
	if (r->flags & UTRACE_SIGNAL_F_NO_INFO)
		fill_implied_info(r, info_argument);
	commit(r, sizeof(*r));
	return 0;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal_sent, int signo, struct kernel_siginfo *info, struct task_struct *task,
	     int group, int result)
{
	if (result)
		return 0;
	return UNPREEMPTED(kill_seen(signo, info, &ctx[1], task, FIRST_TURN));
}

SEC("?tp_btf/signal_generate")
int BPF_PROG(on_signal_sent_again, int signo, struct kernel_siginfo *info, struct task_struct *task,
	     int group, int result)
{
	if (result)
		return 0;
	return UNPREEMPTED(kill_seen(signo, info, &ctx[1], task, SECOND_TURN));
}

#endif /* _UTRACE_SIGNAL_BPF_H */
