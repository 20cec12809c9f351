// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts the hooks into the kernel and takes them out: one ftrace_ops for all, so that it is all or
 * none and costs one wait.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "../compat/ftrace.h"
#include "../compat/kernel.h"
#include "../compat/prototype.h"
#include "../compat/symbols.h"
#include "hook.h"
#include "hooks.h"

/* After the last user: the next one often comes soon, and putting hooks in stops for a while. */
#define QUIET_TIME (3 * HZ)
/* Inside a hook a thread may be for long only if something is wrong: say so. */
#define TELL_TIME (10 * HZ)

enum when {
	WHEN_MARKED,
	WHEN_ARGUMENT,
	WHEN_EITHER,
	WHEN_RECEIVER,
	WHEN_WATCHED,
	WHEN_ALWAYS
};

struct hook {
	const char *name;
	const char *type;
	void (*entry)(void);
	unsigned long *resume;
	enum when when;
};

#define DECLARE_BEFORE(name, when, type) \
	extern unsigned long utrace_continue_##name; \
	void utrace_thunk_##name(void);
#define DECLARE_INSTEAD(name, when, type) extern unsigned long utrace_continue_##name;
UTRACE_HOOKS(DECLARE_BEFORE, DECLARE_BEFORE, DECLARE_INSTEAD)

#define ROW(function, condition, prototype, destination) \
	[UTRACE_HOOK_##function] = { \
		.name = #function, \
		.type = prototype, \
		.entry = (void (*)(void))(destination), \
		.resume = &utrace_continue_##function, \
		.when = WHEN_##condition, \
	},
#define ROW_BEFORE(name, when, type)  ROW(name, when, type, utrace_thunk_##name)
#define ROW_INSTEAD(name, when, type) ROW(name, when, type, utrace_instead_##name)
static const struct hook hooks[UTRACE_HOOK_COUNT] = { UTRACE_HOOKS(ROW_BEFORE, ROW_BEFORE,
								   ROW_INSTEAD) };

/* The ftrace site of each. */
static unsigned long sites[UTRACE_HOOK_COUNT] __ro_after_init;

/* Code that calls do_exit() for a thread the kernel cannot trust any more. */
static struct {
	unsigned long start;
	unsigned long end;
} bad_exit[2] __ro_after_init;

DEFINE_PER_CPU(long[UTRACE_HOOK_COUNT], utrace_hook_inside);
atomic_t utrace_audits = ATOMIC_INIT(0);

/* Guards installed, and the first user. */
static DEFINE_MUTEX(lock);
static atomic_t users = ATOMIC_INIT(0);
static bool installed;

bool utrace_execs_watched;

static __always_inline bool marked(const struct task_struct *task)
{
	return READ_ONCE(task_thread_info(task)->syscall_work) & BIT(UTRACE_WORK_BIT);
}

/*
 * Under its siglock: its group is there.  For every signal of the machine, so no more than this
 * (H-17).
 */
static __always_inline bool may_receive(const struct task_struct *task)
{
	return READ_ONCE(utrace_receiver_bucket(task->signal)->first);
}

static __always_inline bool from_oops(unsigned long parent_ip)
{
	unsigned int i;

	/*
	 * The call does not return and may be the last instruction: the return address is the
	 * end then.
	 */
	for (i = 0; i < ARRAY_SIZE(bad_exit); i++)
		if (parent_ip > bad_exit[i].start && parent_ip <= bad_exit[i].end)
			return true;
	return false;
}

/* Calls nothing that could be traced, so it needs no guard against recursion. */
static void notrace redirect(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	const struct task_struct *argument;
	unsigned int id = 0;
	bool wanted;

	while (sites[id] != ip)
		if (++id == UTRACE_HOOK_COUNT)
			return;
	argument = (const struct task_struct *)ftrace_regs_get_argument(fregs, 0);
	switch (hooks[id].when) {
	case WHEN_MARKED:
		wanted = marked(current);
		break;
	case WHEN_ARGUMENT:
		wanted = marked(argument);
		break;
	case WHEN_EITHER:
		wanted = marked(current) || marked(argument);
		break;
	case WHEN_RECEIVER:
		wanted =
			may_receive((const struct task_struct *)ftrace_regs_get_argument(fregs, 1));
		break;
	case WHEN_WATCHED:
		wanted = marked(current) || READ_ONCE(utrace_execs_watched);
		break;
	default:
		wanted = true;
	}
	if (!wanted || (id == UTRACE_HOOK_do_exit && from_oops(parent_ip)))
		return;
	/*
	 * Here and not in the hook: from now on the thread will come there.  Pairs with
	 * wait_until_left().
	 */
	this_cpu_inc(utrace_hook_inside[id]);
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hooks[id].entry);
}

