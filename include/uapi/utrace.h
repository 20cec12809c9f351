/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The binary contract of utrace: what the module, the BPF engines and user
 * space agree on.  docs/contract.md has the rules by which it may grow.
 *
 * Every structure that crosses the device begins with its size, as the caller
 * knows it.  A larger structure than the module knows is accepted only if
 * the unknown rest is zero (-E2BIG otherwise); a smaller one is taken as if
 * the rest were zero.  Unknown flags are refused with -EINVAL.  All padding is
 * explicit and must be zero.
 *
 * Pids given and shown are those of the caller's pid namespace.
 */
#ifndef _UAPI_UTRACE_H
#define _UAPI_UTRACE_H

#ifndef __VMLINUX_H__
#include <linux/ioctl.h>
#include <linux/types.h>
#endif

#define UTRACE_ABI_VERSION 1
#define UTRACE_DEVICE	   "/dev/utrace"

/* ---- events ---- */

enum utrace_event {
	UTRACE_EVENT_BIT_QUIESCE,	/* at a safe point near user mode */
	UTRACE_EVENT_BIT_REAP,		/* the zombie is gone; always the last */
	UTRACE_EVENT_BIT_CLONE,		/* a child is made and has not run */
	UTRACE_EVENT_BIT_EXEC,		/* a new image, before its first instruction */
	UTRACE_EVENT_BIT_EXIT,		/* about to exit, its state still whole */
	UTRACE_EVENT_BIT_DEATH,		/* dead, before REAP */
	UTRACE_EVENT_BIT_SYSCALL_ENTRY, /* before the call, ptrace and seccomp */
	UTRACE_EVENT_BIT_SYSCALL_EXIT,	/* after the call */
	/* A signal was taken off its queue, and next ... */
	UTRACE_EVENT_BIT_SIGNAL, /* its handler runs */
	/*
	 * It is ignored, and was dropped when it was sent: told afterwards, and disturbs nothing.
	 * With UTRACE_TARGET_INTERCEPT, or if it was blocked, before it is dropped.
	 */
	UTRACE_EVENT_BIT_SIGNAL_IGN,
	UTRACE_EVENT_BIT_SIGNAL_STOP, /* the process stops */
	UTRACE_EVENT_BIT_SIGNAL_TERM, /* it ends */
	UTRACE_EVENT_BIT_SIGNAL_CORE, /* it dumps core and ends */
	/*
	 * It is about to stop with its process (job control), or goes on.  A hold at the first
	 * takes effect at the second: until then it is stopped anyway, as its parent is told.
	 */
	UTRACE_EVENT_BIT_JCTL,
	/* A handler's frame is built, the mask is its own: before its first instruction. */
	UTRACE_EVENT_BIT_SIGNAL_HANDLER,
	/*
	 * It has made the step that this engine asked for: one instruction, or a system call, or it
	 * is at the first instruction of a handler.  Told to nobody else.
	 */
	UTRACE_EVENT_BIT_STEP,
};

#define UTRACE_EVENT(name)   (1u << UTRACE_EVENT_BIT_##name)
#define UTRACE_EVENT_SYSCALL (UTRACE_EVENT(SYSCALL_ENTRY) | UTRACE_EVENT(SYSCALL_EXIT))
#define UTRACE_EVENTS_SIGNAL \
	(UTRACE_EVENT(SIGNAL) | UTRACE_EVENT(SIGNAL_IGN) | UTRACE_EVENT(SIGNAL_STOP) | \
	 UTRACE_EVENT(SIGNAL_TERM) | UTRACE_EVENT(SIGNAL_CORE))
/* At which a signal is told; at the last nothing is to be decided about it any more. */
#define UTRACE_EVENTS_OF_SIGNAL (UTRACE_EVENTS_SIGNAL | UTRACE_EVENT(SIGNAL_HANDLER))
#define UTRACE_EVENTS_ALL \
	(UTRACE_EVENT(QUIESCE) | UTRACE_EVENT(REAP) | UTRACE_EVENT(CLONE) | UTRACE_EVENT(EXEC) | \
	 UTRACE_EVENT(EXIT) | UTRACE_EVENT(DEATH) | UTRACE_EVENT_SYSCALL | \
	 UTRACE_EVENTS_OF_SIGNAL | UTRACE_EVENT(JCTL) | UTRACE_EVENT(STEP))

/* Events at which an engine may hold the thread. */
#define UTRACE_EVENTS_STOPPABLE (UTRACE_EVENTS_ALL & ~(UTRACE_EVENT(DEATH) | UTRACE_EVENT(REAP)))

/* ---- actions ---- */

