/* SPDX-License-Identifier: GPL-2.0-only */
/* What an ftrace callback may ask of the registers it is given, by the names of newer kernels. */
#ifndef UTRACE_COMPAT_FTRACE_H
#define UTRACE_COMPAT_FTRACE_H

#include <linux/ftrace.h>

#ifndef ftrace_regs_set_instruction_pointer
#define ftrace_regs_set_instruction_pointer(fregs, ip) ftrace_instruction_pointer_set(fregs, ip)
#define ftrace_regs_get_argument(fregs, n)	       regs_get_kernel_argument(&(fregs)->regs, n)
#endif

#endif
