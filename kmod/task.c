// SPDX-License-Identifier: GPL-2.0-only
/* Traced threads: found by task, made, retired; their flags and their work. */
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat/symbols.h"
#include "task.h"

/*
 * table_lock orders making and retiring: a thread's entry in the table and its flags change
 * together.  The thread's lock nests inside it.  Process context only.
 */
static DEFINE_SPINLOCK(table_lock);
/* 64 KiB: with ten thousand traced threads a look into it is hardly longer than with ten. */
static DEFINE_HASHTABLE(table, 13);
static struct kmem_cache *utrace_cache;
static atomic_t utrace_count = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(utrace_gone);

static task_work_func_t utrace_work;

int utrace_task_init(task_work_func_t work)
{
	utrace_work = work;
	utrace_cache = KMEM_CACHE(utrace, SLAB_ACCOUNT);
	return utrace_cache ? 0 : -ENOMEM;
}

/*
 * Stopped with its group between the verdict about a fault and what comes of it, and meanwhile its
 * engine left and then the hooks: it is as if nobody had decided anything.
 */
static void retire_leftovers(void)
{
	struct utrace *utrace, *left;
	int bucket;

	do {
		left = NULL;
		spin_lock(&table_lock);
		hash_for_each(table, bucket, utrace, hash)
			left = utrace;
		if (left)
			utrace_hold_ref(left);
		spin_unlock(&table_lock);
		if (left) {
			spin_lock_irq(&left->lock);
			memset(&left->forced, 0, sizeof(left->forced));
			spin_unlock_irq(&left->lock);
			utrace_retire_if_idle(left);
			utrace_put(left);
		}
	} while (left);
}

void utrace_task_exit(void)
{
	retire_leftovers();
	/* Uninterruptible: the module's text must not go before the last thread has left it. */
	wait_event(utrace_gone, !atomic_read(&utrace_count));
	/* The last instructions after the last put; then what call_rcu() has yet to free. */
	synchronize_rcu_tasks();
	rcu_barrier();
	kmem_cache_destroy(utrace_cache);
}

static void utrace_free_rcu(struct rcu_head *head)
{
	struct utrace *utrace = container_of(head, struct utrace, rcu);

	/* Not before: who sends signals looks from utrace to task under RCU alone. */
	put_task_struct(utrace->task);
	kmem_cache_free(utrace_cache, utrace);
}

void utrace_put(struct utrace *utrace)
{
	if (!refcount_dec_and_test(&utrace->ref))
		return;
	call_rcu(&utrace->rcu, utrace_free_rcu);
	if (atomic_dec_and_test(&utrace_count))
		wake_up(&utrace_gone);
}

struct utrace *utrace_find(struct task_struct *task)
{
	struct utrace *utrace;

	rcu_read_lock();
	hash_for_each_possible_rcu(table, utrace, hash, (unsigned long)task) {
		if (utrace->task != task)
			continue;
		if (!refcount_inc_not_zero(&utrace->ref))
			continue;
		rcu_read_unlock();
		return utrace;
	}
	rcu_read_unlock();
	return NULL;
}

static struct utrace *utrace_new(struct task_struct *task)
{
	struct utrace *utrace = kmem_cache_zalloc(utrace_cache, GFP_KERNEL);

	if (!utrace)
		return NULL;
	utrace->task = get_task_struct(task);
	/* One for the table, one for the caller. */
	refcount_set(&utrace->ref, 2);
	spin_lock_init(&utrace->lock);
	INIT_LIST_HEAD(&utrace->attached);
	INIT_LIST_HEAD(&utrace->attaching);
	init_waitqueue_head(&utrace->barrier);
	init_task_work(&utrace->work, utrace_work);
	utrace->receiver.task = task;
	atomic_inc(&utrace_count);
	return utrace;
}

