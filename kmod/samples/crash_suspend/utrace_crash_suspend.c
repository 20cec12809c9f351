// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sample: keeps what crashes.  A thread, or one of those it makes from then on and those make,
 * that is about to dump core is held there, its memory as it was, until it is let go.
 *
 *	insmod utrace_crash_suspend.ko
 *	echo TID >/sys/module/utrace_crash_suspend/parameters/thread
 *	dmesg		# utrace_crash_suspend: thread 4711 (server) crashes by signal 11 at ...
 *	cat /sys/module/utrace_crash_suspend/parameters/crashed
 *	echo 4711 >/sys/module/utrace_crash_suspend/parameters/resume
 *	echo 0 >/sys/module/utrace_crash_suspend/parameters/thread	# before rmmod: all of them
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/signal_types.h>
#include <linux/slab.h>
#include <linux/utrace.h>

#define WATCHED (UTRACE_EVENT(SIGNAL_CORE) | UTRACE_EVENT(CLONE) | UTRACE_EVENT(DEATH))

/* One thread.  Its engine has one reference to it, by engine->data, the list holds one on that. */
struct watch {
	struct list_head entry;
	struct utrace_engine *engine;
	pid_t tid;
	int sig;
	/* Of the report at which it is held; 0: it is not. */
	u64 seq;
};

/* Guards the list and what is in it.  Taken in callbacks, so never held over a barrier. */
static DEFINE_MUTEX(lock);
static LIST_HEAD(watches);

static int watch(struct task_struct *task, const struct watch *creator);

static u32 on_clone(u32 action, struct utrace_engine *engine, unsigned long flags,
		    struct task_struct *child)
{
	int ret = watch(child, engine->data);

	/* Killed before it ran, a worker of the kernel's, or we are leaving. */
	if (ret && ret != -ESRCH && ret != -EPERM)
		pr_warn("thread %d is not watched: error %d\n", child->pid, ret);
	return UTRACE_RESUME;
}

static u32 on_signal(u32 action, struct utrace_engine *engine, u32 event,
		     struct kernel_siginfo *info)
{
	struct watch *w = engine->data;
	u32 verdict = utrace_signal_action(action);

	/* Somebody else has made something of it already. */
	if (verdict != UTRACE_SIGNAL_DELIVER)
		return verdict | UTRACE_RESUME;
	pr_info("thread %d (%s) crashes by signal %d at %lx: held\n", w->tid, current->comm,
		info->si_signo, instruction_pointer(task_pt_regs(current)));
	mutex_lock(&lock);
	w->sig = info->si_signo;
	w->seq = utrace_report_seq(engine);
	mutex_unlock(&lock);
	return UTRACE_STOP;
}

/* Off the list, with the list's reference.  Lock held. */
static void forget(struct watch *w)
{
	list_del_init(&w->entry);
	utrace_engine_put(w->engine);
}

static u32 on_death(struct utrace_engine *engine, bool group_dead)
{
	struct watch *w = engine->data;

	mutex_lock(&lock);
	if (!list_empty(&w->entry))
		forget(w);
	mutex_unlock(&lock);
	return UTRACE_DETACH;
}

static void on_release(struct utrace_engine *engine)
{
	kfree(engine->data);
}

static const struct utrace_engine_ops ops = {
	.owner = THIS_MODULE,
	.report_clone = on_clone,
	.report_signal = on_signal,
	.report_death = on_death,
	.release = on_release,
};

static int watch(struct task_struct *task, const struct watch *creator)
{
	struct utrace_engine *engine;
	struct watch *w;
	int ret;

	w = kzalloc(sizeof(*w), GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	w->tid = task->pid;
	/* One engine of ours a thread, should it be asked for again. */
	engine = utrace_attach_task(
		task, UTRACE_ATTACH_CREATE | UTRACE_ATTACH_EXCLUSIVE | UTRACE_ATTACH_MATCH_OPS,
		&ops, w, NULL);
	if (IS_ERR(engine)) {
		kfree(w);
		return PTR_ERR(engine) == -EEXIST ? 0 : PTR_ERR(engine);
	}
	mutex_lock(&lock);
	w->engine = engine;
	list_add_tail(&w->entry, &watches);
	/* Nobody is watched any more; or it is dying, and will then never tell its death. */
	ret = creator && list_empty(&creator->entry) ? -ESRCH : utrace_set_events(engine, WATCHED);
	if (ret)
		list_del_init(&w->entry);
	mutex_unlock(&lock);
	if (!ret)
		return 0;
	/* Its data goes with the last reference. */
	if (utrace_control(engine, UTRACE_DETACH))
		pr_debug("thread %d leaves by itself\n", task->pid);
	utrace_engine_put(engine);
	return -ESRCH;
}

/* Whatever it holds goes on. */
static void leave_all(void)
{
	struct watch *w;

	mutex_lock(&lock);
	while ((w = list_first_entry_or_null(&watches, struct watch, entry))) {
		/* It may be in a callback that waits for our lock: then it is off after that. */
		if (utrace_control(w->engine, UTRACE_DETACH))
			pr_debug("thread %d leaves in a moment\n", w->tid);
		forget(w);
	}
	mutex_unlock(&lock);
}

static int thread_set(const char *text, const struct kernel_param *param)
{
	struct task_struct *task;
	struct pid *pid;
	int tid, ret;

	ret = kstrtoint(text, 0, &tid);
	if (ret)
		return ret;
	leave_all();
	if (!tid)
		return 0;
	pid = find_get_pid(tid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return -ESRCH;
	ret = watch(task, NULL);
	put_task_struct(task);
	return ret;
}

static const struct kernel_param_ops thread_ops = { .set = thread_set };
module_param_cb(thread, &thread_ops, NULL, 0200);
MODULE_PARM_DESC(thread, "whose crashes are held, and of all it makes; 0: nobody's");

static int crashed_get(char *text, const struct kernel_param *param)
{
	struct watch *w;
	int length = 0;

	mutex_lock(&lock);
	list_for_each_entry(w, &watches, entry)
		if (w->seq)
			length += sysfs_emit_at(text, length, "%d %d\n", w->tid, w->sig);
	mutex_unlock(&lock);
	return length;
}

static const struct kernel_param_ops crashed_ops = { .get = crashed_get };
module_param_cb(crashed, &crashed_ops, NULL, 0400);
MODULE_PARM_DESC(crashed, "a line for each thread that is held: its id, the signal");

static int resume_set(const char *text, const struct kernel_param *param)
{
	struct watch *w;
	int tid, ret;

	ret = kstrtoint(text, 0, &tid);
	if (ret)
		return ret;
	ret = -ESRCH;
	mutex_lock(&lock);
	list_for_each_entry(w, &watches, entry) {
		if (w->tid != tid || !w->seq)
			continue;
		ret = utrace_resume(w->engine, w->seq);
		w->seq = 0;
		break;
	}
	mutex_unlock(&lock);
	return ret;
}

static const struct kernel_param_ops resume_ops = { .set = resume_set };
module_param_cb(resume, &resume_ops, NULL, 0200);
MODULE_PARM_DESC(resume, "a thread that is held, and goes on to crash");

static int __init crash_suspend_init(void)
{
	return 0;
}

/* No engine is left: each holds the module by its ops' owner. */
static void __exit crash_suspend_exit(void)
{
}

module_init(crash_suspend_init);
module_exit(crash_suspend_exit);
MODULE_DESCRIPTION("utrace sample: holds threads that crash");
MODULE_LICENSE("GPL");
