/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What an observer's BPF programs write into their rings, and what a record file holds:
 * one stream of records, each a head followed by a body by type, some followed by payloads.
 *
 * Everything is little endian and aligned to 8 bytes. A record's type says which body follows;
 * a reader skips a type it does not know by `len`. Bodies only ever grow at their end, before
 * the payloads, and `body` in the head says how long this one is.
 */
#ifndef _UAPI_UTRACE_RECORDS_H
#define _UAPI_UTRACE_RECORDS_H

/* vmlinux.h, which BPF programs include first, has these types already. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define UTRACE_RECORDS_VERSION 1

enum utrace_rec_type {
	UTRACE_REC_SYSCALL = 1, /* a finished call, or one that will never return */
	UTRACE_REC_PENDING = 2, /* a call seen in progress; its SYSCALL may follow */
	UTRACE_REC_FORK = 3,
	UTRACE_REC_EXEC = 4,
	UTRACE_REC_EXIT = 5,
	UTRACE_REC_SIGNAL = 6,	    /* delivered to a thread, in its own context */
	UTRACE_REC_SIGNAL_SENT = 7, /* a signal that will kill, seen when it was sent */
	UTRACE_REC_LOST = 8,	    /* written by user space: records missing here */
	/* From the module's tracepoints: */
	UTRACE_REC_STOP = 16,
	UTRACE_REC_RESUME = 17,
	UTRACE_REC_DEATH = 18,
	UTRACE_REC_REAP = 19,
	UTRACE_REC_JCTL = 20,
};

/*
 * The record has no number of its own: it was written by someone else than the thread it is
 * about, and `seq` is that thread's latest number. Gaps are not looked for here.
 */
#define UTRACE_REC_F_UNNUMBERED 0x01

struct utrace_rec_head {
	__u32 len; /* the whole record, payloads included; a multiple of 8 */
	__u8 type;
	__u8 flags;
	__u16 cpu;
	__u64 ts;  /* CLOCK_MONOTONIC, ns */
	__u32 seq; /* of this thread, modulo 2^32; counts also what was dropped */
	__u32 tgid;
	__u32 tid;
	__u16 body;	/* bytes from the head's start to the first payload */
	__u16 payloads; /* how many follow the body */
};

/* A piece of the thread's memory: `len` bytes follow, then zeros up to a multiple of 8. */
struct utrace_rec_payload {
	__u8 arg;    /* which argument pointed there */
	__u8 kind;   /* enum utrace_copy_kind */
	__u16 flags; /* UTRACE_PAYLOAD_* */
	__u32 len;
};

#define UTRACE_PAYLOAD_TRUNCATED 0x0001 /* there was more */
#define UTRACE_PAYLOAD_FAULT	 0x0002 /* the memory could not be read; len is 0 */

enum utrace_abi {
	UTRACE_ABI_X86_64 = 0,
	UTRACE_ABI_I386 = 1,
	UTRACE_ABI_X32 = 2,
};

/* The thread never comes back to its program from this call: `ret` says nothing to it. */
#define UTRACE_CALL_F_NO_RETURN 0x0001
/* The number was overwritten by the call itself, as only sigreturn does. */
#define UTRACE_CALL_F_NR_LOST 0x0002

struct utrace_rec_syscall {
	struct utrace_rec_head head;
	__s32 nr;      /* without the x32 bit */
	__u16 abi;     /* enum utrace_abi */
	__u16 flags;   /* UTRACE_CALL_F_* */
	__s64 ret;     /* PENDING: 0 */
	__u64 args[6]; /* the last ones may be left out, as head.body tells; then they are 0 */
};

struct utrace_rec_fork {
	struct utrace_rec_head head;
	__u32 child_tgid;
	__u32 child_tid;
	__u32 flags; /* UTRACE_FORK_F_* */
	__u32 reserved;
};

#define UTRACE_FORK_F_THREAD   0x0001 /* a thread of the same process */
#define UTRACE_FORK_F_FOLLOWED 0x0002 /* the child is traced as well */

/*
 * A successful execve or execveat, which has no SYSCALL record of its own.
 * Payload 0 is the file name, payload 1 the new argv (UTRACE_COPY_STRINGS).
 */
