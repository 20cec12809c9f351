// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where signals are sent.  The kernel drops there what the receiver ignores, and ends the whole
 * group for what would be fatal: both before the receiver has seen the signal.  It does neither
 * with a signal that is in the thread's real_blocked, which is meant for sigtimedwait(): so it is
 * put there, under siglock and for as long as the sender's own code runs.
 *
 * Any context, interrupts off.
 */
#include <linux/rculist.h>
#include <linux/signal.h>
#include <linux/spinlock.h>

#include "../events/events.h"
#include "../include/uapi/utrace.h"
#include "hook.h"
#include "hooks.h"

struct hlist_head utrace_receivers[1 << UTRACE_RECEIVER_BITS];
/* Orders changes of the table; it is read under RCU.  Innermost. */
static DEFINE_SPINLOCK(receivers_lock);

void utrace_receive(struct utrace_receiver *receiver, u32 events, bool intercepts)
{
	bool was = receiver->events;

	WRITE_ONCE(receiver->intercepts, intercepts);
	WRITE_ONCE(receiver->events, events);
	if (was == !!events)
		return;
	spin_lock(&receivers_lock);
	/* Its group is the same until its task is freed. */
	if (events)
		hlist_add_head_rcu(
			&receiver->node,
			&utrace_receivers[hash_ptr(receiver->task->signal, UTRACE_RECEIVER_BITS)]);
	else
		hlist_del_rcu(&receiver->node);
	spin_unlock(&receivers_lock);
}

/*
 * To @receiver, if it wants @event and the signal is not in its real_blocked anyway.  Its task may
 * have left the group, and be about to be freed: then it has no sighand any more.
 */
static bool lend(struct utrace_receiver *receiver, const struct task_struct *sent_to, int sig,
		 u32 event)
{
	struct task_struct *task = receiver->task;

	if (!(READ_ONCE(receiver->events) & event) || task->signal != sent_to->signal ||
	    rcu_access_pointer(task->sighand) != rcu_access_pointer(sent_to->sighand) ||
	    sigismember(&task->real_blocked, sig))
		return false;
	sigaddset(&task->real_blocked, sig);
	return true;
}

/*
 * Never SIGKILL and SIGSTOP, nor what is sent to an init of a pid namespace, which the kernel
 * protects just here (H-16).
 */
static bool may_lend(const struct task_struct *task, int sig)
{
	return !sig_kernel_only(sig) && !(task->signal->flags & SIGNAL_UNKILLABLE);
}

/*
 * Would it be ignored?  @task is the one it is sent to, for the group or itself.  Nothing may wake
 * it for a signal that does nothing, unless an engine says that it may (H-14).
 */
bool utrace_instead_prepare_signal(int sig, struct task_struct *task, bool force)
{
	UTRACE_HOOK(prepare_signal);
	struct utrace_receiver *receiver, *hears = NULL;
	bool lent = false, deliver;

	rcu_read_lock();
	if (may_lend(task, sig)) {
		hlist_for_each_entry_rcu(receiver, utrace_receiver_bucket(task->signal), node) {
			if (receiver->task != task ||
			    !(READ_ONCE(receiver->events) & UTRACE_EVENT(SIGNAL_IGN)))
				continue;
			if (READ_ONCE(receiver->intercepts))
				lent |= lend(receiver, task, sig, UTRACE_EVENT(SIGNAL_IGN));
			else
				hears = receiver;
		}
	}
	deliver = utrace_original_prepare_signal(sig, task, force);
	if (lent)
		sigdelset(&task->real_blocked, sig);
	/* Of a group that exits nothing is ignored: it is gone. */
	else if (hears && !deliver && !(task->signal->flags & SIGNAL_GROUP_EXIT))
		utrace_note_dropped(hears, sig);
	rcu_read_unlock();
	return deliver;
}

static bool ends_group_at_once(struct task_struct *task, int sig)
{
	/* siglock is held. */
	const struct sighand_struct *sighand = rcu_dereference_protected(task->sighand, true);
	const struct sigaction *action = &sighand->action[sig - 1].sa;

	/* An immutable one is not told, so it may as well be done at once. */
	return action->sa_handler == SIG_DFL && !(action->sa_flags & SA_IMMUTABLE) &&
	       !sig_kernel_ignore(sig) && !sig_kernel_stop(sig) && !sig_kernel_coredump(sig);
}

/*
 * Who shall take it?  Any thread of the group, so each that wants it is lent to, and no other
 * looked at.
 */
void utrace_instead_complete_signal(int sig, struct task_struct *task, enum pid_type type)
{
	UTRACE_HOOK(complete_signal);
	struct utrace_receiver *receiver, *lent = NULL;

	/*
	 * The receivers stay until the end of this section, also those that leave the table
	 * meanwhile.
	 */
	rcu_read_lock();
	if (may_lend(task, sig) && ends_group_at_once(task, sig)) {
		hlist_for_each_entry_rcu(receiver, utrace_receiver_bucket(task->signal), node) {
			if (!lend(receiver, task, sig, UTRACE_EVENT(SIGNAL_TERM)))
				continue;
			receiver->lent = lent;
			lent = receiver;
		}
	}
	utrace_original_complete_signal(sig, task, type);
	for (; lent; lent = lent->lent)
		sigdelset(&lent->task->real_blocked, sig);
	rcu_read_unlock();
}
