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
 * bpf_engine.lock but utrace_engine_get() and utrace_report_seq().
 */
#ifndef UTRACE_BPF_ENGINE_H
#define UTRACE_BPF_ENGINE_H

#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "../include/linux/utrace.h"
#include "../include/uapi/utrace_bpf.h"

struct bpf_delay;
struct cgroup;

struct bpf_engine {
	refcount_t ref;
	/* A handle, as sessions' engines have. */
	u64 id;
	/* For each its own, by which the core finds its engines. */
	struct utrace_engine_ops core;
	struct utrace_owner rights;
	struct work_struct free;
	/* In the list of all, under its mutex. */
	struct list_head entry;
	/* Among those that are on every process from its next exec on; itself: it is none. */
	struct list_head execs;
	/* Threads that were chosen and are on their way in; bpf_beside.c has their lock. */
	struct list_head picks;
	bool picks_ended;
	/* If not NULL, on those of this group only.  Never changes. */
	struct cgroup *cgroup;
	/* NULL once it is unregistered.  Changed under the mutex. */
	struct utrace_bpf_engine_ops __rcu *map;

	/* Guards what follows.  Interrupts off. */
	spinlock_t lock;
	bool gone;
	u32 flags;
	u32 events;
	struct list_head threads;
	unsigned int count;
};

/* One engine of the core, on one thread. */
struct bpf_thread {
	struct bpf_engine *owner;
	struct utrace_engine *engine;
	/* Under the owner's lock, as what follows: what the core was asked for. */
	u32 events;
	struct list_head entry;
	/* NULL: it is not held for a time. */
	struct bpf_delay *delay;
	/* Of its last hold at an event, for those who look: which, its signal, and jiffies. */
	u8 event;
	s32 signo;
	u32 since;
};

/* ---- bpf_engine.c ---- */

/* Callbacks that use a map. */
extern struct srcu_struct bpf_maps;
/* Guards the list of all, which may be gone through under bpf_maps, too, and their maps. */
extern struct mutex bpf_engines_mutex;
extern struct list_head bpf_engines;

/* Of one in the list, under the mutex. */
static inline struct utrace_bpf_engine_ops *bpf_engine_map(const struct bpf_engine *be)
{
	return rcu_dereference_protected(be->map, lockdep_is_held(&bpf_engines_mutex));
}

/* The module's exit waits for what is in it. */
extern struct workqueue_struct *bpf_works;

/* By its name, for as long as bpf_maps is held for reading; NULL: there is none.  Any context. */
struct bpf_engine *bpf_engine_named(const char *name);

int bpf_engine_init(void);
void bpf_engine_exit(void);
/* Any context. */
void bpf_engine_put(struct bpf_engine *be);
/* The list's reference to the engine goes with its place there, whoever comes first. */
void bpf_thread_unlink(struct bpf_thread *t);
/* It was asked to stop: since now, for those who look. */
static inline void bpf_thread_stopped(struct bpf_thread *t)
{
	WRITE_ONCE(t->since, (u32)jiffies);
}

/* One thread joins; @how: UTRACE_ATTACH_INHERIT from its creator's clone report, or 0. */
int bpf_join(struct bpf_engine *be, struct task_struct *task, u32 how);

/* A process with all its threads, of which *@joined more are in then.  0, or why not. */
int bpf_join_process(struct bpf_engine *be, struct task_struct *leader, u32 *joined);

/* Is it on @task?  May sleep. */
bool bpf_engine_is_on(const struct bpf_engine *be, struct task_struct *task);

/* Off all threads, for good.  May sleep. */
void bpf_engine_leave(struct bpf_engine *be);

/* Its link was attached.  -EPERM, -EEXIST this name, -ESRCH no such target, -ENOMEM, ... */
int bpf_engine_register(struct utrace_bpf_engine_ops *map);
/* Its link goes: when it returns nothing of the map is in use.  May sleep. */
void bpf_engine_unregister(struct utrace_bpf_engine_ops *map);
/* The operator's brake: all are off their threads, and stay so. */
void bpf_engine_brake(void);
/* @map takes the place of @old, on the same threads. */
int bpf_engine_replace(struct utrace_bpf_engine_ops *map, struct utrace_bpf_engine_ops *old);

/* It is on @task, which runs: it is told once near user mode, if it hears of that. */
void bpf_engine_report(const struct bpf_engine *be, struct task_struct *task);

/* ---- bpf_beside.c ---- */

/*
 * The policy of that name comes to be on @task before that runs another instruction of its own.
 * -ENOENT there is none; -EPERM a thread of the kernel's; -ESRCH it is at its end; -ENOMEM.  Any
 * context but an NMI.
 */
int bpf_engine_pick(const char *name, struct task_struct *task);
/* Who was chosen and is not on it yet will not be.  May sleep. */
void bpf_picks_end(struct bpf_engine *be);
/* It lets go what it holds by that number, soon.  -ENOENT, -ENOMEM.  Any context but an NMI. */
int bpf_engine_let_go(const char *name, struct task_struct *task, u64 seq);

/* ---- bpf_cgroup.c ---- */

/* Of its directory, with a reference.  -EBADF it is none, -EOPNOTSUPP of version 1. */
struct cgroup *bpf_cgroup_get(s32 fd);
void bpf_cgroup_put(struct cgroup *cgroup);
/* In it, or below it? */
bool bpf_cgroup_has(struct cgroup *cgroup, struct task_struct *task);
/* All processes that are in the engine's.  May sleep. */
int bpf_cgroup_join(struct bpf_engine *be);

/* ---- bpf_execs.c ---- */

/* Is it to be on those that exec?  Then from now on.  0, or why it cannot.  Under the mutex. */
int bpf_execs_add(struct bpf_engine *be);
/* From now on on no more of them; some may just be joining. */
void bpf_execs_remove(struct bpf_engine *be);

/* ---- bpf_delay.c ---- */

/*
 * In a report: if it holds the thread, it is let go in so many nanoseconds.  0, -EINVAL it is more
 * than UTRACE_BPF_DELAY_MAX, -EOWNERDEAD the engine is just going, -ENOMEM.  May sleep.
 */
int bpf_resume_after(struct utrace_engine *engine, u64 ns);
/* The engine leaves it: nothing is to wait for that time.  Under the owner's lock. */
void bpf_delay_end(struct bpf_thread *t);

/* ---- bpf_current.c ---- */

/*
 * Is the policy of that name on the thread that runs?  Of a worker of a program's own, as io_uring
 * has them: on a thread of its process.  May sleep.
 */
bool bpf_engine_on_current(const char *name);

/* ---- bpf_report.c ---- */

extern const struct utrace_engine_ops bpf_core_ops;

#endif