/* How a thread goes on.  The smallest wish of all engines prevails. */
enum utrace_resume_action {
	UTRACE_STOP = 0,      /* hold it */
	UTRACE_INTERRUPT = 1, /* break a blocking call, then report */
	UTRACE_REPORT = 2,    /* report soon, disturb nothing */
	/* go on by one instruction, or to the next branch, and tell STEP then */
	UTRACE_SINGLESTEP = 3,
	UTRACE_BLOCKSTEP = 4,
	UTRACE_RESUME = 5, /* go on */
	UTRACE_DETACH = 6, /* go on without this engine */
};

#define UTRACE_RESUME_MASK 0x0fu

/* What becomes of a system call, told at its entry; the last engine called decides. */
enum utrace_syscall_action {
	UTRACE_SYSCALL_RUN = 0x00,
	UTRACE_SYSCALL_ABORT = 0x10, /* skip it; the result is what the engine set */
};

/* To a callback, with these: it is called again at the same entry, as it asked. */
#define UTRACE_SYSCALL_RESUMED 0x20u

#define UTRACE_SYSCALL_MASK 0xf0u

/*
 * What becomes of a signal, told where it was taken off its queue; the last engine called decides.
 */
enum utrace_signal_action {
	UTRACE_SIGNAL_DELIVER = 0x00, /* what its disposition says */
	UTRACE_SIGNAL_IGN = 0x10,     /* nothing: it is dropped */
	/* Whatever its disposition says, and of any number: */
	UTRACE_SIGNAL_TERM = 0x20, /* the process ends by it, without a core dump */
	UTRACE_SIGNAL_CORE = 0x30, /* the process dumps core, and ends by it */
	UTRACE_SIGNAL_STOP = 0x40, /* the process stops by it, as in job control */
	UTRACE_SIGNAL_TSTP = 0x50, /* the same, but nothing in an orphaned process group */
};

#define UTRACE_SIGNAL_MASK 0xf0u

/*
 * With IGN, or with another in its place, or forced: before that the signal goes back to the front
 * of its queue, as it was told, and is told again when it is taken off anew.  Not a fault of the
 * thread's own, which comes again by itself.
 */
#define UTRACE_SIGNAL_HOLD 0x100u

/*
 * To a callback, with SIGNAL_IGN: it was dropped when it was sent, and what is returned about it
 * changes nothing.
 */
#define UTRACE_SIGNAL_DROPPED 0x200u

/* All that may come with an enum utrace_resume_action. */
#define UTRACE_VERDICT_MASK (UTRACE_SIGNAL_MASK | UTRACE_SIGNAL_HOLD)

/* A siginfo_t as far as it has anything in it: the rest of its 128 bytes is zero. */
#define UTRACE_SIGINFO_SIZE 48

/*
 * Numbers.  Every callback that may hold a thread, and every asynchronous
 * stop, has a number of its own, rising by thread.  Bit 0 names the slot it
 * belongs to, so that an answer to one can never release the other.
 */
#define UTRACE_SLOT_REPORT   0u
#define UTRACE_SLOT_ASYNC    1u
#define UTRACE_SEQ_SLOT(seq) ((seq)&1u)
#define UTRACE_SEQ_LATEST    0ull /* whatever was published to this engine by now */

/*
 * ---- the session: an open UTRACE_DEVICE ----
 *
 * It belongs to the thread group that opened it: another gets EPERM, and when
 * that group is gone everybody gets EOWNERDEAD.  Opened for reading only it can
 * look (FEATURES, LIST) and use UTRACE_CONTROL_FOREIGN; to own engines it has to be
 * opened O_RDWR (else EBADF).
 *
 * ESRCH says that the engine or the thread is not there (any more), EDQUOT that
 * one user's attachments would be more than the module parameter max_attachments.
 */

#define UTRACE_IOC_MAGIC 0xb7

struct utrace_features {
	__u32 size;
	__u32 flags;	      /* must be 0 */
	__u32 abi;	      /* out: UTRACE_ABI_VERSION of the module */
	__u32 events;	      /* out: events this module can report */
	__u32 actions;	      /* out: 1 << enum utrace_resume_action */
	__u32 target_flags;   /* out: UTRACE_TARGET_* it knows */
	__u32 hooks;	      /* out: kernel functions hooked just now */
	__u32 engines;	      /* out: engines that exist just now */
	char version[32];     /* out: the module's version */
	char hook_names[512]; /* out: the functions, separated by spaces */
	__u32 signal_actions; /* out: 1 << (enum utrace_signal_action >> 4) */
	__u32 reserved;	      /* out: 0 */
};

