/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Are the kernel's functions what this module was built for?  The running kernel's own type
 * information answers.
 */
#ifndef UTRACE_COMPAT_PROTOTYPE_H
#define UTRACE_COMPAT_PROTOTYPE_H

#include <linux/types.h>

/**
 * struct utrace_prototype - a function whose shape the module relies on
 * @function: its name
 * @expected: its type as BTF tells it: result, then "(parameter types)"; no names
 * @type: (filled in) the id of its type in the kernel's BTF, 0 if there is none
 */
struct utrace_prototype {
	const char *function;
	const char *expected;
	u32 type;
};

/*
 * Compares them all in one pass over the kernel's BTF.
 *
 * Return: 0, or -EINVAL after saying of each function that differs, or is not told of, what the
 * kernel has and what was expected.
 */
int utrace_prototypes_check(struct utrace_prototype *list, unsigned int count);

#endif
