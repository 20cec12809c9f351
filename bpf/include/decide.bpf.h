/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room for the code of an expression, which user space puts there before load
 * (userspace/libutrace/predicate/).
 *
 * Instructions that do nothing are as long as any, and the verifier takes them out: so what is left
 * of the room costs nothing, and no place in the object has to be moved.
 */
#ifndef UTRACE_DECIDE_BPF_H
#define UTRACE_DECIDE_BPF_H

#include "bpf/include/call_registers.bpf.h"

#define UTRACE_STRING_(x) #x
#define UTRACE_STRING(x)  UTRACE_STRING_(x)

static __noinline int decide(struct utrace_predicate_view *view_arg, void *room_arg)
{
	register struct utrace_predicate_view *view asm("r1") = view_arg;
	register void *room asm("r2") = room_arg;
	register int wanted asm("r0");

	asm volatile("r0 = 1\n"
		     ".rept " UTRACE_STRING(UTRACE_PREDICATE_INSNS) "\n"
								    "goto +0\n"
								    ".endr"
		     : "=r"(wanted), "+r"(view), "+r"(room)
		     :
		     : "r3", "r4", "r5", "r6", "r7", "r8", "r9", "memory");
	return wanted;
}

/* Which call it is and how it ended; without a path or a descriptor. */
static __always_inline void begin_view(struct utrace_predicate_view *view, struct which_call which,
				       long ret)
{
	view->nr = which.nr;
	view->abi = which.abi;
	view->ret = ret;
	view->path = 0;
	view->path_is_ours = 0;
	view->has_fd = 0;
}

/* All of it; and which of its arguments are the path and the descriptor: plus 1, or 0. */
static __always_inline void view_call(struct utrace_predicate_view *view,
				      const struct pt_regs *regs, __u16 abi, long ret,
				      __u8 path_arg, __u8 fd_arg)
{
	__u32 path = path_arg - 1U, fd = fd_arg - 1U;

	begin_view(view, which_call(regs->orig_ax, abi), ret);
	fill_args(view->args, regs, abi, 6);
	if (fd < 6) {
		view->fd = view->args[fd];
		view->has_fd = 1;
	}
	if (path < 6)
		view->path = view->args[path];
}

/* A successful exec, of which only the file's name is left. */
static __always_inline void view_exec(struct utrace_predicate_view *view, int nr, const void *path)
{
	struct which_call which = { .nr = nr, .abi = UTRACE_ABI_X86_64 };

	begin_view(view, which, 0);
	__builtin_memset(view->args, 0, sizeof(view->args));
	view->path = (__u64)path;
}

#endif
