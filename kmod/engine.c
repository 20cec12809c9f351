// SPDX-License-Identifier: GPL-2.0-only
/* Engines: references, numbers, and the step off a thread. */
#include <linux/module.h>
#include <linux/slab.h>

#include "compat/symbols.h"
#include "engine.h"
#include "hooks/hooks.h"
#include "roster.h"

static struct kmem_cache *link_cache;

int utrace_engine_init(void)
{
	BUILD_BUG_ON(UTRACE_EVENTS_ALL > U16_MAX);
	/* By pages, and with what charging takes for each, 256 bytes have to do for both parts. */
	BUILD_BUG_ON(sizeof(struct utrace_link) > 136);
	link_cache = KMEM_CACHE(utrace_link, SLAB_ACCOUNT);
	return link_cache ? 0 : -ENOMEM;
}

void utrace_engine_exit(void)
{
	kmem_cache_destroy(link_cache);
}

static u32 ops_hear(const struct utrace_engine_ops *ops)
{
	return (ops->report_quiesce ? UTRACE_EVENT(QUIESCE) : 0) |
	       (ops->report_syscall_entry ? UTRACE_EVENT(SYSCALL_ENTRY) : 0) |
	       (ops->report_syscall_exit ? UTRACE_EVENT(SYSCALL_EXIT) : 0) |
	       (ops->report_signal ? UTRACE_EVENTS_OF_SIGNAL : 0) |
	       (ops->report_jctl ? UTRACE_EVENT(JCTL) : 0) |
	       (ops->report_clone ? UTRACE_EVENT(CLONE) : 0) |
	       (ops->report_exec ? UTRACE_EVENT(EXEC) : 0) |
	       (ops->report_exit ? UTRACE_EVENT(EXIT) : 0) |
	       (ops->report_death ? UTRACE_EVENT(DEATH) : 0) |
	       (ops->report_reap ? UTRACE_EVENT(REAP) : 0) |
	       (ops->report_step ? UTRACE_EVENT(STEP) : 0);
}

struct utrace_link *utrace_link_new(struct utrace *utrace, const struct utrace_engine_ops *ops,
				    void *data, const struct utrace_owner *owner)
{
	struct utrace_link *link;
	int ret;

	if (!try_module_get(ops->owner))
		return ERR_PTR(-ENODEV);
	ret = utrace_hooks_get();
	if (ret)
		goto no_hooks;
	ret = -ENOMEM;
	link = kmem_cache_zalloc(link_cache, GFP_KERNEL);
	if (!link)
		goto no_link;
	link->engine.ops = ops;
	link->engine.data = data;
	link->hears = ops_hear(ops);
	link->owner = owner;
	link->utrace = utrace;
	utrace_hold_ref(utrace);
	INIT_LIST_HEAD(&link->entry);
	refcount_set(&link->ref, 1);
	/* The module stays as long as one engine does (contract 12); its caller runs in it. */
	__module_get(THIS_MODULE);
	return link;

no_link:
	utrace_hooks_put();
no_hooks:
	module_put(ops->owner);
	return ERR_PTR(ret);
}

void utrace_link_disown(struct utrace_link *link)
{
	static const struct utrace_engine_ops no_ops;

	module_put(link->engine.ops->owner);
	link->engine.ops = &no_ops;
}

void utrace_engine_get(struct utrace_engine *engine)
{
	refcount_inc(&to_link(engine)->ref);
}
EXPORT_SYMBOL_GPL(utrace_engine_get);

void utrace_engine_put(struct utrace_engine *engine)
{
	struct utrace_link *link = to_link(engine);
	struct module *owner = engine->ops->owner;

	if (!refcount_dec_and_test(&link->ref))
		return;
	if (engine->ops->release)
		engine->ops->release(engine);
	module_put(owner);
	utrace_put(link->utrace);
	kmem_cache_free(link_cache, link);
	utrace_hooks_put();
	module_put(THIS_MODULE);
}
EXPORT_SYMBOL_GPL(utrace_engine_put);

struct task_struct *utrace_engine_task(const struct utrace_engine *engine)
{
	return container_of(engine, struct utrace_link, engine)->utrace->task;
}
EXPORT_SYMBOL_GPL(utrace_engine_task);

u64 utrace_report_seq(struct utrace_engine *engine)
{
	/*
	 * Only callbacks of this engine, in its thread, hand out report numbers: no lock needed
	 * there.
	 */
	return READ_ONCE(to_link(engine)->slot[UTRACE_SLOT_REPORT].handed);
}
EXPORT_SYMBOL_GPL(utrace_report_seq);

