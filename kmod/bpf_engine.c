// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "attach.h"
#include "bpf_engine.h"
#include "group.h"

DEFINE_MUTEX(bpf_engines_mutex);
LIST_HEAD(bpf_engines);
/* Callbacks that use a map. */
DEFINE_SRCU(bpf_maps);
struct workqueue_struct *bpf_works;

static void bpf_engine_free_work(struct work_struct *work)
{
	struct bpf_engine *be = container_of(work, struct bpf_engine, free);

	utrace_owner_release(&be->rights);
	bpf_cgroup_put(be->cgroup);
	kfree(be);
}

void bpf_engine_put(struct bpf_engine *be)
{
	if (refcount_dec_and_test(&be->ref))
		queue_work(bpf_works, &be->free);
}

/* Under the owner's lock. */
static void bpf_thread_leave_list(struct bpf_thread *t)
{
	list_del_init(&t->entry);
	t->owner->count--;
	bpf_delay_end(t);
}

void bpf_thread_unlink(struct bpf_thread *t)
{
	unsigned long irq;
	bool ours;

	spin_lock_irqsave(&t->owner->lock, irq);
	ours = !list_empty(&t->entry);
	if (ours)
		bpf_thread_leave_list(t);
	spin_unlock_irqrestore(&t->owner->lock, irq);
	if (ours)
		utrace_engine_put(t->engine);
}

/* ---- who it is on ---- */

static u32 events_of(const struct utrace_bpf_engine_ops *map)
{
	/* Without REAP it would not be known when a thread's entry is of no more use. */
	u32 events = UTRACE_EVENT(REAP);

	if (map->report_quiesce)
		events |= UTRACE_EVENT(QUIESCE);
	if (map->report_syscall_entry)
		events |= UTRACE_EVENT(SYSCALL_ENTRY);
	if (map->report_syscall_exit)
		events |= UTRACE_EVENT(SYSCALL_EXIT);
	if (map->report_signal)
		events |= map->signal_events ?: UTRACE_EVENTS_OF_SIGNAL;
	if (map->report_jctl)
		events |= UTRACE_EVENT(JCTL);
	if (map->report_clone || (map->flags & (UTRACE_TARGET_GROUP | UTRACE_TARGET_CHILDREN)))
		events |= UTRACE_EVENT(CLONE);
	if (map->report_exec)
		events |= UTRACE_EVENT(EXEC);
	if (map->report_exit)
		events |= UTRACE_EVENT(EXIT);
	if (map->report_step)
		events |= UTRACE_EVENT(STEP);
	if (map->report_death)
		events |= UTRACE_EVENT(DEATH);
	return events;
}

/* Until what was asked for is what the policy is now: it may be replaced meanwhile. */
static int ask(struct bpf_thread *t, struct utrace_engine *engine)
{
	struct bpf_engine *be = t->owner;
	u32 events;
	bool again;
	int err;

	spin_lock_irq(&be->lock);
	events = be->events;
	spin_unlock_irq(&be->lock);
	do {
		err = utrace_set_events(engine, events);
		spin_lock_irq(&be->lock);
		t->events = events;
		events = be->events;
		again = t->events != events;
		spin_unlock_irq(&be->lock);
	} while (again && (!err || err == -EINPROGRESS));
	return err == -EINPROGRESS ? 0 : err;
}

/* For those that were in before.  Who joins just now is at the end, and asks by himself. */
static void ask_all(struct bpf_engine *be)
{
	struct utrace_engine *engine;
	struct bpf_thread *t;

	spin_lock_irq(&be->lock);
	for (;;) {
		t = list_first_entry_or_null(&be->threads, struct bpf_thread, entry);
		if (!t || t->events == be->events)
			break;
		list_move_tail(&t->entry, &be->threads);
		engine = t->engine;
		utrace_engine_get(engine);
		spin_unlock_irq(&be->lock);
		/* One that dies hears less: there is nothing to be done about it. */
		(void)ask(t, engine);
		utrace_engine_put(engine);
		cond_resched();
		spin_lock_irq(&be->lock);
	}
	spin_unlock_irq(&be->lock);
}

static void detach(struct utrace_engine *engine)
{
	int unused = utrace_control(engine, UTRACE_DETACH);

	/* Whatever it says: it is off, or about to be, and finds no map or an entry in no list. */
	(void)unused;
}

