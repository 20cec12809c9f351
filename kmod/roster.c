// SPDX-License-Identifier: GPL-2.0-only
#include <linux/overflow.h>
#include <linux/slab.h>

#include "engine.h"
#include "roster.h"

/* Fewer are walked over as fast. */
#define FEWEST 4

/* Who asks for QUIESCE is called before each event, and alone where there is none. */
static bool is_called(const struct utrace_link *link, unsigned int row)
{
	return link->events & link->hears & (BIT(row) | UTRACE_EVENT(QUIESCE));
}

/* How many engines there are; and how long all rows are. */
static unsigned int count_engines(const struct utrace *utrace, unsigned int *entries)
{
	const struct utrace_link *link;
	unsigned int row, count = 0;

	*entries = UTRACE_ROSTER_ROWS + 1;
	list_for_each_entry(link, &utrace->attached, entry) {
		count++;
		for (row = 0; row < UTRACE_ROSTER_ROWS; row++)
			*entries += is_called(link, row);
	}
	return count;
}

static void fill(struct utrace_roster *roster, const struct utrace *utrace, u16 *entry)
{
	const struct utrace_link *link;
	unsigned int row, place;

	for (row = 0; row < UTRACE_ROSTER_ROWS; row++) {
		*entry++ = UTRACE_ROSTER_END;
		roster->row[row] = entry;
		place = 0;
		list_for_each_entry(link, &utrace->attached, entry) {
			if (is_called(link, row))
				*entry++ = place;
			place++;
		}
	}
	*entry++ = UTRACE_ROSTER_END;
	roster->row[UTRACE_ROSTER_ROWS] = entry;
}

void utrace_roster_make(struct utrace *utrace)
{
	struct utrace_roster *roster;
	struct utrace_link *link;
	unsigned int count, entries, place = 0;

	BUILD_BUG_ON(UTRACE_EVENTS_ALL != BIT(UTRACE_ROSTER_ROWS) - 1);
	lockdep_assert_held(&utrace->lock);
	count = count_engines(utrace, &entries);
	if (count < FEWEST || count >= UTRACE_ROSTER_END)
		return;
	/* Not charged to anybody: to the target's group it would not be there without us. */
	roster = kmalloc(struct_size(roster, link, count) + entries * sizeof(u16),
			 GFP_NOWAIT | __GFP_NOWARN);
	if (!roster)
		return;
	list_for_each_entry(link, &utrace->attached, entry)
		roster->link[place++] = link;
	fill(roster, utrace, (u16 *)&roster->link[count]);
	utrace->roster = roster;
}

void utrace_roster_drop(struct utrace *utrace)
{
	lockdep_assert_held(&utrace->lock);
	kfree(utrace->roster);
	utrace->roster = NULL;
	utrace->quiet = 0;
}
