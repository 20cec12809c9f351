/* SPDX-License-Identifier: GPL-2.0-only */
/* The device user programs open. */
#ifndef UTRACE_CHARDEV_H
#define UTRACE_CHARDEV_H

int utrace_chardev_init(void);
void utrace_chardev_exit(void);

#endif
