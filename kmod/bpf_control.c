// SPDX-License-Identifier: GPL-2.0-only
/* What others see of BPF engines, and how they let go what these hold. */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#include "attach.h"
#include "bpf_engine.h"
#include "bpf_ops.h"
#include "compat/call.h"
#include "compat/symbols.h"
#include "list.h"

/* The core's engines of the threads a call is about, each with a reference. */
struct selection {
	unsigned int count;
	struct utrace_engine **engines;
};

static bool is_thread(const struct utrace_engine *engine, s32 tid)
{
	return !tid || task_pid_vnr(utrace_engine_task(engine)) == tid;
}

/* @tid as the caller's pid namespace has it; 0: all of them.  0, or -ENOMEM. */
static int select_threads(struct bpf_engine *be, s32 tid, struct selection *selection)
{
	struct bpf_thread *t;
	unsigned int room;

	spin_lock_irq(&be->lock);
	for (;;) {
		room = be->count;
		spin_unlock_irq(&be->lock);
		selection->engines =
			kvmalloc_array(room ?: 1, sizeof(t->engine), GFP_KERNEL_ACCOUNT);
		if (!selection->engines)
			return -ENOMEM;
		spin_lock_irq(&be->lock);
		if (be->count <= room)
			break;
		spin_unlock_irq(&be->lock);
		kvfree(selection->engines);
		spin_lock_irq(&be->lock);
	}
	selection->count = 0;
	list_for_each_entry(t, &be->threads, entry) {
		if (!is_thread(t->engine, tid))
			continue;
		utrace_engine_get(t->engine);
		selection->engines[selection->count++] = t->engine;
	}
	spin_unlock_irq(&be->lock);
	return 0;
}

static void deselect(struct selection *selection)
{
	unsigned int i;

	for (i = 0; i < selection->count; i++)
		utrace_engine_put(selection->engines[i]);
	kvfree(selection->engines);
}

/* ---- the list ---- */

unsigned int utrace_bpf_thread_count(void)
{
	struct bpf_engine *be;
	unsigned int count = 0;

	/* Killed, it lists nothing. */
	if (mutex_lock_killable(&bpf_engines_mutex))
		return 0;
	list_for_each_entry(be, &bpf_engines, entry)
		count += READ_ONCE(be->count);
	mutex_unlock(&bpf_engines_mutex);
	return count;
}

/*
 * The call it is held in; -1: in none.  As old as all that a list says: under the mutex nobody
 * waits for a thread, which may sleep for as long as it likes.
 */
static s32 call_of(struct task_struct *task)
{
	s32 nr;

	if (!try_get_task_stack(task))
		return -1;
	nr = max(syscall_get_nr(task, task_pt_regs(task)), -1);
	k_put_task_stack(task);
	return nr;
}

static void list_thread(struct utrace_lister *lister, const struct bpf_engine *be,
			struct utrace_engine *engine)
{
	const struct bpf_thread *t = engine->data;
	struct utrace_info *info = utrace_list_engine(lister, engine, READ_ONCE(t->since));

	if (!info)
		return;
	info->engine = be->id;
	info->events = READ_ONCE(t->events);
	info->flags |= UTRACE_INFO_BPF;
	if (be->flags & UTRACE_TARGET_NESTED)
		info->flags |= UTRACE_INFO_NESTED;
	strscpy(info->owner_comm, bpf_engine_map(be)->name, sizeof(info->owner_comm));
	if (!(info->flags & UTRACE_INFO_HELD_REPORT))
		return;
	info->event = 1u << READ_ONCE(t->event);
	if (utrace_lister_may_know(lister, &be->rights)) {
		info->signo = READ_ONCE(t->signo);
		if (info->flags & UTRACE_INFO_ASLEEP)
			info->nr = call_of(utrace_engine_task(engine));
	}
}

int utrace_bpf_list(struct utrace_lister *lister)
{
	struct selection selection;
	struct bpf_engine *be;
	unsigned int i;
	int err = 0;

	if (mutex_lock_killable(&bpf_engines_mutex))
		return -EINTR;
	list_for_each_entry(be, &bpf_engines, entry) {
		err = select_threads(be, 0, &selection);
		if (err)
			break;
		for (i = 0; i < selection.count; i++)
			list_thread(lister, be, selection.engines[i]);
		deselect(&selection);
	}
	mutex_unlock(&bpf_engines_mutex);
	return err;
}

/* ---- letting go ---- */

/* With a reference, or NULL: there is none, or the caller was killed. */
static struct bpf_engine *find(u64 id)
{
	struct bpf_engine *be, *found = NULL;

	if (mutex_lock_killable(&bpf_engines_mutex))
		return NULL;
	list_for_each_entry(be, &bpf_engines, entry) {
		if (be->id == id) {
			refcount_inc(&be->ref);
			found = be;
			break;
		}
	}
	mutex_unlock(&bpf_engines_mutex);
	return found;
}

static int let_go_one(struct bpf_engine *be, struct utrace_engine *engine,
		      const struct utrace_owner *asker, struct utrace_control *control)
{
	struct utrace_engine_state state;
	int err = utrace_may_release(engine, &be->rights, asker);

	if (err)
		return err;
	if (control->action == UTRACE_RESUME) {
		err = utrace_resume(engine, control->seq);
	} else {
		err = utrace_control(engine, UTRACE_DETACH);
		/* As a session's: dying, or a callback runs, and then it is off. */
		if (err == -EINPROGRESS || err == -EALREADY)
			err = 0;
		bpf_thread_unlink(engine->data);
	}
	if (err)
		return err;
	control->affected++;
	utrace_engine_state(engine, &state);
	control->held_by_others += state.others;
	return 0;
}

int utrace_bpf_control(const struct utrace_owner *asker, struct utrace_control *control)
{
	struct bpf_engine *be = find(control->engine);
	struct selection selection;
	unsigned int i;
	int err, one;

	if (!be)
		return -ESRCH;
	err = select_threads(be, control->tid, &selection);
	if (err)
		goto out;
	for (i = 0; i < selection.count; i++) {
		one = let_go_one(be, selection.engines[i], asker, control);
		/* Of many, some may have died meanwhile. */
		if (one && (control->tid || one != -ESRCH))
			err = err ?: one;
	}
	deselect(&selection);
	/* Allowed on each of them: so also on those that are yet to join. */
	if (!err && !control->tid && control->action == UTRACE_DETACH)
		bpf_engine_leave(be);
	if (!err && !control->affected && (control->tid || control->action == UTRACE_RESUME))
		err = -ESRCH;
out:
	bpf_engine_put(be);
	return err;
}
