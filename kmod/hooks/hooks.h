/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How this kernel is made to call us.  An interface the core owns: it asks for the
 * hooks without knowing how they are done.
 */
#ifndef UTRACE_HOOKS_HOOKS_H
#define UTRACE_HOOKS_HOOKS_H

#include <linux/list.h>
#include <linux/types.h>

struct task_struct;

/*
 * The mark of a thread that has engines, a bit of its thread_info->syscall_work that the kernel
 * masks out.  The hooks look at it first of all.  fork copies it: the core takes it off the child.
 */
#define UTRACE_WORK_BIT 30

/* Module load: resolve and check every symbol.  Hooks nothing. */
int utrace_hooks_init(void);

/* Module unload, with no engine left: take the hooks out and wait until nobody is inside. */
void utrace_hooks_exit(void);

/*
 * One more user of the hooks; the first installs them, all or none.  May sleep for
 * long.  Never from a callback (H-18).
 */
int utrace_hooks_get(void);

/* One more, by who knows that there is one: they are installed.  Any context. */
void utrace_hooks_hold(void);

/*
 * One user less; after the last they leave some seconds later, by a work item.  Any process
 * context.
 */
void utrace_hooks_put(void);

/*
 * A thread whose engines want signals that would otherwise be dropped, or end its group, when they
 * are sent: before it has seen them.
 */
struct utrace_receiver {
	struct hlist_node node;
	struct task_struct *task;
	/* UTRACE_EVENTS_SIGNAL, 0: not in the table. */
	u32 events;
	/* What it ignores is to be queued. */
	bool intercepts;
	/* Else noted here, bit 0 for signal 1, until it is told.  Under siglock. */
	u64 dropped;
	/* Under siglock, while a sender is at work: the next of those that were lent to. */
	struct utrace_receiver *lent;
};

/*
 * Enter it in the table, change what it wants, or (0) take it out.  Changes to one receiver are the
 * caller's to order, with interrupts off.  Its memory, and its task's, stay for an RCU grace
 * period.
 */
void utrace_receive(struct utrace_receiver *receiver, u32 events, bool intercepts);

/* Somebody wants to come to whatever execs.  Set with the hooks held. */
extern bool utrace_execs_watched;

/* For people: names of the functions hooked just now, separated by spaces.  Returns how many. */
unsigned int utrace_hooks_names(char *buf, size_t size);

#endif
