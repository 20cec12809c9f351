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

#ifndef __X32_SYSCALL_BIT
#define __X32_SYSCALL_BIT 0x40000000
#endif

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

/* The first `count` arguments, which must be a constant, of a call by its registers. */
static __always_inline void fill_args(__u64 *args, const struct pt_regs *regs, __u16 abi, int count)
{
	if (abi == UTRACE_ABI_I386) {
		args[0] = (__u32)regs->bx;
		args[1] = (__u32)regs->cx;
		args[2] = (__u32)regs->dx;
		if (count <= 3)
			return;
		args[3] = (__u32)regs->si;
		args[4] = (__u32)regs->di;
		args[5] = (__u32)regs->bp;
	} else {
		args[0] = regs->di;
		args[1] = regs->si;
		args[2] = regs->dx;
		if (count <= 3)
			return;
		args[3] = regs->r10;
		args[4] = regs->r8;
		args[5] = regs->r9;
	}
}

/* Which call it is and how it ended; without a path or a descriptor. */
static __always_inline void begin_view(struct utrace_predicate_view *view, int nr, __u16 abi,
				       long ret)
{
	if (abi == UTRACE_ABI_X86_64 && (nr & __X32_SYSCALL_BIT)) {
		nr &= ~__X32_SYSCALL_BIT;
		abi = UTRACE_ABI_X32;
	}
	view->nr = nr;
	view->abi = abi;
	view->ret = ret;
	view->path = 0;
	view->path_is_ours = 0;
	view->has_fd = 0;
}

/* Its arguments, and which are the path and the descriptor: their numbers plus 1, or 0. */
static __always_inline void view_args(struct utrace_predicate_view *view,
				      const struct pt_regs *regs, __u16 abi, __u8 path_arg,
				      __u8 fd_arg)
{
	__u32 path = path_arg - 1U, fd = fd_arg - 1U;

	fill_args(view->args, regs, abi, 6);
	if (fd < 6) {
		view->fd = view->args[fd];
		view->has_fd = 1;
	}
	if (path < 6)
		view->path = view->args[path];
}

#endif
