/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a call is to be recorded, as an expression has it. */
#ifndef _UTRACE_PREDICATE_BPF_H
#define _UTRACE_PREDICATE_BPF_H

/* Set before load. */
const volatile bool chooses;

struct predicate_scratch {
	struct utrace_predicate_view view;
	__u8 room[UTRACE_PREDICATE_ROOM];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct predicate_scratch);
} predicates SEC(".maps");

static __always_inline struct predicate_scratch *
get_predicate_scratch(const struct observe_thread *thread)
{
	struct predicate_scratch *scratch;
	__u32 zero = 0;

	scratch = bpf_map_lookup_elem(&predicates, &zero);
	if (!scratch)
		return NULL;
	scratch->view.pid = thread->tgid;
	scratch->view.tid = thread->tid;
	return scratch;
}

static __always_inline bool wants_call(const struct observe_thread *thread,
				       const struct pt_regs *regs, long ret, __u16 abi,
				       const volatile struct utrace_copy_rules *rules)
{
	struct predicate_scratch *scratch = get_predicate_scratch(thread);

	if (!scratch)
		return true;
	view_call(&scratch->view, regs, abi, ret, rules->path, rules->fd);
	return decide(&scratch->view, scratch->room);
}

/* Of a successful exec.  Its number is that of the table of the program before. */
static __always_inline bool wants_exec(const struct observe_thread *thread, int nr,
				       const char *filename)
{
	struct predicate_scratch *scratch = get_predicate_scratch(thread);

	if (!scratch)
		return true;
	nr &= ~__X32_SYSCALL_BIT;
	/* execveat of the three tables; all else is execve. */
	nr = nr == NR_EXECVEAT || nr == 358 || nr == 545 ? NR_EXECVEAT : NR_EXECVE;
	view_exec(&scratch->view, nr, filename);
	scratch->view.path_is_ours = 1;
	return decide(&scratch->view, scratch->room);
}

#endif /* _UTRACE_PREDICATE_BPF_H */