/* PERMANENT: while a thread carries our flags nobody may switch ftrace off under it. */
static struct ftrace_ops ops = {
	.func = redirect,
	.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
};

static void notrace do_nothing(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
}

/* Find out by trying which of them could not be hooked, and say who may hold it. */
static void explain(int error)
{
	static struct ftrace_ops probe = {
		.func = do_nothing,
		.flags = FTRACE_OPS_FL_IPMODIFY,
	};
	const int *enabled = (const int *)utrace_symbols_find("ftrace_enabled");
	unsigned int id, refused = 0;
	int ret;

	if (enabled && !READ_ONCE(*enabled)) {
		pr_err("cannot hook the kernel (error %d): function tracing is switched off; run 'sysctl kernel.ftrace_enabled=1'\n",
		       error);
		return;
	}
	for (id = 0; id < UTRACE_HOOK_COUNT; id++) {
		ret = ftrace_set_filter_ip(&probe, sites[id], 0, 1) ?:
			      register_ftrace_function(&probe);
		if (!ret) {
			unregister_ftrace_function(&probe);
			continue;
		}
		refused++;
		if (ret == -EBUSY)
			pr_err("cannot hook %s(): a live patch or another tracing module redirects it already; /sys/kernel/tracing/enabled_functions marks it with I and may name who\n",
			       hooks[id].name);
		else
			pr_err("cannot hook %s(): error %d\n", hooks[id].name, ret);
	}
	ftrace_free_filter(&probe);
	if (!refused)
		pr_err("cannot hook the kernel (error %d), though each function alone can be hooked by now: try again\n",
		       error);
}

static int install(void)
{
	int ret = register_ftrace_function(&ops);

	if (ret) {
		explain(ret);
		return ret;
	}
	WRITE_ONCE(installed, true);
	return 0;
}

static long count_inside(unsigned int id)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(utrace_hook_inside[id], cpu));
	return sum;
}

/*
 * Nobody enters any more, so the counts only fall: a CPU read early may be read too high but
 * never too low, and a sum of 0 is true.  Pairs with this_cpu_inc() in redirect(), which the wait
 * inside unregister_ftrace_function() has made visible.
 */
static void wait_until_left(void)
{
	unsigned long told = jiffies;
	unsigned int id;
	long count;

	for (id = 0; id < UTRACE_HOOK_COUNT; id++) {
		while ((count = count_inside(id)) != 0) {
			if (time_after(jiffies, told + TELL_TIME)) {
				pr_warn("waiting for %ld threads to leave the hook of %s()\n",
					count, hooks[id].name);
				told = jiffies;
			}
			msleep(10);
		}
	}
}

/*
 * No thread carries our flags any more.  One may have sampled them before they were cleared,
 * though, and be on its way to a function that would kill it unhooked (H-1).  It gets there without
 * sleeping, so the first wait lets it pass; but if its calls are audited it may sleep on the way,
 * and then it is counted by now, and passes once it has been.  The last wait is for the
 * instructions between leaving the count and leaving our code.
 */
static void remove(void)
{
	int ret;

	synchronize_rcu_tasks();
	wait_var_event(&utrace_audits, !atomic_read(&utrace_audits));
	synchronize_rcu_tasks();
	ret = unregister_ftrace_function(&ops);
	WARN_ONCE(ret, "utrace: ftrace does not let go of our hooks: error %d\n", ret);
	wait_until_left();
	synchronize_rcu_tasks();
	WRITE_ONCE(installed, false);
}

static void remove_if_idle(struct work_struct *work)
{
	mutex_lock(&lock);
	if (installed && !atomic_read(&users))
		remove();
	mutex_unlock(&lock);
}

