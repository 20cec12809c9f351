/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* What the observer's programs and their loader share beside the records; no program of others. */
#ifndef _UAPI_UTRACE_OBSERVE_H
#define _UAPI_UTRACE_OBSERVE_H

#include "utrace_records.h"

/* What a traced thread's records say of it. Changed by the thread itself only, once it has run. */
struct observe_thread {
	__u64 seq;   /* the next record's number */
	__u32 calls; /* finished calls: tells one call in progress from the next */
	__u32 flags; /* OBSERVE_* */
	__u32 tgid;  /* as the tracer's pid namespace has them */
	__u32 tid;
};

/* Of one traced thread, in task storage. */
struct observe_home {
	struct observe_thread thread; /* unless it has a slot */
	__u32 slot;		      /* 1 + its index; 0: none */
	__u32 state;		      /* enum observe_state */
	__u32 deaf;		      /* scans in a row that found it out of the module's reach */
	__u32 kill_told;	      /* as OBSERVE_TOLD, of a deadly signal sent to it */
};

#define OBSERVE_DEAF_SCANS    2
#define OBSERVE_DEAF_FOR_SURE 0xffffffffu

#define OBSERVE_FOLLOW	   0x01 /* processes it creates are traced too */
#define OBSERVE_NEWBORN	   0x02 /* has not come out of the fork that made it */
#define OBSERVE_UNTIL_EXEC 0x04 /* nothing is reported before its next exec */
#define OBSERVE_EXECED	   0x08 /* EXEC was written; the call's exit says nothing more */
#define OBSERVE_DYING	   0x10 /* EXIT was written, the module's DEATH is due */
#define OBSERVE_ZOMBIE	   0x40 /* DEATH was written, the module's REAP is due */
#define OBSERVE_TOLD	   0x20 /* the first program of an event has run, its second is due */

/* Whether the thread is in the count of live ones: each moves once, by compare and exchange. */
enum observe_state {
	OBSERVE_NEW = 0,
	OBSERVE_LIVE = 1,
	OBSERVE_DEAD = 2,
};

/*
 * One CPU's ring: this, then its frames (a word with the record's length, 0 until it is whole; a
 * word of 0; the record; zeros up to a multiple of 8), then room for a frame that begins before
 * their end. Positions only grow: modulo the ring's bytes they tell the place.
 */
struct observe_lane {
	/* The first cache line is written by programs of this CPU, the second by user space. */
	__u64 head;    /* where the next frame will begin */
	__u64 dropped; /* records that found no room */
	__u64 reserved[6];
	__u64 tail; /* where the oldest frame begins */
	__u64 reserved2[7];
};

#define OBSERVE_FRAME_HEAD 8
#define OBSERVE_RECORD_MAX 16384 /* bytes */

/* What the scan for calls in progress writes for each. */
struct observe_pending {
	__u64 calls;
	struct utrace_rec_syscall record;
};

#endif /* _UAPI_UTRACE_OBSERVE_H */
