// SPDX-License-Identifier: GPL-2.0-only
/* The device: the only place that copies user programs' structures. */
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bpf_ops.h"
#include "chardev.h"
#include "list.h"
#include "session.h"

/* Memory goes through a buffer of this size, registers through one that has to hold them all. */
#define COPY_CHUNK (64u << 10)

union chardev_argument {
	struct utrace_features features;
	struct utrace_attach attach;
	struct utrace_set_events set_events;
	struct utrace_syscall_set syscall_set;
	struct utrace_control control;
	struct utrace_barrier barrier;
	struct utrace_inject inject;
	struct utrace_answer answer;
	struct utrace_next next;
	struct utrace_regs regs;
	struct utrace_memory memory;
	struct utrace_list list;
};

static int chardev_features(struct utrace_session *session, void *arg)
{
	return session_features(arg);
}

static int chardev_attach(struct utrace_session *session, void *arg)
{
	return session_attach(session, arg);
}

static int chardev_set_events(struct utrace_session *session, void *arg)
{
	return session_set_events(session, arg);
}

static int chardev_syscall_set(struct utrace_session *session, void *arg)
{
	return session_set_calls(session, arg);
}

static int chardev_control(struct utrace_session *session, void *arg)
{
	struct utrace_control *control = arg;
	int err = session_control(session, control);

	/* No session's: perhaps one in BPF, which is nobody's own. */
	if (err == -ESRCH && (control->flags & UTRACE_CONTROL_FOREIGN))
		err = utrace_bpf_control(&session->rights, control);
	return err;
}

static int chardev_barrier(struct utrace_session *session, void *arg)
{
	return session_barrier(session, arg);
}

static int chardev_inject(struct utrace_session *session, void *arg)
{
	return session_inject(session, arg);
}

static int chardev_answer(struct utrace_session *session, void *arg)
{
	return session_answer(session, arg);
}

/*
 * Notices, each @stride bytes apart, as many as are there and fit.  Returns how many, or an errno
 * if there is none to return.
 */
static int chardev_notices(struct utrace_session *session, char __user *buf, u32 stride, u32 room)
{
	size_t size = min_t(size_t, stride, sizeof(struct utrace_notice));
	/* session_take() writes it whole. */
	struct utrace_notice notice __uninitialized;
	struct session_thread *t;
	bool delivered;
	u32 count;

	for (count = 0; count < room; count++, buf += stride) {
		/* Beyond the first it is not worth a lock to learn that there is none. */
		if (count && !session_ready(session))
			break;
		t = session_take(session, &notice);
		if (!t)
			break;
		notice.size = size;
		delivered = !copy_to_user(buf, &notice, size) &&
			    (stride == size || !clear_user(buf + size, stride - size));
		session_taken(t, &notice, delivered);
		if (!delivered)
			return count ?: -EFAULT;
	}
	return count;
}

static int chardev_copy_argument(void *dst, size_t size, const void __user *src)
{
	u32 usize;
	int err;

	if (get_user(usize, (const u32 __user *)src))
		return -EFAULT;
	/* At least the size and the flags. */
	if (usize < 2 * sizeof(u32))
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(dst, size, src, usize);
	if (err)
		return err;
	/* It may have changed between the two looks. */
	*(u32 *)dst = usize;
	return 0;
}

static int chardev_next_answer(struct utrace_session *session, u64 user)
{
	struct utrace_answer answer;
	int err;

	err = chardev_copy_argument(&answer, sizeof(answer), u64_to_user_ptr(user));
	return err ?: session_answer(session, &answer);
}

