// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/signal.h>
#include <linux/uaccess.h>
#include <asm/syscall.h>

#include "bpf_engine.h"
#include "bpf_kfuncs.h"
#include "compat/call.h"

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

__bpf_kfunc u64 bpf_utrace_argument(struct pt_regs *regs, u32 n)
{
	unsigned long args[6];

	if (regs != task_pt_regs(current) || n >= ARRAY_SIZE(args))
		return 0;
	syscall_get_arguments(current, regs, args);
	return args[n];
}

__bpf_kfunc int bpf_utrace_set_call(struct pt_regs *regs, s32 nr)
{
	if (regs != task_pt_regs(current))
		return -EINVAL;
	regs->orig_ax = nr;
	return 0;
}

__bpf_kfunc int bpf_utrace_set_argument(struct pt_regs *regs, u32 n, u64 value)
{
	unsigned long now[6];
	u64 args[6];
	int i;

	if (regs != task_pt_regs(current) || n >= ARRAY_SIZE(args))
		return -EINVAL;
	syscall_get_arguments(current, regs, now);
	for (i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = i == n ? value : now[i];
	utrace_call_set(current, regs, regs->orig_ax, args);
	return 0;
}

__bpf_kfunc int bpf_utrace_set_signal(struct kernel_siginfo *info, int signo)
{
	/* More the core does not take either: it would be no signal at all. */
	if (signo <= 0 || !valid_signal(signo))
		return -EINVAL;
	info->si_signo = signo;
	return 0;
}

__bpf_kfunc u64 bpf_utrace_report_seq(struct utrace_engine *engine)
{
	return utrace_report_seq(engine);
}

__bpf_kfunc int bpf_utrace_attach(struct utrace_engine *engine, struct task_struct *task)
{
	const struct bpf_thread *t = engine->data;

	return bpf_join(t->owner, task, 0);
}

/* The same policy's on @task, with a reference, or an errno. */
static struct utrace_engine *engine_on(const struct utrace_engine *engine, struct task_struct *task)
{
	const struct bpf_thread *t = engine->data;

	return utrace_attach_task(task, UTRACE_ATTACH_MATCH_OPS, &t->owner->core, NULL, NULL);
}

__bpf_kfunc int bpf_utrace_resume(struct utrace_engine *engine, struct task_struct *task, u64 seq)
{
	struct utrace_engine *its = engine_on(engine, task);
	int err;

	if (IS_ERR(its))
		return -ESRCH;
	err = utrace_resume(its, seq);
	utrace_engine_put(its);
	return err;
}

__bpf_kfunc int bpf_utrace_resume_after(struct utrace_engine *engine, u64 ns)
{
	return bpf_resume_after(engine, ns);
}

__bpf_kfunc int bpf_utrace_stop(struct utrace_engine *engine, struct task_struct *task, u64 *seq)
{
	struct utrace_engine *its = engine_on(engine, task);
	int err;

	*seq = 0;
	if (IS_ERR(its))
		return -ESRCH;
	err = utrace_stop(its, seq);
	if (!err || err == -EINPROGRESS)
		bpf_thread_stopped(its->data);
	utrace_engine_put(its);
	return err == -EINPROGRESS ? 0 : err;
}

__bpf_kfunc int bpf_utrace_send_signal(int signo)
{
	if (signo <= 0 || !valid_signal(signo))
		return -EINVAL;
	/* The kernel's own, as a signal that a debugger puts in. */
	return send_sig(signo, current, 1);
}

__bpf_kfunc int bpf_utrace_fd_path(s32 fd, void *dst, u32 dst__sz)
{
	struct file *file;
	long length;
	char *path;

	if (!dst__sz)
		return -EINVAL;
	file = fget_raw(fd);
	path = file ? d_path(&file->f_path, dst, dst__sz) : ERR_PTR(-EBADF);
	if (file)
		fput(file);
	if (IS_ERR(path)) {
		memset(dst, 0, dst__sz);
		return PTR_ERR(path);
	}
	/* It was made from the end. */
	length = strlen(path);
	memmove(dst, path, length);
	memset((char *)dst + length, 0, dst__sz - length);
	return length;
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

/* No pointer of the program's: the verifier sees to it that it is a string that nobody changes. */
__bpf_kfunc bool bpf_utrace_is_on(const char *name__str)
{
	return bpf_engine_on_current(name__str);
}

__bpf_kfunc int bpf_utrace_pick(const char *name__str, struct task_struct *task)
{
	return bpf_engine_pick(name__str, task);
}

__bpf_kfunc int bpf_utrace_let_go(const char *name__str, struct task_struct *task, u64 seq)
{
	return bpf_engine_let_go(name__str, task, seq);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(utrace_kfunc_ids)
BTF_ID_FLAGS(func, bpf_utrace_set_result, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_utrace_argument, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_utrace_set_call, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_utrace_set_argument, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_utrace_set_signal, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_utrace_report_seq, KF_TRUSTED_ARGS | KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_attach, KF_TRUSTED_ARGS | KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_resume, KF_TRUSTED_ARGS | KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_resume_after, KF_TRUSTED_ARGS | KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_stop, KF_TRUSTED_ARGS | KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_send_signal, KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_fd_path, KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_read_user, KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_read_user_str, KF_SLEEPABLE)
BTF_KFUNCS_END(utrace_kfunc_ids)

static const struct btf_kfunc_id_set utrace_kfuncs = {
	.owner = THIS_MODULE,
	.set = &utrace_kfunc_ids,
};

/* For programs of other types, beside an engine: to the kernel security and tracing are one. */
BTF_KFUNCS_START(utrace_beside_ids)
BTF_ID_FLAGS(func, bpf_utrace_is_on, KF_SLEEPABLE)
BTF_ID_FLAGS(func, bpf_utrace_pick, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_utrace_let_go, KF_TRUSTED_ARGS)
BTF_KFUNCS_END(utrace_beside_ids)

static const struct btf_kfunc_id_set utrace_beside = {
	.owner = THIS_MODULE,
	.set = &utrace_beside_ids,
};

int utrace_bpf_kfuncs_init(void)
{
	int err = register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &utrace_kfuncs);

	if (!err)
		err = register_btf_kfunc_id_set(BPF_PROG_TYPE_LSM, &utrace_beside);
	return err;
}
