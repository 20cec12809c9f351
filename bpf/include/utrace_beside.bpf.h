/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For an object that beside its engine has programs of another type, SEC("lsm.s/..."), which see what
 * happens on the whole machine and are to decide about those only that the engine is on:
 *
 *	#include "bpf/include/utrace_beside.bpf.h"
 *	...
 *		if (!utrace_is_on())
 *			return 0;
 *
 * They are attached before the engine, and stay as long.
 */
#ifndef UTRACE_BESIDE_BPF_H
#define UTRACE_BESIDE_BPF_H

#include "bpf/include/utrace.bpf.h"

/* What the engine is called when it is loaded. */
const volatile char utrace_name[UTRACE_BPF_NAME_SIZE] = "";

/**
 * bpf_utrace_is_on - is an engine on the thread that runs
 * @name: utrace_name
 *
 * Of a worker that a program has in the kernel, as io_uring's: on a thread of its process.
 *
 * Context: sleepable.
 */
extern bool bpf_utrace_is_on(const char *name) __ksym;

static __always_inline bool utrace_is_on(void)
{
	return bpf_utrace_is_on((const char *)utrace_name);
}

/* What a security program returns; the verifier takes 0 and errnos alone. */
static __always_inline int utrace_refuse(int error)
{
	long positive = (error & 4095) ?: 1;
	long result = 0;

	/* Nothing follows for the verifier from a negation, which the compiler would make of it. */
	asm volatile("%[result] -= %[positive]" : [result] "+r"(result) : [positive] "r"(positive));
	return result;
}

#endif
