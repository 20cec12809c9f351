/* SPDX-License-Identifier: GPL-2.0-only */
/* What ptrace's rules ask of a thread, as far as kernels differ in how to learn it. */
#ifndef UTRACE_COMPAT_RIGHTS_H
#define UTRACE_COMPAT_RIGHTS_H

#include <linux/types.h>

struct task_struct;
struct user_namespace;

/* Yama's kernel.yama.ptrace_scope; 0 where there is no Yama. */
int utrace_yama_scope(void);

/*
 * Did the image that @task runs come by an exec that gained rights (AT_SECURE)?  Its own
 * context.
 */
bool utrace_exec_secure(struct task_struct *task);

/* May its owner read its memory (not set-id, not PR_SET_DUMPABLE 0)?  Its own context. */
bool utrace_task_dumpable(struct task_struct *task);

/* The user namespace whose capabilities rule over current's image. */
struct user_namespace *utrace_image_user_ns(void);

/* What the security modules call it: equal values, equal labels.  May sleep. */
u64 utrace_task_label(struct task_struct *task);

#endif
