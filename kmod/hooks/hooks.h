/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How this kernel is made to call us.  An interface the core owns: it asks for the
 * hooks without knowing how they are done.
 */
#ifndef UTRACE_HOOKS_HOOKS_H
#define UTRACE_HOOKS_HOOKS_H

#include <linux/types.h>

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

/*
 * One user less; after the last they leave some seconds later, by a work item.  Any process
 * context.
 */
void utrace_hooks_put(void);

/* For people: names of the functions hooked just now, separated by spaces.  Returns how many. */
unsigned int utrace_hooks_names(char *buf, size_t size);

#endif
