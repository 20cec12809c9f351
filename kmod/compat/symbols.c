// SPDX-License-Identifier: GPL-2.0-only
/* The one table of symbols that are looked up at run time. */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/utsname.h>

#include "prototype.h"
#include "symbols.h"

#define ULONG "long unsigned int"

unsigned long utrace_type_kallsyms_lookup_name(const char *name);
DECLARE_STATIC_CALL(utrace_k_kallsyms_lookup_name, utrace_type_kallsyms_lookup_name);

DEFINE_STATIC_CALL_NULL(utrace_k_kallsyms_lookup_name, utrace_type_kallsyms_lookup_name);
DEFINE_STATIC_CALL_NULL(utrace_k_wake_up_state, wake_up_state);
DEFINE_STATIC_CALL_NULL(utrace_k_wait_task_inactive, wait_task_inactive);
DEFINE_STATIC_CALL_NULL(utrace_k_put_task_stack, put_task_stack);
DEFINE_STATIC_CALL_NULL(utrace_k_cgroup_enter_frozen, cgroup_enter_frozen);
DEFINE_STATIC_CALL_NULL(utrace_k_cgroup_leave_frozen, cgroup_leave_frozen);
DEFINE_STATIC_CALL_NULL(utrace_k_task_participate_group_stop,
			utrace_type_task_participate_group_stop);
DEFINE_STATIC_CALL_NULL(utrace_k_do_notify_parent_cldstop, utrace_type_do_notify_parent_cldstop);
DEFINE_STATIC_CALL_NULL(utrace_k_send_signal_locked, send_signal_locked);
DEFINE_STATIC_CALL_NULL(utrace_k_send_sig_info, send_sig_info);
DEFINE_STATIC_CALL_NULL(utrace_k_is_current_pgrp_orphaned, is_current_pgrp_orphaned);
DEFINE_STATIC_CALL_NULL(utrace_k_user_enable_single_step, user_enable_single_step);
DEFINE_STATIC_CALL_NULL(utrace_k_user_enable_block_step, user_enable_block_step);
DEFINE_STATIC_CALL_NULL(utrace_k_user_disable_single_step, user_disable_single_step);
DEFINE_STATIC_CALL_NULL(utrace_k_ptrace_notify, ptrace_notify);
DEFINE_STATIC_CALL_NULL(utrace_k_ptrace_may_access, ptrace_may_access);
DEFINE_STATIC_CALL_NULL(utrace_k_task_work_cancel_match, task_work_cancel_match);
DEFINE_STATIC_CALL_NULL(utrace_k_access_remote_vm, access_remote_vm);
DEFINE_STATIC_CALL_NULL(utrace_k___audit_ptrace, __audit_ptrace);
DEFINE_STATIC_CALL_NULL(utrace_k_proc_coredump_connector, proc_coredump_connector);
#ifdef UTRACE_COREDUMP_IS_OF_VFS
DEFINE_STATIC_CALL_NULL(utrace_k_vfs_coredump, vfs_coredump);
#else
DEFINE_STATIC_CALL_NULL(utrace_k_do_coredump, do_coredump);
#endif
DEFINE_STATIC_CALL_NULL(utrace_k_pidfd_get_pid, pidfd_get_pid);
DEFINE_STATIC_CALL_NULL(utrace_k_ftrace_location, ftrace_location);
#ifndef SUID_DUMP_USER
DEFINE_STATIC_CALL_NULL(utrace_k_task_exec_state_get_dumpable, task_exec_state_get_dumpable);
#endif

rwlock_t *k_tasklist_lock;
struct kmem_cache **k_sigqueue_cachep;
int *k_ptrace_scope;
const struct bpf_func_proto *k_bpf_task_storage_get_proto;
const struct bpf_func_proto *k_bpf_task_storage_delete_proto;
const struct bpf_func_proto *k_bpf_get_current_comm_proto;
const struct bpf_func_proto *k_bpf_get_current_uid_gid_proto;
const struct bpf_func_proto *k_bpf_get_current_ancestor_cgroup_id_proto;