#define UTRACE_TARGET_PIDFD (1u << 0) /* target is a pidfd, not a pid */
#define UTRACE_TARGET_GROUP (1u << 1) /* all threads of the target's group, also those being born */
#define UTRACE_TARGET_CHILDREN \
	(1u << 2) /* and every process they fork from now on; implies new threads */
#define UTRACE_TARGET_TRACE \
	(1u << 3) /* only feed the module's tracepoints: never holds, no notices */
#define UTRACE_TARGET_HANDOVER \
	(1u << 4) /* a debugger that is to stop a thread held by this engine gets it */
/*
 * While it is on a thread, an engine's hold is over before the next engine is told of the event,
 * which is then told of it as those before have left it: at a call's entry from the engine
 * attached last, the one closest to the program, to the first; elsewhere from the first to the
 * last.  Not with TRACE.
 */
#define UTRACE_TARGET_NESTED (1u << 5)
/*
 * With SIGNAL_IGN: what the program ignores is queued, and told before it is dropped, so that it
 * can be made something else.  That wakes the thread, and breaks calls that do not go on after a
 * signal, as epoll_wait(): EINTR.  Not with TRACE.
 */
#define UTRACE_TARGET_INTERCEPT (1u << 6)
#define UTRACE_TARGET_FLAGS_ALL 0x7fu

struct utrace_attach {
	__u32 size;
	__u32 flags;  /* UTRACE_TARGET_* */
	__s32 target; /* thread id, or a pidfd */
	/*
	 * Held and told at these; DEATH is always told.  REAP with UTRACE_TARGET_TRACE alone: to
	 * stay until then.
	 */
	__u32 events;
	__u64 cookie;  /* comes back in each notice */
	__u64 engine;  /* out: handle, never used again for another */
	__u32 threads; /* out: threads attached by this call */
	__u32 reserved;
};

/* With a set, SYSCALL_ENTRY and SYSCALL_EXIT are told for its members only. */
#define UTRACE_SYSCALL_SET_BITS 1024

struct utrace_syscall_set {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u64 engine;
	__u64 bits[UTRACE_SYSCALL_SET_BITS /
		   64]; /* by x86-64 (or i386) number, x32 without its bit; all zero: every call */
};

struct utrace_set_events {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u64 engine;
	__s32 tid; /* 0: all threads of the engine */
	__u32 events;
};

/*
 * STOP: out seq is the number that a resume has to answer; result 0 means it is
 * stopped now, -EINPROGRESS that it will be before it runs another
 * instruction of its own.  RESUME: in seq, or UTRACE_SEQ_LATEST.  After a STOP of
 * all threads those born later are stopped too, until a RESUME of all.
 */
#define UTRACE_CONTROL_FOREIGN \
	(1u << 0) /* RESUME or DETACH another's engine (owner's rights or CAP_SYS_PTRACE) */

struct utrace_control {
	__u32 size;
	__u32 flags; /* UTRACE_CONTROL_* */
	__u64 engine;
	__s32 tid;	      /* 0: all threads of the engine */
	__u32 action;	      /* enum utrace_resume_action */
	__u64 seq;	      /* in: RESUME; out: STOP (with one tid) */
	__u32 affected;	      /* out: threads on which it took effect */
	__u32 held_by_others; /* out: of these, still held by another engine */
};

struct utrace_barrier {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u64 engine;
	__s32 tid;
	__u32 reserved;
};

/* ---- notices: read(2) gives as many as fit, poll(2) says when there are any ---- */

enum utrace_notice_type {
	UTRACE_NOTICE_HELD = 1,	    /* at `event`, wants an answer to `seq` */
	UTRACE_NOTICE_STOPPED = 2,  /* by an asynchronous stop, wants an answer to `seq` */
	UTRACE_NOTICE_ATTACHED = 3, /* a newborn thread joined the engine */
	UTRACE_NOTICE_GONE = 4,	    /* the thread left the engine: `reason`; its last notice */
	UTRACE_NOTICE_MISSED = 5, /* a newborn of this thread could not join: `result` is -errno */
	/*
	 * Another has resumed it.  What this engine holds it for now: `seq` at an event, `result`
	 * by an asynchronous stop; 0: nothing.
	 */
	UTRACE_NOTICE_RELEASED = 6,
	/* A debugger, `result`, waits until it is let go; 0: not any more. */
	UTRACE_NOTICE_AWAITED = 7,
};

/* For RELEASED. */
enum utrace_released_reason {
	UTRACE_RELEASED_RESUMED = 0,
	UTRACE_RELEASED_HANDED_OVER = 1, /* to a debugger, in whose stop it is next */
};

