// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/module.h>
#include <linux/string.h>

#include "bpf_engine.h"
#include "bpf_kfuncs.h"
#include "bpf_ops.h"
#include "compat/kernel.h"
#include "compat/symbols.h"

#define FLAGS_ALL \
	(UTRACE_TARGET_GROUP | UTRACE_TARGET_CHILDREN | UTRACE_TARGET_HANDOVER | \
	 UTRACE_TARGET_NESTED | UTRACE_TARGET_INTERCEPT | UTRACE_TARGET_EXECS | \
	 UTRACE_TARGET_CGROUP)

/* Which of them go with UTRACE_TARGET_CGROUP, as the header has it. */
static bool flags_fit(u32 flags)
{
	if (flags & ~FLAGS_ALL)
		return false;
	return !(flags & UTRACE_TARGET_CGROUP) ||
	       (flags & (UTRACE_TARGET_GROUP | UTRACE_TARGET_EXECS)) == UTRACE_TARGET_GROUP;
}

/*
 * Never called.  From them the verifier learns what a member's program is given, and on a kernel
 * with CFI they lend their types: one for each member.
 */
static u32 stub_quiesce(u32 action, struct utrace_engine *engine, u32 event)
{
	return UTRACE_RESUME;
}

static u32 stub_regs(u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	return UTRACE_RESUME;
}

static u32 stub_signal(u32 action, struct utrace_engine *engine, u32 event,
		       struct kernel_siginfo *info)
{
	return UTRACE_RESUME;
}

static u32 stub_jctl(u32 action, struct utrace_engine *engine, int type, int notify)
{
	return UTRACE_RESUME;
}

static u32 stub_clone(u32 action, struct utrace_engine *engine, u64 clone_flags,
		      struct task_struct *child)
{
	return UTRACE_RESUME;
}

static u32 stub_exit(u32 action, struct utrace_engine *engine, long code)
{
	return UTRACE_RESUME;
}

static u32 stub_step(u32 action, struct utrace_engine *engine)
{
	return UTRACE_RESUME;
}

static void stub_death(struct utrace_engine *engine, int group_dead)
{
}

static void stub_reap(struct utrace_engine *engine, struct task_struct *task)
{
}

static struct utrace_bpf_engine_ops stubs = {
	.report_quiesce = stub_quiesce,
	.report_syscall_entry = stub_regs,
	.report_syscall_exit = stub_regs,
	.report_signal = stub_signal,
	.report_jctl = stub_jctl,
	.report_clone = stub_clone,
	.report_exec = stub_regs,
	.report_exit = stub_exit,
	.report_step = stub_step,
	.report_death = stub_death,
	.report_reap = stub_reap,
};

static bool ops_is_valid_access(int off, int size, enum bpf_access_type type,
				const struct bpf_prog *prog, struct bpf_insn_access_aux *info)
{
	return bpf_tracing_btf_ctx_access(off, size, type, prog, info);
}

/* Beside what every program may call: what it keeps of each thread, and who that is. */
static const struct bpf_func_proto *ops_func_proto(enum bpf_func_id id, const struct bpf_prog *prog)
{
	switch (id) {
	case BPF_FUNC_task_storage_get:
		return k_bpf_task_storage_get_proto;
	case BPF_FUNC_task_storage_delete:
		return k_bpf_task_storage_delete_proto;
	case BPF_FUNC_get_current_comm:
		return k_bpf_get_current_comm_proto;
	case BPF_FUNC_get_current_uid_gid:
		return k_bpf_get_current_uid_gid_proto;
	case BPF_FUNC_get_current_ancestor_cgroup_id:
		/* Not without control groups. */
		return k_bpf_get_current_ancestor_cgroup_id_proto;
	default:
		return bpf_base_func_proto(id, prog);
	}
}

static const struct bpf_verifier_ops verifier_ops = {
	.get_func_proto = ops_func_proto,
	.is_valid_access = ops_is_valid_access,
};

static int ops_init(struct btf *btf)
{
	return 0;
}

static int ops_check_member(const struct btf_type *type, const struct btf_member *member,
			    const struct bpf_prog *prog)
{
	/* Of all, it alone may be called where nothing may sleep. */
	if (__btf_member_bit_offset(type, member) ==
	    offsetof(struct utrace_bpf_engine_ops, report_reap) * BITS_PER_BYTE)
		return prog->sleepable ? -EINVAL : 0;
	return 0;
}

/* 1: this member is no function, and was taken over. */
static int ops_init_member(const struct btf_type *type, const struct btf_member *member,
			   void *kdata, const void *udata)
{
	const struct utrace_bpf_engine_ops *from = udata;
	struct utrace_bpf_engine_ops *to = kdata;

	switch (__btf_member_bit_offset(type, member) / BITS_PER_BYTE) {
	case offsetof(struct utrace_bpf_engine_ops, name):
		return strscpy(to->name, from->name, sizeof(to->name)) > 0 ? 1 : -EINVAL;
	case offsetof(struct utrace_bpf_engine_ops, flags):
		to->flags = from->flags;
		return flags_fit(to->flags) ? 1 : -EINVAL;
	case offsetof(struct utrace_bpf_engine_ops, signal_events):
		to->signal_events = from->signal_events;
		return to->signal_events & ~UTRACE_EVENTS_OF_SIGNAL ? -EINVAL : 1;
	case offsetof(struct utrace_bpf_engine_ops, target):
		to->target = from->target;
		return to->target < 0 ? -EINVAL : 1;
	case offsetof(struct utrace_bpf_engine_ops, reserved):
		return from->reserved ? -EINVAL : 1;
	}
	return 0;
}

static int ops_register(void *kdata, struct bpf_link *link)
{
	/* Without a link nobody's end would take it off. */
	return link ? bpf_engine_register(kdata) : -EOPNOTSUPP;
}

static void ops_unregister(void *kdata, struct bpf_link *link)
{
	bpf_engine_unregister(kdata);
}

static int ops_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	return bpf_engine_replace(kdata, old_kdata);
}

static struct bpf_struct_ops utrace_struct_ops = {
	.verifier_ops = &verifier_ops,
	.init = ops_init,
	.check_member = ops_check_member,
	.init_member = ops_init_member,
	.reg = ops_register,
	.unreg = ops_unregister,
	.update = ops_update,
	.cfi_stubs = &stubs,
	.name = "utrace_bpf_engine_ops",
	.owner = THIS_MODULE,
};

int utrace_bpf_init(void)
{
	int err;

	err = bpf_engine_init();
	if (err || !utrace_module_has_btf())
		return err;
	err = utrace_bpf_kfuncs_init();
	if (!err)
		/* Stays until the module goes, and so does what was registered before. */
		err = register_bpf_struct_ops(&utrace_struct_ops, utrace_bpf_engine_ops);
	if (err) {
		pr_err("registering with BPF failed: error %d\n", err);
		bpf_engine_exit();
	}
	return err;
}

void utrace_bpf_brake(void)
{
	bpf_engine_brake();
}

void utrace_bpf_exit(void)
{
	bpf_engine_exit();
}
