// SPDX-License-Identifier: GPL-2.0-only
/* Brings the layers up, and down in reverse. */
#include <linux/module.h>

#include "bpf_ops.h"
#include "chardev.h"
#include "engine.h"
#include "events/resume.h"
#include "gates.h"
#include "hooks/hooks.h"
#include "session.h"
#include "task.h"

static int __init utrace_init(void)
{
	int err;

	err = utrace_hooks_init();
	if (err)
		return err;
	err = utrace_task_init(utrace_work);
	if (err)
		goto err_hooks;
	err = utrace_engine_init();
	if (err)
		goto err_task;
	err = utrace_session_init();
	if (err)
		goto err_engine;
	err = utrace_gates_init();
	if (err)
		goto err_session;
	err = utrace_bpf_init();
	if (err)
		goto err_gates;
	err = utrace_chardev_init();
	if (err)
		goto err_bpf;
	pr_info("version %s\n", UTRACE_VERSION);
	return 0;

err_bpf:
	utrace_bpf_exit();
err_gates:
	utrace_gates_exit();
err_session:
	utrace_session_exit();
err_engine:
	utrace_engine_exit();
err_task:
	utrace_task_exit();
err_hooks:
	utrace_hooks_exit();
	return err;
}

/*
 * Whoever has the device open, or an engine on a thread, pins the module: nobody does any more.
 * First nobody comes in, then the last one leaves: passes that were under way, then the threads
 * they were for.
 */
static void __exit utrace_exit(void)
{
	utrace_chardev_exit();
	utrace_gates_exit();
	utrace_hooks_exit();
	utrace_task_exit();
	utrace_bpf_exit();
	utrace_session_exit();
	utrace_engine_exit();
}

module_init(utrace_init);
module_exit(utrace_exit);
MODULE_DESCRIPTION("Several independent tracing engines on one thread");
MODULE_LICENSE("GPL");
MODULE_VERSION(UTRACE_VERSION);