/**
 * struct symbol - one row of the table
 * @name: in the kernel
 * @why: what we need it for
 * @prototype: of a function, as its BTF tells it
 * @key: of a function, the static call that is to reach it
 * @tramp: the same call's trampoline
 * @data: of a variable, where its address goes
 * @optional: a kernel may lack it
 * @address: (filled in) where it is
 */
struct symbol {
	const char *name;
	const char *why;
	const char *prototype;
	struct static_call_key *key;
	void *tramp;
	void **data;
	bool optional;
	unsigned long address;
};

#define FUNCTION(function, type, reason) \
	{ \
		.name = #function, .why = reason, .prototype = type, \
		.key = &STATIC_CALL_KEY(utrace_k_##function), \
		.tramp = STATIC_CALL_TRAMP_ADDR(utrace_k_##function), \
	}

#define HELPER(helper) \
	{ \
		.name = #helper "_proto", .why = "for what engines in BPF may call", \
		.data = (void **)&k_##helper##_proto, .optional = true, \
	}

static struct symbol symbols[] = {
	FUNCTION(kallsyms_lookup_name, ULONG " (const char *)", "to find all the others"),
	FUNCTION(ftrace_location, ULONG " (" ULONG ")", "to hook a function at its ftrace site"),
	FUNCTION(wake_up_state, "int (struct task_struct *, unsigned int)",
		 "to wake a held thread, and it only"),
	FUNCTION(wait_task_inactive, ULONG " (struct task_struct *, unsigned int)",
		 "to be sure that a held thread is off its CPU"),
	FUNCTION(put_task_stack, "void (struct task_struct *)",
		 "to let go of a stack whose registers were looked at"),
	FUNCTION(cgroup_enter_frozen, "void (void)", "so that a held thread counts as frozen"),
	FUNCTION(cgroup_leave_frozen, "void (bool)", "so that a thread let go stays frozen"),
	FUNCTION(task_participate_group_stop, "bool (struct task_struct *)",
		 "so that a held thread takes part in a stop of its group"),
	FUNCTION(do_notify_parent_cldstop, "void (struct task_struct *, bool, int)",
		 "to tell the parent if it was the last to stop"),
	FUNCTION(send_signal_locked,
		 "int (int, struct kernel_siginfo *, struct task_struct *, enum pid_type)",
		 "to put a signal back, or another in its place"),
	FUNCTION(send_sig_info, "int (int, struct kernel_siginfo *, struct task_struct *)",
		 "to send a thread a signal of a controller's own"),
	FUNCTION(is_current_pgrp_orphaned, "int (void)",
		 "to stop a thread as a terminal's signals would"),
	FUNCTION(user_enable_single_step, "void (struct task_struct *)",
		 "to step a thread by one instruction"),
	FUNCTION(user_enable_block_step, "void (struct task_struct *)",
		 "to step a thread to its next branch"),
	FUNCTION(user_disable_single_step, "void (struct task_struct *)", "to end a step"),
	FUNCTION(ptrace_notify, "int (int, " ULONG ")",
		 "to give a debugger the system call stops that our hooks stand in for"),
	FUNCTION(ptrace_may_access, "bool (struct task_struct *, unsigned int)",
		 "to allow no more than ptrace would"),
	FUNCTION(task_work_cancel_match,
		 "struct callback_head *(struct task_struct *, "
		 "bool (*)(struct callback_head *, void *), void *)",
		 "to take back a report that has not run yet"),
	FUNCTION(access_remote_vm, "int (struct mm_struct *, " ULONG ", void *, int, unsigned int)",
		 "to read and write the memory of a held thread"),
	FUNCTION(__audit_ptrace, "void (struct task_struct *)",
		 "so that the audit log has who traced whom"),
	FUNCTION(proc_coredump_connector, "void (struct task_struct *)",
		 "to tell, as the kernel does, that a core is dumped"),
#ifdef UTRACE_COREDUMP_IS_OF_VFS
	FUNCTION(vfs_coredump, "void (const kernel_siginfo_t *)", "to dump core for any signal"),
#else
	FUNCTION(do_coredump, "void (const kernel_siginfo_t *)", "to dump core for any signal"),
#endif
	FUNCTION(pidfd_get_pid, "struct pid *(unsigned int, unsigned int *)",
		 "to attach by a pidfd"),
#ifndef SUID_DUMP_USER
	FUNCTION(task_exec_state_get_dumpable, "enum task_dumpable (struct task_struct *)",
		 "to keep to the rights of a new image"),
#endif
	{
		.name = "tasklist_lock",
		.why = "to keep a thread from dying while it is marked or its parent told",
		.data = (void **)&k_tasklist_lock,
	},
	{
		.name = "sigqueue_cachep",
		.why = "to put a signal back as it was",
		.data = (void **)&k_sigqueue_cachep,
	},
	{
		.name = "ptrace_scope",
		.why = "to keep to Yama's rules at exec",
		.data = (void **)&k_ptrace_scope,
		.optional = true,
	},
	HELPER(bpf_task_storage_get),
	HELPER(bpf_task_storage_delete),
	HELPER(bpf_get_current_comm),
	HELPER(bpf_get_current_uid_gid),
	{
		.name = "bpf_get_current_ancestor_cgroup_id_proto",
		.why = "so that engines in BPF tell cgroups apart",
		.data = (void **)&k_bpf_get_current_ancestor_cgroup_id_proto,
		.optional = true,
	},
};

/* The kernel's name table is not exported, but a kprobe knows how to look into it. */
int utrace_symbols_init(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long address;
	int ret = register_kprobe(&probe);

	if (ret) {
		pr_err("cannot find kallsyms_lookup_name() by a kprobe: error %d; is the kernel built with CONFIG_KPROBES and CONFIG_KALLSYMS?\n",
		       ret);
		return ret;
	}
	/* With IBT that is behind the ENDBR; just as good for a direct call. */
	address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	static_call_update(utrace_k_kallsyms_lookup_name, (void *)address);
	return 0;
}

unsigned long utrace_symbols_find(const char *name)
{
	return static_call(utrace_k_kallsyms_lookup_name)(name);
}

unsigned long utrace_symbols_size(unsigned long address)
{
	char text[KSYM_SYMBOL_LEN];
	unsigned long offset, size;
	char *plus;

	sprint_symbol(text, address);
	plus = strchr(text, '+');
	if (!plus || sscanf(plus, "+%lx/%lx", &offset, &size) != 2)
		return 0;
	return size - offset;
}

unsigned int utrace_symbols_prototypes(struct utrace_prototype *list)
{
	unsigned int i, count = 0;

	for (i = 0; i < ARRAY_SIZE(symbols); i++) {
		if (!symbols[i].prototype)
			continue;
		if (list)
			list[count] = (struct utrace_prototype){
				.function = symbols[i].name,
				.expected = symbols[i].prototype,
			};
		count++;
	}
	return count;
}

int utrace_symbols_resolve(void)
{
	struct symbol *symbol;
	bool missing = false;

	for (symbol = symbols; symbol < symbols + ARRAY_SIZE(symbols); symbol++) {
		symbol->address = utrace_symbols_find(symbol->name);
		if (symbol->address || symbol->optional)
			continue;
		pr_err("kernel %s has no %s, which is needed %s\n", init_utsname()->release,
		       symbol->name, symbol->why);
		missing = true;
	}
	if (missing)
		return -ENOENT;

	for (symbol = symbols; symbol < symbols + ARRAY_SIZE(symbols); symbol++) {
		if (symbol->data)
			*symbol->data = (void *)symbol->address;
		else
			__static_call_update(symbol->key, symbol->tramp, (void *)symbol->address);
	}
	return 0;
}
