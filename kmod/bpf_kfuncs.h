/* SPDX-License-Identifier: GPL-2.0-only */
/* What a BPF engine may call: bpf/include/utrace.bpf.h says what each does. */
#ifndef UTRACE_BPF_KFUNCS_H
#define UTRACE_BPF_KFUNCS_H

#include <linux/types.h>

struct pt_regs;

int bpf_utrace_set_result(struct pt_regs *regs, s64 result);
int bpf_utrace_read_user(void *dst, u32 dst__sz, const void *src__ign);
int bpf_utrace_read_user_str(void *dst, u32 dst__sz, const void *src__ign);

int utrace_bpf_kfuncs_init(void);

#endif