/*
 * Enter a new thread into the table and mark it, so that its death and reaping find us.
 *
 * tasklist_lock for reading keeps exit_notify() out: a thread seen alive here will see the mark
 * when it reports its death.  One seen dead reports no death to us any more; whether it is
 * being reaped is settled by the full barriers of set_bit() here and of the cmpxchg on
 * exit_state in wait_task_zombie(), which runs under the same read lock: one of the two sees
 * the other.
 */
static int utrace_enter(struct utrace *utrace)
{
	struct task_struct *task = utrace->task;
	unsigned long *work = &task_thread_info(task)->syscall_work;
	int ret = 0;

	read_lock(k_tasklist_lock);
	/* Before anybody can find it: the thread may be on its way to tell its death just now. */
	if (READ_ONCE(task->exit_state)) {
		utrace->dead = true;
		utrace->exit_reported = true;
	}
	hash_add_rcu(table, &utrace->hash, (unsigned long)task);
	/* Pairs with utrace_drop_mark(). */
	smp_mb__before_atomic();
	set_bit(UTRACE_WORK_BIT, work);
	/* Pairs with the cmpxchg in wait_task_zombie(). */
	smp_mb__after_atomic();
	if (READ_ONCE(task->exit_state) == EXIT_DEAD) {
		clear_bit(UTRACE_WORK_BIT, work);
		hash_del_rcu(&utrace->hash);
		utrace->retired = true;
		ret = -ESRCH;
	}
	read_unlock(k_tasklist_lock);

	/*
	 * After the entry: a prctl() that sets its dispatch meanwhile either is seen here, or
	 * finds us and tells utrace_user_dispatch_set().
	 */
	spin_lock_irq(&utrace->lock);
	if (test_bit(SYSCALL_WORK_BIT_SYSCALL_USER_DISPATCH, work))
		utrace->user_dispatch = true;
	spin_unlock_irq(&utrace->lock);
	return ret;
}

struct utrace *utrace_obtain(struct task_struct *task)
{
	struct utrace *utrace = utrace_find(task);
	struct utrace *other;
	int ret = 0;

	if (utrace)
		return utrace;
	utrace = utrace_new(task);
	if (!utrace)
		return ERR_PTR(-ENOMEM);

	spin_lock(&table_lock);
	other = utrace_find(task);
	if (!other)
		ret = utrace_enter(utrace);
	spin_unlock(&table_lock);

	if (!other && !ret)
		return utrace;
	/* Nobody else has seen it, but for a find between entry and retreat. */
	utrace_put(utrace);
	utrace_put(utrace);
	return other ?: ERR_PTR(ret);
}

void utrace_set_flags(struct utrace *utrace)
{
	struct task_struct *task = utrace->task;
	unsigned long *work = &task_thread_info(task)->syscall_work;

	utrace_receive(&utrace->receiver,
		       utrace->retired ? 0 : utrace->heard & UTRACE_EVENTS_SIGNAL,
		       utrace->intercepts);
	if (!utrace->retired)
		set_bit(UTRACE_WORK_BIT, work);
	else if (task == current || !test_bit(SYSCALL_WORK_BIT_SYSCALL_AUDIT, work))
		clear_bit(UTRACE_WORK_BIT, work);
	/*
	 * Else it may be between its flag and the audit, where it is counted only if it is marked
	 * (hooks.c): the mark is left to it, nobody's, and goes when it comes there.
	 */

	if (utrace->dispatch_shown)
		; /* Not ours just now: utrace_user_dispatch_learn() comes. */
	else if ((utrace->events & UTRACE_EVENT(SYSCALL_ENTRY)) || utrace->user_dispatch ||
		 utrace->step.armed)
		set_bit(SYSCALL_WORK_BIT_SYSCALL_USER_DISPATCH, work);
	else
		clear_bit(SYSCALL_WORK_BIT_SYSCALL_USER_DISPATCH, work);

	if ((utrace->events & UTRACE_EVENT(SYSCALL_EXIT)) ||
	    (utrace->step.over_call && !utrace->retired)) {
		set_bit(SYSCALL_WORK_BIT_SYSCALL_EXIT_TRAP, work);
		return;
	}
	clear_bit(SYSCALL_WORK_BIT_SYSCALL_EXIT_TRAP, work);
	/*
	 * A debugger's step owns the bit too.  enable_step() sets TIF_SINGLESTEP first and the bit
	 * after it; we clear the bit first and look at TIF_SINGLESTEP after it. Pairs with
	 * the order of the two set_bit()s in enable_single_step().
	 */
	smp_mb__after_atomic();
	if (test_tsk_thread_flag(task, TIF_SINGLESTEP))
		set_bit(SYSCALL_WORK_BIT_SYSCALL_EXIT_TRAP, work);
}

