/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What only the module sees.  Programs attach to these as tp_btf and get the arguments of
 * TP_PROTO; the fields are for people, so they hold no kernel addresses.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM utrace

#if !defined(_TRACE_UTRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_UTRACE_H

#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <asm/syscall.h>

/* After the engines have had their say: the call that will run. */
TRACE_EVENT(utrace_syscall_entry,
	TP_PROTO(struct task_struct *task, struct pt_regs *regs),
	TP_ARGS(task, regs),
	TP_STRUCT__entry(
		__field(pid_t, tid)
		__field(int, nr)
		__array(unsigned long, args, 6)
	),
	TP_fast_assign(
		__entry->tid = task->pid;
		__entry->nr = syscall_get_nr(task, regs);
		syscall_get_arguments(task, regs, __entry->args);
	),
	TP_printk("tid=%d nr=%d args=%lx,%lx,%lx,%lx,%lx,%lx", __entry->tid, __entry->nr,
		  __entry->args[0], __entry->args[1], __entry->args[2], __entry->args[3],
		  __entry->args[4], __entry->args[5])
);

/* After the engines: the result the program will see. */
TRACE_EVENT(utrace_syscall_exit,
	TP_PROTO(struct task_struct *task, struct pt_regs *regs, long ret),
	TP_ARGS(task, regs, ret),
	TP_STRUCT__entry(
		__field(pid_t, tid)
		__field(int, nr)
		__field(long, ret)
	),
	TP_fast_assign(
		__entry->tid = task->pid;
		__entry->nr = syscall_get_nr(task, regs);
		__entry->ret = ret;
	),
	TP_printk("tid=%d nr=%d ret=%ld", __entry->tid, __entry->nr, __entry->ret)
);

/* The thread is about to be held; event is one UTRACE_EVENT(), 0 for an asynchronous stop. */
TRACE_EVENT(utrace_stop,
	TP_PROTO(struct task_struct *task, u32 event),
	TP_ARGS(task, event),
	TP_STRUCT__entry(
		__field(pid_t, tid)
		__field(u32, event)
	),
	TP_fast_assign(
		__entry->tid = task->pid;
		__entry->event = event;
	),
	TP_printk("tid=%d event=%#x", __entry->tid, __entry->event)
);

TRACE_EVENT(utrace_resume,
	TP_PROTO(struct task_struct *task, u32 event),
	TP_ARGS(task, event),
	TP_STRUCT__entry(
		__field(pid_t, tid)
		__field(u32, event)
	),
	TP_fast_assign(
		__entry->tid = task->pid;
		__entry->event = event;
	),
	TP_printk("tid=%d event=%#x", __entry->tid, __entry->event)
);

/*
 * Job control: type is CLD_STOPPED, about to stop by signal sig, or CLD_CONTINUED.
 */
TRACE_EVENT(utrace_jctl,
	TP_PROTO(struct task_struct *task, int type, int sig),
	TP_ARGS(task, type, sig),
	TP_STRUCT__entry(
		__field(pid_t, tid)
		__field(int, type)
		__field(int, sig)
	),
	TP_fast_assign(
		__entry->tid = task->pid;
		__entry->type = type;
		__entry->sig = sig;
	),
	TP_printk("tid=%d type=%d sig=%d", __entry->tid, __entry->type, __entry->sig)
);

/* The exit code is as wait(2) gives it. */
TRACE_EVENT(utrace_death,
	TP_PROTO(struct task_struct *task, long code),
	TP_ARGS(task, code),
	TP_STRUCT__entry(
		__field(pid_t, tid)
		__field(long, code)
	),
	TP_fast_assign(
		__entry->tid = task->pid;
		__entry->code = code;
	),
	TP_printk("tid=%d code=%#lx", __entry->tid, __entry->code)
);

TRACE_EVENT(utrace_reap,
	TP_PROTO(struct task_struct *task),
	TP_ARGS(task),
	TP_STRUCT__entry(
		__field(pid_t, tid)
	),
	TP_fast_assign(
		__entry->tid = task->pid;
	),
	TP_printk("tid=%d", __entry->tid)
);

#endif

#include <trace/define_trace.h>
