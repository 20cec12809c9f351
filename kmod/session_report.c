// SPDX-License-Identifier: GPL-2.0-only
/* What a session's engines do when the core calls: in the target's context, and never waiting. */
#include <linux/jiffies.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <asm/syscall.h>

#include "compat/call.h"
#include "compat/worker.h"
#include "session.h"

void session_post(struct session_thread *t, enum utrace_notice_type type)
{
	struct utrace_session *session = t->owner->session;

	lockdep_assert_held(&session->lock);
	t->notices |= 1u << type;
	if (list_empty(&t->ready))
		list_add_tail(&t->ready, &session->ready);
}

/* Sync: who posts is about to sleep, so the reader best runs where he did. */
void session_wake(struct utrace_session *session)
{
	wake_up_interruptible_sync_poll(&session->wait, EPOLLIN | EPOLLRDNORM);
}

/*
 * Publishes the hold before the callback returns: an answer that comes before the sleep ends it
 * too.
 */
static u32 session_hold_decided(struct utrace_engine *engine, unsigned int event, s32 value,
				bool decided, bool dropped)
{
	struct session_thread *t = engine->data;
	struct utrace_session *session = t->owner->session;
	unsigned long irq;
	bool linked;

	spin_lock_irqsave(&session->lock, irq);
	/* Let go of meanwhile, it is not held by what this returns: nobody may think it is. */
	linked = t->linked && !t->gone;
	if (linked) {
		t->held_seq = utrace_report_seq(engine);
		t->since = jiffies;
		t->event = event;
		t->value = value;
		t->decided = decided;
		t->dropped = dropped;
		session_post(t, UTRACE_NOTICE_HELD);
	}
	spin_unlock_irqrestore(&session->lock, irq);
	if (!linked)
		return UTRACE_RESUME;
	session_wake(session);
	return UTRACE_STOP;
}

static u32 session_hold(struct utrace_engine *engine, unsigned int event, s32 value)
{
	return session_hold_decided(engine, event, value, false, false);
}

static bool session_wants(const struct utrace_engine *engine, unsigned int event)
{
	const struct session_thread *t = engine->data;

	return READ_ONCE(t->events) & (1u << event);
}

static bool session_wants_call(const struct utrace_engine *engine, struct pt_regs *regs)
{
	const struct session_thread *t = engine->data;
	const struct session_calls *calls;
	unsigned int nr;
	bool wanted = true;

	rcu_read_lock();
	calls = rcu_dereference(t->owner->calls);
	if (calls) {
		nr = utrace_call_index(current, regs);
		wanted = nr < UTRACE_SYSCALL_SET_BITS && test_bit(nr, calls->bits);
	}
	rcu_read_unlock();
	return wanted;
}

static u32 session_report_quiesce(u32 action, struct utrace_engine *engine, u32 event)
{
	if (event || !session_wants(engine, UTRACE_EVENT_BIT_QUIESCE))
		return UTRACE_RESUME;
	return session_hold(engine, UTRACE_EVENT_BIT_QUIESCE, 0);
}

static u32 session_report_syscall_entry(u32 action, struct utrace_engine *engine,
					struct pt_regs *regs)
{
	/* What engines before this one decided about the call stands. */
	u32 call = action & UTRACE_SYSCALL_ABORT;
	u32 resumed = action & UTRACE_SYSCALL_RESUMED;

	/* Who asked to be told again is, whatever has been made of the call. */
	if (!resumed && !session_wants_call(engine, regs))
		return call | UTRACE_RESUME;
	return call |
	       session_hold_decided(engine, UTRACE_EVENT_BIT_SYSCALL_ENTRY, resumed, call, false);
}

static u32 session_report_syscall_exit(u32 action, struct utrace_engine *engine,
				       struct pt_regs *regs)
{
	if (!session_wants_call(engine, regs))
		return UTRACE_RESUME;
	return session_hold(engine, UTRACE_EVENT_BIT_SYSCALL_EXIT, 0);
}

static u32 session_report_signal(u32 action, struct utrace_engine *engine, u32 event,
				 struct kernel_siginfo *info)
{
	/* As with a call. */
	u32 verdict = action & UTRACE_VERDICT_MASK;
	unsigned int bit = __ffs(event);

	if (!session_wants(engine, bit))
		return verdict | UTRACE_RESUME;
	return verdict | session_hold_decided(engine, bit, info->si_signo, verdict,
					      action & UTRACE_SIGNAL_DROPPED);
}

static u32 session_report_jctl(u32 action, struct utrace_engine *engine, int type, int notify)
{
	if (!session_wants(engine, UTRACE_EVENT_BIT_JCTL))
		return UTRACE_RESUME;
	return session_hold(engine, UTRACE_EVENT_BIT_JCTL, type);
}

/* The child joins here, where it cannot have run. */
static void session_inherit(struct utrace_engine *engine, unsigned long clone_flags,
			    struct task_struct *child)
{
	struct session_thread *t = engine->data;
	struct session_engine *se = t->owner;
	struct utrace_session *session = se->session;
	unsigned long irq;
	int err;

