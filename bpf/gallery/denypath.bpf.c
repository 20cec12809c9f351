// SPDX-License-Identifier: GPL-2.0-only
/*
 * Denies a process to open files, by what the kernel found under the name, however it was called.
 *
 *	utracectl engine load denypath.bpf.o --path /srv/private -f -- make
 *	utracectl engine load denypath.bpf.o --path ~/.ssh --path /etc/shadow -f --pin -p 812
 *
 * The hooks are behind the lookup: links, "..", descriptors of directories, renames, bind mounts,
 * io_uring, and a name that is changed while it is read lead to the same file.  Opening is what it
 * is about, to execute too, and linking or moving what lies within, which would lead out.  A file
 * that was open before stays so; one in a directory may have a link elsewhere from before: name it
 * itself.
 */
#include "bpf/include/utrace_beside.bpf.h"
#include "bpf/include/utrace_paths.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* What opening gives. */
const volatile int error UTRACE_IS_ERRNO = 13;

enum what {
	opens = 0,
	links = 1,
	renames = 2,
};

struct denial {
	s32 pid;
	s32 tid;
	char comm[16];
	enum what what;
	/* Of what was to be opened, as its root sees it, empty if too long; or the name alone. */
	char path[484];
};

UTRACE_RECORDS(struct denial, 1 << 16);

unsigned long long denied = 0;

/* The rare first: most are about other files. */
static __always_inline bool is_denied(const struct dentry *dentry)
{
	return utrace_is_within(dentry) && utrace_is_on();
}

static __always_inline struct denial *begin(enum what what)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct denial *denial = bpf_ringbuf_reserve(&records, sizeof(*denial), 0);

	__sync_fetch_and_add(&denied, 1);
	/* Nobody reads: it is denied all the same. */
	if (!denial)
		return 0;
	denial->pid = task->tgid;
	denial->tid = task->pid;
	denial->what = what;
	bpf_get_current_comm(denial->comm, sizeof(denial->comm));
	denial->path[0] = 0;
	return denial;
}

/* What is within stays there, or it would be opened by its new name. */
static __always_inline int keep(const struct dentry *dentry, enum what what)
{
	struct denial *denial;

	if (!is_denied(dentry))
		return 0;
	denial = begin(what);
	if (denial) {
		bpf_probe_read_kernel_str(denial->path, sizeof(denial->path), dentry->d_name.name);
		bpf_ringbuf_submit(denial, 0);
	}
	return utrace_refuse(error);
}

SEC("lsm.s/file_open")
int BPF_PROG(on_open, struct file *file)
{
	struct denial *denial;

	if (!is_denied(file->f_path.dentry))
		return 0;
	denial = begin(opens);
	if (denial) {
		if (bpf_d_path(&file->f_path, denial->path, sizeof(denial->path)) < 0)
			denial->path[0] = 0;
		bpf_ringbuf_submit(denial, 0);
	}
	return utrace_refuse(error);
}

SEC("lsm.s/path_link")
int BPF_PROG(on_link, struct dentry *dentry)
{
	return keep(dentry, links);
}

/* An exchange asks twice, for each of both. */
SEC("lsm.s/inode_rename")
int BPF_PROG(on_rename, struct inode *folder, struct dentry *dentry)
{
	return keep(dentry, renames);
}

/* The engine says whom it is about, and hears of nothing. */
UTRACE_ENGINE(denypath) = {
	.name = "denypath",
};