static int chardev_next(struct utrace_session *session, void *arg)
{
	struct utrace_next *next = arg;
	u32 stride = next->notice_size ?: sizeof(struct utrace_notice);
	long timeout = MAX_SCHEDULE_TIMEOUT;
	int err;

	/* What every reader needs to know of a notice ends with its flags. */
	if (next->flags || next->reserved || next->timeout_ms < -1 || !next->count ||
	    stride % sizeof(u64) || stride < offsetof(struct utrace_notice, result) ||
	    stride > PAGE_SIZE || next->count > INT_MAX / stride)
		return -EINVAL;
	if (next->answer) {
		err = chardev_next_answer(session, next->answer);
		if (err)
			return err;
	}
	if (next->timeout_ms >= 0)
		timeout = msecs_to_jiffies(next->timeout_ms);
	do {
		err = session_wait(session, timeout);
		if (err)
			return err;
		err = chardev_notices(session, u64_to_user_ptr(next->notices), stride, next->count);
		/* Another reader may have been quicker. */
	} while (!err && next->timeout_ms < 0);
	if (err < 0)
		return err;
	next->count = err;
	return 0;
}

static int chardev_regs(struct utrace_session *session, void *arg)
{
	struct utrace_regs *regs = arg;
	void __user *user = u64_to_user_ptr(regs->buf);
	void *buf;
	int err;

	if ((regs->flags & ~UTRACE_EXAMINE_WRITE) || regs->reserved || regs->tid <= 0 || !regs->len)
		return -EINVAL;
	if (regs->len > COPY_CHUNK) {
		if (regs->flags & UTRACE_EXAMINE_WRITE)
			return -EINVAL;
		regs->len = COPY_CHUNK;
	}
	buf = kvzalloc(regs->len, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	err = -EFAULT;
	if ((regs->flags & UTRACE_EXAMINE_WRITE) && copy_from_user(buf, user, regs->len))
		goto out;
	err = session_regs(session, regs, buf);
	if (!err && !(regs->flags & UTRACE_EXAMINE_WRITE) && copy_to_user(user, buf, regs->len))
		err = -EFAULT;
out:
	kvfree(buf);
	return err;
}

static int chardev_memory(struct utrace_session *session, void *arg)
{
	struct utrace_memory *memory = arg;
	char __user *user = u64_to_user_ptr(memory->buf);
	bool write = memory->flags & UTRACE_EXAMINE_WRITE;
	size_t chunk = min_t(u64, memory->len, COPY_CHUNK);
	u64 left = memory->len;
	ssize_t done = 0;
	size_t want;
	void *buf;

	if ((memory->flags & ~UTRACE_EXAMINE_WRITE) || memory->reserved || memory->tid <= 0)
		return -EINVAL;
	buf = kvmalloc(chunk ?: 1, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	memory->len = 0;
	while (left) {
		want = min_t(u64, left, chunk);
		done = -EFAULT;
		if (write && copy_from_user(buf, user, want))
			break;
		done = session_memory(session, memory, memory->addr + memory->len, buf, want);
		if (done <= 0)
			break;
		if (!write && copy_to_user(user, buf, done)) {
			done = -EFAULT;
			break;
		}
		memory->len += done;
		user += done;
		left -= done;
		if (done < want)
			break;
		done = fatal_signal_pending(current) ? -EINTR : 0;
		if (done)
			break;
		cond_resched();
	}
	kvfree(buf);
	/* A short one is told by its length; what stopped it only if nothing was done. */
	return memory->len || done > 0 ? 0 : done;
}

static int chardev_list(struct utrace_session *session, void *arg)
{
	struct utrace_list *list = arg;
	char __user *user = u64_to_user_ptr(list->entries);
	size_t size = min_t(size_t, list->entry_size, sizeof(struct utrace_info));
	struct utrace_lister lister;
	unsigned int i;
	int err;

	if (list->flags || list->reserved || list->tgid < 0 || !list->entry_size ||
	    list->entry_size > PAGE_SIZE || list->entry_size % sizeof(u64))
		return -EINVAL;
	/* No more than there can be, whatever room the caller has. */
	err = utrace_lister_init(&lister, &session->rights, list->tgid,
				 min(list->count,
				     session_thread_count() + utrace_bpf_thread_count()));
	if (!err)
		err = session_list(&lister);
	if (!err)
		err = utrace_bpf_list(&lister);
	for (i = 0; i < lister.filled && !err; i++, user += list->entry_size) {
		if (copy_to_user(user, &lister.infos[i], size) ||
		    clear_user(user + size, list->entry_size - size))
			err = -EFAULT;
		cond_resched();
	}
	list->count = lister.found;
	utrace_lister_end(&lister);
	return err;
}

/* What a call takes, and what comes back in it: also with -EINPROGRESS, which is no failure. */
struct chardev_call {
	int (*call)(struct utrace_session *session, void *arg);
	unsigned int size;
	bool out;
	/* Only looks, or lets go: also for who opened the device for reading only. */
	bool looks;
};

#define CALL(_call, _type) .call = (_call), .size = sizeof(_type)

static const struct chardev_call chardev_calls[] = {
	[_IOC_NR(UTRACE_IOC_FEATURES)] = { CALL(chardev_features, struct utrace_features),
					   .out = true, .looks = true },
	[_IOC_NR(UTRACE_IOC_ATTACH)] = { CALL(chardev_attach, struct utrace_attach), .out = true },
	[_IOC_NR(UTRACE_IOC_SET_EVENTS)] = { CALL(chardev_set_events, struct utrace_set_events) },
	[_IOC_NR(UTRACE_IOC_SYSCALL_SET)] = { CALL(chardev_syscall_set,
						   struct utrace_syscall_set) },
	/* Who owns nothing finds nothing but by UTRACE_CONTROL_FOREIGN. */
	[_IOC_NR(UTRACE_IOC_CONTROL)] = { CALL(chardev_control, struct utrace_control), .out = true,
					  .looks = true },
	[_IOC_NR(UTRACE_IOC_BARRIER)] = { CALL(chardev_barrier, struct utrace_barrier) },
	[_IOC_NR(UTRACE_IOC_ANSWER)] = { CALL(chardev_answer, struct utrace_answer) },
	[_IOC_NR(UTRACE_IOC_NEXT)] = { CALL(chardev_next, struct utrace_next), .out = true },
	[_IOC_NR(UTRACE_IOC_REGS)] = { CALL(chardev_regs, struct utrace_regs), .out = true },
	[_IOC_NR(UTRACE_IOC_MEMORY)] = { CALL(chardev_memory, struct utrace_memory), .out = true },
	[_IOC_NR(UTRACE_IOC_LIST)] = { CALL(chardev_list, struct utrace_list), .out = true,
				       .looks = true },
	[_IOC_NR(UTRACE_IOC_INJECT)] = { CALL(chardev_inject, struct utrace_inject) },
};

static long chardev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct utrace_session *session = file->private_data;
	void __user *user = (void __user *)arg;
	const struct chardev_call *call;
	/* chardev_copy_argument() writes as much of it as the call uses, and no more goes back. */
	union chardev_argument argument __uninitialized;
	int err;

	if (_IOC_TYPE(cmd) != UTRACE_IOC_MAGIC || _IOC_DIR(cmd) != _IOC_NONE || _IOC_SIZE(cmd) ||
	    _IOC_NR(cmd) >= ARRAY_SIZE(chardev_calls))
		return -ENOTTY;
	call = &chardev_calls[array_index_nospec(_IOC_NR(cmd), ARRAY_SIZE(chardev_calls))];
	err = utrace_session_check(session);
	if (err)
		return err;
	if (!session->controller && !call->looks)
		return -EBADF;
	err = chardev_copy_argument(&argument, call->size, user);
	if (err)
		return err;
	err = call->call(session, &argument);
	/* The size comes back as it was given, since the copy is no longer than that. */
	if ((!err || err == -EINPROGRESS) && call->out &&
	    copy_to_user(user, &argument, min(*(u32 *)&argument, call->size)))
		return -EFAULT;
	return err;
}

static ssize_t chardev_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct utrace_session *session = file->private_data;
	const u32 stride = sizeof(struct utrace_notice);
	int count;
	int err;

	err = utrace_session_check(session);
	if (err)
		return err;
	if (!session->controller)
		return -EBADF;
	if (len < stride)
		return -EINVAL;
	do {
		if (!session_ready(session)) {
			if (file->f_flags & O_NONBLOCK)
				return -EAGAIN;
			err = session_wait(session, MAX_SCHEDULE_TIMEOUT);
			if (err)
				return err == -EINTR ? -ERESTARTSYS : err;
		}
		count = chardev_notices(session, buf, stride,
					min_t(size_t, len / stride, INT_MAX / stride));
	} while (!count);
	return count < 0 ? count : (ssize_t)count * stride;
}

