// SPDX-License-Identifier: GPL-2.0-only
/* Looking at, and changing, a thread that an engine holds. */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/signal.h>

#include "compat/rights.h"
#include "compat/symbols.h"
#include "stop.h"

/* 0 it holds the thread, or will when the pass is over; else an errno.  Lock held. */
static int check_holder(const struct utrace_link *link)
{
	const struct utrace *utrace = link->utrace;

	if ((link->flags & UTRACE_LINK_DETACHED) || READ_ONCE(utrace->task->exit_state))
		return -ESRCH;
	if (!utrace_link_current(link))
		return -EPERM;
	if (!utrace_link_open(link) && utrace->reporting != link)
		return -EINVAL;
	return 0;
}

static unsigned long switches(const struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/*
 * Asleep and off its CPU, so that all its registers are in memory: the acquire pairs with the
 * release in finish_task().
 */
static bool is_quiet(const struct utrace *utrace)
{
	/* pairs with finish_task() */
	return utrace_task_stopped(utrace) && !smp_load_acquire(&utrace->task->on_cpu);
}

/* Asleep, or not run yet, and not for its engines: until when is up to others. */
static bool sleeps_elsewhere(const struct utrace *utrace)
{
	return READ_ONCE(utrace->task->__state) != TASK_RUNNING && !utrace_task_stopped(utrace);
}

/* 0 it can be looked at; 1 it soon can; else an errno.  Lock held. */
static int check_quiet(const struct utrace_link *link)
{
	const struct utrace *utrace = link->utrace;
	int ret = check_holder(link);

	if (ret || is_quiet(utrace))
		return ret;
	if (!sleeps_elsewhere(utrace))
		return 1;
	/* Killed while it was held. */
	if (READ_ONCE(utrace->task->flags) & PF_EXITING)
		return -ESRCH;
	/* Its pass goes on, and another engine's callback sleeps; the hold comes after that. */
	if (utrace->reporting == link || utrace_slot_open(&link->slot[UTRACE_SLOT_REPORT]))
		return 1;
	/*
	 * In a call when it was asked to stop: perhaps it waits for a thread which only our
	 * caller can let go.
	 */
	return -EAGAIN;
}

int utrace_prepare_examine(struct utrace_engine *engine, struct utrace_examiner *exam)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	unsigned int spins = 0;
	int ret;

	for (;;) {
		spin_lock_irq(&utrace->lock);
		ret = check_quiet(link);
		spin_unlock_irq(&utrace->lock);
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		/*
		 * Told of the event before the thread sleeps: it is on its way, or woke to join
		 * a group stop.
		 */
		if (signal_pending(current))
			return -ERESTARTSYS;
		if (spins++ < 16)
			cond_resched();
		else
			usleep_range(20, 100);
	}
	if (!try_get_task_stack(utrace->task))
		return -ESRCH;
	exam->task = utrace->task;
	exam->switches = switches(utrace->task);
	return 0;
}
EXPORT_SYMBOL_GPL(utrace_prepare_examine);

int utrace_finish_examine(struct utrace_engine *engine, struct utrace_examiner *exam)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	int ret = 0;

	spin_lock_irq(&utrace->lock);
	/*
	 * A wake to join a group stop runs no user code: what was read stays true while this
	 * engine holds on.
	 */
	if (check_holder(link) && (!is_quiet(utrace) || switches(exam->task) != exam->switches))
		ret = -EAGAIN;
	spin_unlock_irq(&utrace->lock);
	k_put_task_stack(exam->task);
	return ret;
}
EXPORT_SYMBOL_GPL(utrace_finish_examine);

/* As ptrace at each access: the program may have locked itself since its tracer attached. */
static int check_reader(const struct utrace_link *link, struct mm_struct *mm)
{
	struct task_struct *task = link->utrace->task;

	if (!link->owner || utrace_image_dumpable(task, mm) ||
	    utrace_image_capable(task, mm, link->owner->file))
		return 0;
	return -EPERM;
}

ssize_t utrace_access_vm(struct utrace_engine *engine, unsigned long addr, void *buf, size_t len,
			 bool write)
{
	struct utrace_link *link = to_link(engine);
	struct task_struct *task = link->utrace->task;
	unsigned int flags = FOLL_FORCE | (write ? FOLL_WRITE : 0);
	struct mm_struct *mm = NULL;
	ssize_t ret;

	if (len > INT_MAX)
		return -EINVAL;
	/*
	 * The address space of the image this engine's owner was checked for, and no other
	 * (H-3).
	 */
	if (down_read_killable(&task->signal->exec_update_lock))
		return -EINTR;
	spin_lock_irq(&link->utrace->lock);
	ret = check_holder(link);
	spin_unlock_irq(&link->utrace->lock);
	if (!ret) {
		mm = get_task_mm(task);
		ret = mm ? check_reader(link, mm) : -ESRCH;
	}
	up_read(&task->signal->exec_update_lock);
	if (!ret)
		ret = k_access_remote_vm(mm, addr, buf, len, flags) ?: (len ? -EFAULT : 0);
	if (mm)
		mmput(mm);
	return ret;
}
EXPORT_SYMBOL_GPL(utrace_access_vm);

