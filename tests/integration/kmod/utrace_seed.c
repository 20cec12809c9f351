// SPDX-License-Identifier: GPL-2.0-only
/*
 * Engines of the kernel that do what a test says, by the in-kernel interface alone.
 *
 * A test writes one command at a time to debugfs utrace_seed/control; the write gives the call's
 * errno.  ID is one of 16 engines, BIT an enum utrace_event:
 *
 * - "attach ID TID NESTED", "put ID" (the test's own reference);
 * - "events ID MASK", "control ID ACTION", "stop ID", "resume ID SEQ", "abort ID RESULT",
 *   "barrier ID";
 * - "answer ID BIT ACTION": what that callback returns from now on (UTRACE_RESUME);
 * - "call ID NR", "result ID VALUE": what it changes at the entry and at the end of a call; at a
 *   signal the result is its new number, at an exit the new code;
 * - "adopt ID BIT OTHER MASK": that callback attaches OTHER to its thread with these events;
 * - "work TID": logs the thread's syscall_work;
 * - "race TID ROUNDS": attach, complete the data, ask for calls, await one, detach, again and
 *   again: -EPROTO if a callback saw data that was not complete;
 * - "reset": forgets the log and every engine that is released.
 *
 * utrace_seed/log has a line for each callback: "ID WHAT NR VALUE", at a call's entry with what the
 * engines before wished; utrace_seed/state one for
 * each engine: "ID RELEASED REPORT HELD ASYNC ASLEEP OTHERS".
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/seq_file.h>
#include <linux/signal_types.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/utrace.h>
#include <asm/syscall.h>

#define SEEDS	   16
#define RACER	   (SEEDS - 1)
#define EVENTS	   (UTRACE_EVENT_BIT_STEP + 1)
#define LOG_LENGTH 1024
#define UNCHANGED  LONG_MIN

struct seed {
	struct utrace_engine *engine;
	unsigned int released;
	u32 answers[EVENTS];
	long call;
	long result;
	unsigned int adopt_bit;
	unsigned int adopt_id;
	u32 adopt_events;
	/* Set last before the events are asked for. */
	bool complete;
	/* The racer's: callbacks, and those of them that came too early. */
	unsigned int called;
	unsigned int early;
};

struct line {
	unsigned int id;
	const char *what;
	long nr;
	long value;
};

/* The test is the one who changes a seed, and it knows when callbacks may run. */
static struct seed seeds[SEEDS];
static struct line lines[LOG_LENGTH];
static unsigned int line_count;
static DEFINE_SPINLOCK(log_lock);
static struct dentry *directory;

static void note(unsigned int id, const char *what, long nr, long value)
{
	unsigned long irq;

	spin_lock_irqsave(&log_lock, irq);
	if (line_count < LOG_LENGTH)
		lines[line_count] = (struct line){ id, what, nr, value };
	line_count++;
	spin_unlock_irqrestore(&log_lock, irq);
}

static unsigned int id_of(const struct seed *seed)
{
	return seed - seeds;
}

static int attach(unsigned int id, struct task_struct *task, u32 flags);

static u32 answer(struct utrace_engine *engine, unsigned int bit)
{
	struct seed *seed = engine->data;
	int ret;

	if (seed->adopt_bit == bit && seed->adopt_id) {
		ret = attach(seed->adopt_id, current, 0) ?:
			      utrace_set_events(seeds[seed->adopt_id].engine, seed->adopt_events);
		note(id_of(seed), "adopt", seed->adopt_id, ret);
		seed->adopt_id = 0;
	}
	return READ_ONCE(seed->answers[bit]);
}

static u32 on_quiesce(u32 action, struct utrace_engine *engine, u32 event)
{
	note(id_of(engine->data), "quiesce", event, 0);
	return answer(engine, UTRACE_EVENT_BIT_QUIESCE);
}