static __poll_t chardev_poll(struct file *file, poll_table *wait)
{
	struct utrace_session *session = file->private_data;
	int err = utrace_session_check(session);

	if (err == -EPERM)
		return EPOLLERR;
	poll_wait(file, &session->wait, wait);
	if (err || READ_ONCE(session->dead))
		return EPOLLERR | EPOLLHUP;
	return session_ready(session) ? EPOLLIN | EPOLLRDNORM : 0;
}

static int chardev_open(struct inode *inode, struct file *file)
{
	struct utrace_session *session;

	session = utrace_session_open(file->f_mode & FMODE_WRITE);
	if (IS_ERR(session))
		return PTR_ERR(session);
	file->private_data = session;
	return stream_open(inode, file);
}

static int chardev_release(struct inode *inode, struct file *file)
{
	utrace_session_close(file->private_data);
	return 0;
}

static const struct file_operations chardev_fops = {
	.owner = THIS_MODULE,
	.open = chardev_open,
	.release = chardev_release,
	.read = chardev_read,
	.poll = chardev_poll,
	.unlocked_ioctl = chardev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* The operator's brake: any write lets go of every hold and takes every engine off. */
static ssize_t detach_all_store(struct device *dev, struct device_attribute *attr, const char *buf,
				size_t len)
{
	session_brake();
	utrace_bpf_brake();
	return len;
}
static DEVICE_ATTR_WO(detach_all);

static struct attribute *chardev_attrs[] = {
	&dev_attr_detach_all.attr,
	NULL,
};
ATTRIBUTE_GROUPS(chardev);

static struct miscdevice chardev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "utrace",
	.mode = 0666,
	.fops = &chardev_fops,
	.groups = chardev_groups,
};

