/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding the state of a thread whose call ends, without a call.
 *
 * Looking into task storage takes two helpers, a sixth of what the record of a call costs. But a
 * thread's registers are saved at the top of its kernel stack, so as long as it lives their place
 * tells it from all others. A thread moves its state into the slot of that place at its first
 * call's end and back at its exit; if the slot is another's, the state stays in task storage.
 */
#ifndef _UTRACE_SLOT_BPF_H
#define _UTRACE_SLOT_BPF_H

#define SLOTS	    4096 /* a power of two */
#define STACK_SHIFT 14	 /* of a kernel stack's size; larger ones leave slots unused */

struct observe_slot {
	__u64 regs; /* where its thread's registers are saved; 0: free */
	__u64 task;
	struct observe_thread thread;
	__u64 reserved[3]; /* to a cache line */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct observe_slot);
} slots SEC(".maps");

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* The current thread, whose address is known. 6.1 has no cast and asks once more. */
static __always_inline struct task_struct *current_at(__u64 address)
{
	if (bpf_ksym_exists(bpf_rdonly_cast))
		return bpf_rdonly_cast((void *)address,
				       bpf_core_type_id_kernel(struct task_struct));
	return bpf_get_current_task_btf();
}

static __always_inline struct observe_slot *slot_at(const struct pt_regs *regs)
{
	/* In 32 bits: to the verifier that makes it a number. */
	__u32 index = ((__u32)(unsigned long)regs >> STACK_SHIFT) & (SLOTS - 1);

	return bpf_map_lookup_elem(&slots, &index);
}

static __always_inline struct observe_thread *thread_in(struct observe_home *home)
{
	__u32 index = *(volatile __u32 *)&home->slot;
	struct observe_slot *slot;

	if (!index)
		return &home->thread;
	index--;
	slot = bpf_map_lookup_elem(&slots, &index);
	return slot ? &slot->thread : &home->thread;
}

/*
 * By the thread itself. Others, who only read, may see the old place for a moment: before it is
 * left, and when it is taken again, it holds what was true.
 */
static __always_inline void take_slot(struct observe_home *home, struct observe_slot *slot,
				      const struct pt_regs *regs, struct task_struct *task)
{
	if (home->slot || slot->regs ||
	    __sync_val_compare_and_swap(&slot->regs, 0, (__u64)regs) != 0)
		return;
	slot->task = (__u64)task;
	slot->thread = home->thread;
	/* Pairs with thread_in(): who finds the slot finds it filled. */
	barrier();
	*(volatile __u32 *)&home->slot =
		1 + (((__u32)(unsigned long)regs >> STACK_SHIFT) & (SLOTS - 1));
}

/* By the thread itself, at its exit. */
static __always_inline void leave_slot(struct observe_home *home)
{
	__u32 index = home->slot;
	struct observe_slot *slot;

	if (!index)
		return;
	index--;
	slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot)
		return;
	home->thread = slot->thread;
	/* Pairs with thread_in(), as above. */
	barrier();
	*(volatile __u32 *)&home->slot = 0;
	/* Pairs with take_slot(): by the next owner, once nobody is led here any more. */
	barrier();
	*(volatile __u64 *)&slot->regs = 0;
}

#endif /* _UTRACE_SLOT_BPF_H */