static u32 on_syscall_entry(u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct seed *seed = engine->data;

	if (id_of(seed) == RACER) {
		WRITE_ONCE(seed->called, seed->called + 1);
		seed->early += !READ_ONCE(seed->complete);
		return UTRACE_RESUME;
	}
	note(id_of(seed), "entry", syscall_get_nr(current, regs), action & UTRACE_RESUME_MASK);
	if (seed->call != UNCHANGED)
		regs->orig_ax = seed->call;
	return (action & UTRACE_SYSCALL_MASK) | answer(engine, UTRACE_EVENT_BIT_SYSCALL_ENTRY);
}

static u32 on_syscall_exit(u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	struct seed *seed = engine->data;

	note(id_of(seed), "exit", syscall_get_nr(current, regs),
	     syscall_get_return_value(current, regs));
	if (seed->result != UNCHANGED)
		syscall_set_return_value(current, regs, 0, seed->result);
	return answer(engine, UTRACE_EVENT_BIT_SYSCALL_EXIT);
}

static u32 on_signal(u32 action, struct utrace_engine *engine, u32 event,
		     struct kernel_siginfo *info)
{
	struct seed *seed = engine->data;

	note(id_of(seed), "signal", info->si_signo, __ffs(event));
	if (seed->result != UNCHANGED)
		info->si_signo = seed->result;
	return utrace_signal_action(action) | answer(engine, __ffs(event));
}

static u32 on_jctl(u32 action, struct utrace_engine *engine, int type, int notify)
{
	note(id_of(engine->data), type == CLD_STOPPED ? "stopping" : "continued", 0, notify);
	return answer(engine, UTRACE_EVENT_BIT_JCTL);
}

static u32 on_clone(u32 action, struct utrace_engine *engine, unsigned long clone_flags,
		    struct task_struct *child)
{
	note(id_of(engine->data), "clone", clone_flags, child->pid);
	return answer(engine, UTRACE_EVENT_BIT_CLONE);
}

static u32 on_exec(u32 action, struct utrace_engine *engine, struct pt_regs *regs)
{
	note(id_of(engine->data), "exec", 0, 0);
	return answer(engine, UTRACE_EVENT_BIT_EXEC);
}

static u32 on_exit(u32 action, struct utrace_engine *engine, long orig_code, long *code)
{
	struct seed *seed = engine->data;

	note(id_of(seed), "exiting", orig_code, *code);
	if (seed->result != UNCHANGED)
		*code = seed->result;
	return answer(engine, UTRACE_EVENT_BIT_EXIT);
}

static u32 on_step(u32 action, struct utrace_engine *engine)
{
	note(id_of(engine->data), "step", 0, 0);
	return answer(engine, UTRACE_EVENT_BIT_STEP);
}

static u32 on_death(struct utrace_engine *engine, bool group_dead)
{
	note(id_of(engine->data), "death", 0, group_dead);
	return answer(engine, UTRACE_EVENT_BIT_DEATH);
}

static void on_reap(struct utrace_engine *engine, struct task_struct *task)
{
	note(id_of(engine->data), "reap", 0, 0);
}

static void on_release(struct utrace_engine *engine)
{
	struct seed *seed = engine->data;

	if (id_of(seed) != RACER)
		note(id_of(seed), "release", 0, 0);
	WRITE_ONCE(seed->released, seed->released + 1);
}

static const struct utrace_engine_ops ops = {
	.owner = THIS_MODULE,
	.report_quiesce = on_quiesce,
	.report_syscall_entry = on_syscall_entry,
	.report_syscall_exit = on_syscall_exit,
	.report_signal = on_signal,
	.report_jctl = on_jctl,
	.report_clone = on_clone,
	.report_exec = on_exec,
	.report_exit = on_exit,
	.report_step = on_step,
	.report_death = on_death,
	.report_reap = on_reap,
	.release = on_release,
};

