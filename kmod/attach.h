/* SPDX-License-Identifier: GPL-2.0-only */
/* The owner's rights, looked at again. */
#ifndef UTRACE_ATTACH_H
#define UTRACE_ATTACH_H

#include "engine.h"

/*
 * In the thread's own context, after its image or rights changed: engines whose owner may not
 * trace it go.
 */
void utrace_recheck_owners(struct utrace *utrace);

#endif
