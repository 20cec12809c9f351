/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a user program owns engines.
 *
 * A session is an open device and belongs to a thread group.  A session engine is the policy
 * behind one handle; for each thread it is on there is one session thread, the data of one
 * engine of the core.  References go upward only: the core's engine holds its session thread,
 * that holds the session engine, that holds the session. So a callback that still runs when
 * everything was taken apart finds all it needs.
 *
 * Notices are state, not a queue: a session thread has bits and is in the ready list at most
 * once.  So an event allocates nothing, nothing is lost, and the memory is bounded.
 *
 * Lock order: the core's thread lock (and siglock) > utrace_session.lock.  None of the core's
 * functions is called under utrace_session.lock but utrace_engine_get() and
 * utrace_engine_task(), which take no lock.
 */
#ifndef UTRACE_SESSION_H
#define UTRACE_SESSION_H

#include <linux/cred.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../include/linux/utrace.h"

struct session_user;

struct utrace_session {
	refcount_t ref;
	/* May own engines: opened for writing, and so a user of the hooks. */
	bool controller;
	struct pid *owner;
	struct pid_namespace *ns;
	/* The opener's.  The file is our own: the device's does not outlive its last close. */
	struct utrace_owner rights;
	struct session_user *user;

	/* In the list of all sessions, under its mutex. */
	struct list_head entry;

	/* Guards all that follows and the state of all session threads.  Interrupts off. */
	spinlock_t lock;
	/* Taken apart, or about to be: set once. */
	bool dead;
	struct list_head engines;
	/* Session threads by tid; NULL for one that owns nothing. */
	struct session_thread **threads;
	/* Session threads with notices to be read. */
	struct list_head ready;
	wait_queue_head_t wait;

	/* On the owner's struct pid: wakes when the group is gone, whoever holds the file. */
	struct wait_queue_entry owner_gone;
	struct work_struct teardown;
};

struct session_engine {
	refcount_t ref;
	u32 flags;
	u64 id;
	u64 cookie;
	struct utrace_session *session;

	/* The rest is under the session's lock, but that @calls is read under RCU. */
	struct list_head entry;
	struct list_head threads;
	unsigned int count;
	u32 events;
	/* An ATTACH is under way: an empty engine is not retired yet. */
	bool attaching;
	/* Gone for good: nobody joins any more. */
	bool retired;
	/* Who joins is stopped like all the others. */
	bool stop_newborn;
	struct session_calls __rcu *calls;
	struct rcu_head rcu;
};

/* The system calls that SYSCALL_ENTRY and SYSCALL_EXIT are told for. */
struct session_calls {
	struct rcu_head rcu;
	DECLARE_BITMAP(bits, UTRACE_SYSCALL_SET_BITS);
};

/*
 * Kept small: with the core's engine it is what one attachment costs.  All under the session's
 * lock but what is said otherwise.
 */
struct session_thread {
	/* Never changes once the core has attached it; NULL until then. */
	struct utrace_engine *engine;
	/* Never changes. */
	struct session_engine *owner;
	/* The next with the same hash of the tid. */
	struct session_thread *chain;
	struct list_head entry;
	struct list_head ready;
	/* The number of the report that holds it; 0: none. */
	u64 held_seq;
	/* The latest asynchronous stop that was told, or was answered before that; 0: none. */
	u64 stop_seq;
	/* Jiffies of the hold. */
	u32 since;
	s32 value;
	/* As the owner's pid namespace knows it; the task has none any more when it is reaped. */
	s32 tid;
	s32 tgid;
	/* What the user asked for; the core is asked for more.  Read without the lock. */
	u16 events;
	/* The event it is held at, an enum utrace_event. */
	u8 event;
	/* 1 << enum utrace_notice_type */
	u8 notices;
	u8 reason;
	u8 missed_errno;
	bool linked : 1;
	/* That stop is not answered. */
	bool stops : 1;
	bool gone : 1;
	/* The last release, for a notice of it, was to a debugger. */
	bool handed_over : 1;
	/* Held at a call or a signal about which an engine before has decided. */
	bool decided : 1;
	/* Held at a signal that was dropped when it was sent. */
	bool dropped : 1;
	/* Its registers are being written: nobody may let it go just now. */
	bool examined;
};

/* ---- session.c: sessions, their owners and users ---- */

extern unsigned int utrace_max_attachments;

int utrace_session_init(void);
void utrace_session_exit(void);
struct utrace_session *utrace_session_open(bool controller);
void utrace_session_close(struct utrace_session *session);
void utrace_session_put(struct utrace_session *session);
/* 0, -EPERM for a foreign thread group, -EOWNERDEAD for what was taken apart. */
int utrace_session_check(struct utrace_session *session);
int session_features(struct utrace_features *features);
int session_user_charge(struct session_user *user);
void session_user_uncharge(struct session_user *user);
/* Calls @visit for every session; stops when it returns other than 0. */
int session_for_each(int (*visit)(struct utrace_session *session, void *arg), void *arg);

/* ---- session_engine.c: engines and threads, who is where ---- */

#define SESSION_HASH_SIZE 1024u

int session_engine_init(void);
void session_engine_exit(void);
struct session_engine *session_engine_create(struct utrace_session *session, u32 flags, u32 events,
					     u64 cookie);
