// SPDX-License-Identifier: GPL-2.0-only
/* How a hold ends: the owner's answer, or a plain resume. */
#include <linux/ptrace.h>
#include <linux/sched/task_stack.h>
#include <linux/wait_bit.h>

#include "compat/call.h"
#include "gates.h"
#include "session.h"

bool session_settle(struct session_thread *t)
{
	struct utrace_session *session = t->owner->session;

	lockdep_assert_held(&session->lock);
	while (t->linked && unlikely(t->examined)) {
		spin_unlock_irq(&session->lock);
		wait_var_event(&t->examined, !READ_ONCE(t->examined));
		spin_lock_irq(&session->lock);
	}
	return t->linked;
}

void session_unhold(struct session_thread *t, u64 seq, u64 under_way, struct session_held *held)
{
	lockdep_assert_held(&t->owner->session->lock);
	held->seq[UTRACE_SLOT_REPORT] = 0;
	held->seq[UTRACE_SLOT_ASYNC] = 0;
	if (t->held_seq && (seq == UTRACE_SEQ_LATEST || seq == t->held_seq)) {
		held->seq[UTRACE_SLOT_REPORT] = t->held_seq;
		t->held_seq = 0;
		t->notices &= ~(1u << UTRACE_NOTICE_HELD);
	}
	/* One that is answered before it is told is told to nobody: by then the thread may run. */
	if (under_way > t->stop_seq && (seq == UTRACE_SEQ_LATEST || seq == under_way)) {
		t->stop_seq = under_way;
		t->stops = true;
	}
	if (t->stops && (seq == UTRACE_SEQ_LATEST || seq == t->stop_seq)) {
		held->seq[UTRACE_SLOT_ASYNC] = t->stop_seq;
		t->stops = false;
		t->notices &= ~(1u << UTRACE_NOTICE_STOPPED);
	}
	if (!t->held_seq && !t->stops)
		t->notices &= ~(1u << UTRACE_NOTICE_AWAITED);
	if (!t->notices)
		list_del_init(&t->ready);
}

/*
 * A stop that was asked for and may not have come to be: its owner has had the number from the
 * call, so it is published, though no notice tells of it yet.  0: there is none.
 */
static u64 session_stop_under_way(struct session_thread *t)
{
	struct utrace_engine_state state;

	utrace_engine_state(t->engine, &state);
	return state.seq[UTRACE_SLOT_ASYNC];
}

/* Not so the report's: its number may be of a callback that has not published its hold. */
static bool session_answers_stop(u64 seq)
{
	return seq == UTRACE_SEQ_LATEST || UTRACE_SEQ_SLOT(seq) == UTRACE_SLOT_ASYNC;
}

/*
 * The numbers it answers, each to the core.  Perhaps none that we know to be open: late, repeated,
 * never handed out.  The core knows.
 */
static int session_release(struct session_thread *t, u64 seq, u32 action, struct session_held *held)
{
	int err = 0, slot;

	if (action != UTRACE_RESUME)
		return utrace_step(t->engine, seq, action);
	if (seq != UTRACE_SEQ_LATEST)
		return utrace_resume(t->engine, seq);
	for (slot = 0; slot < 2 && !err; slot++) {
		if (held->seq[slot])
			err = utrace_resume(t->engine, held->seq[slot]);
	}
	return err;
}

static int session_go(struct session_thread *t, u64 seq, u32 action, bool foreign)
{
	struct utrace_session *session = t->owner->session;
	/* Before the lock, under which the core tells of a stop with its own held. */
	u64 under_way = session_answers_stop(seq) ? session_stop_under_way(t) : 0;
	struct session_held held;
	int err;

	spin_lock_irq(&session->lock);
	if (!session_settle(t)) {
		spin_unlock_irq(&session->lock);
		return -ESRCH;
	}
	session_unhold(t, seq, under_way, &held);
	spin_unlock_irq(&session->lock);
	utrace_gate(UTRACE_GATE_ANSWERED, utrace_engine_task(t->engine));

	err = session_release(t, seq, action, &held);
	if (err || !foreign)
		return err;
	/* After it is so: the owner who reads this finds it so. */
	spin_lock_irq(&session->lock);
	if (t->linked && !t->gone)
		session_post(t, UTRACE_NOTICE_RELEASED);
	spin_unlock_irq(&session->lock);
	session_wake(session);
	return 0;
}

int session_resume(struct session_thread *t, u64 seq, bool foreign)
{
	return session_go(t, seq, UTRACE_RESUME, foreign);
}

static u32 session_verdict(const struct utrace_answer *answer)
{
	return answer->action & UTRACE_VERDICT_MASK;
}

static int session_answer_check(const struct utrace_answer *answer)
{
	u32 signal = answer->flags & UTRACE_ANSWER_SET_SIGNAL;
	u32 verdict = session_verdict(answer);

	if ((answer->flags & ~UTRACE_ANSWER_FLAGS_ALL) || answer->reserved || answer->tid <= 0 ||
	    answer->seq == UTRACE_SEQ_LATEST || (answer->action & ~UTRACE_RESUME_MASK) != verdict ||
	    (verdict & UTRACE_SIGNAL_MASK) > UTRACE_SIGNAL_TSTP ||
	    (verdict && (answer->flags & UTRACE_ANSWER_SET_CALL)) ||
	    (signal &&
	     ((verdict & UTRACE_SIGNAL_MASK) == UTRACE_SIGNAL_IGN || answer->flags != signal)))
		return -EINVAL;
	switch (answer->action & UTRACE_RESUME_MASK) {
	case UTRACE_RESUME:
	case UTRACE_REPORT:
	case UTRACE_INTERRUPT:
	case UTRACE_SINGLESTEP:
	case UTRACE_BLOCKSTEP:
	case UTRACE_DETACH:
		return 0;
	default:
		return -EINVAL;
	}
}

