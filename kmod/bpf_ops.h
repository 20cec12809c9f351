/* SPDX-License-Identifier: GPL-2.0-only */
/* The type by which a BPF object becomes an engine. */
#ifndef UTRACE_BPF_OPS_H
#define UTRACE_BPF_OPS_H

#include <linux/errno.h>

struct utrace_control;
struct utrace_lister;
struct utrace_owner;

#ifdef UTRACE_HAVE_STRUCT_OPS

int utrace_bpf_init(void);
void utrace_bpf_exit(void);
/* Takes all BPF engines off all threads. */
void utrace_bpf_brake(void);
/* The threads that BPF engines are on. */
unsigned int utrace_bpf_thread_count(void);
/* 0, -EINTR, or -ENOMEM. */
int utrace_bpf_list(struct utrace_lister *lister);
/* RESUME or DETACH, by somebody's rights: as session_control() of a foreign engine. */
int utrace_bpf_control(const struct utrace_owner *asker, struct utrace_control *control);

#else

/* This kernel takes no such types from modules. */
static inline int utrace_bpf_init(void)
{
	return 0;
}

static inline void utrace_bpf_exit(void)
{
}

static inline void utrace_bpf_brake(void)
{
}

static inline unsigned int utrace_bpf_thread_count(void)
{
	return 0;
}

static inline int utrace_bpf_list(struct utrace_lister *lister)
{
	return 0;
}

static inline int utrace_bpf_control(const struct utrace_owner *asker,
				     struct utrace_control *control)
{
	return -ESRCH;
}

#endif
#endif
