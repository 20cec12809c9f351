// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gates: see gates.h.  A test writes one command at a time to debugfs utrace/gates:
 *
 * - "arm TID POINT [COUNT]": the next COUNT (1) passes of the thread there wait;
 * - "open TID POINT": let go who waits there, and take the gate away;
 * - "clear": the same for all.
 *
 * Reading gives a line "TID POINT STATE" for each gate: "armed", "parked" while somebody waits,
 * "passed" once somebody went through a gate that nobody waits at (asleep).
 */
#include <linux/debugfs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "gates.h"

struct gate {
	struct list_head entry;
	refcount_t ref;
	pid_t tid;
	enum utrace_gate_point point;
	unsigned int left;
	unsigned int parked;
	bool passed;
	bool open;
	wait_queue_head_t opened;
};

static const char *const point_names[UTRACE_GATE_POINTS] = {
	[UTRACE_GATE_ENTRY_SAMPLED] = "entry-sampled",
	[UTRACE_GATE_EXIT_SAMPLED] = "exit-sampled",
	[UTRACE_GATE_CB_IN] = "cb-in",
	[UTRACE_GATE_CB_OUT] = "cb-out",
	[UTRACE_GATE_APPLIED] = "applied",
	[UTRACE_GATE_PRE_SLEEP] = "pre-sleep",
	[UTRACE_GATE_ASLEEP] = "asleep",
	[UTRACE_GATE_QUEUED] = "queued",
	[UTRACE_GATE_NOTE_TAKEN] = "note-taken",
	[UTRACE_GATE_DEATH_IN] = "death-in",
	[UTRACE_GATE_DEATH_OUT] = "death-out",
	[UTRACE_GATE_REAP_IN] = "reap-in",
	[UTRACE_GATE_CLONE_IN] = "clone-in",
	[UTRACE_GATE_EXEC_IN] = "exec-in",
	[UTRACE_GATE_JCTL_IN] = "jctl-in",
	[UTRACE_GATE_AUDIT_IN] = "audit-in",
	[UTRACE_GATE_ANSWERED] = "answered",
	[UTRACE_GATE_ARMED] = "armed",
};

/* Guards the list and all in a gate.  IRQ-safe: ASLEEP is passed under siglock. */
static DEFINE_SPINLOCK(gates_lock);
static LIST_HEAD(gates);
static struct dentry *directory;

static struct gate *find_gate(pid_t tid, enum utrace_gate_point point)
{
	struct gate *gate;

	lockdep_assert_held(&gates_lock);
	list_for_each_entry(gate, &gates, entry)
		if (gate->tid == tid && gate->point == point)
			return gate;
	return NULL;
}

static void put_gate(struct gate *gate)
{
	if (refcount_dec_and_test(&gate->ref))
		kfree(gate);
}

/* Off the list, and everybody through. */
static void open_gate(struct gate *gate)
{
	lockdep_assert_held(&gates_lock);
	list_del(&gate->entry);
	gate->open = true;
	wake_up_all(&gate->opened);
	put_gate(gate);
}

void utrace_gate(enum utrace_gate_point point, struct task_struct *task)
{
	unsigned long irq;
	struct gate *gate;

	if (list_empty_careful(&gates))
		return;
	spin_lock_irqsave(&gates_lock, irq);
	gate = find_gate(task->pid, point);
	if (gate && point == UTRACE_GATE_ASLEEP)
		gate->passed = true;
	if (!gate || !gate->left || point == UTRACE_GATE_ASLEEP) {
		spin_unlock_irqrestore(&gates_lock, irq);
		return;
	}
	gate->left--;
	gate->parked++;
	refcount_inc(&gate->ref);
	spin_unlock_irqrestore(&gates_lock, irq);

	wait_event_killable(gate->opened, READ_ONCE(gate->open));

	spin_lock_irqsave(&gates_lock, irq);
	gate->parked--;
	spin_unlock_irqrestore(&gates_lock, irq);
	put_gate(gate);
}

static int arm(pid_t tid, enum utrace_gate_point point, unsigned int count)
{
	struct gate *gate = kzalloc(sizeof(*gate), GFP_KERNEL);

	if (!gate)
		return -ENOMEM;
	refcount_set(&gate->ref, 1);
	gate->tid = tid;
	gate->point = point;
	gate->left = count;
	init_waitqueue_head(&gate->opened);

	spin_lock_irq(&gates_lock);
	if (find_gate(tid, point)) {
		spin_unlock_irq(&gates_lock);
		kfree(gate);
		return -EEXIST;
	}
	list_add_tail(&gate->entry, &gates);
	spin_unlock_irq(&gates_lock);
	return 0;
}

static int open_one(pid_t tid, enum utrace_gate_point point)
{
	struct gate *gate;

	spin_lock_irq(&gates_lock);
	gate = find_gate(tid, point);
	if (gate)
		open_gate(gate);
	spin_unlock_irq(&gates_lock);
	return gate ? 0 : -ENOENT;
}

static void open_all(void)
{
	struct gate *gate, *next;

	spin_lock_irq(&gates_lock);
	list_for_each_entry_safe(gate, next, &gates, entry)
		open_gate(gate);
	spin_unlock_irq(&gates_lock);
}

static int command(const char *line)
{
	char verb[8], name[16];
	unsigned int count = 1;
	int words, point;
	pid_t tid;

	words = sscanf(line, "%7s %d %15s %u", verb, &tid, name, &count);
	if (words == 1 && !strcmp(verb, "clear")) {
		open_all();
		return 0;
	}
	if (words < 3)
		return -EINVAL;
	point = match_string(point_names, UTRACE_GATE_POINTS, name);
	if (point < 0)
		return -EINVAL;
	if (!strcmp(verb, "arm"))
		return arm(tid, point, count);
	if (!strcmp(verb, "open") && words == 3)
		return open_one(tid, point);
	return -EINVAL;
}

static ssize_t gates_write(struct file *file, const char __user *buf, size_t size, loff_t *offset)
{
	char line[64];
	int ret;

	if (size >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, size))
		return -EFAULT;
	line[size] = '\0';
	ret = command(line);
	return ret ?: size;
}

static int gates_show(struct seq_file *seq, void *unused)
{
	const struct gate *gate;

	spin_lock_irq(&gates_lock);
	list_for_each_entry(gate, &gates, entry)
		seq_printf(seq, "%d %s %s\n", gate->tid, point_names[gate->point],
			   gate->parked ? "parked" :
			   gate->passed ? "passed" :
					  "armed");
	spin_unlock_irq(&gates_lock);
	return 0;
}

static int gates_open(struct inode *inode, struct file *file)
{
	return single_open(file, gates_show, NULL);
}

static const struct file_operations gates_fops = {
	.owner = THIS_MODULE,
	.open = gates_open,
	.read = seq_read,
	.write = gates_write,
	.llseek = seq_lseek,
	.release = single_release,
};

int utrace_gates_init(void)
{
	directory = debugfs_create_dir("utrace", NULL);
	debugfs_create_file("gates", 0600, directory, NULL, &gates_fops);
	return PTR_ERR_OR_ZERO(directory);
}

void utrace_gates_exit(void)
{
	debugfs_remove(directory);
	open_all();
}
