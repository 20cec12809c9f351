// SPDX-License-Identifier: GPL-2.0-only
/* Attaching an engine to a thread, and by whose rights. */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "attach.h"
#include "compat/rights.h"
#include "compat/symbols.h"
#include "compat/worker.h"

static bool utrace_matches(const struct utrace_link *link, u32 flags,
			   const struct utrace_engine_ops *ops, const void *data)
{
	if (link->flags & (UTRACE_LINK_DETACHED | UTRACE_LINK_DETACHING))
		return false;
	if ((flags & UTRACE_ATTACH_MATCH_OPS) && link->engine.ops != ops)
		return false;
	if ((flags & UTRACE_ATTACH_MATCH_DATA) && link->engine.data != data)
		return false;
	return true;
}

/* Lock held. */
static struct utrace_link *utrace_lookup(struct utrace *utrace, u32 flags,
					 const struct utrace_engine_ops *ops, const void *data)
{
	struct utrace_link *link;

	list_for_each_entry(link, &utrace->attached, entry)
		if (utrace_matches(link, flags, ops, data))
			return link;
	list_for_each_entry(link, &utrace->attaching, entry)
		if (utrace_matches(link, flags, ops, data))
			return link;
	return NULL;
}

static struct utrace_engine *utrace_attach_lookup(struct task_struct *target, u32 flags,
						  const struct utrace_engine_ops *ops,
						  const void *data)
{
	struct utrace *utrace = utrace_find(target);
	struct utrace_link *link;

	if (!utrace)
		return ERR_PTR(-ENOENT);
	spin_lock_irq(&utrace->lock);
	link = utrace_lookup(utrace, flags, ops, data);
	if (link)
		utrace_engine_get(&link->engine);
	spin_unlock_irq(&utrace->lock);
	utrace_put(utrace);
	return link ? &link->engine : ERR_PTR(-ENOENT);
}

/*
 * Put a link on its thread.  0; -EAGAIN the utrace was retired meanwhile; -EEXIST; -ESRCH
 * reaped. The image cannot change below us: the caller holds cred_guard_mutex, or the target is
 * a child that has not run.
 */
static int utrace_link_attach(struct utrace_link *link, u32 flags)
{
	struct utrace *utrace = link->utrace;
	int ret = 0;

	spin_lock_irq(&utrace->lock);
	if (utrace->reaping) {
		ret = -ESRCH;
	} else if (utrace->retired) {
		ret = -EAGAIN;
	} else if ((flags & UTRACE_ATTACH_EXCLUSIVE) &&
		   utrace_lookup(utrace, flags, link->engine.ops, link->engine.data)) {
		ret = -EEXIST;
	} else {
		link->exec_id = READ_ONCE(utrace->task->self_exec_id);
		/* Of the image before: so it is not current until it was looked at. */
		if (flags & UTRACE_ATTACH_UNCHECKED)
			link->exec_id--;
		/* The list's own reference. */
		refcount_inc(&link->ref);
		list_add_tail(&link->entry, &utrace->attaching);
		utrace->events |= UTRACE_EVENT(REAP);
	}
	spin_unlock_irq(&utrace->lock);
	return ret;
}

/* It may be in job control's stop already: that it goes on is then told by what is found here. */
static void utrace_learn_job_stop(struct utrace *utrace)
{
	struct task_struct *task = utrace->task;
	struct sighand_struct *sighand;

	/* One that stops from now on finds our hook. */
	if (!(READ_ONCE(task->__state) & __TASK_STOPPED))
		return;
	/* Keeps its sighand from being replaced, or freed. */
	read_lock(k_tasklist_lock);
	if (!READ_ONCE(task->exit_state)) {
		sighand = rcu_dereference_protected(task->sighand, true);
		spin_lock_irq(&sighand->siglock);
		if (task->jobctl & JOBCTL_STOPPED)
			utrace->job_stopped = true;
		spin_unlock_irq(&sighand->siglock);
	}
	read_unlock(k_tasklist_lock);
}

