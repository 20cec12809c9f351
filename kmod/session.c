// SPDX-License-Identifier: GPL-2.0-only
/* Sessions: whose they are, how long they live, and what one user may have. */
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "attach.h"
#include "hooks/hooks.h"
#include "session.h"

unsigned int utrace_max_attachments = 65536;
module_param_named(max_attachments, utrace_max_attachments, uint, 0644);
MODULE_PARM_DESC(max_attachments, "attachments (one engine on one thread) that one user may have");

static unsigned int contract = UTRACE_ABI_VERSION;
#ifdef UTRACE_GATES
module_param_named(seed_contract, contract, uint, 0);
MODULE_PARM_DESC(seed_contract, "for tests: claim to speak this version of the contract");
#endif

/* What one user has, whatever the number of his sessions. */
struct session_user {
	struct list_head entry;
	kuid_t uid;
	unsigned int sessions;
	atomic_t attachments;
};

/* Guards @users, their counts of sessions, and @sessions.  Taken before any utrace_session.lock. */
static DEFINE_MUTEX(sessions_mutex);
static LIST_HEAD(users);
static LIST_HEAD(sessions);
/* Our own, so that unloading can wait for what is in it. */
static struct workqueue_struct *session_works;

static struct session_user *session_user_get(kuid_t uid)
{
	struct session_user *user;

	lockdep_assert_held(&sessions_mutex);
	list_for_each_entry(user, &users, entry) {
		if (uid_eq(user->uid, uid)) {
			user->sessions++;
			return user;
		}
	}
	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return NULL;
	user->uid = uid;
	user->sessions = 1;
	list_add(&user->entry, &users);
	return user;
}

static void session_user_put(struct session_user *user)
{
	lockdep_assert_held(&sessions_mutex);
	if (--user->sessions)
		return;
	list_del(&user->entry);
	kfree(user);
}

int session_user_charge(struct session_user *user)
{
	if ((unsigned int)atomic_inc_return(&user->attachments) <=
	    READ_ONCE(utrace_max_attachments))
		return 0;
	atomic_dec(&user->attachments);
	return -EDQUOT;
}

void session_user_uncharge(struct session_user *user)
{
	atomic_dec(&user->attachments);
}

static void session_free(struct utrace_session *session)
{
	mutex_lock(&sessions_mutex);
	session_user_put(session->user);
	mutex_unlock(&sessions_mutex);
	put_pid(session->owner);
	utrace_owner_release(&session->rights);
	kvfree(session->threads);
	kfree(session);
}

static void session_free_work(struct work_struct *work)
{
	session_free(container_of(work, struct utrace_session, teardown));
}

/* Any context: the last reference may go with the core's last one to an engine. */
void utrace_session_put(struct utrace_session *session)
{
	if (!refcount_dec_and_test(&session->ref))
		return;
	/* The close has waited for the other use of the work. */
	INIT_WORK(&session->teardown, session_free_work);
	queue_work(session_works, &session->teardown);
}

/* Marks it dead, then takes it apart: newcomers see the mark under the lock and turn back. */
static void session_take_apart(struct utrace_session *session)
{
	struct session_engine *se;

	spin_lock_irq(&session->lock);
	session->dead = true;
	spin_unlock_irq(&session->lock);
	while ((se = session_engine_next(session, 0))) {
		session_engine_forget(se);
		session_detach_all(se, 0);
		session_engine_put(se);
	}
	wake_up_all(&session->wait);
}

static void session_teardown_work(struct work_struct *work)
{
	session_take_apart(container_of(work, struct utrace_session, teardown));
}

/*
 * The wait queue of the owner's struct pid, for pidfd_poll(), is woken when the group's last
 * thread is gone, and at some earlier moments too.  Under tasklist_lock with interrupts off.
 */
static int session_owner_gone(struct wait_queue_entry *wait, unsigned int mode, int flags,
			      void *key)
{
	struct utrace_session *session = container_of(wait, struct utrace_session, owner_gone);
	struct task_struct *leader;
	bool gone;

	rcu_read_lock();
	leader = pid_task(session->owner, PIDTYPE_TGID);
	gone = !leader || (READ_ONCE(leader->exit_state) && thread_group_empty(leader));
	rcu_read_unlock();
	if (gone)
		queue_work(session_works, &session->teardown);
	return 0;
}

int utrace_session_check(struct utrace_session *session)
{
	if (READ_ONCE(session->dead))
		return -EOWNERDEAD;
	return task_tgid(current) == session->owner ? 0 : -EPERM;
}

