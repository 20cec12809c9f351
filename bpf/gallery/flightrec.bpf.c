// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps the last system calls of each thread, and tells them when a signal is about to end its
 * process; or on demand, by a signal that the program then never sees.
 *
 *	utracectl engine load flightrec.bpf.o --set demand=SIGUSR2 -p 812
 *	kill -USR2 812
 */
#include "bpf/include/utrace_choice.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define LAST 32 /* a power of 2 */

/* At which they are told too, and which is then dropped; 0: none. */
const volatile int demand UTRACE_IS_SIGNAL = 0;

struct flight {
	int tid;
	char comm[16];
	int why UTRACE_IS_SIGNAL;
	/* How long before that the call was over. */
	unsigned long long ns_ago;
	int call UTRACE_IS_SYSCALL;
	unsigned long long arg0 UTRACE_IS_HEX;
	unsigned long long arg1 UTRACE_IS_HEX;
	long long result;
};

UTRACE_RECORDS(struct flight, 256 * 1024);

struct ended {
	u64 time_ns;
	u64 arg0;
	u64 arg1;
	s64 result;
	s32 call;
};

struct recorder {
	u32 count;
	bool wanted;
	struct ended last[LAST];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct recorder);
} recorders SEC(".maps");

UTRACE_REPORT(report_syscall_entry)
u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct recorder *recorder;

	recorder = bpf_task_storage_get(&recorders, bpf_get_current_task_btf(), 0,
					BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (recorder)
		recorder->wanted = utrace_chosen(regs);
	return utrace_pass(action);
}

UTRACE_REPORT(report_syscall_exit)
u32 BPF_PROG(on_exit, u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct recorder *recorder;
	struct ended *ended;

	recorder = bpf_task_storage_get(&recorders, bpf_get_current_task_btf(), 0, 0);
	if (!recorder || !recorder->wanted)
		return utrace_pass(action);
	recorder->wanted = false;
	ended = &recorder->last[recorder->count++ & (LAST - 1)];
	ended->time_ns = bpf_ktime_get_ns();
	ended->call = regs->orig_ax;
	ended->arg0 = bpf_utrace_argument(regs, 0);
	ended->arg1 = bpf_utrace_argument(regs, 1);
	ended->result = regs->ax;
	return utrace_pass(action);
}

static void tell(const struct ended *ended, int why)
{
	struct flight *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record)
		return;
	record->tid = bpf_get_current_task_btf()->pid;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	record->why = why;
	record->ns_ago = bpf_ktime_get_ns() - ended->time_ns;
	record->call = ended->call;
	record->arg0 = ended->arg0;
	record->arg1 = ended->arg1;
	record->result = ended->result;
	bpf_ringbuf_submit(record, 0);
}

/* The oldest first. */
static void tell_all(int why)
{
	struct recorder *recorder;
	u32 i, at;

	recorder = bpf_task_storage_get(&recorders, bpf_get_current_task_btf(), 0, 0);
	if (!recorder)
		return;
	for (i = 0; i < LAST; i++) {
		at = (recorder->count + i) & (LAST - 1);
		if (recorder->last[at].time_ns)
			tell(&recorder->last[at], why);
	}
}

UTRACE_REPORT(report_signal)
u32 BPF_PROG(on_signal, u32 action, struct utrace_engine *engine, u32 event,
	     struct kernel_siginfo *info)
{
	int signo = info->si_signo;

	if (event & UTRACE_EVENT(SIGNAL_HANDLER))
		return utrace_pass(action);
	if (demand && signo == demand) {
		tell_all(signo);
		return UTRACE_RESUME | UTRACE_SIGNAL_IGN;
	}
	if (event & (UTRACE_EVENT(SIGNAL_TERM) | UTRACE_EVENT(SIGNAL_CORE)))
		tell_all(signo);
	return utrace_pass(action);
}

UTRACE_ENGINE(flightrec) = {
	.name = "flightrec",
	.report_syscall_entry = (void *)on_entry,
	.report_syscall_exit = (void *)on_exit,
	.report_signal = (void *)on_signal,
};
