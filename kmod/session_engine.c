// SPDX-License-Identifier: GPL-2.0-only
/* Session engines and session threads: who is where, and until when. */
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "attach.h"
#include "session.h"

static struct kmem_cache *thread_cache;
static DEFINE_XARRAY(engines);
static atomic_t thread_count;

struct session_engine *session_engine_create(struct utrace_session *session, u32 flags, u32 events,
					     u64 cookie)
{
	struct session_engine *se, *before;
	bool dead;
	int err;

	se = kzalloc(sizeof(*se), GFP_KERNEL_ACCOUNT);
	if (!se)
		return ERR_PTR(-ENOMEM);
	/* One for the session's list with the handle, one for the caller. */
	refcount_set(&se->ref, 2);
	se->flags = flags;
	se->events = events;
	se->cookie = cookie;
	se->id = utrace_owner_new_id();
	se->attaching = true;
	INIT_LIST_HEAD(&se->entry);
	INIT_LIST_HEAD(&se->threads);
	refcount_inc(&session->ref);
	se->session = session;

	err = xa_err(xa_store(&engines, se->id, se, GFP_KERNEL_ACCOUNT));
	if (err) {
		utrace_session_put(session);
		kfree(se);
		return ERR_PTR(err);
	}
	spin_lock_irq(&session->lock);
	dead = session->dead;
	if (!dead) {
		list_for_each_entry_reverse(before, &session->engines, entry) {
			if (before->id < se->id)
				break;
		}
		list_add(&se->entry, &before->entry);
	}
	spin_unlock_irq(&session->lock);
	if (dead) {
		session_engine_retire(se);
		/* The list's, then the caller's. */
		session_engine_put(se);
		session_engine_put(se);
		return ERR_PTR(-EOWNERDEAD);
	}
	return se;
}

void session_engine_put(struct session_engine *se)
{
	struct utrace_session *session = se->session;

	if (!refcount_dec_and_test(&se->ref))
		return;
	kfree(rcu_dereference_protected(se->calls, true));
	kfree_rcu(se, rcu);
	utrace_session_put(session);
}

void session_engine_retire(struct session_engine *se)
{
	bool first;

	spin_lock_irq(&se->session->lock);
	first = !se->retired;
	se->retired = true;
	spin_unlock_irq(&se->session->lock);
	if (first)
		xa_erase(&engines, se->id);
}

void session_engine_forget(struct session_engine *se)
{
	bool first;

	session_engine_retire(se);
	spin_lock_irq(&se->session->lock);
	first = !list_empty(&se->entry);
	list_del_init(&se->entry);
	spin_unlock_irq(&se->session->lock);
	if (first)
		session_engine_put(se);
}

void session_engine_tidy(struct session_engine *se)
{
	bool empty;

	spin_lock_irq(&se->session->lock);
	empty = !se->count && !se->attaching;
	spin_unlock_irq(&se->session->lock);
	if (empty)
		session_engine_forget(se);
}

/* By handle: where to go on in a list whose lock is dropped for each of its engines. */
struct session_engine *session_engine_next(struct utrace_session *session, u64 last)
{
	struct session_engine *se;

	spin_lock_irq(&session->lock);
	list_for_each_entry(se, &session->engines, entry) {
		if (se->id > last) {
			refcount_inc(&se->ref);
			spin_unlock_irq(&session->lock);
			return se;
		}
	}
	spin_unlock_irq(&session->lock);
	return NULL;
}

struct session_engine *session_engine_find(struct utrace_session *session, u64 id)
{
	struct session_engine *se;

	rcu_read_lock();
	se = xa_load(&engines, id);
	if (se && ((session && se->session != session) || !refcount_inc_not_zero(&se->ref)))
		se = NULL;
	rcu_read_unlock();
	return se ?: ERR_PTR(-ESRCH);
}

static struct session_thread **session_bucket(struct utrace_session *session, s32 tid)
{
	return &session->threads[(u32)tid % SESSION_HASH_SIZE];
}

/*
 * Under the lock.  A thread that is dead or being reaped may have left its number to another:
 * @task, if given, tells them apart.
 */
static struct session_thread *session_thread_find(struct utrace_session *session, u64 id, s32 tid,
						  const struct task_struct *task)
{
	struct session_thread *t;

	lockdep_assert_held(&session->lock);
	for (t = *session_bucket(session, tid); t; t = t->chain) {
		if (t->tid != tid || t->gone || t->owner->id != id)
			continue;
		if (task && t->engine && utrace_engine_task(t->engine) != task)
			continue;
		return t;
	}
	return NULL;
}

static void session_hash(struct session_thread *t)
{
	struct session_thread **bucket = session_bucket(t->owner->session, t->tid);

	t->chain = *bucket;
	*bucket = t;
}

static void session_unhash(struct session_thread *t)
{
	struct session_thread **at = session_bucket(t->owner->session, t->tid);

	while (*at != t)
		at = &(*at)->chain;
	*at = t->chain;
}

void session_thread_renumber(struct session_thread *t, s32 tid)
{
	session_unhash(t);
	t->tid = tid;
	session_hash(t);
}

bool session_thread_exists(struct session_engine *se, struct task_struct *task)
{
	struct utrace_session *session = se->session;
	s32 tid = task_pid_nr_ns(task, session->ns);
	unsigned long irq;
	bool exists;

	spin_lock_irqsave(&session->lock, irq);
	exists = session_thread_find(session, se->id, tid, task);
	spin_unlock_irqrestore(&session->lock, irq);
	return exists;
}

