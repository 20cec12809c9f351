/* SPDX-License-Identifier: GPL-2.0-only */
/* The call that a thread is in, and since when: of those that --if asks for. */
#ifndef UTRACE_TIMED_CALL_BPF_H
#define UTRACE_TIMED_CALL_BPF_H

#include "bpf/include/utrace_choice.bpf.h"

/* By which a table is kept. */
struct call {
	s32 call UTRACE_IS_SYSCALL;
};

struct timed_call {
	u64 since_ns; /* 0: it is in none that counts */
	struct call which;
};

/* Of each thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct timed_call);
} timed_calls SEC(".maps");

/* Calls that are in no table, for want of memory. */
unsigned long long missed = 0;

static __always_inline void call_begins(struct pt_regs *regs)
{
	struct timed_call *timed;

	timed = bpf_task_storage_get(&timed_calls, bpf_get_current_task_btf(), 0,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!timed) {
		__sync_fetch_and_add(&missed, 1);
		return;
	}
	timed->which.call = (s32)regs->orig_ax;
	timed->since_ns = utrace_chosen(regs) ? bpf_ktime_get_ns() : 0;
}

/* False if the thread was in none. */
static __always_inline bool call_ends(struct call *which, u64 *took_ns)
{
	struct timed_call *timed;

	timed = bpf_task_storage_get(&timed_calls, bpf_get_current_task_btf(), 0, 0);
	if (!timed || !timed->since_ns)
		return false;
	*took_ns = bpf_ktime_get_ns() - timed->since_ns;
	timed->since_ns = 0;
	*which = timed->which;
	return true;
}

/* The entry of the table, made of zeros if there is none. */
static __always_inline void *entry_of(void *table, const struct call *which, const void *zeros)
{
	void *entry = bpf_map_lookup_elem(table, which);

	if (!entry) {
		bpf_map_update_elem(table, which, zeros, BPF_NOEXIST);
		entry = bpf_map_lookup_elem(table, which);
		if (!entry)
			__sync_fetch_and_add(&missed, 1);
	}
	return entry;
}

#endif
