/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every function of the kernel we hook, for hooks.c and for the assembler.
 *
 * BEFORE(name, when, type): utrace_before_name() runs first, with the function's own arguments, and
 *	leaves no frame behind: the original then runs as if called by its caller.
 * CHANGING(name, when, type): the same, and what it returns, an int, is the function's first
 *	argument.
 * INSTEAD(name, when, type): utrace_instead_name() runs in its place and may call the original,
 *	utrace_original_name().
 *
 * when: MARKED, if current carries our mark; ARGUMENT, if the task that is the first argument does;
 *	EITHER; RECEIVER, if a thread of the group of the second argument may want its signals;
 *	WATCHED, as MARKED, or if somebody wants to come to whatever execs; or ALWAYS.  type: as
 *	the kernel's BTF tells it.
 *
 * ALWAYS for the two that our flags lead to: flags are sampled before the hook is
 * reached, and a detach in between must not send the thread into the original, which would kill
 * it (H-1).  For those that change the program's own user dispatch: an attach may come in
 * the middle (H-9).  EITHER at birth: the child has the mark by copy even if a detach has just
 * taken it from its parent.
 */
#ifndef UTRACE_HOOKS_TABLE_H
#define UTRACE_HOOKS_TABLE_H

#define UTRACE_HOOKS(BEFORE, CHANGING, INSTEAD) \
	INSTEAD(syscall_user_dispatch, ALWAYS, "bool (struct pt_regs *)") \
	INSTEAD(user_single_step_report, ALWAYS, "void (struct pt_regs *)") \
	INSTEAD(user_enable_single_step, ARGUMENT, "void (struct task_struct *)") \
	INSTEAD(user_enable_block_step, ARGUMENT, "void (struct task_struct *)") \
	INSTEAD(user_disable_single_step, ARGUMENT, "void (struct task_struct *)") \
	INSTEAD(set_syscall_user_dispatch, ALWAYS, \
		"int (long unsigned int, long unsigned int, long unsigned int, char *)") \
	UTRACE_HOOKS_DISPATCH_CONFIG(INSTEAD) \
	UTRACE_HOOKS_AUDIT(INSTEAD) \
	BEFORE(get_signal, MARKED, "bool (struct ksignal *)") \
	INSTEAD(dequeue_signal, MARKED, UTRACE_DEQUEUE_TYPE) \
	INSTEAD(prepare_signal, RECEIVER, "bool (int, struct task_struct *, bool)") \
	INSTEAD(complete_signal, RECEIVER, "void (int, struct task_struct *, enum pid_type)") \
	INSTEAD(force_sig_fault, MARKED, "int (int, int, void *)") \
	UTRACE_HOOKS_PROBE(BEFORE) \
	INSTEAD(signal_setup_done, MARKED, "void (int, struct ksignal *, int)") \
	CHANGING(do_signal_stop, MARKED, "bool (int)") \
	BEFORE(wake_up_new_task, EITHER, "void (struct task_struct *)") \
	BEFORE(proc_exec_connector, WATCHED, "void (struct task_struct *)") \
	CHANGING(do_group_exit, MARKED, "void (int)") \
	INSTEAD(exit_signals, MARKED, "void (struct task_struct *)") \
	CHANGING(do_exit, MARKED, "void (long int)") \
	BEFORE(proc_exit_connector, MARKED, "void (struct task_struct *)") \
	BEFORE(release_task, ARGUMENT, "void (struct task_struct *)")

#ifdef UTRACE_DEQUEUE_HAS_TASK
#define UTRACE_DEQUEUE_TYPE \
	"int (struct task_struct *, sigset_t *, kernel_siginfo_t *, enum pid_type *)"
#else
#define UTRACE_DEQUEUE_TYPE "int (sigset_t *, kernel_siginfo_t *, enum pid_type *)"
#endif

/* Where a thread may sleep between its flag and our hook at the end of a call. */
#ifdef CONFIG_AUDITSYSCALL
#define UTRACE_HOOKS_AUDIT(INSTEAD) INSTEAD(__audit_syscall_exit, MARKED, "void (int, long int)")
#else
#define UTRACE_HOOKS_AUDIT(INSTEAD)
#endif

/* Where an instruction with a probe is stepped out of its line, by the trap flag too. */
#ifdef CONFIG_UPROBES
#define UTRACE_HOOKS_PROBE(BEFORE) \
	BEFORE(arch_uprobe_pre_xol, MARKED, "int (struct arch_uprobe *, struct pt_regs *)") \
	BEFORE(arch_uprobe_post_xol, MARKED, "int (struct arch_uprobe *, struct pt_regs *)")
#else
#define UTRACE_HOOKS_PROBE(BEFORE)
#endif

/* For debuggers, since 6.4.  The assembler cannot look, and makes stubs that 6.1 leaves unused. */
#if defined(__ASSEMBLER__) || defined(PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG)
#define UTRACE_HOOKS_DISPATCH_CONFIG(INSTEAD) \
	INSTEAD(syscall_user_dispatch_set_config, ALWAYS, \
		"int (struct task_struct *, long unsigned int, void *)") \
	INSTEAD(syscall_user_dispatch_get_config, ALWAYS, \
		"int (struct task_struct *, long unsigned int, void *)")
#else
#define UTRACE_HOOKS_DISPATCH_CONFIG(INSTEAD)
#endif

#endif