/* Does @seq name the report that this engine was called for last, not released yet?  Lock held. */
static bool answers_open(const struct utrace_link *link, u64 seq)
{
	const struct utrace_slot *slot = &link->slot[UTRACE_SLOT_REPORT];

	return slot->handed > slot->go_seq && (seq == UTRACE_SEQ_LATEST || seq == slot->handed);
}

int utrace_abort_syscall(struct utrace_engine *engine, u64 seq, long result)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	int ret = 0;

	spin_lock_irq(&utrace->lock);
	if (link->flags & UTRACE_LINK_DETACHED) {
		ret = -ESRCH;
	} else if (!utrace->at_entry || !answers_open(link, seq)) {
		ret = -EINVAL;
	} else {
		utrace->abort = true;
		utrace->abort_result = result;
	}
	spin_unlock_irq(&utrace->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(utrace_abort_syscall);

int utrace_set_exit_code(struct utrace_engine *engine, u64 seq, long code)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	int ret = 0;

	spin_lock_irq(&utrace->lock);
	if (link->flags & UTRACE_LINK_DETACHED) {
		ret = -ESRCH;
	} else if (!utrace->at_exit || !answers_open(link, seq) || code < 0 || code > 0xffff) {
		ret = -EINVAL;
	} else {
		utrace->exit_given = true;
		utrace->exit_code = code;
	}
	spin_unlock_irq(&utrace->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(utrace_set_exit_code);

/* An errno for a verdict that cannot be. */
static int check_verdict(const struct utrace *utrace, u32 verdict,
			 const struct kernel_siginfo *info)
{
	bool hold = verdict & UTRACE_SIGNAL_HOLD;

	if (hold && utrace->answer->fault)
		return -EINVAL;
	switch (verdict & ~UTRACE_SIGNAL_HOLD) {
	case UTRACE_SIGNAL_IGN:
		return info ? -EINVAL : 0;
	case UTRACE_SIGNAL_TERM:
	case UTRACE_SIGNAL_CORE:
	case UTRACE_SIGNAL_STOP:
	case UTRACE_SIGNAL_TSTP:
		/* As the kernel protects it (H-16). */
		if (READ_ONCE(utrace->task->signal->flags) & SIGNAL_UNKILLABLE)
			return -EPERM;
		fallthrough;
	case UTRACE_SIGNAL_DELIVER:
		if (hold && !info && !(verdict & UTRACE_SIGNAL_MASK))
			return -EINVAL;
		return info && (!info->si_signo || !valid_signal(info->si_signo)) ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

int utrace_set_signal(struct utrace_engine *engine, u64 seq, u32 verdict,
		      const struct kernel_siginfo *info)
{
	struct utrace_link *link = to_link(engine);
	struct utrace *utrace = link->utrace;
	int ret;

	spin_lock_irq(&utrace->lock);
	if (link->flags & UTRACE_LINK_DETACHED)
		ret = -ESRCH;
	else if (!utrace->answer || !answers_open(link, seq))
		ret = -EINVAL;
	else
		ret = check_verdict(utrace, verdict, info);
	if (!ret) {
		utrace->answer->given = true;
		utrace->answer->verdict = verdict;
		utrace->answer->changed = info;
		if (info)
			copy_siginfo(&utrace->answer->info, info);
	}
	spin_unlock_irq(&utrace->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(utrace_set_signal);

int utrace_inject_signal(struct utrace_engine *engine, struct kernel_siginfo *info)
{
	struct utrace_link *link = to_link(engine);
	struct task_struct *task = link->utrace->task;
	int sig = info->si_signo;
	bool detached;

	if (!sig || !valid_signal(sig))
		return -EINVAL;
	spin_lock_irq(&link->utrace->lock);
	detached = link->flags & UTRACE_LINK_DETACHED;
	spin_unlock_irq(&link->utrace->lock);
	/* Not under the lock, which is inside siglock: one that leaves just now may still send. */
	if (detached)
		return -ESRCH;
	/* The kernel would take one that says it is its own for that (H-16). */
	if (sig_kernel_only(sig) && (READ_ONCE(task->signal->flags) & SIGNAL_UNKILLABLE))
		return -EPERM;
	return k_send_sig_info(sig, info, task);
}
EXPORT_SYMBOL_GPL(utrace_inject_signal);

const struct kernel_siginfo *utrace_signal_info(const struct utrace_engine *engine)
{
	return &container_of(engine, struct utrace_link, engine)->utrace->siginfo;
}
EXPORT_SYMBOL_GPL(utrace_signal_info);
