/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who of many engines hears of what: so that a pass does not even look at those that do not.
 */
#ifndef UTRACE_ROSTER_H
#define UTRACE_ROSTER_H

#include <linux/log2.h>

#include "task.h"

/* So many passes without a change, and the next ones are worth it. */
#define UTRACE_ROSTER_QUIET 16

/* As many as there are events. */
#define UTRACE_ROSTER_ROWS 16

/*
 * One for each thread, of the engines that its passes see, in attach order.  All under the thread's
 * lock.  It is made in some quiet: by a pass, after several in which no engine went or asked for
 * other events.  Either drops it, and then, or without memory, the list is walked.  One that comes
 * hears of nothing before it asks, and so may be missing.
 */
struct utrace_roster {
	/* In a row, which the pass goes along. */
	const u16 *place;
	/* For each event, and near user mode, those that are called: from its row to the next. */
	const u16 *row[UTRACE_ROSTER_ROWS + 1];
	struct utrace_link *link[];
};

/* At both ends of each row. */
#define UTRACE_ROSTER_END U16_MAX

void utrace_roster_make(struct utrace *utrace);
void utrace_roster_drop(struct utrace *utrace);

static inline void utrace_roster_begin(struct utrace *utrace, u32 event)
{
	struct utrace_roster *roster = utrace->roster;
	unsigned int row = ilog2(event ?: UTRACE_EVENT(QUIESCE));

	roster->place = utrace->backward ? roster->row[row + 1] - 1 : roster->row[row] - 1;
}

/* A pass over the event begins. */
static inline void utrace_roster_want(struct utrace *utrace, u32 event)
{
	if (unlikely(!utrace->roster && ++utrace->quiet == UTRACE_ROSTER_QUIET))
		utrace_roster_make(utrace);
	if (utrace->roster)
		utrace_roster_begin(utrace, event);
}

/* There is a roster: the next engine that hears of it, or NULL at the end. */
static inline struct utrace_link *utrace_roster_next(struct utrace *utrace)
{
	struct utrace_roster *roster = utrace->roster;
	u16 index = utrace->backward ? *--roster->place : *++roster->place;

	return index == UTRACE_ROSTER_END ? NULL : roster->link[index];
}

#endif