	if (utrace_task_is_kernel(child))
		return;
	if (!(clone_flags & CLONE_THREAD) && !(se->flags & UTRACE_TARGET_CHILDREN))
		return;
	err = session_join(se, child, true);
	/* It is there already, killed unborn, or nobody is left to care. */
	if (!err || err == -EEXIST || err == -ESRCH || err == -EOWNERDEAD)
		return;
	spin_lock_irqsave(&session->lock, irq);
	if (t->linked && !(se->flags & UTRACE_TARGET_TRACE)) {
		t->missed_errno = -err;
		session_post(t, UTRACE_NOTICE_MISSED);
	}
	spin_unlock_irqrestore(&session->lock, irq);
	session_wake(session);
}

static u32 session_report_clone(u32 action, struct utrace_engine *engine, unsigned long clone_flags,
				struct task_struct *child)
{
	struct session_thread *t = engine->data;
	struct session_engine *se = t->owner;

	if (se->flags & (UTRACE_TARGET_GROUP | UTRACE_TARGET_CHILDREN))
		session_inherit(engine, clone_flags, child);
	if (!session_wants(engine, UTRACE_EVENT_BIT_CLONE))
		return UTRACE_RESUME;
	return session_hold(engine, UTRACE_EVENT_BIT_CLONE, task_pid_nr_ns(child, se->session->ns));
}

static void session_pass_joining(struct session_thread *t, struct session_thread *to)
{
	if (!(t->notices & (1u << UTRACE_NOTICE_ATTACHED)))
		return;
	t->notices &= ~(1u << UTRACE_NOTICE_ATTACHED);
	if (!t->notices)
		list_del_init(&t->ready);
	session_post(to, UTRACE_NOTICE_ATTACHED);
}

/*
 * A thread that execs takes over the id of its leader, whose notices nobody has read may still
 * be there: they go on under the id that is no more, as if that thread had ended.  That this one
 * joined, if nobody has read it, is told of that id, too: it is the one that did.
 */
static s32 session_swap_tid(struct session_thread *t)
{
	struct session_engine *se = t->owner;
	struct session_thread *leader;
	s32 before = t->tid;
	s32 now = task_pid_nr_ns(current, se->session->ns);
	unsigned long irq;

	if (likely(now == before))
		return before;
	spin_lock_irqsave(&se->session->lock, irq);
	if (t->linked) {
		list_for_each_entry(leader, &se->threads, entry) {
			/* At its death it may have been given that number already. */
			if (leader != t && (leader->tid == now || leader->tid == before)) {
				session_thread_renumber(leader, before);
				session_pass_joining(t, leader);
				break;
			}
		}
		session_thread_renumber(t, now);
	}
	spin_unlock_irqrestore(&se->session->lock, irq);
	return before;
}

static u32 session_report_exec(u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	s32 before = session_swap_tid(engine->data);

	if (!session_wants(engine, UTRACE_EVENT_BIT_EXEC))
		return UTRACE_RESUME;
	return session_hold(engine, UTRACE_EVENT_BIT_EXEC, before);
}

static u32 session_report_exit(u32 action, struct utrace_engine *engine, long orig_code, long *code)
{
	if (!session_wants(engine, UTRACE_EVENT_BIT_EXIT))
		return UTRACE_RESUME;
	return session_hold(engine, UTRACE_EVENT_BIT_EXIT, *code);
}

/* No hold outlives this, whatever ended it, and whoever has not read of it need not any more. */
static void session_gone(struct session_thread *t, enum utrace_gone_reason reason, s32 value)
{
	struct utrace_session *session = t->owner->session;
	unsigned long irq;

	spin_lock_irqsave(&session->lock, irq);
	if (t->linked && !t->gone) {
		t->gone = true;
		t->held_seq = 0;
		t->stops = false;
		t->notices &= ~((1u << UTRACE_NOTICE_HELD) | (1u << UTRACE_NOTICE_STOPPED) |
				(1u << UTRACE_NOTICE_AWAITED));
		t->reason = reason;
		t->value = value;
		session_post(t, UTRACE_NOTICE_GONE);
	}
	spin_unlock_irqrestore(&session->lock, irq);
	session_wake(session);
}

/* As wait(2) will give it, or would if this were the group's last thread. */
static s32 session_exit_code(void)
{
	struct signal_struct *signal = current->signal;

	return signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : current->exit_code;
}

/*
 * A leader that dies because another thread of its group execs: its number lives on with that
 * one, which is no more what it was.  So it is that other number whose end is told, whether the
 * kernel has swapped the two yet or not.
 */
