// SPDX-License-Identifier: GPL-2.0-only
/* Notices as their reader sees them: made of the threads' state when they are read. */
#include <linux/ptrace.h>
#include <linux/sched/task_stack.h>

#include "compat/call.h"
#include "list.h"
#include "session.h"

bool session_ready(struct utrace_session *session)
{
	return !list_empty_careful(&session->ready);
}

int session_wait(struct utrace_session *session, long timeout)
{
	long left;

	left = wait_event_interruptible_timeout(
		session->wait, session_ready(session) || READ_ONCE(session->dead), timeout);
	if (READ_ONCE(session->dead))
		return -EOWNERDEAD;
	return left < 0 ? -EINTR : 0;
}

bool session_at_signal(const struct session_thread *t)
{
	return t->held_seq && (UTRACE_EVENTS_SIGNAL & (1u << t->event));
}

bool session_has_signal(const struct session_thread *t)
{
	return t->held_seq && (UTRACE_EVENTS_OF_SIGNAL & (1u << t->event));
}

/*
 * KVM and io_uring run a thread's works, and so our stops, in the middle of a call (H-19); at
 * these events it is there in any case.
 */
bool session_mid_call(const struct session_thread *t)
{
	struct task_struct *task = utrace_engine_task(t->engine);
	struct pt_regs *regs = task_pt_regs(task);

	if (t->held_seq) {
		switch (t->event) {
		case UTRACE_EVENT_BIT_SYSCALL_ENTRY:
		case UTRACE_EVENT_BIT_SYSCALL_EXIT:
		/* On the way out of the call, whose result is there. */
		case UTRACE_EVENT_BIT_SIGNAL:
		case UTRACE_EVENT_BIT_SIGNAL_STOP:
		case UTRACE_EVENT_BIT_SIGNAL_TERM:
		case UTRACE_EVENT_BIT_SIGNAL_CORE:
		case UTRACE_EVENT_BIT_JCTL:
		case UTRACE_EVENT_BIT_SIGNAL_HANDLER:
		case UTRACE_EVENT_BIT_STEP:
			return false;
		case UTRACE_EVENT_BIT_SIGNAL_IGN:
			/* Else told by a work. */
			if (!t->dropped)
				return false;
			break;
		case UTRACE_EVENT_BIT_CLONE:
		case UTRACE_EVENT_BIT_EXEC:
		case UTRACE_EVENT_BIT_EXIT:
			return syscall_get_nr(task, regs) >= 0;
		}
	}
	return utrace_call_unfinished(task, regs);
}

/*
 * The call in the registers of a thread that this session holds.  Under the session's lock,
 * where nobody lets it go.  SIGKILL may have: but then it is not yet past session_gone(), so
 * that its stack is there, and it will never again be in user mode.
 */
static void session_fill_call(struct session_thread *t, struct utrace_notice *notice)
{
	struct task_struct *task = utrace_engine_task(t->engine);
	struct pt_regs *regs = task_pt_regs(task);
	bool signal = session_has_signal(t);
	unsigned long args[6];
	int i;

	notice->ip = instruction_pointer(regs);
	notice->sp = user_stack_pointer(regs);
	notice->nr = max(syscall_get_nr(task, regs), -1);
	if (notice->nr >= 0) {
		syscall_get_arguments(task, regs, args);
		for (i = 0; i < 6 && !signal; i++)
			notice->args[i] = args[i];
		if (utrace_call_compat(task))
			notice->flags |= UTRACE_NOTICE_COMPAT;
	}
	if (session_mid_call(t))
		notice->flags |= UTRACE_NOTICE_IN_SYSCALL;
	if (notice->event == UTRACE_EVENT(SYSCALL_EXIT))
		notice->result = syscall_get_return_value(task, regs);
}