/* By handle, with a reference; -ESRCH.  @session NULL: anybody's. */
struct session_engine *session_engine_find(struct utrace_session *session, u64 id);
void session_engine_put(struct session_engine *se);
/* Nobody joins any more and the handle finds nothing; its session keeps it while it has threads. */
void session_engine_retire(struct session_engine *se);
/* The session lets go of it too. */
void session_engine_forget(struct session_engine *se);
/* Forgets it if it is empty. */
void session_engine_tidy(struct session_engine *se);
/* Of a session, the one after handle @last, with a reference, or NULL. */
struct session_engine *session_engine_next(struct utrace_session *session, u64 last);

struct session_thread *session_thread_create(struct session_engine *se, struct task_struct *task);
void session_thread_destroy(struct session_thread *t);
bool session_thread_exists(struct session_engine *se, struct task_struct *task);
/* The live one of @id on @tid, in the session's own numbers, with a reference; -ESRCH. */
struct session_thread *session_thread_get(struct utrace_session *session, u64 id, s32 tid);
/* Under the lock: it is @tid from now on. */
void session_thread_renumber(struct session_thread *t, s32 tid);
/* Under the lock: takes it out of every list.  The caller then owns the session's reference. */
void session_thread_unlink(struct session_thread *t);
/* Drops the session's reference after session_thread_unlink(), and forgets an engine left empty. */
void session_thread_drop(struct session_thread *t);
void session_thread_release(struct utrace_engine *engine);
unsigned int session_thread_count(void);

/* Threads a call is about, each with a reference to its engine. */
struct session_selection {
	unsigned int count;
	struct session_thread **threads;
	struct session_thread *one;
};

/* @tid as the caller's pid namespace has it; 0: all of them.  -ESRCH if there is no such thread. */
int session_select(struct session_engine *se, s32 tid, struct session_selection *selection);
void session_deselect(struct session_selection *selection);

/* ---- session_attach.c ---- */

int session_attach(struct utrace_session *session, struct utrace_attach *attach);
/* One thread joins; @newborn: from its creator's clone report. */
int session_join(struct session_engine *se, struct task_struct *task, bool newborn);
u32 session_core_events(const struct session_engine *se, u32 events);

/* ---- session_report.c: the target's side ---- */

extern const struct utrace_engine_ops session_ops;
extern const struct utrace_engine_ops session_trace_ops;

/* Under the lock.  The caller wakes the readers afterwards, without it. */
void session_post(struct session_thread *t, enum utrace_notice_type type);
void session_wake(struct utrace_session *session);
void session_stopped(struct session_thread *t, u64 seq);

/* ---- session_notice.c: the reader's side ---- */

bool session_ready(struct utrace_session *session);
/* Held at a signal.  Under the lock. */
bool session_at_signal(const struct session_thread *t);
/* The same, or where its handler begins. */
bool session_has_signal(const struct session_thread *t);
/* Held in the middle of a call, whose end will overwrite what is written there.  Under the lock. */
bool session_mid_call(const struct session_thread *t);
/* @timeout in jiffies.  0: ready, or time is up; -EINTR; -EOWNERDEAD. */
int session_wait(struct utrace_session *session, long timeout);
/* The next notice; NULL if there is none.  What it gives goes back by session_taken(). */
struct session_thread *session_take(struct utrace_session *session, struct utrace_notice *notice);
/* @delivered: the user has it.  If not it is to be read again. */
void session_taken(struct session_thread *t, const struct utrace_notice *notice, bool delivered);

/* ---- session_control.c ---- */

int session_control(struct utrace_session *session, struct utrace_control *control);
int session_set_events(struct utrace_session *session, const struct utrace_set_events *set);
int session_set_calls(struct utrace_session *session, const struct utrace_syscall_set *set);
int session_barrier(struct utrace_session *session, const struct utrace_barrier *barrier);
int session_inject(struct utrace_session *session, const struct utrace_inject *inject);
/* Off, with whatever it held.  @reason: the owner is told so; 0: it is his own wish. */
int session_detach(struct session_thread *t, enum utrace_gone_reason reason);
void session_detach_all(struct session_engine *se, enum utrace_gone_reason reason);
/* The operator's brake: everybody's. */
void session_brake(void);

/* ---- session_answer.c: how a hold ends ---- */

/* By slot, the numbers a resume has to answer; 0 for none. */
struct session_held {
	u64 seq[2];
};

/*
 * Under the lock, with a reference to the engine: waits, the lock dropped meanwhile, for whoever
 * writes the thread's registers.  False if it has left its engine.
 */
bool session_settle(struct session_thread *t);
/*
 * Under the lock: the session forgets that it holds the thread, at @seq or at all
 * (UTRACE_SEQ_LATEST). Always before the core lets it go: who touches its registers looks at
 * that.  @under_way: a stop of which it may not have been told yet, which counts; 0: none.
 */
void session_unhold(struct session_thread *t, u64 seq, u64 under_way, struct session_held *held);
/* @foreign: its owner is told. */
int session_resume(struct session_thread *t, u64 seq, bool foreign);
int session_answer(struct utrace_session *session, const struct utrace_answer *answer);

/* ---- session_examine.c: a held thread's registers and memory ---- */

/* @buf is kernel memory of regs->len bytes; a read sets len to what there is. */
int session_regs(struct utrace_session *session, struct utrace_regs *regs, void *buf);
ssize_t session_memory(struct utrace_session *session, const struct utrace_memory *memory, u64 addr,
		       void *buf, size_t len);

/* ---- session_list.c ---- */

struct utrace_lister;

/* 0, -EINTR, or -ENOMEM. */
int session_list(struct utrace_lister *lister);

#endif
