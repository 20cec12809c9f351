// SPDX-License-Identifier: GPL-2.0-only
/* What a BPF engine holds for a time: a timer lets go. */
#include <linux/ktime.h>
#include <linux/slab.h>

#include "bpf_engine.h"
#include "compat/timer.h"

/* Of one thread, which has one at most: of its last hold. */
struct bpf_delay {
	struct hrtimer timer;
	struct work_struct work;
	/* With a reference. */
	struct utrace_engine *engine;
	u64 seq;
};

/* In process context, as the core wants it.  The module's exit waits for the queue. */
static void bpf_delay_over(struct work_struct *work)
{
	struct bpf_delay *delay = container_of(work, struct bpf_delay, work);
	struct bpf_thread *t = delay->engine->data;
	int unused;

	/* It may be on its way out of ring() just now.  Once it has rung nobody starts it again. */
	hrtimer_cancel(&delay->timer);
	spin_lock_irq(&t->owner->lock);
	if (t->delay == delay)
		t->delay = NULL;
	spin_unlock_irq(&t->owner->lock);
	/* It was let go before, or the engine or the thread is gone: nothing is left to be done. */
	unused = utrace_resume(delay->engine, delay->seq);
	(void)unused;
	utrace_engine_put(delay->engine);
	kfree(delay);
}

static enum hrtimer_restart ring(struct hrtimer *timer)
{
	struct bpf_delay *delay = container_of(timer, struct bpf_delay, timer);

	queue_work(bpf_works, &delay->work);
	return HRTIMER_NORESTART;
}

static void bpf_delay_init(struct bpf_delay *delay, struct utrace_engine *engine)
{
	utrace_engine_get(engine);
	delay->engine = engine;
	INIT_WORK(&delay->work, bpf_delay_over);
	utrace_timer_setup(&delay->timer, ring);
}

int bpf_resume_after(struct utrace_engine *engine, u64 ns)
{
	struct bpf_thread *t = engine->data;
	struct bpf_engine *be = t->owner;
	struct bpf_delay *spare, *delay;
	int err = -EOWNERDEAD;

	if (ns > UTRACE_BPF_DELAY_MAX)
		return -EINVAL;
	spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!spare)
		return -ENOMEM;
	spin_lock_irq(&be->lock);
	/* Off the list nobody would end it with the engine. */
	if (!list_empty(&t->entry)) {
		err = 0;
		delay = t->delay;
		/* Of a hold that was over before its time.  One that has rung ends by itself. */
		if (!delay || hrtimer_try_to_cancel(&delay->timer) != 1) {
			delay = spare;
			spare = NULL;
			bpf_delay_init(delay, engine);
			t->delay = delay;
		}
		delay->seq = utrace_report_seq(engine);
		/* It may be over before the thread is held: an early answer is as good. */
		hrtimer_start(&delay->timer, ns_to_ktime(ns), HRTIMER_MODE_REL);
	}
	spin_unlock_irq(&be->lock);
	kfree(spare);
	return err;
}

void bpf_delay_end(struct bpf_thread *t)
{
	lockdep_assert_held(&t->owner->lock);
	/* Not queued from here: under this lock nobody is woken. */
	if (t->delay && hrtimer_try_to_cancel(&t->delay->timer) == 1)
		hrtimer_start(&t->delay->timer, 0, HRTIMER_MODE_REL);
}
