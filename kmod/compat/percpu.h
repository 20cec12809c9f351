/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before every file by Kbuild.
 *
 * With gcc 14 later kernels declare per-CPU pointers in an address space of their own. BTF cannot
 * say that, so one C type becomes several equal ones, and what makes our BTF (pahole 1.30) no
 * longer sees that our struct task_struct is the kernel's: the module gets one of its own, and BPF
 * programs may not use a task that comes from our tracepoints. So the pointers are declared
 * plainly, as with any compiler that lacks typeof_unqual.
 */
#ifndef _UTRACE_COMPAT_PERCPU_H
#define _UTRACE_COMPAT_PERCPU_H

#ifdef USE_TYPEOF_UNQUAL
#undef USE_TYPEOF_UNQUAL
#undef __percpu_qual
#define __percpu_qual
#endif

#endif /* _UTRACE_COMPAT_PERCPU_H */
