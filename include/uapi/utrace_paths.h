/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* The files that a BPF object is told to be about, by its loader; no program of others. */
#ifndef _UAPI_UTRACE_PATHS_H
#define _UAPI_UTRACE_PATHS_H

/* vmlinux.h, which BPF programs include first, has these types already. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* A file or directory, whatever it is called: as the kernel has both numbers. */
struct utrace_path {
	__u64 dev; /* of its super block: major << 20 | minor */
	__u64 ino;
};

/* So many at once. */
#define UTRACE_PATHS 64

#endif /* _UAPI_UTRACE_PATHS_H */
