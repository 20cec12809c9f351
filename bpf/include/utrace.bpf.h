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

/* Of an option, or a record's member: what the number is, so that it has a name. */
#define UTRACE_IS_SYSCALL __attribute__((btf_decl_tag("utrace:syscall")))
#define UTRACE_IS_ERRNO	  __attribute__((btf_decl_tag("utrace:errno")))
#define UTRACE_IS_SIGNAL  __attribute__((btf_decl_tag("utrace:signal")))
#define UTRACE_IS_HEX	  __attribute__((btf_decl_tag("utrace:hex")))
/* A member only: a thread that the engine is about to hold, whose stack is told with the record. */
#define UTRACE_IS_HELD __attribute__((btf_decl_tag("utrace:held")))

/*
 * Records of one structure, in a ring of so many bytes, a power of 2: what it gives by
 * bpf_ringbuf_reserve(&records, sizeof(structure), 0) and bpf_ringbuf_submit() is printed by
 * utracectl engine load, a line each, by its members' names: numbers, enumerators by name, and
 * arrays of char as strings.
 */
#define UTRACE_RECORDS(structure, bytes) \
	struct { \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, bytes); \
	} records SEC(".maps"); \
	/* So that the object has the type; never set. */ \
	structure *utrace_record = 0

/* Of all reports but report_reap, which may not sleep: SEC("struct_ops/report_reap"). */
#define UTRACE_REPORT(member) SEC("struct_ops.s/" #member)
#define UTRACE_ENGINE(object) SEC(".struct_ops.link") struct utrace_bpf_engine_ops object

/*
 * What it counts, in a map by the structure @key of the structure @value: utracectl engine load
 * prints it as a table at the end, by the members' names, the largest of @value's first member
 * first.
 */
#define UTRACE_TABLE(key_type, value_type, entries) \
	struct { \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(max_entries, entries); \
		__type(key, key_type); \
		__type(value, value_type); \
	} table SEC(".maps")

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
 * bpf_utrace_argument - an argument of the call
 * @regs: of the report
 * @n: from 0 to 5
 *
 * In the order of the call's own, whatever the program's word size.
 *
 * Return: its value; 0 if these are not the registers of the thread that runs, or it has no such.
 */
extern u64 bpf_utrace_argument(struct pt_regs *regs, u32 n) __ksym;

/**
 * bpf_utrace_set_call - run another call instead
 * @regs: of report_syscall_entry()
 * @nr: its number, by the table of the program's word size
 *
 * Return: 0; -EINVAL these are not the registers of the thread that runs.
 */
extern int bpf_utrace_set_call(struct pt_regs *regs, s32 nr) __ksym;

/**
 * bpf_utrace_set_argument - run it with another argument
 * @regs: of report_syscall_entry()
 * @n: from 0 to 5
 *
 * The program finds its register changed after the call.
 *
 * Return: 0; -EINVAL these are not the registers of the thread that runs, or it has no such.
 */
extern int bpf_utrace_set_argument(struct pt_regs *regs, u32 n, u64 value) __ksym;

/**
 * bpf_utrace_set_signal - it is another signal instead
 * @info: of report_signal()
 *
 * What else @info says stays.  Nothing at SIGNAL_HANDLER, nor of one that was dropped.
 *
 * Return: 0; -EINVAL there is no such signal.
 */
extern int bpf_utrace_set_signal(struct kernel_siginfo *info, int signo) __ksym;

/**
 * bpf_utrace_report_seq - the number of this report
 *
 * What bpf_utrace_resume() has to answer if the report returns UTRACE_STOP.
 */
extern u64 bpf_utrace_report_seq(struct utrace_engine *engine) __ksym;

