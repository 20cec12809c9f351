/* SPDX-License-Identifier: GPL-2.0-only */
/* Which threads are traced, and what every record says of its thread. */
#ifndef _UTRACE_THREAD_BPF_H
#define _UTRACE_THREAD_BPF_H

/* uapi's macros are not in BTF, so vmlinux.h lacks them. */
#define SIGNAL_GROUP_EXIT 0x00000004

#define TASK_NEW     0x00000800
#define TASK_STOPPED 0x00000004

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct observe_home);
} threads SEC(".maps");

/* Traced threads that have not exited. */
__u64 live_threads;
/* Those that the last scan came by; user space clears it before. */
__u64 seen_threads;

/*
 * Calls come from the module's per-thread hook, for threads on which our session has an engine;
 * cleared when user space goes over to the raw tracepoint.
 */
bool calls_from_module;
/* Threads found without: their engine never came to be, or was taken away. */
__u64 unheard_threads;
/* Exits after which the module has yet to tell the death. */
__u64 deaths_due;
/* Deaths after which it has yet to tell the reaping. */
__u64 reaps_due;

/* A record of the current thread found no room: its number is used up, so the gap shows. */
static __always_inline void lose(struct observe_thread *thread)
{
	thread->seq++;
	count_drop();
}

static __always_inline void fill_head(struct utrace_rec_head *head, struct observe_thread *thread,
				      __u8 type, __u16 body)
{
	head->len = body;
	head->type = type;
	head->flags = 0;
	head->body = body;
	head->ts = bpf_ktime_get_ns();
	head->seq = thread->seq++;
	head->tgid = thread->tgid;
	head->tid = thread->tid;
	head->cpu = bpf_get_smp_processor_id();
	head->payloads = 0;
}

static __always_inline void fill_head_of_other(struct utrace_rec_head *head,
					       struct observe_thread *thread, __u8 type, __u16 body)
{
	head->len = body;
	head->type = type;
	head->flags = UTRACE_REC_F_UNNUMBERED;
	head->body = body;
	head->ts = bpf_ktime_get_ns();
	head->seq = thread->seq;
	head->tgid = thread->tgid;
	head->tid = thread->tid;
	head->cpu = bpf_get_smp_processor_id();
	head->payloads = 0;
}

/* The flag by which a thread's calls reach the module when they end. */
static __always_inline bool is_heard(struct task_struct *task)
{
	return task->thread_info.syscall_work & (1UL << SYSCALL_WORK_BIT_SYSCALL_EXIT_TRAP);
}

static __always_inline struct observe_home *home_of(struct task_struct *task)
{
	return bpf_task_storage_get(&threads, task, 0, 0);
}

static __always_inline struct observe_thread *thread_of(struct task_struct *task)
{
	struct observe_home *home = home_of(task);

	return home ? thread_in(home) : NULL;
}

/* How many of its calls are missing nobody knows: at least one. */
static __always_inline void note_unheard(struct observe_home *home)
{
	if (home->deaf == OBSERVE_DEAF_FOR_SURE)
		return;
	home->deaf = OBSERVE_DEAF_FOR_SURE;
	count_drop();
	__sync_fetch_and_add(&unheard_threads, 1);
}

/*
 * From the scan only. A newborn gets its engine before it first wakes; a debugger's resume takes
 * the flag away for a moment, so once is not enough.
 */
static __always_inline void look_for_deaf(struct task_struct *task, struct observe_home *home,
					  __u32 flags)
{
	if (home->deaf == OBSERVE_DEAF_FOR_SURE)
		return;
	if (is_heard(task) || (flags & OBSERVE_UNTIL_EXEC) || (task->flags & PF_EXITING) ||
	    (*(volatile unsigned int *)&task->__state & TASK_NEW))
		home->deaf = 0;
	else if (++home->deaf >= OBSERVE_DEAF_SCANS)
		note_unheard(home);
}

static __always_inline void count_out(struct observe_home *home)
{
	if (__sync_val_compare_and_swap(&home->state, OBSERVE_LIVE, OBSERVE_DEAD) == OBSERVE_LIVE)
		__sync_fetch_and_add(&live_threads, -1);
}

static __always_inline void count_in(struct observe_home *home)
{
	/* First, so that the count is never short of a live thread. */
	__sync_fetch_and_add(&live_threads, 1);
	if (__sync_val_compare_and_swap(&home->state, OBSERVE_NEW, OBSERVE_LIVE) != OBSERVE_NEW)
		__sync_fetch_and_add(&live_threads, -1);
}

/*
 * The state of a thread, made if there is none. Creating fails when another CPU does it at the same
 * time, as the attaching scan and a fork do for a thread being born: then theirs is there.
 */
static __always_inline struct observe_home *make_home(struct task_struct *task,
						      struct observe_home *fresh)
{
	struct observe_home *home;

	home = bpf_task_storage_get(&threads, task, fresh, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!home)
		home = home_of(task);
	/* No memory: all of this thread will be missing, and at least that is counted. */
	if (!home)
		count_drop();
	return home;
}

/* A child that has not run yet; at its fork. */
static __always_inline bool inherit(struct task_struct *child, struct observe_thread *parent)
{
	struct observe_home fresh = {
		.thread.flags = (parent->flags & OBSERVE_FOLLOW) | OBSERVE_NEWBORN,
		.thread.tgid = tgid_of(child),
		.thread.tid = pid_of(child),
	};
	struct observe_home *home = make_home(child, &fresh);

	if (!home)
		return false;
	/* The scan may have been first, and does not know that it is new. */
	home->thread.flags |= OBSERVE_NEWBORN;
	count_in(home);
	return true;
}

/* Gives a thread of a chosen process its state; NULL if its process is none. */
static __always_inline struct observe_thread *adopt(struct task_struct *task)
{
	struct observe_thread *leader = thread_of(task->group_leader);
	struct observe_home fresh = {};
	struct observe_home *home;

	if (!leader || (task->flags & PF_EXITING))
		return NULL;
	fresh.thread.flags = leader->flags & OBSERVE_FOLLOW;
	fresh.thread.tgid = leader->tgid;
	fresh.thread.tid = pid_of(task);
	home = make_home(task, &fresh);
	if (!home)
		return NULL;
	count_in(home);
	/* If its exit came in between and saw no state, nobody else would count it out. */
	if (task->flags & PF_EXITING)
		count_out(home);
	return thread_in(home);
}

#endif /* _UTRACE_THREAD_BPF_H */
