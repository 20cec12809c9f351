/* SPDX-License-Identifier: GPL-2.0-only */
/* What the compiler is told, where kernels differ.  Included before every file by Kbuild. */
#ifndef _UTRACE_COMPAT_COMPILER_H
#define _UTRACE_COMPAT_COMPILER_H

/*
 * With gcc 14 later kernels declare per-CPU pointers in an address space of their own. BTF cannot
 * say that, so one C type becomes several equal ones, and what makes our BTF (pahole 1.30) no
 * longer sees that our struct task_struct is the kernel's: the module gets one of its own, and BPF
 * programs may not use a task that comes from our tracepoints. So the pointers are declared
 * plainly, as with any compiler that lacks typeof_unqual.
 */
#ifdef USE_TYPEOF_UNQUAL
#undef USE_TYPEOF_UNQUAL
#undef __percpu_qual
#define __percpu_qual
#endif

/* Of a variable that is written before it is read: not cleared first. 6.1 has no word for it. */
#ifndef __uninitialized
#define __uninitialized
#endif

#endif /* _UTRACE_COMPAT_COMPILER_H */
