// SPDX-License-Identifier: GPL-2.0-only
/*
 * What programs of other types ask of an engine in BPF: they may run anywhere but in an NMI, and
 * what they ask for is done where one may sleep.
 */
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/task_work.h>

#include "attach.h"
#include "bpf_engine.h"
#include "compat/symbols.h"
#include "compat/worker.h"

/* Who runs it may be just about to go to sleep, with a run queue locked: it wakes nobody. */
#define GFP_QUIET __GFP_NOWARN

/* With references to it and the module, or NULL. */
static struct bpf_engine *bpf_engine_get(const char *name)
{
	struct bpf_engine *be;
	int idx;

	idx = srcu_read_lock(&bpf_maps);
	be = bpf_engine_named(name);
	if (be) {
		refcount_inc(&be->ref);
		/* Its link is there, and so the module is. */
		__module_get(THIS_MODULE);
	}
	srcu_read_unlock(&bpf_maps, idx);
	return be;
}

/* Last: whoever unloads the module waits until all have left it. */
static void bpf_engine_done(struct bpf_engine *be)
{
	bpf_engine_put(be);
	module_put(THIS_MODULE);
}

/* ---- on a thread ---- */

struct bpf_pick {
	struct callback_head work;
	/* With a reference, as the task. */
	struct bpf_engine *be;
	struct task_struct *task;
	/* Of its list; itself: in none. */
	struct list_head entry;
	/* The work's, and who calls it off. */
	refcount_t ref;
};

/* Guards the lists of all engines.  Inside a run queue's, so nothing nests inside it. */
static DEFINE_RAW_SPINLOCK(picks_lock);

static void pick_put(struct bpf_pick *pick)
{
	if (!refcount_dec_and_test(&pick->ref))
		return;
	put_task_struct(pick->task);
	kfree(pick);
}

static void pick_leave_list(struct bpf_pick *pick)
{
	unsigned long irq;

	raw_spin_lock_irqsave(&picks_lock, irq);
	list_del_init(&pick->entry);
	raw_spin_unlock_irqrestore(&picks_lock, irq);
}

/* In its own context, before it runs another instruction of its own. */
static void picked(struct callback_head *work)
{
	struct bpf_pick *pick = container_of(work, struct bpf_pick, work);
	struct bpf_engine *be = pick->be;
	int err = bpf_join(be, current, 0);

	pick_leave_list(pick);
	pick_put(pick);
	/* It is on it, is just going, or may not be on it; or this is the thread's end. */
	if (err && err != -EEXIST && err != -EOWNERDEAD && err != -EPERM && err != -ESRCH)
		pr_warn_ratelimited("thread %d is not joined by a BPF engine: error %d\n",
				    task_pid_nr(current), err);
	if (!err)
		bpf_engine_report(be, current);
	bpf_engine_done(be);
}

static int pick_for(struct bpf_engine *be, struct task_struct *task)
{
	struct bpf_pick *pick = kmalloc(sizeof(*pick), GFP_QUIET);
	unsigned long irq;
	int err = -ENOENT;

	if (!pick)
		return -ENOMEM;
	pick->be = be;
	pick->task = get_task_struct(task);
	refcount_set(&pick->ref, 1);
	INIT_LIST_HEAD(&pick->entry);
	init_task_work(&pick->work, picked);
	raw_spin_lock_irqsave(&picks_lock, irq);
	if (!be->picks_ended) {
		/* Under the lock: who calls it off finds it in both, or in none. */
		err = task_work_add(task, &pick->work, TWA_RESUME);
		if (!err)
			list_add(&pick->entry, &be->picks);
	}
	raw_spin_unlock_irqrestore(&picks_lock, irq);
	if (err)
		pick_put(pick);
	return err;
}

int bpf_engine_pick(const char *name, struct task_struct *task)
{
	struct bpf_engine *be;
	int err;

	if (utrace_task_is_kernel(task))
		return -EPERM;
	be = bpf_engine_get(name);
	if (!be)
		return -ENOENT;
	err = pick_for(be, task);
	if (err)
		bpf_engine_done(be);
	return err;
}

static bool is_pick(struct callback_head *work, void *pick)
{
	return work == &((struct bpf_pick *)pick)->work;
}

/* A thread may sleep for as long as it likes before it comes to its work. */
void bpf_picks_end(struct bpf_engine *be)
{
	struct bpf_pick *pick;

	raw_spin_lock_irq(&picks_lock);
	be->picks_ended = true;
	while (!list_empty(&be->picks)) {
		pick = list_first_entry(&be->picks, struct bpf_pick, entry);
		list_del_init(&pick->entry);
		refcount_inc(&pick->ref);
		raw_spin_unlock_irq(&picks_lock);
		if (k_task_work_cancel_match(pick->task, is_pick, pick)) {
			bpf_engine_done(be);
			pick_put(pick);
		}
		pick_put(pick);
		cond_resched();
		raw_spin_lock_irq(&picks_lock);
	}
	raw_spin_unlock_irq(&picks_lock);
}

/* ---- let go ---- */

struct bpf_release {
	struct irq_work irq;
	struct work_struct work;
	struct bpf_engine *be;
	struct task_struct *task;
	u64 seq;
};

static void released(struct work_struct *work)
{
	struct bpf_release *release = container_of(work, struct bpf_release, work);
	struct bpf_engine *be = release->be;
	struct utrace_engine *engine;
	int unused;

	/* It may be on its way out of queue_release(). */
	irq_work_sync(&release->irq);
	engine = utrace_attach_task(release->task, UTRACE_ATTACH_MATCH_OPS, &be->core, NULL, NULL);
	if (!IS_ERR(engine)) {
		/* Not held, dead, or never given this number: there is nobody to tell. */
		unused = utrace_resume(engine, release->seq);
		(void)unused;
		utrace_engine_put(engine);
	}
	put_task_struct(release->task);
	kfree(release);
	bpf_engine_done(be);
}

static void queue_release(struct irq_work *irq)
{
	struct bpf_release *release = container_of(irq, struct bpf_release, irq);

	queue_work(bpf_works, &release->work);
}

int bpf_engine_let_go(const char *name, struct task_struct *task, u64 seq)
{
	struct bpf_engine *be = bpf_engine_get(name);
	struct bpf_release *release;

	if (!be)
		return -ENOENT;
	release = kmalloc(sizeof(*release), GFP_QUIET);
	if (!release) {
		bpf_engine_done(be);
		return -ENOMEM;
	}
	release->be = be;
	release->task = get_task_struct(task);
	release->seq = seq;
	INIT_WORK(&release->work, released);
	init_irq_work(&release->irq, queue_release);
	irq_work_queue(&release->irq);
	return 0;
}