static void sow(struct seed *seed)
{
	unsigned int bit;

	memset(seed, 0, sizeof(*seed));
	for (bit = 0; bit < EVENTS; bit++)
		seed->answers[bit] = UTRACE_RESUME;
	seed->call = UNCHANGED;
	seed->result = UNCHANGED;
}

static int attach(unsigned int id, struct task_struct *task, u32 flags)
{
	struct seed *seed = &seeds[id];
	struct utrace_engine *engine;

	if (id >= SEEDS)
		return -EINVAL;
	if (seed->engine)
		return -EBUSY;
	sow(seed);
	engine = utrace_attach_task(task, UTRACE_ATTACH_CREATE | flags, &ops, seed, NULL);
	if (IS_ERR(engine))
		return PTR_ERR(engine);
	seed->engine = engine;
	return 0;
}

static struct task_struct *find_task(pid_t tid)
{
	struct pid *pid = find_get_pid(tid);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);

	put_pid(pid);
	return task;
}

static void put(struct seed *seed)
{
	struct utrace_engine *engine = seed->engine;

	seed->engine = NULL;
	utrace_engine_put(engine);
}

static int race_once(struct task_struct *task, unsigned int *called, unsigned int *early)
{
	struct seed *seed = &seeds[RACER];
	int ret = attach(RACER, task, 0);

	if (ret)
		return ret;
	/* Time for a callback that comes unasked. */
	udelay(20);
	WRITE_ONCE(seed->complete, true);
	ret = utrace_set_events(seed->engine, UTRACE_EVENT(SYSCALL_ENTRY));
	while (!ret && !READ_ONCE(seed->called) && !fatal_signal_pending(current))
		cond_resched();
	if (!ret)
		ret = utrace_control(seed->engine, UTRACE_DETACH);
	if (ret == -EINPROGRESS)
		ret = utrace_barrier(seed->engine);
	put(seed);
	while (!READ_ONCE(seed->released) && !fatal_signal_pending(current))
		cond_resched();
	*called += seed->called;
	*early += seed->early;
	return ret == -ESRCH ? 0 : ret;
}

static int race(struct task_struct *task, unsigned long rounds)
{
	unsigned int called = 0, early = 0;
	int ret = 0;

	while (rounds-- && !ret)
		ret = race_once(task, &called, &early);
	note(RACER, "raced", called, early);
	return ret ?: (early ? -EPROTO : 0);
}

static void reset(void)
{
	unsigned int id;

	spin_lock_irq(&log_lock);
	line_count = 0;
	spin_unlock_irq(&log_lock);
	for (id = 0; id < SEEDS; id++)
		if (!seeds[id].engine)
			sow(&seeds[id]);
}

/* Of a thread: ID is its tid. */
static int thread_command(const char *verb, long tid, unsigned long argument)
{
	struct task_struct *task = find_task(tid);
	int ret = -EINVAL;

	if (!task)
		return -ESRCH;
	if (!strcmp(verb, "race")) {
		ret = race(task, argument);
	} else if (!strcmp(verb, "work")) {
		note(0, "work", tid, READ_ONCE(task_thread_info(task)->syscall_work));
		ret = 0;
	}
	put_task_struct(task);
	return ret;
}

static int attach_command(unsigned int id, pid_t tid, bool nested)
{
	struct task_struct *task = find_task(tid);
	int ret;

	if (!task)
		return -ESRCH;
	ret = attach(id, task, nested ? UTRACE_ATTACH_NESTED : 0);
	put_task_struct(task);
	return ret;
}

