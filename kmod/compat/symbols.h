/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module uses in the kernel without its being exported.  Each is found by name
 * when the module is loaded.  Functions are reached by a static call, that is by a patched
 * direct call: the ENDBR of most of them is sealed at boot, so a call through a pointer
 * would fault on a machine with IBT.
 *
 * k_NAME() has the argument list of the kernel's NAME().  None may be used before
 * utrace_symbols_resolve() has returned 0.
 */
#ifndef UTRACE_COMPAT_SYMBOLS_H
#define UTRACE_COMPAT_SYMBOLS_H

#include <linux/audit.h>
#include <linux/cgroup.h>
#include <linux/cn_proc.h>
#include <linux/coredump.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/static_call.h>
#include <linux/task_work.h>
#include <linux/tty.h>

struct utrace_prototype;

/* Finds the kernel's own name table; the two below it work from then on. */
int utrace_symbols_init(void);
unsigned long utrace_symbols_find(const char *name);
/* From where to where the code of a function goes that begins at @address. */
unsigned long utrace_symbols_size(unsigned long address);

/* What the functions of the table have to look like: writes them to @list, or only counts. */
unsigned int utrace_symbols_prototypes(struct utrace_prototype *list);

/* Finds all and points the calls at them; or says which is missing and changes nothing. */
int utrace_symbols_resolve(void);

/* Static in the kernel: no header of its own has their type. */
bool utrace_type_task_participate_group_stop(struct task_struct *task);
void utrace_type_do_notify_parent_cldstop(struct task_struct *task, bool for_ptracer, int why);

DECLARE_STATIC_CALL(utrace_k_wake_up_state, wake_up_state);
DECLARE_STATIC_CALL(utrace_k_wait_task_inactive, wait_task_inactive);
DECLARE_STATIC_CALL(utrace_k_put_task_stack, put_task_stack);
DECLARE_STATIC_CALL(utrace_k_cgroup_enter_frozen, cgroup_enter_frozen);
DECLARE_STATIC_CALL(utrace_k_cgroup_leave_frozen, cgroup_leave_frozen);
DECLARE_STATIC_CALL(utrace_k_task_participate_group_stop, utrace_type_task_participate_group_stop);
DECLARE_STATIC_CALL(utrace_k_do_notify_parent_cldstop, utrace_type_do_notify_parent_cldstop);
DECLARE_STATIC_CALL(utrace_k_send_signal_locked, send_signal_locked);
DECLARE_STATIC_CALL(utrace_k_send_sig_info, send_sig_info);
DECLARE_STATIC_CALL(utrace_k_is_current_pgrp_orphaned, is_current_pgrp_orphaned);
DECLARE_STATIC_CALL(utrace_k_user_enable_single_step, user_enable_single_step);
DECLARE_STATIC_CALL(utrace_k_user_enable_block_step, user_enable_block_step);
DECLARE_STATIC_CALL(utrace_k_user_disable_single_step, user_disable_single_step);
DECLARE_STATIC_CALL(utrace_k_ptrace_notify, ptrace_notify);
DECLARE_STATIC_CALL(utrace_k_ptrace_may_access, ptrace_may_access);
DECLARE_STATIC_CALL(utrace_k_task_work_cancel_match, task_work_cancel_match);
DECLARE_STATIC_CALL(utrace_k_access_remote_vm, access_remote_vm);
DECLARE_STATIC_CALL(utrace_k___audit_ptrace, __audit_ptrace);
DECLARE_STATIC_CALL(utrace_k_proc_coredump_connector, proc_coredump_connector);
#ifdef UTRACE_COREDUMP_IS_OF_VFS
DECLARE_STATIC_CALL(utrace_k_vfs_coredump, vfs_coredump);
#else
DECLARE_STATIC_CALL(utrace_k_do_coredump, do_coredump);
#endif
DECLARE_STATIC_CALL(utrace_k_pidfd_get_pid, pidfd_get_pid);
DECLARE_STATIC_CALL(utrace_k_ftrace_location, ftrace_location);

static inline int k_wake_up_state(struct task_struct *task, unsigned int state)
{
	return static_call(utrace_k_wake_up_state)(task, state);
}

static inline unsigned long k_wait_task_inactive(struct task_struct *task, unsigned int match_state)
{
	return static_call(utrace_k_wait_task_inactive)(task, match_state);
}

static inline void k_put_task_stack(struct task_struct *task)
{
	static_call(utrace_k_put_task_stack)(task);
}

static inline void k_cgroup_enter_frozen(void)
{
	static_call(utrace_k_cgroup_enter_frozen)();
}

