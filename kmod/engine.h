/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An engine's link to its thread: what the core keeps beside the public part.
 */
#ifndef UTRACE_ENGINE_H
#define UTRACE_ENGINE_H

#include "../include/linux/utrace.h"
#include "task.h"

/* Flags of a link, under the thread's lock. */
#define UTRACE_LINK_DETACHED  (1u << 0) /* off the lists; only references are left */
#define UTRACE_LINK_DETACHING (1u << 1) /* in a callback; off when that returns */
#define UTRACE_LINK_TOLD      (1u << 2) /* its open asynchronous stop was announced */
#define UTRACE_LINK_STEPPED   (1u << 3) /* the step it asked for was made and is told next */
#define UTRACE_LINK_AGAIN     (1u << 4) /* wants to be called once more at this entry */
#define UTRACE_LINK_RESUMED   (1u << 5) /* is in that pass */
#define UTRACE_LINK_AWAITED   (1u << 6) /* was told that a debugger waits */
#define UTRACE_LINK_NESTED    (1u << 7) /* asks for nested mode.  Never changes */
#define UTRACE_LINK_UNTOLD    (1u << 8) /* of the call's entry, and so of its end */
#define UTRACE_LINK_INTERCEPT (1u << 9) /* wants ignored signals queued.  Never changes */

/* Kept small: with the session's part it is what one attachment costs. */
struct utrace_link {
	/* First, so that both are one pointer. */
	struct utrace_engine engine;
	refcount_t ref;
	/* The image its owner's rights were checked for (H-3). */
	u32 exec_id;
	u16 events;
	/* Events its ops have a callback for. */
	u16 hears;
	u16 flags;
	/* SINGLESTEP or BLOCKSTEP, 0: none: of its last callback, and asked for from outside. */
	u8 step;
	u8 asked_step;
	/* What the security module called the thread then. */
	u64 label;
	struct utrace *utrace;
	const struct utrace_owner *owner;
	struct list_head entry;
	struct utrace_slot slot[2];
};

int utrace_engine_init(void);
void utrace_engine_exit(void);

static inline struct utrace_link *to_link(struct utrace_engine *engine)
{
	return container_of(engine, struct utrace_link, engine);
}

/*
 * A new link with one reference, holding one on @utrace and on the hooks; not on any list yet.
 * ERR_PTR: no memory, or the hooks cannot be had.
 */
struct utrace_link *utrace_link_new(struct utrace *utrace, const struct utrace_engine_ops *ops,
				    void *data, const struct utrace_owner *owner);

/* Of one that was never attached: its maker keeps the data, and hears of no release. */
void utrace_link_disown(struct utrace_link *link);

/*
 * Take a link off its thread: closes its slots, wakes the thread if nothing else holds it.  Lock
 * held.  The list's reference passes to the caller, who puts it after unlocking and then
 * calls utrace_retire_if_idle().
 */
void utrace_link_detach(struct utrace_link *link);

/* Was this link's owner checked for the image the thread runs now? */
static inline bool utrace_link_current(const struct utrace_link *link)
{
	return !link->owner || link->exec_id == (u32)READ_ONCE(link->utrace->task->self_exec_id);
}

/* A flag about the call it is in, which the end of that wipes out.  Lock held. */
static inline void utrace_link_note(struct utrace_link *link, u16 flag)
{
	link->flags |= flag;
	link->utrace->call_noted = true;
}

static inline bool utrace_link_open(const struct utrace_link *link)
{
	return utrace_slot_open(&link->slot[UTRACE_SLOT_REPORT]) ||
	       utrace_slot_open(&link->slot[UTRACE_SLOT_ASYNC]);
}

/* Does any engine want the thread held?  Lock held. */
bool utrace_wants_hold(struct utrace *utrace);
/* Any but this one? */
bool utrace_others_hold(const struct utrace *utrace, const struct utrace_link *but);

/* SINGLESTEP if any engine wants that, or else BLOCKSTEP if any does; 0.  Lock held. */
u32 utrace_wanted_step(const struct utrace *utrace);
/* The step was made: the wishes for it are done with.  False: there was none.  Lock held. */
bool utrace_end_step(struct utrace *utrace);

/* This number holds the thread, unless it was answered already.  Lock held. */
void utrace_link_stop(struct utrace_link *link, unsigned int slot, u64 seq);

/* If nothing holds it any more, end its sleep.  Lock held: it falls asleep under it too. */
void utrace_wake_if_free(struct utrace *utrace);

/* A number for this link's slot, handed to it.  Lock held. */
static inline u64 utrace_link_number(struct utrace_link *link, unsigned int slot)
{
	u64 seq;

	lockdep_assert_held(&link->utrace->lock);
	seq = utrace_seq(++link->utrace->counter, slot);
	utrace_slot_hand(&link->slot[slot], seq);
	return seq;
}

/* Every event any engine wants, and REAP while there is one (the REAP invariant).  Lock held. */
void utrace_sum_events(struct utrace *utrace);

#endif
