/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The arithmetic of actions and numbers, without any kernel state: built into the module and
 * into a user-space unit test alike.
 */
#ifndef UTRACE_ACTION_H
#define UTRACE_ACTION_H

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/types.h>
#include "../include/uapi/utrace.h"
#else
#include <errno.h>
#include <stdbool.h>
#include <linux/types.h>
#include <uapi/utrace.h>
#endif

/*
 * One of an engine's two reasons to hold its thread.
 *
 * stop_seq is the highest number for which it wants the thread held, go_seq the highest
 * released: the slot is open, and the thread held, while stop_seq > go_seq.  handed is the highest
 * number given to this engine; bit i of window says that the number i steps below it was given
 * to it too.
 */
struct utrace_slot {
	__u64 stop_seq;
	__u64 go_seq;
	__u64 handed;
	__u64 window;
};

static inline bool utrace_slot_open(const struct utrace_slot *slot)
{
	return slot->stop_seq > slot->go_seq;
}

/* A thread's counter and a slot make a number. */
static inline __u64 utrace_seq(__u64 counter, unsigned int slot)
{
	return counter << 1 | slot;
}

static inline void utrace_slot_hand(struct utrace_slot *slot, __u64 seq)
{
	__u64 steps = (seq - slot->handed) >> 1;

	slot->window = steps < 64 ? slot->window << steps : 0;
	slot->window |= 1;
	slot->handed = seq;
}

/* By max: a late STOP of an older number never closes a newer one. */
static inline void utrace_slot_stop(struct utrace_slot *slot, __u64 seq)
{
	if (seq > slot->stop_seq)
		slot->stop_seq = seq;
}

/*
 * Was this number ever given to this engine?  Exact for the last 64 numbers of the thread and
 * for the one it is held for; an older one is taken for given if it is released already, since
 * answering it again changes nothing.
 */
static inline bool utrace_slot_handed(const struct utrace_slot *slot, __u64 seq)
{
	__u64 steps;

	if (!seq || seq > slot->handed)
		return false;
	if (seq == slot->stop_seq)
		return true;
	steps = (slot->handed - seq) >> 1;
	if (steps < 64)
		return slot->window >> steps & 1;
	return seq <= slot->go_seq;
}

/* Release up to seq: early, late, repeated and stale answers are all right. */
static inline int utrace_slot_release(struct utrace_slot *slot, __u64 seq)
{
	if (!utrace_slot_handed(slot, seq))
		return -ERANGE;
	if (seq > slot->go_seq)
		slot->go_seq = seq;
	return 0;
}

/* Whatever was published by now, never a later one. */
static inline void utrace_slot_release_latest(struct utrace_slot *slot)
{
	if (slot->handed > slot->go_seq)
		slot->go_seq = slot->handed;
}

/* On the system call or the signal it was told: both have the same place. */
static inline __u32 utrace_verdict(__u32 action)
{
	return action & UTRACE_VERDICT_MASK;
}

/* The smallest wish prevails: the order of the enum is the priority. */
static inline __u32 utrace_merge(__u32 a, __u32 b)
{
	a &= UTRACE_RESUME_MASK;
	b &= UTRACE_RESUME_MASK;
	return a < b ? a : b;
}

#endif
