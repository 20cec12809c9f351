/* SPDX-License-Identifier: GPL-2.0-only */
/* The type by which a BPF object becomes an engine. */
#ifndef UTRACE_BPF_OPS_H
#define UTRACE_BPF_OPS_H

#ifdef UTRACE_HAVE_STRUCT_OPS

int utrace_bpf_init(void);
void utrace_bpf_exit(void);
/* Takes all BPF engines off all threads. */
void utrace_bpf_brake(void);

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

#endif
#endif