enum utrace_gone_reason {
	UTRACE_GONE_DEATH = 1,	  /* `result` is its exit code, as wait(2) would give it */
	UTRACE_GONE_EXEC = 2,	  /* the owner may not trace the new image */
	UTRACE_GONE_RELEASED = 3, /* by another, or by the operator */
};

/* In the middle of a call: its number and result are not writable (EBUSY). */
#define UTRACE_NOTICE_IN_SYSCALL (1u << 0)
#define UTRACE_NOTICE_COMPAT	 (1u << 1) /* a 32-bit call: nr is an i386 number */
/* Told again at the same entry, as asked by REPORT or INTERRUPT: the call as it is now. */
#define UTRACE_NOTICE_RESUMED (1u << 2)
/*
 * An engine before this one has decided: the call is skipped, the signal dropped, held back or
 * forced.  Unless this one decides otherwise, that stands.
 */
#define UTRACE_NOTICE_DECIDED (1u << 3)
/*
 * At SIGNAL_IGN: it was dropped when it was sent, which nobody stopped by UTRACE_TARGET_INTERCEPT.
 * Told afterwards, once however often it was sent; nothing is to be decided about it, and siginfo
 * has its number alone.
 */
#define UTRACE_NOTICE_DROPPED (1u << 4)

struct utrace_notice {
	__u32 size; /* of each notice in the batch */
	__u32 type; /* enum utrace_notice_type */
	__u64 engine;
	__u64 cookie;
	__u64 seq;
	__s32 tid;
	__s32 tgid;
	__u32 event;  /* one UTRACE_EVENT(), for HELD */
	__u32 flags;  /* UTRACE_NOTICE_* */
	__s32 nr;     /* system call number, -1 if in none */
	__u32 reason; /* enum utrace_gone_reason, for GONE; enum utrace_released_reason */
	/*
	 * SYSCALL_EXIT: the result; CLONE: the child's tid; EXEC: its tid before; EXIT, GONE: the
	 * exit code; at a signal its number; JCTL: CLD_STOPPED or CLD_CONTINUED.
	 */
	__s64 result;
	union {
		__u64 args[6];
		/* At a signal, as it was taken off the queue; at a handler as it was delivered. */
		__u8 siginfo[UTRACE_SIGINFO_SIZE];
	};
	__u64 ip;
	__u64 sp;
};

/* ---- answers ---- */

#define UTRACE_ANSWER_SET_CALL (1u << 0) /* at entry: run `nr` with `args` instead */
/*
 * At a call's exit, or with ABORT: `result` is what the program sees.  At EXIT: what its parent
 * sees.
 */
#define UTRACE_ANSWER_SET_RESULT (1u << 1)
/* At a signal: it is what `siginfo` says instead, with its si_signo.  Not with IGN. */
#define UTRACE_ANSWER_SET_SIGNAL (1u << 2)
#define UTRACE_ANSWER_FLAGS_ALL	 0x7u

struct utrace_answer {
	__u32 size;
	__u32 flags; /* UTRACE_ANSWER_* */
	__u64 engine;
	__u64 seq; /* the number it answers */
	__s32 tid;
	/*
	 * UTRACE_RESUME, REPORT, INTERRUPT, DETACH, and with STEP among the events SINGLESTEP or
	 * BLOCKSTEP | enum utrace_syscall_action at an entry, enum utrace_signal_action and
	 * UTRACE_SIGNAL_HOLD at a signal.
	 */
	__u32 action;
	__s64 result;
	__s32 nr;
	__u32 reserved;
	union {
		__u64 args[6];
		__u8 siginfo[UTRACE_SIGINFO_SIZE];
	};
};

/*
 * Give one answer (if answer is not 0), then wait for the next notices: one call a
 * round trip.  Count 0 says that none came in time.  After EINTR the answer has been
 * given: call again without it.
 */
struct utrace_next {
	__u32 size;
	__u32 flags;	   /* must be 0 */
	__u64 answer;	   /* struct utrace_answer *, or 0 */
	__u64 notices;	   /* struct utrace_notice * */
	__u32 count;	   /* in: room; out: notices written */
	__s32 timeout_ms;  /* -1: for ever; 0: do not wait */
	__u32 notice_size; /* sizeof(struct utrace_notice) of the caller; 0: that of ABI 1 */
	__u32 reserved;
};

/*
 * Send the thread, running or held, what `siginfo` says, with its si_signo and any si_code.  It is
 * told of it, and held at it, as of any other.  EPERM: SIGKILL or SIGSTOP for an init.
 */
