// SPDX-License-Identifier: GPL-2.0-only
/* What a BPF engine holds for a time: a timer lets go. */
#include <linux/ktime.h>
#include <linux/slab.h>

#include "bpf_engine.h"
#include "compat/timer.h"

struct bpf_delay {
	struct hrtimer timer;
	struct work_struct work;
	/* With a reference, by which the module stays, too. */
	struct utrace_engine *engine;
	u64 seq;
};

/* In process context, as the core wants it.  The module's exit waits for the queue. */
static void bpf_delay_over(struct work_struct *work)
{
	struct bpf_delay *delay = container_of(work, struct bpf_delay, work);
	int unused;

	/* It may be on its way out of ring() just now. */
	hrtimer_cancel(&delay->timer);
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

int bpf_resume_after(struct utrace_engine *engine, u64 ns)
{
	struct bpf_delay *delay;

	if (ns > UTRACE_BPF_DELAY_MAX)
		return -EINVAL;
	delay = kzalloc(sizeof(*delay), GFP_KERNEL_ACCOUNT);
	if (!delay)
		return -ENOMEM;
	utrace_engine_get(engine);
	delay->engine = engine;
	delay->seq = utrace_report_seq(engine);
	INIT_WORK(&delay->work, bpf_delay_over);
	utrace_timer_setup(&delay->timer, ring);
	/* It may be over before the thread is held: an early answer is as good. */
	hrtimer_start(&delay->timer, ns_to_ktime(ns), HRTIMER_MODE_REL);
	return 0;
}
