/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's own tracepoints. */
#ifndef UTRACE_TRACE_H
#define UTRACE_TRACE_H

#include <linux/preempt.h>
#include <trace/events/utrace.h>

/*
 * Fire the tracepoint utrace_@name, not to be preempted in it.  Newer kernels (7.x) leave
 * tracepoints preemptible, and a BPF program is skipped without a word on a CPU where another
 * thread was taken away in the middle of it.
 */
#define UTRACE_TRACE(name, ...) \
	do { \
		if (trace_utrace_##name##_enabled()) { \
			preempt_disable_notrace(); \
			trace_utrace_##name(__VA_ARGS__); \
			preempt_enable_notrace(); \
		} \
	} while (0)

#endif
