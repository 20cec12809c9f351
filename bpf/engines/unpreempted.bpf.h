/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where tracepoints are preemptible (7.x), a program may lose its CPU in the middle. Until it goes
 * on, the kernel skips it for everybody else on that CPU, without a word; no program can prevent
 * that, since the kernel marks it as running before its first instruction and after its last.
 *
 * So each event has two programs there. The second does what the first should have done, if that
 * was skipped, which the thread's state tells: both run in the same thread, one after the other.
 * It is skipped itself only where somebody lost the CPU within the few instructions it mostly is.
 *
 * The module's own tracepoints are fired without being preempted and need one program only.
 */
#ifndef _UTRACE_UNPREEMPTED_BPF_H
#define _UTRACE_UNPREEMPTED_BPF_H

/* Set before load. */
const volatile bool preemptible;

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

/*
 * Evaluates an expression of type int without losing the CPU: what is kept for each CPU is not used
 * by two at once, and no record stays unfinished for long.
 */
#define UNPREEMPTED(expression) \
	({ \
		int _value; \
		if (preemptible && bpf_ksym_exists(bpf_preempt_disable)) \
			bpf_preempt_disable(); \
		_value = (expression); \
		if (preemptible && bpf_ksym_exists(bpf_preempt_enable)) \
			bpf_preempt_enable(); \
		_value; \
	})

enum turn {
	ONLY_TURN, /* of the module's tracepoints */
	FIRST_TURN,
	SECOND_TURN,
};

/*
 * Whether an event of the current thread is this program's to tell. A mark is left behind if the
 * second program is skipped; the next first one puts it right.
 */
static __always_inline bool is_due(struct observe_thread *thread, const enum turn turn)
{
	if (!preemptible || turn == ONLY_TURN)
		return true;
	if (turn == SECOND_TURN && (thread->flags & OBSERVE_TOLD)) {
		thread->flags &= ~OBSERVE_TOLD;
		return false;
	}
	if (turn == FIRST_TURN)
		thread->flags |= OBSERVE_TOLD;
	return true;
}

#endif /* _UTRACE_UNPREEMPTED_BPF_H */