int bpf_join(struct bpf_engine *be, struct task_struct *task, u32 how)
{
	struct utrace_engine *engine;
	struct bpf_thread *t;
	int err = -EOWNERDEAD;

	how |= UTRACE_ATTACH_CREATE | UTRACE_ATTACH_EXCLUSIVE | UTRACE_ATTACH_MATCH_OPS;
	if (be->flags & UTRACE_TARGET_NESTED)
		how |= UTRACE_ATTACH_NESTED;
	if (be->flags & UTRACE_TARGET_INTERCEPT)
		how |= UTRACE_ATTACH_INTERCEPT;
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	INIT_LIST_HEAD(&t->entry);
	refcount_inc(&be->ref);
	t->owner = be;
	engine = utrace_attach_task(task, how, &be->core, t, &be->rights);
	if (IS_ERR(engine)) {
		bpf_engine_put(be);
		kfree(t);
		return PTR_ERR(engine);
	}

	spin_lock_irq(&be->lock);
	if (!be->gone) {
		err = 0;
		t->engine = engine;
		utrace_engine_get(engine);
		list_add_tail(&t->entry, &be->threads);
		be->count++;
	}
	spin_unlock_irq(&be->lock);
	if (!err)
		err = ask(t, engine);
	if (err) {
		detach(engine);
		bpf_thread_unlink(t);
	}
	utrace_engine_put(engine);
	/* It has begun to die. */
	return err == -EALREADY ? -ESRCH : err;
}

struct bpf_joiner {
	struct utrace_joiner joiner;
	struct bpf_engine *be;
};

bool bpf_engine_is_on(const struct bpf_engine *be, struct task_struct *task)
{
	struct utrace_engine *engine;

	engine = utrace_attach_task(task, UTRACE_ATTACH_MATCH_OPS, &be->core, NULL, NULL);
	if (IS_ERR(engine))
		return false;
	utrace_engine_put(engine);
	return true;
}

void bpf_engine_report(const struct bpf_engine *be, struct task_struct *task)
{
	struct utrace_engine *engine;
	int unused;

	engine = utrace_attach_task(task, UTRACE_ATTACH_MATCH_OPS, &be->core, NULL, NULL);
	if (IS_ERR(engine))
		return;
	/* One that does not hear of it is refused. */
	unused = utrace_control(engine, UTRACE_REPORT);
	(void)unused;
	utrace_engine_put(engine);
}

static bool bpf_joiner_has(struct utrace_joiner *joiner, struct task_struct *task)
{
	return bpf_engine_is_on(container_of(joiner, struct bpf_joiner, joiner)->be, task);
}

static int bpf_joiner_join(struct utrace_joiner *joiner, struct task_struct *task)
{
	return bpf_join(container_of(joiner, struct bpf_joiner, joiner)->be, task, 0);
}

int bpf_join_process(struct bpf_engine *be, struct task_struct *leader, u32 *joined)
{
	struct bpf_joiner joiner = {
		.joiner = { .has = bpf_joiner_has, .join = bpf_joiner_join },
		.be = be,
	};

	return utrace_join_group(&joiner.joiner, leader, joined);
}

static int bpf_join_target(struct bpf_engine *be, s32 target)
{
	struct task_struct *task;
	u32 joined = 0;
	int err;

	if (be->cgroup)
		return bpf_cgroup_join(be);
	task = utrace_target_get(target, be->flags & UTRACE_TARGET_GROUP);
	if (IS_ERR(task))
		return PTR_ERR(task);
	if (be->flags & UTRACE_TARGET_GROUP)
		err = bpf_join_process(be, task, &joined);
	else
		err = bpf_join(be, task, 0);
	if (!err && !joined && (be->flags & UTRACE_TARGET_GROUP))
		err = -ESRCH;
	put_task_struct(task);
	return err;
}

/* ---- its link ---- */

static struct bpf_engine *bpf_engine_create(struct utrace_bpf_engine_ops *map)
{
	struct bpf_engine *be = kzalloc(sizeof(*be), GFP_KERNEL_ACCOUNT);
	int err;

	if (!be)
		return ERR_PTR(-ENOMEM);
	if (map->flags & UTRACE_TARGET_CGROUP) {
		be->cgroup = bpf_cgroup_get(map->target);
		if (IS_ERR(be->cgroup)) {
			err = PTR_ERR(be->cgroup);
			kfree(be);
			return ERR_PTR(err);
		}
	}
	err = utrace_owner_init(&be->rights);
	if (err) {
		bpf_cgroup_put(be->cgroup);
		kfree(be);
		return ERR_PTR(err);
	}
	refcount_set(&be->ref, 1);
	spin_lock_init(&be->lock);
	INIT_LIST_HEAD(&be->threads);
	INIT_LIST_HEAD(&be->execs);
	INIT_LIST_HEAD(&be->picks);
	INIT_WORK(&be->free, bpf_engine_free_work);
	be->id = utrace_owner_new_id();
	be->core = bpf_core_ops;
	be->flags = map->flags;
	be->events = events_of(map);
	RCU_INIT_POINTER(be->map, map);
	return be;
}

