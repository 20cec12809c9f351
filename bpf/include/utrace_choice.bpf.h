/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For an engine that may be told by an expression about which calls it is:
 *
 *	#include "bpf/include/utrace_choice.bpf.h"
 *	...
 *		if (!utrace_chosen(regs))
 *			return utrace_pass(action);
 *
 * utracectl engine load --if EXPR compiles the expression into the object before it is loaded;
 * docs/expressions.md has what one may say.
 */
#ifndef UTRACE_CHOICE_BPF_H
#define UTRACE_CHOICE_BPF_H

#include "bpf/include/utrace.bpf.h"
#include "include/uapi/utrace_records.h"
#include "include/uapi/utrace_predicate.h"
#include "bpf/include/decide.bpf.h"

/* Set before load. */
const volatile struct utrace_choice utrace_choice;

struct utrace_choice_scratch {
	struct utrace_predicate_view view;
	__u8 room[UTRACE_PREDICATE_ROOM];
	char path[UTRACE_PREDICATE_TEXT];
};

/* A thread's own: what decides may sleep, and is then not alone on its CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct utrace_choice_scratch);
} utrace_choices SEC(".maps");

static __always_inline struct utrace_choice_scratch *utrace_choice_scratch(struct task_struct *task)
{
	struct utrace_choice_scratch *scratch;

	scratch = bpf_task_storage_get(&utrace_choices, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (scratch) {
		scratch->view.pid = task->tgid;
		scratch->view.tid = task->pid;
	}
	return scratch;
}

/* Here it may have to be faulted in, which the code that decides cannot. */
static __always_inline void utrace_choice_path(struct utrace_choice_scratch *scratch)
{
	if (!scratch->view.path || !utrace_choice.reads_path)
		return;
	if (bpf_utrace_read_user_str(scratch->path, sizeof(scratch->path),
				     (const void *)scratch->view.path) < 0) {
		scratch->view.path = 0;
	} else {
		scratch->view.path = (__u64)scratch->path;
		scratch->view.path_is_ours = 1;
	}
}

/*
 * In report_exec(): is the program one of those that --if asks for?  It is a call of execve, with
 * the file's name as its path and no other arguments.
 */
static __always_inline bool utrace_chosen_exec(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct utrace_choice_scratch *scratch;

	if (!utrace_choice.chooses)
		return true;
	scratch = utrace_choice_scratch(task);
	if (!scratch)
		return false;
	/* The name as the program was called lies behind its environment. */
	view_exec(&scratch->view, NR_EXECVE, (const void *)BPF_CORE_READ(task, mm, env_end));
	utrace_choice_path(scratch);
	return decide(&scratch->view, scratch->room);
}

/*
 * In report_syscall_entry(): is the call one of those that --if asks for?  Yes if there is no such
 * option; no without memory.
 */
static __always_inline bool utrace_chosen(struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u16 abi = abi_of(task);
	__u32 at = row_of_call(regs);
	const volatile struct utrace_choice_call *call;
	struct utrace_choice_scratch *scratch;

	if (!utrace_choice.chooses)
		return true;
	scratch = utrace_choice_scratch(task);
	if (!scratch)
		return false;
	call = abi == UTRACE_ABI_I386 ? &utrace_choice.calls_32[at] : &utrace_choice.calls_64[at];
	view_call(&scratch->view, regs, abi, 0, call->path, call->fd);
	utrace_choice_path(scratch);
	return decide(&scratch->view, scratch->room);
}

#endif