static void session_fill_held(struct session_thread *t, struct utrace_notice *notice)
{
	BUILD_BUG_ON(sizeof(kernel_siginfo_t) != UTRACE_SIGINFO_SIZE);
	notice->seq = t->held_seq;
	notice->event = 1u << t->event;
	if (notice->event != UTRACE_EVENT(SYSCALL_ENTRY))
		notice->result = t->value;
	else if (t->value)
		notice->flags |= UTRACE_NOTICE_RESUMED;
	if (t->decided)
		notice->flags |= UTRACE_NOTICE_DECIDED;
	if (t->dropped)
		notice->flags |= UTRACE_NOTICE_DROPPED;
	session_fill_call(t, notice);
	if (session_has_signal(t))
		memcpy(notice->siginfo, utrace_signal_info(t->engine), sizeof(notice->siginfo));
}

static void session_fill(struct session_thread *t, struct utrace_notice *notice)
{
	memset(notice, 0, sizeof(*notice));
	notice->size = sizeof(*notice);
	notice->engine = t->owner->id;
	notice->cookie = t->owner->cookie;
	notice->tid = t->tid;
	notice->tgid = t->tgid;
	notice->nr = -1;
	/* In the order in which they make sense: it joins first and is gone last. */
	if (t->notices & (1u << UTRACE_NOTICE_ATTACHED)) {
		notice->type = UTRACE_NOTICE_ATTACHED;
	} else if (t->notices & (1u << UTRACE_NOTICE_MISSED)) {
		notice->type = UTRACE_NOTICE_MISSED;
		notice->result = -(s64)t->missed_errno;
	} else if (t->notices & (1u << UTRACE_NOTICE_RELEASED)) {
		/* Before the hold that came after it. */
		notice->type = UTRACE_NOTICE_RELEASED;
		notice->seq = t->held_seq;
		notice->result = t->stops ? t->stop_seq : 0;
		notice->reason = t->handed_over ? UTRACE_RELEASED_HANDED_OVER :
						  UTRACE_RELEASED_RESUMED;
		t->handed_over = false;
	} else if (t->notices & (1u << UTRACE_NOTICE_HELD)) {
		notice->type = UTRACE_NOTICE_HELD;
		session_fill_held(t, notice);
	} else if (t->notices & (1u << UTRACE_NOTICE_STOPPED)) {
		notice->type = UTRACE_NOTICE_STOPPED;
		notice->seq = t->stop_seq;
		session_fill_call(t, notice);
	} else if (t->notices & (1u << UTRACE_NOTICE_AWAITED)) {
		notice->type = UTRACE_NOTICE_AWAITED;
		notice->result = utrace_debugger_of(t->engine, t->owner->session->ns);
	} else {
		notice->type = UTRACE_NOTICE_GONE;
		notice->reason = t->reason;
		notice->result = t->value;
	}
	t->notices &= ~(1u << notice->type);
}

struct session_thread *session_take(struct utrace_session *session, struct utrace_notice *notice)
{
	struct session_thread *t;

	spin_lock_irq(&session->lock);
	t = list_first_entry_or_null(&session->ready, struct session_thread, ready);
	if (t) {
		session_fill(t, notice);
		list_del_init(&t->ready);
		if (t->notices)
			list_add_tail(&t->ready, &session->ready);
		utrace_engine_get(t->engine);
	}
	spin_unlock_irq(&session->lock);
	return t;
}

/* Read again what its reader could not store, if it is still so. */
static void session_untake(struct session_thread *t, const struct utrace_notice *notice)
{
	spin_lock_irq(&t->owner->session->lock);
	if (t->linked && (notice->type != UTRACE_NOTICE_HELD || t->held_seq == notice->seq) &&
	    (notice->type != UTRACE_NOTICE_STOPPED || (t->stops && t->stop_seq == notice->seq)))
		session_post(t, notice->type);
	spin_unlock_irq(&t->owner->session->lock);
}

void session_taken(struct session_thread *t, const struct utrace_notice *notice, bool delivered)
{
	struct utrace_engine *engine = t->engine;
	bool linked;

	if (!delivered) {
		session_untake(t, notice);
	} else if (notice->type == UTRACE_NOTICE_GONE) {
		spin_lock_irq(&t->owner->session->lock);
		linked = t->linked;
		if (linked)
			session_thread_unlink(t);
		spin_unlock_irq(&t->owner->session->lock);
		if (linked)
			session_thread_drop(t);
	}
	utrace_engine_put(engine);
}
