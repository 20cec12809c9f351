/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the author of a BPF engine: a policy that decides in the kernel, in the context of the thread
 * it is about.
 *
 *	#include "bpf/include/utrace.bpf.h"
 *
 *	UTRACE_REPORT(report_syscall_entry)
 *	u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
 *	{
 *		if (regs->orig_ax != __NR_unlink)
 *			return utrace_pass(action);
 *		bpf_utrace_set_result(regs, -EPERM);
 *		return utrace_abort();
 *	}
 *
 *	UTRACE_ENGINE(no_unlink) = {
 *		.name = "no-unlink",
 *		.report_syscall_entry = (void *)on_entry,
 *	};
 *
 * What a report is told, and what it may return, is that of struct utrace_engine_ops in
 * include/linux/utrace.h.  Beware: 0 is UTRACE_STOP.  An engine hears what it has a member for.
 * An object holds one engine.  Its variables that are const volatile are its options:
 * "utracectl engine load --set NAME=VALUE".
 */
#ifndef UTRACE_BPF_H
#define UTRACE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "include/uapi/utrace_bpf.h"

/* One engine of the policy: on one thread. */
struct utrace_engine {
	void *data;
} __attribute__((preserve_access_index));

/* Of an option: it takes the name of a system call, or of an errno. */
#define UTRACE_IS_SYSCALL __attribute__((btf_decl_tag("utrace:syscall")))
#define UTRACE_IS_ERRNO	  __attribute__((btf_decl_tag("utrace:errno")))

/* Of all reports but report_reap, which may not sleep: SEC("struct_ops/report_reap"). */
#define UTRACE_REPORT(member) SEC("struct_ops.s/" #member)
#define UTRACE_ENGINE(object) SEC(".struct_ops.link") struct utrace_bpf_engine_ops object

/**
 * bpf_utrace_set_result - what a call gives
 * @regs: of the report
 * @result: a value, or an errno below 0
 *
 * In report_syscall_entry(), for utrace_abort(), and in report_syscall_exit().
 *
 * Return: 0; -EINVAL these are not the registers of the thread that runs.
 */
extern int bpf_utrace_set_result(struct pt_regs *regs, s64 result) __ksym;

/**
 * bpf_utrace_read_user - the memory of the thread that runs
 * @dst: buffer of @size bytes
 * @src: an address of its own
 *
 * Memory that is not there is faulted in.  Another thread may write it again before the kernel
 * reads it: what is decided by it at a call's entry is advice, no protection.
 *
 * Context: sleepable.
 * Return: 0; -EFAULT, and @dst is cleared.
 */
extern int bpf_utrace_read_user(void *dst, u32 size, const void *src) __ksym;

/**
 * bpf_utrace_read_user_str - a string of the thread that runs
 * @dst: buffer of @size bytes; ends with a NUL in any case, and is cleared from there to its end
 *
 * As bpf_utrace_read_user().
 *
 * Return: its length without the NUL, size - 1 if it was cut short; -EFAULT, and @dst is cleared;
 *	-EINVAL @size is 0.
 */
extern int bpf_utrace_read_user_str(void *dst, u32 size, const void *src) __ksym;

/* Goes on, and leaves the call or the signal to what engines before it have decided. */
static __always_inline u32 utrace_pass(u32 action)
{
	return UTRACE_RESUME | (action & UTRACE_VERDICT_MASK);
}

/* The call is not run; its result is that of bpf_utrace_set_result(), or else -ENOSYS. */
static __always_inline u32 utrace_abort(void)
{
	return UTRACE_RESUME | UTRACE_SYSCALL_ABORT;
}

#endif
