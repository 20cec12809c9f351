/* SPDX-License-Identifier: GPL-2.0-only */
/* Between hooks.c, which puts hooks in and takes them out, and the hooks themselves. */
#ifndef UTRACE_HOOKS_HOOK_H
#define UTRACE_HOOKS_HOOK_H

#include <linux/hash.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "table.h"

struct arch_uprobe;

#define UTRACE_HOOK_ID(name, when, type) UTRACE_HOOK_##name,
enum utrace_hook_id {
	UTRACE_HOOKS(UTRACE_HOOK_ID, UTRACE_HOOK_ID, UTRACE_HOOK_ID) UTRACE_HOOK_COUNT
};
#undef UTRACE_HOOK_ID

/*
 * How many threads are inside a hook: up in the ftrace callback, down at the end of the hook, maybe
 * on another CPU.  Only the sum of all CPUs means anything, and only once nobody enters any more.
 */
DECLARE_PER_CPU(long[UTRACE_HOOK_COUNT], utrace_hook_inside);

static inline void utrace_hook_leave(const enum utrace_hook_id *id)
{
	this_cpu_dec(utrace_hook_inside[*id]);
}

/* First in every hook: it is left when the function returns. */
#define UTRACE_HOOK(name) \
	const enum utrace_hook_id utrace_hook_here __maybe_unused __cleanup(utrace_hook_leave) = \
		UTRACE_HOOK_##name

/*
 * How many marked threads are in the audit of a call that has ended.  Unlike the counts above this
 * one can be read while others enter.
 */
extern atomic_t utrace_audits;

/* Receivers by their group: may be asked of any, from any context. */
#define UTRACE_RECEIVER_BITS 8
extern struct hlist_head utrace_receivers[1 << UTRACE_RECEIVER_BITS];

static __always_inline const struct hlist_head *
utrace_receiver_bucket(const struct signal_struct *signal)
{
	return &utrace_receivers[hash_ptr(signal, UTRACE_RECEIVER_BITS)];
}

/*
 * dequeue_signal() is given the thread by some kernels, though it has been current in all of them.
 * Its parameters, and the same as arguments.
 */
#ifdef UTRACE_DEQUEUE_HAS_TASK
#define UTRACE_DEQUEUE_PARAMETERS \
	struct task_struct *task, sigset_t *mask, kernel_siginfo_t *info, enum pid_type *type

#define UTRACE_DEQUEUE_ARGUMENTS(mask, info, type) current, mask, info, type
#else
#define UTRACE_DEQUEUE_PARAMETERS sigset_t *mask, kernel_siginfo_t *info, enum pid_type *type

#define UTRACE_DEQUEUE_ARGUMENTS(mask, info, type) mask, info, type
#endif

/* The hooks, and the originals for those that may call them. */
bool utrace_instead_syscall_user_dispatch(struct pt_regs *regs);
bool utrace_original_syscall_user_dispatch(struct pt_regs *regs);
void utrace_instead_user_single_step_report(struct pt_regs *regs);
void utrace_original_user_single_step_report(struct pt_regs *regs);
void utrace_instead_user_enable_single_step(struct task_struct *task);
void utrace_original_user_enable_single_step(struct task_struct *task);
void utrace_instead_user_enable_block_step(struct task_struct *task);
void utrace_original_user_enable_block_step(struct task_struct *task);
void utrace_instead_user_disable_single_step(struct task_struct *task);
void utrace_original_user_disable_single_step(struct task_struct *task);
int utrace_instead_set_syscall_user_dispatch(unsigned long mode, unsigned long offset,
					     unsigned long len, char __user *selector);
int utrace_original_set_syscall_user_dispatch(unsigned long mode, unsigned long offset,
					      unsigned long len, char __user *selector);
int utrace_instead_syscall_user_dispatch_set_config(struct task_struct *task, unsigned long size,
						    void __user *data);
int utrace_original_syscall_user_dispatch_set_config(struct task_struct *task, unsigned long size,
						     void __user *data);
int utrace_instead_syscall_user_dispatch_get_config(struct task_struct *task, unsigned long size,
						    void __user *data);
int utrace_original_syscall_user_dispatch_get_config(struct task_struct *task, unsigned long size,
						     void __user *data);
void utrace_instead___audit_syscall_exit(int success, long return_code);
void utrace_original___audit_syscall_exit(int success, long return_code);
void utrace_before_get_signal(struct ksignal *ksig);
int utrace_instead_dequeue_signal(UTRACE_DEQUEUE_PARAMETERS);
int utrace_original_dequeue_signal(UTRACE_DEQUEUE_PARAMETERS);
bool utrace_instead_prepare_signal(int sig, struct task_struct *task, bool force);
bool utrace_original_prepare_signal(int sig, struct task_struct *task, bool force);
void utrace_instead_complete_signal(int sig, struct task_struct *task, enum pid_type type);
void utrace_original_complete_signal(int sig, struct task_struct *task, enum pid_type type);
int utrace_instead_force_sig_fault(int sig, int code, void __user *address);
int utrace_original_force_sig_fault(int sig, int code, void __user *address);
void utrace_before_arch_uprobe_pre_xol(struct arch_uprobe *probe, struct pt_regs *regs);
void utrace_before_arch_uprobe_post_xol(struct arch_uprobe *probe, struct pt_regs *regs);
void utrace_instead_signal_setup_done(int failed, struct ksignal *ksig, int stepping);
void utrace_original_signal_setup_done(int failed, struct ksignal *ksig, int stepping);
int utrace_before_do_signal_stop(int sig);
void utrace_instead_exit_signals(struct task_struct *task);
void utrace_original_exit_signals(struct task_struct *task);
void utrace_before_wake_up_new_task(struct task_struct *child);
void utrace_before_proc_exec_connector(struct task_struct *task);
int utrace_before_do_group_exit(int code);
int utrace_before_do_exit(long code);
void utrace_before_proc_exit_connector(struct task_struct *task);
void utrace_before_release_task(struct task_struct *task);

#endif