struct utrace_inject {
	__u32 size;
	__u32 flags; /* must be 0 */
	__u64 engine;
	__s32 tid;
	__u32 reserved;
	__u8 siginfo[UTRACE_SIGINFO_SIZE];
};

/* ---- examination: only of a thread this engine holds ---- */

#define UTRACE_EXAMINE_WRITE (1u << 0)

/*
 * EAGAIN: it was asked to stop and sleeps in a call, or is not born yet: UTRACE_NOTICE_STOPPED
 * tells when it can be looked at.
 */
struct utrace_regs {
	__u32 size;
	__u32 flags; /* UTRACE_EXAMINE_WRITE */
	__u64 engine;
	__s32 tid;
	__u32 type; /* NT_PRSTATUS and the like: a regset of the thread's view */
	__u64 buf;
	__u32 len; /* in: bytes at buf; out: bytes done */
	__u32 reserved;
};

/*
 * EPERM: the program has made itself undumpable, and the session's opener has no CAP_SYS_PTRACE
 * over it.
 */
struct utrace_memory {
	__u32 size;
	__u32 flags; /* UTRACE_EXAMINE_WRITE */
	__u64 engine;
	__s32 tid;
	__u32 reserved;
	__u64 addr;
	__u64 buf;
	__u64 len; /* in: bytes wanted; out: bytes done (short at the first bad page) */
};

/* ---- who is on whom ---- */

#define UTRACE_INFO_HELD_REPORT (1u << 0) /* this engine holds it at an event */
#define UTRACE_INFO_HELD_ASYNC	(1u << 1) /* by an asynchronous stop */
#define UTRACE_INFO_ASLEEP	(1u << 2) /* it does sleep there now */
#define UTRACE_INFO_TRACE	(1u << 3) /* UTRACE_TARGET_TRACE */
#define UTRACE_INFO_KERNEL	(1u << 4) /* an engine of a kernel module */
#define UTRACE_INFO_NESTED	(1u << 5) /* UTRACE_TARGET_NESTED */
/* In BPF: of no process, so owner is 0 and owner_comm is its name. */
#define UTRACE_INFO_BPF (1u << 6)

/* One engine on one thread. */
struct utrace_info {
	__u64 engine;
	__u64 seq;	/* of the hold, to resume just this one */
	__u64 since_ns; /* CLOCK_MONOTONIC of the hold, 0 if none */
	__s32 owner;	/* the session's process, 0 if of another pid namespace */
	__s32 tid;
	__s32 tgid;
	__u32 events;
	__u32 event; /* at which it is held */
	__s32 nr;    /* the system call it is held in, or -1 */
	__u32 flags; /* UTRACE_INFO_* */
	__u32 signo; /* of the signal it is held at, or 0 */
	char owner_comm[16];
	__s32 debugger; /* which waits until the thread is let go, or 0 */
	__u32 reserved;
};

struct utrace_list {
	__u32 size;
	__u32 flags;	  /* must be 0 */
	__u64 entries;	  /* struct utrace_info * */
	__u32 count;	  /* in: room; out: entries there are (may be more than room) */
	__s32 tgid;	  /* only this process; 0: all */
	__u32 entry_size; /* sizeof(struct utrace_info) of the caller */
	__u32 reserved;
};

/* The structure's own size versions a call, so the number does not carry one. */
#define UTRACE_IOC_FEATURES    _IO(UTRACE_IOC_MAGIC, 0x00)
#define UTRACE_IOC_ATTACH      _IO(UTRACE_IOC_MAGIC, 0x01)
#define UTRACE_IOC_SET_EVENTS  _IO(UTRACE_IOC_MAGIC, 0x02)
#define UTRACE_IOC_SYSCALL_SET _IO(UTRACE_IOC_MAGIC, 0x03)
#define UTRACE_IOC_CONTROL     _IO(UTRACE_IOC_MAGIC, 0x04)
#define UTRACE_IOC_BARRIER     _IO(UTRACE_IOC_MAGIC, 0x05)
#define UTRACE_IOC_ANSWER      _IO(UTRACE_IOC_MAGIC, 0x06)
#define UTRACE_IOC_NEXT	       _IO(UTRACE_IOC_MAGIC, 0x07)
#define UTRACE_IOC_REGS	       _IO(UTRACE_IOC_MAGIC, 0x08)
#define UTRACE_IOC_MEMORY      _IO(UTRACE_IOC_MAGIC, 0x09)
#define UTRACE_IOC_LIST	       _IO(UTRACE_IOC_MAGIC, 0x0a)
#define UTRACE_IOC_INJECT      _IO(UTRACE_IOC_MAGIC, 0x0b)

#endif /* _UAPI_UTRACE_H */
