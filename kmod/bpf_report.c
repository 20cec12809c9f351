// SPDX-License-Identifier: GPL-2.0-only
/* What the core tells, to the members of a BPF engine's map. */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "bpf_engine.h"

static struct utrace_bpf_engine_ops *map_enter(struct utrace_engine *engine, int *idx)
{
	const struct bpf_thread *t = engine->data;

	*idx = srcu_read_lock(&bpf_maps);
	return srcu_dereference(t->owner->map, &bpf_maps);
}

static void map_leave(int idx)
{
	srcu_read_unlock(&bpf_maps, idx);
}

static u32 result_of(struct utrace_engine *engine, u8 event, s32 signo, u32 action)
{
	struct bpf_thread *t = engine->data;

	if (utrace_resume_action(action) > UTRACE_DETACH)
		action = (action & ~UTRACE_RESUME_MASK) | UTRACE_RESUME;
	if (utrace_resume_action(action) == UTRACE_DETACH)
		bpf_thread_unlink(t);
	if (utrace_resume_action(action) == UTRACE_STOP) {
		WRITE_ONCE(t->event, event);
		WRITE_ONCE(t->signo, signo);
		WRITE_ONCE(t->since, (u32)jiffies);
	}
	return action;
}

/* What was decided before stands if the map has no such member, or is just going. */
#define CALL(member, event, signo, action, engine, ...) \
	({ \
		u32 result_ = UTRACE_RESUME | ((action)&UTRACE_VERDICT_MASK); \
		int idx_; \
		struct utrace_bpf_engine_ops *map_ = map_enter(engine, &idx_); \
\
		if (map_ && map_->member) \
			result_ = map_->member(action, engine, ##__VA_ARGS__); \
		map_leave(idx_); \
		result_of(engine, event, signo, result_); \
	})

static u32 on_quiesce(u32 action, struct utrace_engine *engine, u32 event)
{
	return CALL(report_quiesce, event ? ilog2(event) : UTRACE_EVENT_BIT_QUIESCE, 0, action,
		    engine, event);
}

static u32 on_entry(u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	return CALL(report_syscall_entry, UTRACE_EVENT_BIT_SYSCALL_ENTRY, 0, action, engine, regs);
}

static u32 on_exit_of_call(u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	return CALL(report_syscall_exit, UTRACE_EVENT_BIT_SYSCALL_EXIT, 0, action, engine, regs);
}

static u32 on_signal(u32 action, struct utrace_engine *engine, u32 event,
		     struct kernel_siginfo *info)
{
	return CALL(report_signal, ilog2(event), info->si_signo, action, engine, event, info);
}

static u32 on_jctl(u32 action, struct utrace_engine *engine, int type, int notify)
{
	return CALL(report_jctl, UTRACE_EVENT_BIT_JCTL, 0, action, engine, type, notify);
}

static u32 on_clone(u32 action, struct utrace_engine *engine, unsigned long clone_flags,
		    struct task_struct *child)
{
	struct bpf_thread *t = engine->data;
	u32 of = clone_flags & CLONE_THREAD ? UTRACE_TARGET_GROUP : UTRACE_TARGET_CHILDREN;
	int err = 0;

	/* First: what the policy does about the child then finds it there. */
	if (READ_ONCE(t->owner->flags) & of)
		err = bpf_join(t->owner, child, UTRACE_ATTACH_INHERIT);
	if (err && err != -EEXIST && err != -ESRCH && err != -EOWNERDEAD)
		pr_warn_ratelimited("thread %d is not joined by a BPF engine: error %d\n",
				    task_pid_nr(child), err);
	return CALL(report_clone, UTRACE_EVENT_BIT_CLONE, 0, action, engine, clone_flags, child);
}

static u32 on_exec(u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	return CALL(report_exec, UTRACE_EVENT_BIT_EXEC, 0, action, engine, regs);
}

static u32 on_exit(u32 action, struct utrace_engine *engine, long orig_code, long *code)
{
	return CALL(report_exit, UTRACE_EVENT_BIT_EXIT, 0, action, engine, *code);
}

static u32 on_step(u32 action, struct utrace_engine *engine)
{
	return CALL(report_step, UTRACE_EVENT_BIT_STEP, 0, action, engine);
}

static u32 on_death(struct utrace_engine *engine, bool group_dead)
{
	struct utrace_bpf_engine_ops *map;
	int idx;

	map = map_enter(engine, &idx);
	if (map && map->report_death)
		map->report_death(engine, group_dead);
	map_leave(idx);
	return UTRACE_RESUME;
}

static void on_reap(struct utrace_engine *engine, struct task_struct *task)
{
	struct utrace_bpf_engine_ops *map;
	int idx;

	map = map_enter(engine, &idx);
	if (map && map->report_reap)
		map->report_reap(engine, task);
	map_leave(idx);
	bpf_thread_unlink(engine->data);
}

/* Under the thread's lock.  What is held is known to the core alone: there is nothing to forget. */
static bool on_debugger(struct utrace_engine *engine)
{
	const struct bpf_thread *t = engine->data;

	return READ_ONCE(t->owner->flags) & UTRACE_TARGET_HANDOVER;
}

static void on_lost(struct utrace_engine *engine)
{
	bpf_thread_unlink(engine->data);
}

static void on_release(struct utrace_engine *engine)
{
	struct bpf_thread *t = engine->data;

	bpf_engine_put(t->owner);
	kfree(t);
}

const struct utrace_engine_ops bpf_core_ops = {
	.owner = THIS_MODULE,
	.report_quiesce = on_quiesce,
	.report_syscall_entry = on_entry,
	.report_syscall_exit = on_exit_of_call,
	.report_signal = on_signal,
	.report_jctl = on_jctl,
	.report_clone = on_clone,
	.report_exec = on_exec,
	.report_exit = on_exit,
	.report_step = on_step,
	.report_death = on_death,
	.report_reap = on_reap,
	.report_debugger = on_debugger,
	.report_lost = on_lost,
	.release = on_release,
};
