// SPDX-License-Identifier: GPL-2.0-only
/*
 * The least a recorder of system calls by BPF can do, to be measured against: exit side, one
 * comparison of the pid, one record of 80 bytes reserved and submitted, no wake-up.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct minimal_record {
	__u64 ts;
	__u32 tid;
	__u32 nr;
	__s64 ret;
	__u64 args[6];
	__u64 reserved;
};

_Static_assert(sizeof(struct minimal_record) == 80, "the record must have 80 bytes");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 20);
} ring SEC(".maps");

const volatile pid_t target;
__u64 dropped;

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct minimal_record *r;

	if (task->tgid != target)
		return 0;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		__sync_fetch_and_add(&dropped, 1);
		return 0;
	}
	r->ts = bpf_ktime_get_ns();
	r->tid = task->pid;
	r->nr = regs->orig_ax;
	r->ret = ret;
	r->args[0] = regs->di;
	r->args[1] = regs->si;
	r->args[2] = regs->dx;
	r->args[3] = regs->r10;
	r->args[4] = regs->r8;
	r->args[5] = regs->r9;
	r->reserved = 0;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}