/**
 * bpf_utrace_attach - this engine on another thread, too
 * @engine: of the report
 * @task: a trusted pointer, as of bpf_task_from_pid(), or the child of report_clone()
 *
 * By the rights of who attached the engine.  Of that thread alone; those that it creates join by
 * the engine's flags.
 *
 * Context: sleepable.
 * Return: 0; -EEXIST it is on it; -EPERM it may not be traced, or is the kernel's; -ESRCH it is
 *	dead, or about to be; -EOWNERDEAD the engine is just going; -EINTR, -ENOMEM.
 */
extern int bpf_utrace_attach(struct utrace_engine *engine, struct task_struct *task) __ksym;

/**
 * bpf_utrace_resume - let go what this engine holds
 * @engine: of the report
 * @task: the thread that is held
 * @seq: its number, of bpf_utrace_report_seq() there or of bpf_utrace_stop(); 0: the latest
 *
 * Early, late and repeated answers are all right, as in utrace_resume() of the core.
 *
 * Context: sleepable.
 * Return: 0; -ESRCH the engine is not on it, or it is dead; -ERANGE it never had this number.
 */
extern int bpf_utrace_resume(struct utrace_engine *engine, struct task_struct *task,
			     u64 seq) __ksym;

/**
 * bpf_utrace_resume_after - let go after a while
 * @engine: of the report
 * @ns: nanoseconds, at most UTRACE_BPF_DELAY_MAX
 *
 * If this report returns UTRACE_STOP the thread is held for so long, unless somebody lets it go
 * before.  It is an ordinary hold: a debugger, job control and SIGKILL find it as any other.
 *
 * Context: sleepable.
 * Return: 0; and else it would be held for good: -EINVAL it is longer; -EOWNERDEAD the engine is
 *	just going; -ENOMEM.
 */
extern int bpf_utrace_resume_after(struct utrace_engine *engine, u64 ns) __ksym;

/**
 * bpf_utrace_send_signal - to the thread that runs
 * @signo: from 1 to 64
 *
 * From the kernel (SI_KERNEL), as a debugger's.  At a call's entry: the call may be broken by it,
 * and it is delivered when that ends.
 *
 * Context: sleepable.
 * Return: 0; -EINVAL there is no such signal; -EAGAIN too many are queued.
 */
extern int bpf_utrace_send_signal(int signo) __ksym;

/**
 * bpf_utrace_fd_path - what is open in the thread that runs
 * @fd: its descriptor
 * @dst: buffer of @size bytes; is cleared behind the path's NUL
 *
 * The path as the thread would find it, " (deleted)" behind one that is there no more; of what has no
 * path, what /proc/PID/fd shows.  Another thread may open something else under the number at any
 * time: what is decided by it at a call's entry is advice, no protection.
 *
 * Context: sleepable.
 * Return: its length without the NUL; -EBADF it is not open; -ENAMETOOLONG, and @dst is cleared;
 *	-EINVAL @size is 0.
 */
extern int bpf_utrace_fd_path(s32 fd, void *dst, u32 size) __ksym;

/**
 * bpf_utrace_stop - hold another thread that this engine is on
 * @engine: of the report
 * @task: the thread
 * @seq: receives the number by which it is let go
 *
 * It stops before it runs another instruction of its own; a blocking call is not disturbed.
 *
 * Context: sleepable.
 * Return: 0; -ESRCH the engine is not on it, or it is dead.
 */
extern int bpf_utrace_stop(struct utrace_engine *engine, struct task_struct *task, u64 *seq) __ksym;

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

/*
 * Holds the thread until somebody lets go: utracectl resume, this engine's end, or with
 * UTRACE_TARGET_HANDOVER a debugger that comes for it.
 */
static __always_inline u32 utrace_hold(u32 action)
{
	return UTRACE_STOP | (action & UTRACE_VERDICT_MASK);
}

/* The call is not run; its result is that of bpf_utrace_set_result(), or else -ENOSYS. */
static __always_inline u32 utrace_abort(void)
{
	return UTRACE_RESUME | UTRACE_SYSCALL_ABORT;
}

#endif
