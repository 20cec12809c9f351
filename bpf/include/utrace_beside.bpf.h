/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For an object that beside its engine has programs of another type.  SEC("lsm.s/...") see what
 * happens on the whole machine and are to decide about those only that the engine is on:
 *
 *	#include "bpf/include/utrace_beside.bpf.h"
 *	...
 *		if (!utrace_is_on())
 *			return 0;
 *
 * Others, as SEC("tp_btf/sched_process_exec"), choose whom it is to be on, utrace_pick(task), and
 * let go what it holds, utrace_let_go(task, number).
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

/**
 * bpf_utrace_pick - an engine on a thread that another program has found
 * @name: utrace_name
 * @task: a trusted pointer: a tracepoint's argument, bpf_get_current_task_btf(),
 *	bpf_task_from_pid()
 *
 * By the rights of who attached the engine.  It is on the thread before that runs another
 * instruction of its own, and report_quiesce() is called there, with event 0.  At
 * sched_process_exec: before the new program's first instruction, but after its exec was told.  Of
 * that thread alone; those that it creates join by the engine's flags.
 *
 * Context: any but an NMI.
 * Return: 0 it is on its way; -ENOENT there is no such engine; -EPERM it is a thread of the
 *	kernel's; -ESRCH it is at its end; -ENOMEM.
 */
extern int bpf_utrace_pick(const char *name, struct task_struct *task) __ksym;

/**
 * bpf_utrace_let_go - what an engine holds, by another program
 * @name: utrace_name
 * @task: the thread that is held: a trusted pointer
 * @seq: its number, of bpf_utrace_report_seq() there; 0: the latest
 *
 * Soon, not at once; early, late and repeated answers are all right.
 *
 * Context: any but an NMI.
 * Return: 0; -ENOENT there is no such engine; -ENOMEM.
 */
extern int bpf_utrace_let_go(const char *name, struct task_struct *task, u64 seq) __ksym;

static __always_inline int utrace_pick(struct task_struct *task)
{
	return bpf_utrace_pick((const char *)utrace_name, task);
}

static __always_inline int utrace_let_go(struct task_struct *task, u64 seq)
{
	return bpf_utrace_let_go((const char *)utrace_name, task, seq);
}

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