static DECLARE_DELAYED_WORK(idle_work, remove_if_idle);

int utrace_hooks_get(void)
{
	int ret = 0;

	/* Whoever removes them holds it for as long as that takes. */
	if (mutex_lock_killable(&lock))
		return -EINTR;
	cancel_delayed_work(&idle_work);
	if (!installed)
		ret = install();
	if (!ret)
		atomic_inc(&users);
	mutex_unlock(&lock);
	return ret;
}

void utrace_hooks_hold(void)
{
	WARN_ON_ONCE(!atomic_inc_not_zero(&users));
}

void utrace_hooks_put(void)
{
	int left = atomic_dec_return(&users);

	/* The work looks again, under the mutex that a first user takes. */
	if (!WARN_ON_ONCE(left < 0) && !left)
		queue_delayed_work(system_long_wq, &idle_work, QUIET_TIME);
}

unsigned int utrace_hooks_names(char *buf, size_t size)
{
	size_t length = 0;
	unsigned int id;

	if (size)
		*buf = '\0';
	if (!READ_ONCE(installed))
		return 0;
	for (id = 0; id < UTRACE_HOOK_COUNT; id++)
		length += scnprintf(buf + length, size - length, "%s%s", id ? " " : "",
				    hooks[id].name);
	return UTRACE_HOOK_COUNT;
}

static int check_prototypes(void)
{
	unsigned int count = utrace_symbols_prototypes(NULL);
	struct utrace_prototype *list;
	unsigned int id;
	int ret;

	list = kcalloc(count + UTRACE_HOOK_COUNT, sizeof(*list), GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	utrace_symbols_prototypes(list);
	for (id = 0; id < UTRACE_HOOK_COUNT; id++) {
		list[count].function = hooks[id].name;
		list[count++].expected = hooks[id].type;
	}
	ret = utrace_prototypes_check(list, count);
	kfree(list);
	return ret;
}

static int find_sites(void)
{
	unsigned long address;
	unsigned int id;
	int ret = 0;

	for (id = 0; id < UTRACE_HOOK_COUNT; id++) {
		address = utrace_symbols_find(hooks[id].name);
		sites[id] = address ? k_ftrace_location(address) : 0;
		*hooks[id].resume = sites[id] + MCOUNT_INSN_SIZE;
		if (sites[id])
			continue;
		pr_err("kernel %s %s %s(), which has to be hooked\n", init_utsname()->release,
		       address ? "cannot trace" : "has no", hooks[id].name);
		ret = -ENOENT;
	}
	return ret;
}

static int find_bad_exit(void)
{
	static const char *const names[] = { "make_task_dead", "make_task_dead.cold" };
	unsigned int i;

	BUILD_BUG_ON(ARRAY_SIZE(names) != ARRAY_SIZE(bad_exit));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		bad_exit[i].start = utrace_symbols_find(names[i]);
		if (bad_exit[i].start)
			bad_exit[i].end =
				bad_exit[i].start + utrace_symbols_size(bad_exit[i].start);
	}
	if (bad_exit[0].end > bad_exit[0].start)
		return 0;
	pr_err("kernel %s has no make_task_dead(), by which an oops is told from an exit\n",
	       init_utsname()->release);
	return -ENOENT;
}

int utrace_hooks_init(void)
{
	int ret = utrace_kernel_check()		   ?:
			  utrace_symbols_init()	   ?:
			  check_prototypes()	   ?:
			  utrace_symbols_resolve() ?:
			  find_sites()		   ?:
						     find_bad_exit();

	if (ret)
		return ret;
	ret = ftrace_set_filter_ips(&ops, sites, UTRACE_HOOK_COUNT, 0, 1);
	if (ret) {
		pr_err("cannot choose the functions to hook: error %d\n", ret);
		ftrace_free_filter(&ops);
	}
	return ret;
}

void utrace_hooks_exit(void)
{
	cancel_delayed_work_sync(&idle_work);
	mutex_lock(&lock);
	WARN_ON_ONCE(atomic_read(&users));
	if (installed)
		remove();
	mutex_unlock(&lock);
	ftrace_free_filter(&ops);
}