static struct utrace_engine *utrace_attach_new(struct task_struct *target, u32 flags,
					       const struct utrace_engine_ops *ops, void *data,
					       const struct utrace_owner *owner)
{
	struct utrace_link *link;
	struct utrace *utrace;
	int ret;

	do {
		utrace = utrace_obtain(target);
		if (IS_ERR(utrace))
			return ERR_CAST(utrace);
		link = utrace_link_new(utrace, ops, data, owner);
		ret = PTR_ERR_OR_ZERO(link);
		if (!ret) {
			if (flags & UTRACE_ATTACH_NESTED)
				link->flags |= UTRACE_LINK_NESTED;
			if (flags & UTRACE_ATTACH_INTERCEPT)
				link->flags |= UTRACE_LINK_INTERCEPT;
			if (owner)
				link->label = utrace_task_label(target);
			ret = utrace_link_attach(link, flags);
			if (!ret)
				utrace_learn_job_stop(utrace);
			if (ret) {
				utrace_link_disown(link);
				utrace_engine_put(&link->engine);
			}
		}
		if (ret)
			utrace_retire_if_idle(utrace);
		utrace_put(utrace);
	} while (ret == -EAGAIN);
	return ret ? ERR_PTR(ret) : &link->engine;
}

/*
 * The capabilities of the opener are asked for by file_ns_capable(), also by callbacks
 * that began before the last close: so they ride on a file that lives as long as the owner.
 * It pins the module for the moment that the kernel takes to let go of it.
 */
static const struct file_operations rights_fops = {
	.owner = THIS_MODULE,
};

int utrace_owner_init(struct utrace_owner *owner)
{
	struct file *file = anon_inode_getfile("[utrace-rights]", &rights_fops, NULL, O_RDONLY);

	if (IS_ERR(file))
		return PTR_ERR(file);
	owner->file = file;
	owner->cred = get_current_cred();
	return 0;
}

void utrace_owner_release(struct utrace_owner *owner)
{
	put_cred(owner->cred);
	fput(owner->file);
}

u64 utrace_owner_new_id(void)
{
	static atomic64_t last;

	/* A counter of 64 bits does not come round. */
	return atomic64_inc_return(&last);
}

static int utrace_check_owner(struct task_struct *target, const struct utrace_owner *owner)
{
	const struct cred *old = override_creds(owner->cred);
	bool allowed = k_ptrace_may_access(target, PTRACE_MODE_ATTACH_REALCREDS);

	revert_creds(old);
	return allowed ? 0 : -EPERM;
}

int utrace_may_attach(struct task_struct *target, const struct utrace_owner *owner)
{
	int ret;

	if (utrace_task_is_kernel(target))
		return -EPERM;
	if (mutex_lock_interruptible(&target->signal->cred_guard_mutex))
		return -EINTR;
	ret = utrace_check_owner(target, owner);
	mutex_unlock(&target->signal->cred_guard_mutex);
	return ret;
}
EXPORT_SYMBOL_GPL(utrace_may_attach);

int utrace_may_release(const struct utrace_engine *engine, const struct utrace_owner *owner,
		       const struct utrace_owner *asker)
{
	struct task_struct *task = utrace_engine_task(engine);
	struct user_namespace *ns;
	int err;

	if (uid_eq(asker->cred->euid, owner->cred->euid))
		return 0;
	rcu_read_lock();
	ns = get_user_ns(__task_cred(task)->user_ns);
	rcu_read_unlock();
	err = file_ns_capable(asker->file, ns, CAP_SYS_PTRACE) ? 0 : -EPERM;
	put_user_ns(ns);
	return err ?: utrace_may_attach(task, asker);
}

struct utrace_engine *utrace_attach_task(struct task_struct *target, u32 flags,
					 const struct utrace_engine_ops *ops, void *data,
					 const struct utrace_owner *owner)
{
	struct utrace_engine *engine;
	int ret;

	if (!(flags & UTRACE_ATTACH_CREATE))
		return utrace_attach_lookup(target, flags, ops, data);
	if (!ops)
		return ERR_PTR(-EINVAL);
	if (utrace_task_is_kernel(target))
		return ERR_PTR(-EPERM);
	if (!owner || (flags & (UTRACE_ATTACH_INHERIT | UTRACE_ATTACH_UNCHECKED)))
		return utrace_attach_new(target, flags, ops, data, owner);

	/*
	 * Against an exec that changes what the rights were checked for (H-3); killable and
	 * interruptible, as ptrace's.
	 */
	if (mutex_lock_interruptible(&target->signal->cred_guard_mutex))
		return ERR_PTR(-EINTR);
	ret = utrace_check_owner(target, owner);
	if (ret) {
		engine = ERR_PTR(ret);
	} else {
		k_audit_ptrace(target);
		engine = utrace_attach_new(target, flags, ops, data, owner);
	}
	mutex_unlock(&target->signal->cred_guard_mutex);
	return engine;
}
EXPORT_SYMBOL_GPL(utrace_attach_task);

