/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Into a hook and on into the hooked function.  ftrace comes here by a return, from the entry
 * of the function, with its arguments in their registers and its caller's address on the
 * stack.  We go on behind the ftrace site, also by a return: no ENDBR is needed there, and the
 * site itself is not passed again.
 *
 * utrace_continue_NAME holds that address; hooks.c sets it at load.
 */
#include <linux/cfi_types.h>
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/unwind_hints.h>

#include "../../hooks/table.h"

.macro UTRACE_CONTINUE name
	pushq	utrace_continue_\name(%rip)
	/* Seen from here the hooked function is our caller: to an unwinder that is just right. */
	UNWIND_HINT_FUNC
	RET
.endm

.macro UTRACE_CONTINUE_ADDRESS name
	.pushsection .data..ro_after_init, "aw"
	.balign 8
SYM_DATA(utrace_continue_\name, .quad 0)
	.popsection
.endm

.macro UTRACE_BEFORE name, argument=0
	UTRACE_CONTINUE_ADDRESS \name
/* Its address is taken, so it begins with an ENDBR (H-12), which not every kernel's plain one does. */
SYM_TYPED_FUNC_START(utrace_thunk_\name)
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	call	utrace_before_\name
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
.if \argument
	movl	%eax, %edi
.endif
	UTRACE_CONTINUE \name
SYM_FUNC_END(utrace_thunk_\name)
.endm

.macro UTRACE_INSTEAD name
	UTRACE_CONTINUE_ADDRESS \name
SYM_FUNC_START(utrace_original_\name)
	UTRACE_CONTINUE \name
SYM_FUNC_END(utrace_original_\name)
.endm

#define BEFORE(name, when, type)	UTRACE_BEFORE name;
#define CHANGING(name, when, type)	UTRACE_BEFORE name, 1;
#define INSTEAD(name, when, type)	UTRACE_INSTEAD name;

	.text
UTRACE_HOOKS(BEFORE, CHANGING, INSTEAD)