/*
 * Takes the place of @task in @se: the two that may want it, a walk over the group
 * and the report of its birth, agree here on who attaches.
 * -EEXIST: it is there; -EOWNERDEAD: nobody joins any more.
 */
struct session_thread *session_thread_create(struct session_engine *se, struct task_struct *task)
{
	struct utrace_session *session = se->session;
	struct session_thread *t;
	int err;

	err = session_user_charge(session->user);
	if (err)
		return ERR_PTR(err);
	t = kmem_cache_zalloc(thread_cache, GFP_KERNEL);
	if (!t) {
		session_user_uncharge(session->user);
		return ERR_PTR(-ENOMEM);
	}
	refcount_inc(&se->ref);
	t->owner = se;
	t->tid = task_pid_nr_ns(task, session->ns);
	t->tgid = task_tgid_nr_ns(task, session->ns);
	INIT_LIST_HEAD(&t->entry);
	INIT_LIST_HEAD(&t->ready);
	atomic_inc(&thread_count);

	spin_lock_irq(&session->lock);
	if (session->dead || se->retired) {
		err = -EOWNERDEAD;
	} else if (!t->tid) {
		err = -ESRCH;
	} else if (session_thread_find(session, se->id, t->tid, task)) {
		err = -EEXIST;
	} else {
		session_hash(t);
		t->events = se->events;
		t->linked = true;
		list_add_tail(&t->entry, &se->threads);
		se->count++;
	}
	spin_unlock_irq(&session->lock);
	if (err) {
		session_thread_destroy(t);
		return ERR_PTR(err);
	}
	return t;
}

/* Not linked, and no engine of the core has it any more. */
void session_thread_destroy(struct session_thread *t)
{
	struct session_engine *se = t->owner;

	session_user_uncharge(se->session->user);
	kmem_cache_free(thread_cache, t);
	atomic_dec(&thread_count);
	session_engine_put(se);
}

void session_thread_release(struct utrace_engine *engine)
{
	session_thread_destroy(engine->data);
}

struct session_thread *session_thread_get(struct utrace_session *session, u64 id, s32 tid)
{
	struct session_thread *t;

	spin_lock_irq(&session->lock);
	t = session_thread_find(session, id, tid, NULL);
	/* Still attaching: nobody was told of it yet. */
	if (t && t->engine)
		utrace_engine_get(t->engine);
	else
		t = ERR_PTR(-ESRCH);
	spin_unlock_irq(&session->lock);
	return t;
}

void session_thread_unlink(struct session_thread *t)
{
	lockdep_assert_held(&t->owner->session->lock);
	t->linked = false;
	t->held_seq = 0;
	t->stops = false;
	t->notices = 0;
	list_del_init(&t->entry);
	list_del_init(&t->ready);
	t->owner->count--;
	session_unhash(t);
}

void session_thread_drop(struct session_thread *t)
{
	struct session_engine *se = t->owner;

	refcount_inc(&se->ref);
	utrace_engine_put(t->engine);
	session_engine_tidy(se);
	session_engine_put(se);
}

unsigned int session_thread_count(void)
{
	return atomic_read(&thread_count);
}

static int session_select_one(struct session_engine *se, s32 tid,
			      struct session_selection *selection)
{
	struct session_thread *t;
	struct task_struct *task;

	rcu_read_lock();
	task = pid_task(find_vpid(tid), PIDTYPE_PID);
	tid = task ? task_pid_nr_ns(task, se->session->ns) : 0;
	rcu_read_unlock();
	t = session_thread_get(se->session, se->id, tid);
	if (IS_ERR(t))
		return PTR_ERR(t);
	selection->one = t;
	selection->threads = &selection->one;
	selection->count = 1;
	return 0;
}

int session_select(struct session_engine *se, s32 tid, struct session_selection *selection)
{
	struct session_thread *t;
	unsigned int room;

	if (tid)
		return session_select_one(se, tid, selection);

	spin_lock_irq(&se->session->lock);
	for (;;) {
		room = se->count;
		spin_unlock_irq(&se->session->lock);
		selection->threads = kvmalloc_array(room ?: 1, sizeof(t), GFP_KERNEL_ACCOUNT);
		if (!selection->threads)
			return -ENOMEM;
		spin_lock_irq(&se->session->lock);
		if (se->count <= room)
			break;
		spin_unlock_irq(&se->session->lock);
		kvfree(selection->threads);
		spin_lock_irq(&se->session->lock);
	}
	selection->count = 0;
	list_for_each_entry(t, &se->threads, entry) {
		if (t->gone || !t->engine)
			continue;
		utrace_engine_get(t->engine);
		selection->threads[selection->count++] = t;
	}
	spin_unlock_irq(&se->session->lock);
	return 0;
}

void session_deselect(struct session_selection *selection)
{
	unsigned int i;

	for (i = 0; i < selection->count; i++)
		utrace_engine_put(selection->threads[i]->engine);
	if (selection->threads != &selection->one)
		kvfree(selection->threads);
}

int session_engine_init(void)
{
	/* With the core's engine beside it an attachment has to stay within 256 bytes. */
	BUILD_BUG_ON(sizeof(struct session_thread) > 96);
	thread_cache = KMEM_CACHE(session_thread, SLAB_ACCOUNT);
	return thread_cache ? 0 : -ENOMEM;
}

void session_engine_exit(void)
{
	kmem_cache_destroy(thread_cache);
	xa_destroy(&engines);
}
