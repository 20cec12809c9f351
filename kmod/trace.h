/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's own tracepoints. */
#ifndef UTRACE_TRACE_H
#define UTRACE_TRACE_H

#include <trace/events/utrace.h>

#endif