static int engine_command(const char *verb, unsigned int id, const unsigned long long *argument)
{
	struct seed *seed = &seeds[id];
	u64 seq;

	if (!strcmp(verb, "attach"))
		return attach_command(id, argument[0], argument[1]);
	if (!seed->engine)
		return -EBADF;
	if (!strcmp(verb, "events"))
		return utrace_set_events(seed->engine, argument[0]);
	if (!strcmp(verb, "control"))
		return utrace_control(seed->engine, argument[0]);
	if (!strcmp(verb, "stop"))
		return utrace_stop(seed->engine, &seq);
	if (!strcmp(verb, "resume"))
		return utrace_resume(seed->engine, argument[0]);
	if (!strcmp(verb, "abort"))
		return utrace_abort_syscall(seed->engine, UTRACE_SEQ_LATEST, argument[0]);
	if (!strcmp(verb, "barrier"))
		return utrace_barrier(seed->engine);
	if (!strcmp(verb, "put")) {
		put(seed);
	} else if (!strcmp(verb, "call")) {
		seed->call = argument[0];
	} else if (!strcmp(verb, "result")) {
		seed->result = argument[0];
	} else if (!strcmp(verb, "answer") && argument[0] < EVENTS) {
		WRITE_ONCE(seed->answers[argument[0]], argument[1]);
	} else if (!strcmp(verb, "adopt") && argument[1] < SEEDS) {
		seed->adopt_bit = argument[0];
		seed->adopt_events = argument[2];
		seed->adopt_id = argument[1];
	} else {
		return -EINVAL;
	}
	return 0;
}

static int command(const char *text)
{
	unsigned long long argument[3] = {};
	char verb[16];
	long id = 0;
	int words;

	words = sscanf(text, "%15s %ld %llu %llu %llu", verb, &id, &argument[0], &argument[1],
		       &argument[2]);
	if (words < 1)
		return -EINVAL;
	if (!strcmp(verb, "reset")) {
		reset();
		return 0;
	}
	if (!strcmp(verb, "race") || !strcmp(verb, "work"))
		return thread_command(verb, id, argument[0]);
	if (words < 2 || id < 0 || id >= SEEDS)
		return -EINVAL;
	return engine_command(verb, id, argument);
}

static ssize_t control_write(struct file *file, const char __user *buf, size_t size, loff_t *offset)
{
	char text[96] = "";
	loff_t start = 0;
	ssize_t copied = simple_write_to_buffer(text, sizeof(text) - 1, &start, buf, size);

	if (copied < 0)
		return copied;
	return command(text) ?: size;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.write = control_write,
};

static int log_show(struct seq_file *seq, void *unused)
{
	unsigned int i;

	spin_lock_irq(&log_lock);
	for (i = 0; i < min(line_count, LOG_LENGTH); i++)
		seq_printf(seq, "%u %s %ld %ld\n", lines[i].id, lines[i].what, lines[i].nr,
			   lines[i].value);
	if (line_count > LOG_LENGTH)
		seq_printf(seq, "0 lost %u 0\n", line_count - LOG_LENGTH);
	spin_unlock_irq(&log_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(log);

static int state_show(struct seq_file *seq, void *unused)
{
	unsigned int id;

	for (id = 0; id < SEEDS; id++) {
		struct utrace_engine *engine = seeds[id].engine;
		struct utrace_engine_state state = {};
		u64 report = 0;

		if (engine) {
			utrace_engine_state(engine, &state);
			report = utrace_report_seq(engine);
		}
		seq_printf(seq, "%u %u %llu %llu %llu %d %d\n", id, READ_ONCE(seeds[id].released),
			   report, state.seq[UTRACE_SLOT_REPORT], state.seq[UTRACE_SLOT_ASYNC],
			   state.asleep, state.others);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int __init seed_init(void)
{
	reset();
	directory = debugfs_create_dir("utrace_seed", NULL);
	debugfs_create_file("control", 0200, directory, NULL, &control_fops);
	debugfs_create_file("log", 0400, directory, NULL, &log_fops);
	debugfs_create_file("state", 0400, directory, NULL, &state_fops);
	return PTR_ERR_OR_ZERO(directory);
}

static void __exit seed_exit(void)
{
	debugfs_remove(directory);
}

module_init(seed_init);
module_exit(seed_exit);
MODULE_DESCRIPTION("Engines that do what utrace's tests say");
MODULE_LICENSE("GPL");