static void session_leader_tid(struct session_thread *t)
{
	struct session_engine *se = t->owner;
	struct session_thread *other;
	struct task_struct *heir, *exec;
	unsigned long irq;

	if (t->tid != t->tgid)
		return;
	rcu_read_lock();
	/*
	 * The kernel swaps first, and forgets who execs after that: who sees nobody any more that
	 * execs, sees who leads now.  The barrier pairs with de_thread()'s lock in between.
	 */
	exec = READ_ONCE(current->signal->group_exec_task);
	smp_rmb();
	heir = READ_ONCE(current->group_leader);
	if (heir == current)
		heir = exec;
	if (heir && heir != current) {
		spin_lock_irqsave(&se->session->lock, irq);
		list_for_each_entry(other, &se->threads, entry) {
			if (!t->linked || !other->engine ||
			    utrace_engine_task(other->engine) != heir)
				continue;
			session_thread_renumber(t, other->tid);
			break;
		}
		spin_unlock_irqrestore(&se->session->lock, irq);
	}
	rcu_read_unlock();
}

static u32 session_report_step(u32 action, struct utrace_engine *engine)
{
	if (!session_wants(engine, UTRACE_EVENT_BIT_STEP))
		return UTRACE_RESUME;
	return session_hold(engine, UTRACE_EVENT_BIT_STEP, 0);
}

static u32 session_report_death(struct utrace_engine *engine, bool group_dead)
{
	struct session_thread *t = engine->data;

	session_leader_tid(t);
	session_gone(t, UTRACE_GONE_DEATH, session_exit_code());
	return UTRACE_DETACH;
}

static void session_report_lost(struct utrace_engine *engine)
{
	session_gone(engine->data, UTRACE_GONE_EXEC, 0);
}

void session_stopped(struct session_thread *t, u64 seq)
{
	struct utrace_session *session = t->owner->session;
	unsigned long irq;
	bool news;

	spin_lock_irqsave(&session->lock, irq);
	news = t->linked && !t->gone && seq > t->stop_seq;
	if (news) {
		t->stop_seq = seq;
		t->stops = true;
		if (!t->held_seq)
			t->since = jiffies;
		session_post(t, UTRACE_NOTICE_STOPPED);
	}
	spin_unlock_irqrestore(&session->lock, irq);
	if (news)
		session_wake(session);
}

static void session_report_stopped(struct utrace_engine *engine, u64 seq)
{
	session_stopped(engine->data, seq);
}

/* As above. */
static bool session_report_debugger(struct utrace_engine *engine)
{
	struct session_thread *t = engine->data;
	struct utrace_session *session = t->owner->session;
	unsigned long irq;
	bool hand_over;

	spin_lock_irqsave(&session->lock, irq);
	/* Once its registers are written: session_end_write(). */
	hand_over = (t->owner->flags & UTRACE_TARGET_HANDOVER) && !t->examined;
	if (hand_over) {
		t->held_seq = 0;
		t->stops = false;
		t->notices &= ~((1u << UTRACE_NOTICE_HELD) | (1u << UTRACE_NOTICE_STOPPED));
		t->handed_over = true;
	}
	if (t->linked && !t->gone)
		session_post(t, hand_over ? UTRACE_NOTICE_RELEASED : UTRACE_NOTICE_AWAITED);
	spin_unlock_irqrestore(&session->lock, irq);
	session_wake(session);
	return hand_over;
}

const struct utrace_engine_ops session_ops = {
	.report_quiesce = session_report_quiesce,
	.report_syscall_entry = session_report_syscall_entry,
	.report_syscall_exit = session_report_syscall_exit,
	.report_signal = session_report_signal,
	.report_jctl = session_report_jctl,
	.report_clone = session_report_clone,
	.report_exec = session_report_exec,
	.report_exit = session_report_exit,
	.report_death = session_report_death,
	.report_step = session_report_step,
	.report_stopped = session_report_stopped,
	.report_debugger = session_report_debugger,
	.report_lost = session_report_lost,
	.release = session_thread_release,
};

/* Nobody reads of these: they leave of their own. */
static void session_trace_leave(struct session_thread *t)
{
	struct utrace_session *session = t->owner->session;
	bool linked;

	spin_lock_irq(&session->lock);
	linked = t->linked;
	if (linked)
		session_thread_unlink(t);
	spin_unlock_irq(&session->lock);
	if (linked)
		session_thread_drop(t);
}

static u32 session_trace_clone(u32 action, struct utrace_engine *engine, unsigned long clone_flags,
			       struct task_struct *child)
{
	session_inherit(engine, clone_flags, child);
	return UTRACE_RESUME;
}

static u32 session_trace_death(struct utrace_engine *engine, bool group_dead)
{
	/* To the end, if that is wanted. */
	if (session_wants(engine, UTRACE_EVENT_BIT_REAP))
		return UTRACE_RESUME;
	session_trace_leave(engine->data);
	return UTRACE_DETACH;
}

static void session_trace_reap(struct utrace_engine *engine, struct task_struct *task)
{
	session_trace_leave(engine->data);
}

static void session_trace_lost(struct utrace_engine *engine)
{
	session_trace_leave(engine->data);
}

const struct utrace_engine_ops session_trace_ops = {
	.report_clone = session_trace_clone,
	.report_death = session_trace_death,
	.report_reap = session_trace_reap,
	.report_lost = session_trace_lost,
	.release = session_thread_release,
};
