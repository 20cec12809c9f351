/* SPDX-License-Identifier: GPL-2.0-only */
/* What a BPF engine may call: bpf/include/utrace.bpf.h says what each does. */
#ifndef UTRACE_BPF_KFUNCS_H
#define UTRACE_BPF_KFUNCS_H

#include <linux/types.h>

struct kernel_siginfo;
struct pt_regs;
struct task_struct;
struct utrace_engine;

int bpf_utrace_set_result(struct pt_regs *regs, s64 result);
u64 bpf_utrace_argument(struct pt_regs *regs, u32 n);
int bpf_utrace_set_call(struct pt_regs *regs, s32 nr);
int bpf_utrace_set_argument(struct pt_regs *regs, u32 n, u64 value);
int bpf_utrace_set_signal(struct kernel_siginfo *info, int signo);
u64 bpf_utrace_report_seq(struct utrace_engine *engine);
int bpf_utrace_attach(struct utrace_engine *engine, struct task_struct *task);
int bpf_utrace_resume(struct utrace_engine *engine, struct task_struct *task, u64 seq);
int bpf_utrace_resume_after(struct utrace_engine *engine, u64 ns);
int bpf_utrace_stop(struct utrace_engine *engine, struct task_struct *task, u64 *seq);
int bpf_utrace_send_signal(int signo);
int bpf_utrace_fd_path(s32 fd, void *dst, u32 dst__sz);
int bpf_utrace_read_user(void *dst, u32 dst__sz, const void *src__ign);
int bpf_utrace_read_user_str(void *dst, u32 dst__sz, const void *src__ign);
bool bpf_utrace_is_on(const char *name__str);
int bpf_utrace_pick(const char *name__str, struct task_struct *task);
int bpf_utrace_let_go(const char *name__str, struct task_struct *task, u64 seq);

int utrace_bpf_kfuncs_init(void);

#endif