/* No hidden padding, and the same on every side: the others assert these numbers too. */
static void build_check_abi(void)
{
	BUILD_BUG_ON(sizeof(struct utrace_features) != 584);
	BUILD_BUG_ON(sizeof(struct utrace_attach) != 40);
	BUILD_BUG_ON(sizeof(struct utrace_syscall_set) != 144);
	BUILD_BUG_ON(sizeof(struct utrace_set_events) != 24);
	BUILD_BUG_ON(sizeof(struct utrace_control) != 40);
	BUILD_BUG_ON(sizeof(struct utrace_barrier) != 24);
	BUILD_BUG_ON(sizeof(struct utrace_inject) != 72);
	BUILD_BUG_ON(sizeof(struct utrace_notice) != 128);
	BUILD_BUG_ON(offsetof(struct utrace_notice, result) != 56);
	BUILD_BUG_ON(offsetof(struct utrace_notice, sp) != 120);
	BUILD_BUG_ON(sizeof(struct utrace_answer) != 96);
	BUILD_BUG_ON(offsetof(struct utrace_answer, args) != 48);
	BUILD_BUG_ON(sizeof(struct utrace_next) != 40);
	BUILD_BUG_ON(sizeof(struct utrace_regs) != 40);
	BUILD_BUG_ON(sizeof(struct utrace_memory) != 48);
	BUILD_BUG_ON(sizeof(struct utrace_info) != 80);
	BUILD_BUG_ON(sizeof(struct utrace_list) != 32);
}

int utrace_chardev_init(void)
{
	build_check_abi();
	return misc_register(&chardev);
}

void utrace_chardev_exit(void)
{
	misc_deregister(&chardev);
}
