/* SPDX-License-Identifier: GPL-2.0-only */
/* What ptrace's rules ask of a thread, as far as kernels differ in how to learn it. */
#ifndef UTRACE_COMPAT_RIGHTS_H
#define UTRACE_COMPAT_RIGHTS_H

#include <linux/types.h>

struct file;
struct mm_struct;
struct task_struct;

/* Yama's kernel.yama.ptrace_scope; 0 where there is no Yama. */
int utrace_yama_scope(void);

/*
 * Did the image that @task runs come by an exec that gained rights (AT_SECURE)?  Its own
 * context.
 */
bool utrace_exec_secure(struct task_struct *task);

/*
 * Of the image that @task runs, whose address space is @mm, in its own context or with its
 * exec_update_lock: may its user read it (not set-id, not PR_SET_DUMPABLE 0)?
 */
bool utrace_image_dumpable(struct task_struct *task, struct mm_struct *mm);

/* The same of who opened @file, by CAP_SYS_PTRACE over it. */
bool utrace_image_capable(struct task_struct *task, struct mm_struct *mm, struct file *file);

/* What the security modules call it: equal values, equal labels.  May sleep. */
u64 utrace_task_label(struct task_struct *task);

#endif
