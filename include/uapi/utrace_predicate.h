/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What the code that a predicate is compiled to looks at, shared with the programs it is put into;
 * no program of others.
 */
#ifndef _UAPI_UTRACE_PREDICATE_H
#define _UAPI_UTRACE_PREDICATE_H

#include "utrace_records.h"

/* A call; ret is 0 before it was made. */
struct utrace_predicate_view {
	__s64 ret;
	__u64 args[6];
	__u64 path;	    /* where its first path is; 0: it has none */
	__u32 path_is_ours; /* that is memory of the kernel */
	__u32 nr;	    /* as the ABI has it, without x32's bit */
	__u32 abi;	    /* enum utrace_abi */
	__u32 pid;	    /* as the records have them */
	__u32 tid;
	__s32 fd; /* its first descriptor */
	__u32 has_fd;
	__u32 reserved;
};

/*
 * Room for a text: what is compared of it, a piece of a pattern that runs on behind its end, and
 * 16 bytes for a thread's name, or the position.
 */
#define UTRACE_PREDICATE_TEXT  1024
#define UTRACE_PREDICATE_PIECE 256
#define UTRACE_PREDICATE_ASIDE (UTRACE_PREDICATE_TEXT + UTRACE_PREDICATE_PIECE)
#define UTRACE_PREDICATE_ROOM  (UTRACE_PREDICATE_ASIDE + 16)

/* Instructions that a program has room for. */
#define UTRACE_PREDICATE_INSNS 1024

/* What an engine with an expression is told besides. */
struct utrace_choice_call {
	__u8 path; /* as in struct utrace_copy_rules */
	__u8 fd;
};

struct utrace_choice {
	__u8 chooses;
	__u8 reads_path;
	__u8 reserved[6];
	struct utrace_choice_call calls_64[UTRACE_SYSCALLS];
	struct utrace_choice_call calls_32[UTRACE_SYSCALLS];
};

#endif /* _UAPI_UTRACE_PREDICATE_H */
