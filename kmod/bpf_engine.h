/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A BPF object as an engine: the policy, and the threads it is on.
 *
 * The policy is a struct_ops map that is registered by a link; it is told for each thread by an
 * engine of the core.  References go upward only: the core's engine holds its thread's entry, that
 * holds the policy.  The map is gone when the link is: callbacks read it under SRCU, and find none
 * afterwards.
 *
 * Lock order: bpf_engines_mutex > bpf_engine.lock.  None of the core's functions is called under
 * bpf_engine.lock but utrace_engine_get().
 */
#ifndef UTRACE_BPF_ENGINE_H
#define UTRACE_BPF_ENGINE_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "../include/linux/utrace.h"
#include "../include/uapi/utrace_bpf.h"

struct bpf_engine {
	refcount_t ref;
	/* For each its own, by which the core finds its engines. */
	struct utrace_engine_ops core;
	struct utrace_owner rights;
	struct work_struct free;
	/* In the list of all, under its mutex. */
	struct list_head entry;
	/* NULL once it is unregistered.  Changed under the mutex. */
	struct utrace_bpf_engine_ops __rcu *map;

	/* Guards what follows.  Interrupts off. */
	spinlock_t lock;
	bool gone;
	u32 flags;
	u32 events;
	struct list_head threads;
};

/* One engine of the core, on one thread. */
struct bpf_thread {
	struct bpf_engine *owner;
	struct utrace_engine *engine;
	/* Under the owner's lock, as what follows: what the core was asked for. */
	u32 events;
	struct list_head entry;
};

/* ---- bpf_engine.c ---- */

/* Callbacks that use a map. */
extern struct srcu_struct bpf_maps;

int bpf_engine_init(void);
void bpf_engine_exit(void);
/* Any context. */
void bpf_engine_put(struct bpf_engine *be);
/* The list's reference to the engine goes with its place there, whoever comes first. */
void bpf_thread_unlink(struct bpf_thread *t);
/* One thread joins; @how: UTRACE_ATTACH_INHERIT from its creator's clone report, or 0. */
int bpf_join(struct bpf_engine *be, struct task_struct *task, u32 how);

/* Its link was attached.  -EPERM, -EEXIST this name, -ESRCH no such target, -ENOMEM, ... */
int bpf_engine_register(struct utrace_bpf_engine_ops *map);
/* Its link goes: when it returns nothing of the map is in use.  May sleep. */
void bpf_engine_unregister(struct utrace_bpf_engine_ops *map);
/* The operator's brake: all are off their threads, and stay so. */
void bpf_engine_brake(void);
/* @map takes the place of @old, on the same threads. */
int bpf_engine_replace(struct utrace_bpf_engine_ops *map, struct utrace_bpf_engine_ops *old);

/* ---- bpf_report.c ---- */

extern const struct utrace_engine_ops bpf_core_ops;

#endif
