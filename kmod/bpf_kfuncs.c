// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>
#include <asm/syscall.h>

#include "bpf_kfuncs.h"

/* Where there is no such flag every pointer has to be one that the verifier trusts. */
#ifndef KF_TRUSTED_ARGS
#define KF_TRUSTED_ARGS 0
#endif

__bpf_kfunc_start_defs();

__bpf_kfunc int bpf_utrace_set_result(struct pt_regs *regs, s64 result)
{
	if (regs != task_pt_regs(current))
		return -EINVAL;
	syscall_set_return_value(current, regs, 0, result);
	return 0;
}

__bpf_kfunc int bpf_utrace_read_user(void *dst, u32 dst__sz, const void *src__ign)
{
	/* What was not read must not be what the stack held. */
	if (copy_from_user(dst, (const void __user *)src__ign, dst__sz)) {
		memset(dst, 0, dst__sz);
		return -EFAULT;
	}
	return 0;
}

__bpf_kfunc int bpf_utrace_read_user_str(void *dst, u32 dst__sz, const void *src__ign)
{
	long length;

	if (!dst__sz)
		return -EINVAL;
	length = strncpy_from_user(dst, (const char __user *)src__ign, dst__sz);
	if (length < 0) {
		memset(dst, 0, dst__sz);
		return length;
	}
	/* Cut short if need be, and cleared to its end, so that equal strings are equal bytes. */
	length = min_t(long, length, dst__sz - 1);
	memset((char *)dst + length, 0, dst__sz - length);
	return length;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(utrace_kfunc_ids)
BTF_ID_FLAGS(func, bpf_utrace_set_result, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_utrace_read_user, KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_read_user_str, KF_SLEEPABLE)
BTF_KFUNCS_END(utrace_kfunc_ids)

static const struct btf_kfunc_id_set utrace_kfuncs = {
	.owner = THIS_MODULE,
	.set = &utrace_kfunc_ids,
};

int utrace_bpf_kfuncs_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &utrace_kfuncs);
}
