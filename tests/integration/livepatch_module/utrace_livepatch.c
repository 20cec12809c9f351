// SPDX-License-Identifier: GPL-2.0-only
/* A live patch of a function that the module hooks, and that does nothing where nobody listens. */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/sched.h>

static void tell_nobody(struct task_struct *task)
{
}

static struct klp_func funcs[] = { { .old_name = "proc_exec_connector", .new_func = tell_nobody },
				   {} };

static struct klp_object objects[] = { { .funcs = funcs }, {} };

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init livepatch_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit livepatch_exit(void)
{
}

module_init(livepatch_init);
module_exit(livepatch_exit);
MODULE_INFO(livepatch, "Y");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A live patch beside the utrace module");
