/* SPDX-License-Identifier: GPL-2.0-only */
/* The owner's rights, looked at again. */
#ifndef UTRACE_ATTACH_H
#define UTRACE_ATTACH_H

#include "engine.h"

/* Of utrace_attach_task(): current, which calls utrace_recheck_owners() next. */
#define UTRACE_ATTACH_UNCHECKED 0x1000u

/* Who wants to attach to whatever execs, called in its context before that is told; or NULL. */
void utrace_watch_execs(void (*seen)(void));
void utrace_exec_seen(void);

/*
 * In the thread's own context, after its image or rights changed: engines whose owner may not
 * trace it go.
 */
void utrace_recheck_owners(struct utrace *utrace);

/* The caller's rights, to be kept.  0, or an errno.  May sleep. */
int utrace_owner_init(struct utrace_owner *owner);
/* The same context.  None of its engines is left. */
void utrace_owner_release(struct utrace_owner *owner);
/* A handle for what it owns: never used again for another. */
u64 utrace_owner_new_id(void);

/*
 * May @asker let go what @owner's @engine holds?  Its owner's user may, and who could attach and
 * has CAP_SYS_PTRACE.  0, or an errno.  May sleep.
 */
int utrace_may_release(const struct utrace_engine *engine, const struct utrace_owner *owner,
		       const struct utrace_owner *asker);

#endif
