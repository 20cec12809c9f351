// SPDX-License-Identifier: GPL-2.0-only
/*
 * Misbehaves on demand, so that the rig's tests can see whether the rig notices, and whether the
 * kernels built for that do: write one of the words below to /sys/kernel/debug/utrace_splat.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

static struct dentry *file;
static DEFINE_SPINLOCK(one);
static DEFINE_SPINLOCK(two);
static int __rcu *guarded;

static void warn(void)
{
	WARN(1, "seeded by the rig's test\n");
}

static void hang(void)
{
	for (;;)
		ssleep(1);
}

static void suspicious_rcu(void)
{
	(void)rcu_dereference(guarded);
}

static void atomic_sleep(void)
{
	spin_lock(&one);
	might_sleep();
	spin_unlock(&one);
}

static void lock_inversion(void)
{
	spin_lock(&one);
	spin_lock(&two);
	spin_unlock(&two);
	spin_unlock(&one);
	spin_lock(&two);
	spin_lock(&one);
	spin_unlock(&one);
	spin_unlock(&two);
}

static void list_corruption(void)
{
	struct list_head a, b;
	LIST_HEAD(list);

	list_add(&a, &list);
	list_add(&b, &list);
	a.next = &a;
	list_del(&a);
}

static void nobody_called(struct timer_list *timer)
{
}

static void free_active(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, nobody_called, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
}

static void use_after_free(void)
{
	int *number = kmalloc(sizeof(*number), GFP_KERNEL);

	if (!number)
		return;
	WRITE_ONCE(*number, 1);
	kfree(number);
	/* The compiler must not see through it. */
	OPTIMIZER_HIDE_VAR(number);
	READ_ONCE(*number);
}

static void leak(void)
{
	void *lost = kmalloc(64, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(lost);
}

static unsigned int contended;

static void contend_for_a_second(void)
{
	unsigned long end = jiffies + HZ;

	while (time_before(jiffies, end)) {
		contended++;
		cond_resched();
	}
}

static int contend(void *unused)
{
	while (!kthread_should_stop())
		contend_for_a_second();
	return 0;
}

static void race_of_ours(void)
{
	struct task_struct *other = kthread_run(contend, NULL, "utrace_splat");

	if (IS_ERR(other))
		return;
	contend_for_a_second();
	kthread_stop(other);
}

/* With the kernel's own code. */
static void race_with_the_kernel(void)
{
	const unsigned long *plain = (const unsigned long *)&jiffies;
	unsigned long end = jiffies + HZ;

	while (time_before(jiffies, end)) {
		contended += *plain;
		cond_resched();
	}
}

static const struct {
	const char *word;
	void (*misbehave)(void);
} ways[] = {
	{ "warn", warn },
	{ "hang", hang },
	{ "suspicious-rcu", suspicious_rcu },
	{ "atomic-sleep", atomic_sleep },
	{ "lock-inversion", lock_inversion },
	{ "list-corruption", list_corruption },
	{ "free-active", free_active },
	{ "use-after-free", use_after_free },
	{ "leak", leak },
	{ "data-race", race_of_ours },
	{ "data-race-outside", race_with_the_kernel },
};

static ssize_t misbehave(struct file *filp, const char __user *text, size_t size, loff_t *pos)
{
	char word[32] = "";
	unsigned int i;

	if (size >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, text, size))
		return -EFAULT;
	word[strcspn(word, "\n")] = '\0';
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!strcmp(word, ways[i].word)) {
			ways[i].misbehave();
			return size;
		}
	}
	return -EINVAL;
}

static const struct file_operations splat_fops = {
	.owner = THIS_MODULE,
	.write = misbehave,
};

static int __init splat_init(void)
{
	file = debugfs_create_file("utrace_splat", 0200, NULL, NULL, &splat_fops);
	return PTR_ERR_OR_ZERO(file);
}

static void __exit splat_exit(void)
{
	debugfs_remove(file);
}

module_init(splat_init);
module_exit(splat_exit);
MODULE_DESCRIPTION("Seeded kernel splats for the tests of utrace's VM rig");
MODULE_LICENSE("GPL");
