/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UTRACE_EVENTS_RESUME_H
#define UTRACE_EVENTS_RESUME_H

struct callback_head;
struct utrace;

/* The thread's task_work: near user mode, in its own context. */
void utrace_work(struct callback_head *head);

/* In it: signals that were dropped when they were sent, by number. */
void utrace_report_dropped(struct utrace *utrace);

#endif