struct utrace_engine *utrace_attach_pid(struct pid *pid, u32 flags,
					const struct utrace_engine_ops *ops, void *data,
					const struct utrace_owner *owner)
{
	struct task_struct *target = get_pid_task(pid, PIDTYPE_PID);
	struct utrace_engine *engine;

	if (!target)
		return ERR_PTR(-ESRCH);
	engine = utrace_attach_task(target, flags, ops, data, owner);
	put_task_struct(target);
	return engine;
}
EXPORT_SYMBOL_GPL(utrace_attach_pid);

/*
 * May this owner keep its engine on the image that current has just become?  Rules of our own: in
 * the target's context ptrace_may_access() would ask the target about itself (H-2).
 */
static bool utrace_owner_may_keep(const struct utrace_link *link)
{
	const struct cred *tracer = link->owner->cred;
	const struct cred *cred = current_cred();
	bool same_ids = uid_eq(tracer->uid, cred->euid) && uid_eq(tracer->uid, cred->suid) &&
			uid_eq(tracer->uid, cred->uid) && gid_eq(tracer->gid, cred->egid) &&
			gid_eq(tracer->gid, cred->sgid) && gid_eq(tracer->gid, cred->gid);

	if (!current->mm)
		return false;
	if (utrace_yama_scope() >= 3)
		return false;
	if (utrace_image_capable(current, current->mm, link->owner->file))
		return true;
	return same_ids && utrace_yama_scope() < 2 && !utrace_exec_secure(current) &&
	       utrace_image_dumpable(current, current->mm) &&
	       link->label == utrace_task_label(current);
}

/* The first engine whose owner was not checked for this image, with a reference.  Lock held. */
static struct utrace_link *utrace_first_stale(struct utrace *utrace)
{
	struct utrace_link *link;

	list_for_each_entry(link, &utrace->attached, entry) {
		if (!utrace_link_current(link)) {
			refcount_inc(&link->ref);
			return link;
		}
	}
	return NULL;
}

void utrace_recheck_owners(struct utrace *utrace)
{
	struct utrace_link *link;
	bool keep, off;
	u64 label;

	spin_lock_irq(&utrace->lock);
	list_splice_tail_init(&utrace->attaching, &utrace->attached);
	while ((link = utrace_first_stale(utrace))) {
		/* The security module may want to sleep or to write its log. */
		spin_unlock_irq(&utrace->lock);
		keep = utrace_owner_may_keep(link);
		label = utrace_task_label(current);
		spin_lock_irq(&utrace->lock);

		off = false;
		if (!(link->flags & UTRACE_LINK_DETACHED)) {
			if (keep) {
				link->exec_id = READ_ONCE(current->self_exec_id);
				link->label = label;
			} else {
				utrace_link_detach(link);
				off = true;
			}
		}
		spin_unlock_irq(&utrace->lock);
		if (off) {
			if (link->engine.ops->report_lost)
				link->engine.ops->report_lost(&link->engine);
			/* The list's. */
			utrace_engine_put(&link->engine);
		}
		utrace_engine_put(&link->engine);
		spin_lock_irq(&utrace->lock);
	}
	spin_unlock_irq(&utrace->lock);
}

static void (*exec_watch)(void);

void utrace_watch_execs(void (*seen)(void))
{
	/* Whose text stays: it is this module's, and whoever is in a hook keeps that. */
	WRITE_ONCE(exec_watch, seen);
	WRITE_ONCE(utrace_execs_watched, seen);
}

void utrace_exec_seen(void)
{
	void (*seen)(void) = READ_ONCE(exec_watch);

	if (seen)
		seen();
}
