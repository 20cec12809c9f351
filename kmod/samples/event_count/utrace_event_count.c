// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sample: an engine that counts what happens to one thread, and lets it all happen.
 *
 *	insmod utrace_event_count.ko events=0x1f00		# signals
 *	echo TID >/sys/module/utrace_event_count/parameters/thread
 *	cat /sys/module/utrace_event_count/parameters/counts
 *	echo 0 >/sys/module/utrace_event_count/parameters/thread	# before rmmod
 *
 * With steps=1 the thread goes on by single steps, each counted as a STEP.
 */
#include <linux/bitops.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/utrace.h>

#define EVENTS BITS_PER_TYPE(u32)

static uint events = UTRACE_EVENTS_ALL;
module_param(events, uint, 0644);
MODULE_PARM_DESC(events, "1 << enum utrace_event of those that are counted");

static bool steps;
module_param(steps, bool, 0644);
MODULE_PARM_DESC(steps, "have it step from instruction to instruction");

/* In the thread's context, but for REAP; one after the other in any case. */
static unsigned long counts[EVENTS];

/* Guards thread and engine. */
static DEFINE_MUTEX(lock);
static int thread;
static struct utrace_engine *engine;

static void count(u32 event)
{
	unsigned int bit = event ? __ffs(event) : UTRACE_EVENT_BIT_QUIESCE;

	WRITE_ONCE(counts[bit], counts[bit] + 1);
}

/* Near user mode; before all other events it is called too, which count as themselves. */
static u32 on_quiesce(u32 action, struct utrace_engine *on, u32 event)
{
	if (!event)
		count(event);
	return UTRACE_RESUME;
}

static u32 on_entry(u32 action, struct utrace_engine *on, struct pt_regs *regs)
{
	count(UTRACE_EVENT(SYSCALL_ENTRY));
	/* What others decided about the call stands. */
	return utrace_syscall_action(action) | UTRACE_RESUME;
}

static u32 on_exit_of_call(u32 action, struct utrace_engine *on, struct pt_regs *regs)
{
	count(UTRACE_EVENT(SYSCALL_EXIT));
	return UTRACE_RESUME;
}

static u32 on_signal(u32 action, struct utrace_engine *on, u32 event, struct kernel_siginfo *info)
{
	count(event);
	return utrace_signal_action(action) | UTRACE_RESUME;
}

static u32 on_jctl(u32 action, struct utrace_engine *on, int type, int notify)
{
	count(UTRACE_EVENT(JCTL));
	return UTRACE_RESUME;
}

static u32 on_clone(u32 action, struct utrace_engine *on, unsigned long flags,
		    struct task_struct *child)
{
	count(UTRACE_EVENT(CLONE));
	return UTRACE_RESUME;
}

static u32 on_exec(u32 action, struct utrace_engine *on, struct pt_regs *regs)
{
	count(UTRACE_EVENT(EXEC));
	return UTRACE_RESUME;
}

static u32 on_exit(u32 action, struct utrace_engine *on, long orig_code, long *code)
{
	count(UTRACE_EVENT(EXIT));
	return UTRACE_RESUME;
}

static u32 on_step(u32 action, struct utrace_engine *on)
{
	count(UTRACE_EVENT(STEP));
	return READ_ONCE(steps) ? UTRACE_SINGLESTEP : UTRACE_RESUME;
}

static u32 on_death(struct utrace_engine *on, bool group_dead)
{
	count(UTRACE_EVENT(DEATH));
	return UTRACE_RESUME;
}

static void on_reap(struct utrace_engine *on, struct task_struct *task)
{
	count(UTRACE_EVENT(REAP));
}

static const struct utrace_engine_ops ops = {
	.owner = THIS_MODULE,
	.report_quiesce = on_quiesce,
	.report_syscall_entry = on_entry,
	.report_syscall_exit = on_exit_of_call,
	.report_signal = on_signal,
	.report_jctl = on_jctl,
	.report_clone = on_clone,
	.report_exec = on_exec,
	.report_exit = on_exit,
	.report_step = on_step,
	.report_death = on_death,
	.report_reap = on_reap,
};

static void leave(void)
{
	int ret;

	if (!engine)
		return;
	ret = utrace_control(engine, UTRACE_DETACH);
	/* In a callback just now, or in its death report: until that is over. */
	if (ret == -EINPROGRESS || ret == -EALREADY)
		ret = utrace_barrier(engine);
	if (ret && ret != -ESRCH)
		pr_warn("thread %d may be counted for a moment still: error %d\n", thread, ret);
	utrace_engine_put(engine);
	engine = NULL;
	thread = 0;
}

static int join(int tid)
{
	struct utrace_engine *new;
	struct pid *pid = find_get_pid(tid);
	int ret;

	new = utrace_attach_pid(pid, UTRACE_ATTACH_CREATE, &ops, NULL, NULL);
	put_pid(pid);
	if (IS_ERR(new))
		return PTR_ERR(new);
	memset(counts, 0, sizeof(counts));
	/* From here on it is called, maybe before this returns. */
	ret = utrace_set_events(new, events);
	if (!ret && steps)
		ret = utrace_control(new, UTRACE_SINGLESTEP);
	engine = new;
	thread = tid;
	if (ret)
		leave();
	return ret;
}

static int thread_set(const char *text, const struct kernel_param *param)
{
	int tid, ret;

	ret = kstrtoint(text, 0, &tid);
	if (ret)
		return ret;
	mutex_lock(&lock);
	leave();
	if (tid)
		ret = join(tid);
	mutex_unlock(&lock);
	return ret;
}

static int thread_get(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%d\n", READ_ONCE(thread));
}

static const struct kernel_param_ops thread_ops = { .set = thread_set, .get = thread_get };
module_param_cb(thread, &thread_ops, NULL, 0600);
MODULE_PARM_DESC(thread, "whose events are counted, by its id; 0: nobody's");

static int counts_get(char *text, const struct kernel_param *param)
{
	int length = 0;
	unsigned int bit;

	for (bit = 0; bit < EVENTS; bit++)
		if (UTRACE_EVENTS_ALL & (1u << bit))
			length += sysfs_emit_at(text, length, "%u %lu\n", bit,
						READ_ONCE(counts[bit]));
	return length;
}

static const struct kernel_param_ops counts_ops = { .get = counts_get };
module_param_cb(counts, &counts_ops, NULL, 0400);
MODULE_PARM_DESC(counts, "a line for each enum utrace_event: its number, how often");

static int __init event_count_init(void)
{
	return 0;
}

/* No engine is left: each holds the module by its ops' owner. */
static void __exit event_count_exit(void)
{
}

module_init(event_count_init);
module_exit(event_count_exit);
MODULE_DESCRIPTION("utrace sample: counts the events of a thread");
MODULE_LICENSE("GPL");