struct utrace_session *utrace_session_open(bool controller)
{
	struct utrace_session *session;
	int err;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return ERR_PTR(-ENOMEM);
	refcount_set(&session->ref, 1);
	spin_lock_init(&session->lock);
	INIT_LIST_HEAD(&session->entry);
	INIT_LIST_HEAD(&session->engines);
	INIT_LIST_HEAD(&session->ready);
	init_waitqueue_head(&session->wait);
	INIT_WORK(&session->teardown, session_teardown_work);
	init_waitqueue_func_entry(&session->owner_gone, session_owner_gone);
	session->controller = controller;

	err = utrace_owner_init(&session->rights);
	if (err)
		goto err_free;
	if (controller) {
		session->threads =
			kvcalloc(SESSION_HASH_SIZE, sizeof(*session->threads), GFP_KERNEL_ACCOUNT);
		err = session->threads ? utrace_hooks_get() : -ENOMEM;
		if (err)
			goto err_threads;
	}

	mutex_lock(&sessions_mutex);
	session->user = session_user_get(current_euid());
	if (!session->user) {
		mutex_unlock(&sessions_mutex);
		err = -ENOMEM;
		goto err_hooks;
	}
	session->owner = get_pid(task_tgid(current));
	session->ns = ns_of_pid(session->owner);
	list_add_tail(&session->entry, &sessions);
	mutex_unlock(&sessions_mutex);
	add_wait_queue(&session->owner->wait_pidfd, &session->owner_gone);
	return session;

err_hooks:
	if (controller)
		utrace_hooks_put();
err_threads:
	kvfree(session->threads);
	utrace_owner_release(&session->rights);
err_free:
	kfree(session);
	return ERR_PTR(err);
}

/*
 * The last close.  What may still know the session afterwards: (1) callbacks of engines detached
 * just now, by their references; they find it dead; (2) a walk over all sessions, which is kept
 * out by the mutex.  The owner's death is kept out by the wait queue's lock and waited for.
 */
void utrace_session_close(struct utrace_session *session)
{
	remove_wait_queue(&session->owner->wait_pidfd, &session->owner_gone);
	cancel_work_sync(&session->teardown);
	session_take_apart(session);

	mutex_lock(&sessions_mutex);
	list_del(&session->entry);
	mutex_unlock(&sessions_mutex);
	if (session->controller)
		utrace_hooks_put();
	utrace_session_put(session);
}

int session_for_each(int (*visit)(struct utrace_session *session, void *arg), void *arg)
{
	struct utrace_session *session;
	int err = 0;

	mutex_lock(&sessions_mutex);
	list_for_each_entry(session, &sessions, entry) {
		err = visit(session, arg);
		if (err)
			break;
	}
	mutex_unlock(&sessions_mutex);
	return err;
}

int session_features(struct utrace_features *features)
{
	if (features->flags)
		return -EINVAL;
	features->abi = contract;
	features->events = UTRACE_EVENTS_ALL;
	features->actions = 1u << UTRACE_STOP | 1u << UTRACE_INTERRUPT | 1u << UTRACE_REPORT |
			    1u << UTRACE_SINGLESTEP | 1u << UTRACE_BLOCKSTEP | 1u << UTRACE_RESUME |
			    1u << UTRACE_DETACH;
	features->target_flags = UTRACE_TARGET_FLAGS_ALL;
	features->signal_actions =
		1u << (UTRACE_SIGNAL_DELIVER >> 4) | 1u << (UTRACE_SIGNAL_IGN >> 4) |
		1u << (UTRACE_SIGNAL_TERM >> 4) | 1u << (UTRACE_SIGNAL_CORE >> 4) |
		1u << (UTRACE_SIGNAL_STOP >> 4) | 1u << (UTRACE_SIGNAL_TSTP >> 4);
	features->reserved = 0;
	features->engines = session_thread_count();
	memset(features->version, 0, sizeof(features->version));
	memset(features->hook_names, 0, sizeof(features->hook_names));
	strscpy(features->version, UTRACE_VERSION, sizeof(features->version));
	features->hooks = utrace_hooks_names(features->hook_names, sizeof(features->hook_names));
	return 0;
}

int utrace_session_init(void)
{
	int err;

	session_works = alloc_workqueue("utrace", WQ_UNBOUND, 0);
	if (!session_works)
		return -ENOMEM;
	err = session_engine_init();
	if (err)
		destroy_workqueue(session_works);
	return err;
}

/* No session is open, or the device would pin the module, and nobody is in a hook. */
void utrace_session_exit(void)
{
	session_engine_exit();
	destroy_workqueue(session_works);
}
