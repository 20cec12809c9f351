/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For an object that is about files and directories which the user names: utracectl engine load
 * --path.  They are told apart as objects, whatever they are called; only a hard link that lies
 * elsewhere is not within the directory of the other.
 */
#ifndef UTRACE_PATHS_BPF_H
#define UTRACE_PATHS_BPF_H

#include "bpf/include/utrace.bpf.h"
#include "include/uapi/utrace_paths.h"

/* Directories that a path may go through, and how often it is gone up while others rename. */
#define UTRACE_PATHS_DEPTH 256
#define UTRACE_PATHS_TRIES 4

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UTRACE_PATHS);
	__type(key, struct utrace_path);
	__type(value, u32);
} utrace_paths SEC(".maps");

/* The kernel's: no directory moves between two equal, even values. */
extern const void rename_lock __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

static __always_inline u32 utrace_paths_renames(void)
{
	u32 renames = 1;

	bpf_probe_read_kernel(&renames, sizeof(renames), &rename_lock);
	return renames;
}

/* -1: it cannot be said, for it lies too deep. */
static __always_inline int utrace_paths_go_up(const struct dentry *dentry)
{
	const struct dentry *parent;
	const struct inode *inode;
	struct utrace_path path;
	int i;

	for (i = 0; i < UTRACE_PATHS_DEPTH; i++) {
		inode = dentry->d_inode;
		/* What is opened, linked or moved has one: newer verifiers do not know that. */
		if (!inode)
			return -1;
		path.dev = inode->i_sb->s_dev;
		path.ino = inode->i_ino;
		if (bpf_map_lookup_elem(&utrace_paths, &path))
			return 1;
		parent = dentry->d_parent;
		if (parent == dentry)
			return 0;
		dentry = parent;
	}
	return -1;
}

/*
 * Is it one of them, or within one?  Yes when it cannot be said: it lies too deep, or all the time
 * somebody renames directories.  What is mounted in a directory is not within it.
 */
static __always_inline bool utrace_is_within(const struct dentry *dentry)
{
	u32 renames;
	int i, found;

	for (i = 0; i < UTRACE_PATHS_TRIES; i++) {
		bpf_rcu_read_lock();
		renames = utrace_paths_renames();
		found = utrace_paths_go_up(dentry);
		/* Pairs with d_move(), which writes while the number is odd. */
		if (!(renames & 1) && renames == utrace_paths_renames()) {
			bpf_rcu_read_unlock();
			return found != 0;
		}
		bpf_rcu_read_unlock();
	}
	return true;
}

#endif
