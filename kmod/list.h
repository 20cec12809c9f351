/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is on whom, as far as the asker's pid namespace reaches: what all owners tell alike. */
#ifndef UTRACE_LIST_H
#define UTRACE_LIST_H

#include "../include/linux/utrace.h"

/* For one asker.  The entries are zeroed; as many as fit are filled in, all are counted. */
struct utrace_lister {
	const struct utrace_owner *asker;
	struct pid_namespace *ns;
	s32 tgid;
	unsigned int room;
	unsigned int filled;
	unsigned int found;
	struct utrace_info *infos;
};

/* @tgid: only this process; 0: all.  0, or -ENOMEM; utrace_lister_end() in any case. */
int utrace_lister_init(struct utrace_lister *lister, const struct utrace_owner *asker, s32 tgid,
		       unsigned int room);
void utrace_lister_end(struct utrace_lister *lister);

/*
 * The next entry, with what the core knows of @engine; the caller has the rest, since when it is
 * held being @since in jiffies.  NULL if it is not to be seen, or there is no more room.
 */
struct utrace_info *utrace_list_engine(struct utrace_lister *lister, struct utrace_engine *engine,
				       u32 since);

/* Who debugs its thread, as @ns has it; 0 if nobody. */
s32 utrace_debugger_of(const struct utrace_engine *engine, struct pid_namespace *ns);

/*
 * The number of the call or signal is the business of those who could read it from the thread
 * itself: is the asker one, of what @owner holds?
 */
bool utrace_lister_may_know(const struct utrace_lister *lister, const struct utrace_owner *owner);

#endif
