/* SPDX-License-Identifier: GPL-2.0-only */
/* Is this a kernel the module was tried on? */
#ifndef UTRACE_COMPAT_KERNEL_H
#define UTRACE_COMPAT_KERNEL_H

#include <linux/types.h>

/* At load.  0, or an errno after saying why not and what to do. */
int utrace_kernel_check(void);

/* Without it BPF knows nothing of us, and what is registered there has no effect. */
bool utrace_module_has_btf(void);

#endif