static inline void k_cgroup_leave_frozen(bool always_leave)
{
	static_call(utrace_k_cgroup_leave_frozen)(always_leave);
}

/* Under siglock.  True: the caller has to tell the parent, k_do_notify_parent_cldstop(). */
static inline bool k_task_participate_group_stop(struct task_struct *task)
{
	return static_call(utrace_k_task_participate_group_stop)(task);
}

/* Under k_tasklist_lock, at least for reading. */
static inline void k_do_notify_parent_cldstop(struct task_struct *task, bool for_ptracer, int why)
{
	static_call(utrace_k_do_notify_parent_cldstop)(task, for_ptracer, why);
}

/* Under siglock. */
static inline int k_send_signal_locked(int sig, struct kernel_siginfo *info,
				       struct task_struct *task, enum pid_type type)
{
	return static_call(utrace_k_send_signal_locked)(sig, info, task, type);
}

/* -ESRCH: it is dead. */
static inline int k_send_sig_info(int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	return static_call(utrace_k_send_sig_info)(sig, info, task);
}

/* Takes tasklist_lock for reading. */
static inline int k_is_current_pgrp_orphaned(void)
{
	return static_call(utrace_k_is_current_pgrp_orphaned)();
}

/* These three of current.  May sleep. */
static inline void k_user_enable_single_step(struct task_struct *task)
{
	static_call(utrace_k_user_enable_single_step)(task);
}

static inline void k_user_enable_block_step(struct task_struct *task)
{
	static_call(utrace_k_user_enable_block_step)(task);
}

/* We hook it. */
static inline void k_user_disable_single_step(struct task_struct *task)
{
	static_call(utrace_k_user_disable_single_step)(task);
}

static inline int k_ptrace_notify(int exit_code, unsigned long message)
{
	return static_call(utrace_k_ptrace_notify)(exit_code, message);
}

/* Takes task_lock() itself. */
static inline bool k_ptrace_may_access(struct task_struct *task, unsigned int mode)
{
	return static_call(utrace_k_ptrace_may_access)(task, mode);
}

static inline struct callback_head *
k_task_work_cancel_match(struct task_struct *task,
			 bool (*match)(struct callback_head *work, void *data), void *data)
{
	return static_call(utrace_k_task_work_cancel_match)(task, match, data);
}

static inline int k_access_remote_vm(struct mm_struct *mm, unsigned long addr, void *buf, int len,
				     unsigned int gup_flags)
{
	return static_call(utrace_k_access_remote_vm)(mm, addr, buf, len, gup_flags);
}

/* In the thread that ends, before its group does. */
static inline void k_coredump(const struct kernel_siginfo *info)
{
	static_call(utrace_k_proc_coredump_connector)(current);
#ifdef UTRACE_COREDUMP_IS_OF_VFS
	static_call(utrace_k_vfs_coredump)(info);
#else
	static_call(utrace_k_do_coredump)(info);
#endif
}

/* As audit_ptrace(): nothing unless the caller's system call is being audited. */
static inline void k_audit_ptrace(struct task_struct *task)
{
	if (unlikely(!audit_dummy_context()))
		static_call(utrace_k___audit_ptrace)(task);
}

static inline struct pid *k_pidfd_get_pid(unsigned int fd, unsigned int *flags)
{
	return static_call(utrace_k_pidfd_get_pid)(fd, flags);
}

/* Where in a function its ftrace site is, 0 if it has none. */
static inline unsigned long k_ftrace_location(unsigned long ip)
{
	return static_call(utrace_k_ftrace_location)(ip);
}

/* Where dumpable is no flag of the address space any more, it belongs to the thread. */
#ifndef SUID_DUMP_USER
DECLARE_STATIC_CALL(utrace_k_task_exec_state_get_dumpable, task_exec_state_get_dumpable);

static inline enum task_dumpable k_task_exec_state_get_dumpable(struct task_struct *task)
{
	return static_call(utrace_k_task_exec_state_get_dumpable)(task);
}
#endif

extern rwlock_t *k_tasklist_lock;
/* Of struct sigqueue. */
extern struct kmem_cache **k_sigqueue_cachep;
/* NULL in a kernel without Yama. */
extern int *k_ptrace_scope;
/* NULL in a kernel without them. */
extern const struct bpf_func_proto *k_bpf_task_storage_get_proto;
extern const struct bpf_func_proto *k_bpf_task_storage_delete_proto;
extern const struct bpf_func_proto *k_bpf_get_current_comm_proto;
extern const struct bpf_func_proto *k_bpf_get_current_uid_gid_proto;
extern const struct bpf_func_proto *k_bpf_get_current_ancestor_cgroup_id_proto;

#endif