static bool is_our_work(struct callback_head *work, void *ours)
{
	return work == ours;
}

/*
 * What was decided about a signal outlives who decided it, and the trap flag goes first.  Lock
 * held.
 */
static bool is_needed(const struct utrace *utrace)
{
	return (utrace->answer || utrace->forced.verdict || utrace->step.armed) && !utrace->dead;
}

static void unpin(struct utrace *utrace)
{
	if (!utrace->step.pinned)
		return;
	utrace->step.pinned = false;
	utrace_hooks_put();
	/* Whoever unloads the module waits for the threads that are in it. */
	module_put(THIS_MODULE);
}

void utrace_retire_if_idle(struct utrace *utrace)
{
	bool retired = false, armed;

	/* After every pass: nearly always there is one. */
	if (!list_empty_careful(&utrace->attached) || !list_empty_careful(&utrace->attaching))
		return;
	spin_lock(&table_lock);
	spin_lock_irq(&utrace->lock);
	if (!utrace->retired && list_empty(&utrace->attached) && list_empty(&utrace->attaching) &&
	    !is_needed(utrace)) {
		utrace->retired = true;
		retired = true;
		utrace->events = 0;
		hash_del_rcu(&utrace->hash);
		utrace_set_flags(utrace);
	}
	armed = utrace->step.armed;
	spin_unlock_irq(&utrace->lock);
	spin_unlock(&table_lock);
	if (!retired) {
		/* Its last engine left in the middle of a step: it takes the flag away itself. */
		if (armed && utrace->task != current)
			utrace_kick(utrace, false);
		return;
	}
	unpin(utrace);

	/*
	 * Pairs with the one in utrace_kick(): either we see its work, or it sees that we
	 * retired.
	 */
	smp_mb();
	/*
	 * A work that has not run holds a reference, and the module's text, for as long as the
	 * thread sleeps.
	 */
	if (k_task_work_cancel_match(utrace->task, is_our_work, &utrace->work))
		utrace_put(utrace);
	utrace_put(utrace);
}

void utrace_kick(struct utrace *utrace, bool interrupt)
{
	struct task_struct *task = utrace->task;
	unsigned long irq;
	bool queue = false;

	spin_lock_irqsave(&utrace->lock, irq);
	if (!utrace->work_queued && !utrace->retired) {
		utrace->work_queued = true;
		utrace->work_settled = false;
		utrace_hold_ref(utrace);
		queue = true;
	}
	spin_unlock_irqrestore(&utrace->lock, irq);

	if (queue && task_work_add(task, &utrace->work, TWA_RESUME)) {
		/* -ESRCH: it has run its last works; DEATH and REAP are all that follows. */
		spin_lock_irqsave(&utrace->lock, irq);
		utrace->work_queued = false;
		spin_unlock_irqrestore(&utrace->lock, irq);
		utrace_put(utrace);
		return;
	}
	/* Pairs with the one in utrace_retire_if_idle(). */
	smp_mb();
	if (queue && READ_ONCE(utrace->retired) &&
	    k_task_work_cancel_match(task, is_our_work, &utrace->work)) {
		utrace_put(utrace);
		return;
	}
	/* What task_work_add(TWA_SIGNAL) does, also for a work that was queued quietly before. */
	if (interrupt && !test_and_set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL) &&
	    !k_wake_up_state(task, TASK_INTERRUPTIBLE))
		kick_process(task);
}