static bool list_wants_hold(const struct list_head *list, const struct utrace_link *but)
{
	const struct utrace_link *link;

	list_for_each_entry(link, list, entry)
		if (link != but && utrace_link_open(link) && utrace_link_current(link))
			return true;
	return false;
}

bool utrace_others_hold(const struct utrace *utrace, const struct utrace_link *but)
{
	lockdep_assert_held(&utrace->lock);
	return list_wants_hold(&utrace->attached, but) || list_wants_hold(&utrace->attaching, but);
}

static bool list_holds(struct utrace *utrace, const struct list_head *list)
{
	const struct utrace_link *link;

	list_for_each_entry(link, list, entry) {
		if (!utrace_link_open(link))
			continue;
		/* Even if its owner was not checked for this image yet: it may be after that. */
		utrace->may_hold = true;
		if (utrace_link_current(link))
			return true;
	}
	return false;
}

bool utrace_wants_hold(struct utrace *utrace)
{
	lockdep_assert_held(&utrace->lock);
	if (!utrace->may_hold)
		return false;
	utrace->may_hold = false;
	return list_holds(utrace, &utrace->attached) || list_holds(utrace, &utrace->attaching);
}

void utrace_link_stop(struct utrace_link *link, unsigned int slot, u64 seq)
{
	lockdep_assert_held(&link->utrace->lock);
	utrace_slot_stop(&link->slot[slot], seq);
	link->utrace->may_hold = true;
}

void utrace_wake_if_free(struct utrace *utrace)
{
	/* Only out of our own sleep: ptrace's stop has the same state bit and must not see us. */
	if (utrace->asleep && !utrace_wants_hold(utrace))
		k_wake_up_state(utrace->task, __TASK_TRACED);
}

static u32 list_step(const struct list_head *list)
{
	const struct utrace_link *link;
	u32 step = 0;

	list_for_each_entry(link, list, entry) {
		if (!utrace_link_current(link))
			continue;
		if (link->step == UTRACE_SINGLESTEP || link->asked_step == UTRACE_SINGLESTEP)
			return UTRACE_SINGLESTEP;
		if (link->step || link->asked_step)
			step = UTRACE_BLOCKSTEP;
	}
	return step;
}

u32 utrace_wanted_step(const struct utrace *utrace)
{
	u32 attached = list_step(&utrace->attached);
	u32 attaching = list_step(&utrace->attaching);

	lockdep_assert_held(&utrace->lock);
	return attached == UTRACE_SINGLESTEP ? attached : (attaching ?: attached);
}

static bool list_end_step(struct list_head *list)
{
	struct utrace_link *link;
	bool any = false;

	list_for_each_entry(link, list, entry) {
		if (!(link->step || link->asked_step) || !utrace_link_current(link))
			continue;
		link->step = 0;
		link->asked_step = 0;
		/* Not kept for another's step, if it asks to hear of steps later. */
		if (link->events & link->hears & UTRACE_EVENT(STEP)) {
			link->flags |= UTRACE_LINK_STEPPED;
			any = true;
		}
	}
	return any;
}

bool utrace_end_step(struct utrace *utrace)
{
	bool attached = list_end_step(&utrace->attached);
	bool attaching = list_end_step(&utrace->attaching);

	lockdep_assert_held(&utrace->lock);
	return attached || attaching;
}

static void sum_list(struct utrace *utrace, const struct list_head *list)
{
	const struct utrace_link *link;
	u32 heard;

	list_for_each_entry(link, list, entry) {
		heard = link->events & link->hears;
		utrace->events |= link->events | UTRACE_EVENT(REAP);
		utrace->heard |= heard;
		if ((heard & UTRACE_EVENT(SIGNAL_IGN)) && (link->flags & UTRACE_LINK_INTERCEPT))
			utrace->intercepts = true;
	}
}

void utrace_sum_events(struct utrace *utrace)
{
	lockdep_assert_held(&utrace->lock);
	utrace_roster_drop(utrace);
	utrace->events = 0;
	utrace->heard = 0;
	utrace->intercepts = false;
	sum_list(utrace, &utrace->attached);
	sum_list(utrace, &utrace->attaching);
	if (!utrace->retired)
		utrace_set_flags(utrace);
}

void utrace_link_detach(struct utrace_link *link)
{
	struct utrace *utrace = link->utrace;

	lockdep_assert_held(&utrace->lock);
	link->flags |= UTRACE_LINK_DETACHED;
	link->flags &= ~UTRACE_LINK_DETACHING;
	link->events = 0;
	/* The pass goes on from where it came. */
	if (utrace->cursor == &link->entry)
		utrace->cursor = utrace->backward ? link->entry.next : link->entry.prev;
	list_del_init(&link->entry);
	utrace_sum_events(utrace);
	utrace_wake_if_free(utrace);
}
