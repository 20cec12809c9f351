// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does something to a call: lets it fail, gives it another result, makes it late, sends its thread
 * a signal, changes an argument.  To all of them, or every Nth, from one on, up to one.
 *
 *	utracectl engine load faultinject.bpf.o --set call=openat --set error=ENOSPC -- make
 *	utracectl engine load faultinject.bpf.o --if 'call == openat && path ~ "*.o"' -- make
 *	utracectl engine load faultinject.bpf.o --set call=fsync --set error=0 --set delay=900 -p 8
 *
 * It is what utracectl inject loads.
 */
#include "bpf/include/utrace_choice.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Which call. */
const volatile int call UTRACE_IS_SYSCALL = -1;
/* What it gives instead: an error, 0 for none, or with gives set a value.  Else it is made. */
const volatile int error UTRACE_IS_ERRNO = 5;
const volatile bool gives = false;
const volatile long long value = 0;
/* Microseconds for which the thread is held before. */
const volatile unsigned int delay = 0;
/* What its thread is sent before. */
const volatile int signal UTRACE_IS_SIGNAL = 0;
/* Which argument is another, from 0 on, and what it is then. */
const volatile int argument = -1;
const volatile unsigned long long becomes = 0;
/* After so many calls each of so many, the last or the first; none after so many, if not 0. */
const volatile unsigned int every = 1;
const volatile unsigned int after = 0;
const volatile unsigned int until = 0;
const volatile bool first = false;
/* They are counted in each thread by itself. */
const volatile bool each_thread = false;
/* A record of each. */
const volatile bool tells = false;

struct injected {
	int pid;
	int tid;
	char comm[16];
	int call UTRACE_IS_SYSCALL;
	/* Of all calls that are counted. */
	unsigned long long nth;
};

UTRACE_RECORDS(struct injected, 256 * 1024);

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, unsigned long long);
} counts SEC(".maps");

/* Of all its threads. */
unsigned long long seen = 0;
unsigned long long failed = 0;

/* Its number among those that are counted; 0: no memory for a count. */
static __always_inline unsigned long long count(struct task_struct *task)
{
	unsigned long long *own;

	if (!each_thread)
		return __sync_fetch_and_add(&seen, 1) + 1;
	own = bpf_task_storage_get(&counts, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return own ? ++*own : 0;
}

static __always_inline bool is_due(unsigned long long nth)
{
	if (nth <= after || (until && nth > until))
		return false;
	return every && (nth - after - first) % every == 0;
}

static __always_inline void tell(struct task_struct *task, struct pt_regs *regs,
				 unsigned long long nth)
{
	struct injected *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record)
		return;
	record->pid = task->tgid;
	record->tid = task->pid;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	record->call = regs->orig_ax;
	record->nth = nth;
	bpf_ringbuf_submit(record, 0);
}

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 verdict = utrace_pass(action);
	unsigned long long nth;

	/* Without a call it is about those of --if, or none. */
	if (call >= 0 ? (int)regs->orig_ax != call : !utrace_choice.chooses)
		return verdict;
	if (!utrace_chosen(regs))
		return verdict;
	nth = count(task);
	if (!is_due(nth))
		return verdict;
	__sync_fetch_and_add(&failed, 1);
	if (tells)
		tell(task, regs, nth);
	if (signal)
		bpf_utrace_send_signal(signal);
	if (argument >= 0)
		bpf_utrace_set_argument(regs, argument, becomes);
	if (gives || error) {
		bpf_utrace_set_result(regs, gives ? value : -error);
		verdict = utrace_abort();
	}
	if (delay && bpf_utrace_resume_after(engine, delay * 1000ull) == 0)
		return utrace_hold(verdict);
	return verdict;
}

UTRACE_ENGINE(faultinject) = {
	.name = "faultinject",
	.report_syscall_entry = (void *)on_entry,
};
