/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where records go: a ring of frames for each CPU, in memory that user space maps.
 *
 * Not the kernel's ring buffer, whose lock and calls cost a quarter of what the record of a call
 * costs (docs/decisions/0006-lanes.md).
 *
 * At any place a program may be interrupted by another one on the same CPU, where tracepoints are
 * preemptible even by many, so room is taken by compare and exchange. A frame's first word is 0
 * until its record is whole: the consumer clears what it has taken before it gives the room back.
 * A frame that begins near the lane's end runs on beyond it, into room for just that.
 */
#ifndef _UTRACE_LANE_BPF_H
#define _UTRACE_LANE_BPF_H

/* A power of two; set before load, as are the number of lanes and their real size. */
const volatile __u32 lane_bytes = 1 << 20;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct observe_lane));
} lanes SEC(".maps");

/* Each failure is one interruption in between: more than a few in a row there are not. */
#define LANE_TRIES 4

static __always_inline struct observe_lane *this_lane(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&lanes, &cpu);
}

static __always_inline void count_drop(void)
{
	struct observe_lane *lane = this_lane();

	if (lane)
		__sync_fetch_and_add(&lane->dropped, 1);
}

/* Room for a record of `len` bytes, which commit() makes visible; NULL if there is none. */
static __always_inline void *reserve(__u32 len)
{
	__u32 frame = (OBSERVE_FRAME_HEAD + len + 7) & ~7U;
	struct observe_lane *lane = this_lane();
	__u64 head;
	int i;

	if (!lane)
		return NULL;
	for (i = 0; i < LANE_TRIES; i++) {
		head = *(volatile __u64 *)&lane->head;
		/* Pairs with the consumer's release of tail: what lies before it is cleared. */
		if (head + frame - *(volatile __u64 *)&lane->tail > lane_bytes)
			return NULL;
		if (__sync_val_compare_and_swap(&lane->head, head, head + frame) == head)
			return (void *)lane + sizeof(*lane) + (head & (lane_bytes - 1)) +
			       OBSERVE_FRAME_HEAD;
	}
	return NULL;
}

/* Pairs with the consumer's acquire of this word. Stores of one CPU are seen in their order. */
static __always_inline void commit(void *record, __u32 len)
{
	barrier();
	*(volatile __u32 *)(record - OBSERVE_FRAME_HEAD) = len;
}

#endif /* _UTRACE_LANE_BPF_H */