struct utrace_rec_exec {
	struct utrace_rec_head head;
	__u32 old_tid; /* differs from head.tid when another thread than the leader did it */
	__u32 argc;
	__u32 envc;
	__s32 nr;  /* of the call made */
	__u16 abi; /* of the call made */
	__u16 reserved[3];
};

struct utrace_rec_exit {
	struct utrace_rec_head head;
	__s32 code;  /* as wait(2) has it: status << 8, or a signal with 0x80 for a core */
	__u32 flags; /* UTRACE_EXIT_F_* */
};

#define UTRACE_EXIT_F_GROUP 0x0001 /* no thread of the process is left alive */

struct utrace_rec_signal {
	struct utrace_rec_head head;
	__u32 signo;
	__u32 flags;	   /* UTRACE_SIGNAL_F_* */
	__u32 sender_tgid; /* SIGNAL_SENT only: who was running; 0: unknown */
	__u32 sender_tid;
	__u8 info[48]; /* the start of its siginfo_t; zeros but for signo if it had none */
};

#define UTRACE_SIGNAL_F_NO_INFO 0x0001 /* the kernel itself killed: no siginfo */
#define UTRACE_SIGNAL_F_HANDLED 0x0002 /* a handler of the program is about to run */

struct utrace_rec_lost {
	struct utrace_rec_head head; /* tid 0: of which threads is not known */
	__u64 count;
};

/* STOP, RESUME, DEATH, REAP of the module. Whose engine holds is not known at that place. */
struct utrace_rec_notice {
	struct utrace_rec_head head;
	__s32 nr;  /* of the call it is in, STOP and RESUME only; -1: none */
	__u16 abi; /* of that call */
	__u16 reserved;
	__u32 event; /* one UTRACE_EVENT() at which it is held, 0 for an asynchronous stop */
	__s32 code;  /* DEATH: as wait(2) has it; JCTL: the signal that stops it, 0: it goes on */
};

/*
 * What to copy of the memory that the arguments of a call point to. User space fills two tables
 * of these by syscall number, before the programs are loaded.
 */
enum utrace_copy_kind {
	UTRACE_COPY_NONE = 0,
	UTRACE_COPY_STRING = 1, /* up to its NUL, at most the path limit */
	UTRACE_COPY_BYTES = 2,
	UTRACE_COPY_STRINGS = 3, /* a vector of strings, copied with their NULs one by one */
};

/* How many bytes: */
enum utrace_copy_length {
	UTRACE_LEN_FIXED = 0,  /* size */
	UTRACE_LEN_ARG = 1,    /* size * the value of argument len_arg */
	UTRACE_LEN_RESULT = 2, /* size * the call's result */
	UTRACE_LEN_AT = 3,     /* size * the __u32 at the address in argument len_arg */
};

#define UTRACE_COPY_F_RESULT 0x0001 /* the kernel writes it: only if the call succeeded */
#define UTRACE_COPY_F_WHOLE  0x0002 /* a structure: the limit for plain data does not hold */

struct utrace_copy_rule {
	__u8 arg;
	__u8 kind;     /* enum utrace_copy_kind */
	__u8 len_from; /* enum utrace_copy_length */
	__u8 len_arg;
	__u16 size;  /* of the structure or of one element; at least 1 for BYTES */
	__u16 flags; /* UTRACE_COPY_F_* */
};

#define UTRACE_COPY_RULES 3 /* per call, the first NONE ends them */

struct utrace_copy_rules {
	__u8 args; /* how many the call has, plus 1; 0: not known, all six are recorded */
	__u8 path; /* the first path it takes, plus 1; 0: none */
	__u8 fd;   /* the first descriptor it takes, plus 1; 0: none */
	__u8 reserved[5];
	struct utrace_copy_rule rule[UTRACE_COPY_RULES];
};

#define UTRACE_SYSCALLS	   512	/* numbers below this can have rules, per ABI */
#define UTRACE_PAYLOAD_MAX 4096 /* bytes of one payload, whatever the limits say */

#endif /* _UAPI_UTRACE_RECORDS_H */
