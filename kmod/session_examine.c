// SPDX-License-Identifier: GPL-2.0-only
/* The registers and the memory of a thread while its engine holds it. */
#include <linux/elf.h>
#include <linux/regset.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/wait_bit.h>

#include "compat/call.h"
#include "session.h"

static const struct user_regset *session_regset(struct task_struct *task, u32 type)
{
	const struct user_regset_view *view = task_user_regset_view(task);
	unsigned int i;

	for (i = 0; i < view->n; i++) {
		/* By the ELF note's type, as ptrace names them; 0 is none. */
		if (type && view->regsets[i].core_note_type == type)
			return &view->regsets[i];
	}
	return NULL;
}

/*
 * -EBUSY: it is in a call, and the write would change the call, or what its end sets.  Nothing is
 * written then.
 */
static int session_regs_write(struct session_thread *t, const struct user_regset *regset,
			      unsigned int len, const void *buf)
{
	struct task_struct *task = utrace_engine_task(t->engine);
	struct pt_regs *regs = task_pt_regs(task);
	struct pt_regs before = *regs;
	bool mid_call;
	int err;

	/* Only the general registers hold the call. */
	if (regset->core_note_type != NT_PRSTATUS)
		return regset->set(task, regset, 0, len, buf, NULL);
	spin_lock_irq(&t->owner->session->lock);
	mid_call = session_mid_call(t);
	spin_unlock_irq(&t->owner->session->lock);
	/* Asked before the write: it changes more than can be put back, as the segment bases. */
	if (mid_call && utrace_call_differs(regs, 8 * regset->size, buf, len))
		return -EBUSY;
	err = regset->set(task, regset, 0, len, buf, NULL);
	if (mid_call)
		utrace_call_restore(regs, &before);
	return err;
}

static int session_regs_copy(struct session_thread *t, struct utrace_regs *regs, void *buf)
{
	struct task_struct *task = utrace_engine_task(t->engine);
	const struct user_regset *regset = session_regset(task, regs->type);
	int size;

	if (!regset)
		return -EINVAL;
	size = regset->n * regset->size;
	if (regs->flags & UTRACE_EXAMINE_WRITE) {
		if (!regset->set)
			return -EOPNOTSUPP;
		if (!regs->len || regs->len > size || regs->len % regset->size)
			return -EINVAL;
		return session_regs_write(t, regset, regs->len, buf);
	}
	size = regset_get(task, regset, min_t(unsigned int, regs->len, size), buf);
	if (size < 0)
		return size;
	regs->len = size;
	return 0;
}

/*
 * Nobody may let a thread go while its registers are written: it could be another image's by then.
 * -EBUSY: somebody else is at it.
 */
static int session_begin_write(struct session_thread *t)
{
	int err = 0;

	spin_lock_irq(&t->owner->session->lock);
	if (!t->linked || (!t->held_seq && !t->stops))
		err = -EINVAL;
	else if (t->examined)
		err = -EBUSY;
	else
		t->examined = true;
	spin_unlock_irq(&t->owner->session->lock);
	return err;
}

static void session_end_write(struct session_thread *t)
{
	spin_lock_irq(&t->owner->session->lock);
	WRITE_ONCE(t->examined, false);
	spin_unlock_irq(&t->owner->session->lock);
	if (t->owner->flags & UTRACE_TARGET_HANDOVER)
		utrace_tell_debugger_again(t->engine);
	/* Pairs with session_settle(), which waits without the lock. */
	smp_mb();
	wake_up_var(&t->examined);
}

int session_regs(struct utrace_session *session, struct utrace_regs *regs, void *buf)
{
	bool write = regs->flags & UTRACE_EXAMINE_WRITE;
	struct utrace_examiner exam;
	struct session_thread *t;
	int err;

	t = session_thread_get(session, regs->engine, regs->tid);
	if (IS_ERR(t))
		return PTR_ERR(t);
	err = write ? session_begin_write(t) : 0;
	if (err)
		goto out;
	err = utrace_prepare_examine(t->engine, &exam);
	if (!err) {
		err = session_regs_copy(t, regs, buf);
		err = utrace_finish_examine(t->engine, &exam) ?: err;
	}
	if (write)
		session_end_write(t);
out:
	utrace_engine_put(t->engine);
	return err;
}

ssize_t session_memory(struct utrace_session *session, const struct utrace_memory *memory, u64 addr,
		       void *buf, size_t len)
{
	struct session_thread *t;
	ssize_t done;

	t = session_thread_get(session, memory->engine, memory->tid);
	if (IS_ERR(t))
		return PTR_ERR(t);
	done = utrace_access_vm(t->engine, addr, buf, len, memory->flags & UTRACE_EXAMINE_WRITE);
	utrace_engine_put(t->engine);
	return done;
}