/* Both under the mutex. */
static struct bpf_engine *bpf_engine_find(const struct utrace_bpf_engine_ops *map)
{
	struct bpf_engine *be;

	list_for_each_entry(be, &bpf_engines, entry)
		if (bpf_engine_map(be) == map)
			return be;
	return NULL;
}

struct bpf_engine *bpf_engine_named(const char *name)
{
	struct utrace_bpf_engine_ops *map;
	struct bpf_engine *be;

	list_for_each_entry_srcu(be, &bpf_engines, entry, srcu_read_lock_held(&bpf_maps))
	{
		map = srcu_dereference(be->map, &bpf_maps);
		if (map && !strcmp(map->name, name))
			return be;
	}
	return NULL;
}

static bool name_taken(const char *name)
{
	const struct bpf_engine *be;

	list_for_each_entry(be, &bpf_engines, entry)
		if (!strcmp(bpf_engine_map(be)->name, name))
			return true;
	return false;
}

void bpf_engine_leave(struct bpf_engine *be)
{
	struct bpf_thread *t;

	bpf_picks_end(be);
	spin_lock_irq(&be->lock);
	be->gone = true;
	while (!list_empty(&be->threads)) {
		t = list_first_entry(&be->threads, struct bpf_thread, entry);
		bpf_thread_leave_list(t);
		spin_unlock_irq(&be->lock);
		detach(t->engine);
		utrace_engine_put(t->engine);
		cond_resched();
		spin_lock_irq(&be->lock);
	}
	spin_unlock_irq(&be->lock);
}

void bpf_engine_brake(void)
{
	struct bpf_engine *be;

	mutex_lock(&bpf_engines_mutex);
	list_for_each_entry(be, &bpf_engines, entry)
		bpf_engine_leave(be);
	mutex_unlock(&bpf_engines_mutex);
}

int bpf_engine_register(struct utrace_bpf_engine_ops *map)
{
	struct bpf_engine *be;
	int err = 0;

	/* H-6: in the initial namespace, and no token: it decides for whoever it is on. */
	if (!capable(CAP_SYS_PTRACE) || !capable(CAP_SYS_ADMIN))
		return -EPERM;
	be = bpf_engine_create(map);
	if (IS_ERR(be))
		return PTR_ERR(be);
	mutex_lock(&bpf_engines_mutex);
	err = name_taken(map->name) ? -EEXIST : bpf_execs_add(be);
	if (!err)
		list_add_tail_rcu(&be->entry, &bpf_engines);
	mutex_unlock(&bpf_engines_mutex);
	if (err) {
		bpf_engine_put(be);
		return err;
	}
	if (map->target || be->cgroup)
		err = bpf_join_target(be, map->target);
	if (err)
		bpf_engine_unregister(map);
	return err;
}

void bpf_engine_unregister(struct utrace_bpf_engine_ops *map)
{
	struct bpf_engine *be;

	mutex_lock(&bpf_engines_mutex);
	be = bpf_engine_find(map);
	if (be) {
		/* Who goes through the list goes on from here. */
		list_del_rcu(&be->entry);
		bpf_execs_remove(be);
	}
	mutex_unlock(&bpf_engines_mutex);
	if (WARN_ON_ONCE(!be))
		return;
	bpf_engine_leave(be);
	RCU_INIT_POINTER(be->map, NULL);
	synchronize_srcu(&bpf_maps);
	bpf_engine_put(be);
}

int bpf_engine_replace(struct utrace_bpf_engine_ops *map, struct utrace_bpf_engine_ops *old)
{
	struct bpf_engine *be;

	mutex_lock(&bpf_engines_mutex);
	be = bpf_engine_find(old);
	if (!be || strcmp(map->name, old->name) || map->flags != old->flags) {
		mutex_unlock(&bpf_engines_mutex);
		return be ? -EINVAL : -ENOENT;
	}
	/* What both hear of is told to one of them, whenever it happens. */
	rcu_assign_pointer(be->map, map);
	spin_lock_irq(&be->lock);
	be->events = events_of(map);
	spin_unlock_irq(&be->lock);
	ask_all(be);
	mutex_unlock(&bpf_engines_mutex);
	synchronize_srcu(&bpf_maps);
	return 0;
}

int bpf_engine_init(void)
{
	bpf_works = alloc_workqueue("utrace-bpf", WQ_UNBOUND, 0);
	return bpf_works ? 0 : -ENOMEM;
}

/* No link is left, which would pin the module, and nobody is in a callback. */
void bpf_engine_exit(void)
{
	destroy_workqueue(bpf_works);
}