static bool session_steps(const struct utrace_answer *answer)
{
	u32 action = answer->action & UTRACE_RESUME_MASK;

	return action == UTRACE_SINGLESTEP || action == UTRACE_BLOCKSTEP;
}

static bool session_writes(const struct utrace_answer *answer)
{
	return answer->flags || session_verdict(answer);
}

/* Is the thread held where what the answer writes makes sense?  Under the lock. */
static bool session_fits(const struct session_thread *t, const struct utrace_answer *answer)
{
	u32 verdict = session_verdict(answer);

	if (t->held_seq != answer->seq)
		return false;
	if (session_at_signal(t))
		return !(answer->flags & ~UTRACE_ANSWER_SET_SIGNAL);
	if ((answer->flags & UTRACE_ANSWER_SET_SIGNAL) || verdict > UTRACE_SYSCALL_ABORT)
		return false;
	if (verdict || (answer->flags & UTRACE_ANSWER_SET_CALL))
		return t->event == UTRACE_EVENT_BIT_SYSCALL_ENTRY;
	return t->event == UTRACE_EVENT_BIT_SYSCALL_EXIT || t->event == UTRACE_EVENT_BIT_EXIT;
}

/* Under the lock, and held: so its stack is there. */
static int session_write_call(struct session_thread *t, const struct utrace_answer *answer)
{
	struct task_struct *task = utrace_engine_task(t->engine);
	struct pt_regs *regs = task_pt_regs(task);

	if (answer->flags & UTRACE_ANSWER_SET_CALL)
		utrace_call_set(task, regs, answer->nr, answer->args);
	else
		syscall_set_return_value(task, regs, 0, answer->result);
	return 0;
}

static int session_set_signal(struct session_thread *t, const struct utrace_answer *answer)
{
	kernel_siginfo_t info;

	memcpy(&info, answer->siginfo, sizeof(info));
	return utrace_set_signal(t->engine, answer->seq, session_verdict(answer),
				 answer->flags & UTRACE_ANSWER_SET_SIGNAL ? &info : NULL);
}

int session_inject(struct utrace_session *session, const struct utrace_inject *inject)
{
	struct session_thread *t;
	kernel_siginfo_t info;
	int err;

	if (inject->flags || inject->reserved || inject->tid <= 0)
		return -EINVAL;
	t = session_thread_get(session, inject->engine, inject->tid);
	if (IS_ERR(t))
		return PTR_ERR(t);
	memcpy(&info, inject->siginfo, sizeof(info));
	err = utrace_inject_signal(t->engine, &info);
	utrace_engine_put(t->engine);
	return err;
}

/* Changes the call or the signal at which the thread is held. */
static int session_rewrite(struct session_thread *t, const struct utrace_answer *answer)
{
	struct utrace_session *session = t->owner->session;
	struct utrace_examiner exam;
	bool fits, signal, exit;
	int err, woke;

	spin_lock_irq(&session->lock);
	fits = session_settle(t) && session_fits(t, answer);
	signal = session_at_signal(t);
	exit = t->event == UTRACE_EVENT_BIT_EXIT;
	spin_unlock_irq(&session->lock);
	if (!fits)
		return -EINVAL;
	if (signal)
		return session_set_signal(t, answer);
	if (exit)
		return utrace_set_exit_code(t->engine, answer->seq, answer->result);
	if (session_verdict(answer))
		return utrace_abort_syscall(
			t->engine, answer->seq,
			answer->flags & UTRACE_ANSWER_SET_RESULT ? answer->result : -ENOSYS);
	err = utrace_prepare_examine(t->engine, &exam);
	if (err)
		return err;
	spin_lock_irq(&session->lock);
	/* Again: meanwhile it may have been let go, and only this lock keeps it. */
	err = session_settle(t) && session_fits(t, answer) ? session_write_call(t, answer) :
							     -EINVAL;
	spin_unlock_irq(&session->lock);
	/* In any case: until then it keeps its stack. */
	woke = utrace_finish_examine(t->engine, &exam);
	return err ?: woke;
}

int session_answer(struct utrace_session *session, const struct utrace_answer *answer)
{
	u32 action = answer->action & UTRACE_RESUME_MASK;
	struct session_thread *t;
	int err;

	err = session_answer_check(answer);
	if (err)
		return err;
	t = session_thread_get(session, answer->engine, answer->tid);
	if (IS_ERR(t))
		return PTR_ERR(t);
	if (session_steps(answer) && !(READ_ONCE(t->events) & UTRACE_EVENT(STEP)))
		err = -EINVAL;
	else if (session_writes(answer))
		err = session_rewrite(t, answer);
	if (err)
		goto out;
	switch (action) {
	case UTRACE_DETACH:
		err = session_detach(t, 0);
		break;
	case UTRACE_SINGLESTEP:
	case UTRACE_BLOCKSTEP:
		err = session_go(t, answer->seq, action, false);
		break;
	case UTRACE_REPORT:
	case UTRACE_INTERRUPT:
		err = utrace_control(t->engine, action);
		if (err)
			break;
		fallthrough;
	default:
		err = session_resume(t, answer->seq, false);
	}
out:
	utrace_engine_put(t->engine);
	return err;
}
