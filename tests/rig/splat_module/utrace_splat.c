// SPDX-License-Identifier: GPL-2.0-only
/*
 * Misbehaves on demand, so that the rig's tests can see whether the rig notices:
 * write "warn" or "hang" to /sys/kernel/debug/utrace_splat.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>

static struct dentry *file;

static ssize_t misbehave(struct file *filp, const char __user *text, size_t size, loff_t *pos)
{
	char word[16] = "";

	if (size >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, text, size))
		return -EFAULT;
	word[strcspn(word, "\n")] = '\0';
	if (!strcmp(word, "warn"))
		WARN(1, "seeded by the rig's test\n");
	else if (!strcmp(word, "hang"))
		for (;;)
			ssleep(1);
	else
		return -EINVAL;
	return size;
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
