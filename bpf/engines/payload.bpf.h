/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies of the memory that arguments point to, taken in the thread's own context. */
#ifndef _UTRACE_PAYLOAD_BPF_H
#define _UTRACE_PAYLOAD_BPF_H

/* Set before load. */
const volatile struct utrace_copy_rules rules_64[UTRACE_SYSCALLS];
const volatile struct utrace_copy_rules rules_32[UTRACE_SYSCALLS];
const volatile __u32 path_limit = UTRACE_PAYLOAD_MAX;
const volatile __u32 data_limit = 32;

#define SCRATCH_BYTES OBSERVE_RECORD_MAX
/*
 * A payload that starts below SCRATCH_BYTES, what the verifier believes one more string could
 * need, the two bytes that tell "exactly full" from "more", and the zeros after it.
 */
#define SCRATCH_ROOM (sizeof(struct utrace_rec_payload) + 2 * UTRACE_PAYLOAD_MAX + 16)

struct scratch {
	union {
		struct utrace_rec_syscall call;
		struct utrace_rec_exec exec;
		__u8 bytes[SCRATCH_BYTES + SCRATCH_ROOM];
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *get_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratches, &zero);
}

static __always_inline __u32 min_u32(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

/* Finishes the payload whose head is at `off` and whose `len` bytes follow it. */
static __always_inline __u32 end_payload(struct scratch *scratch, __u32 off, __u8 arg, __u8 kind,
					 __u16 flags, __u32 len)
{
	struct utrace_rec_payload *p;

	if (off > SCRATCH_BYTES || len > UTRACE_PAYLOAD_MAX)
		return off;
	p = (void *)&scratch->bytes[off];
	p->arg = arg;
	p->kind = kind;
	p->flags = flags;
	p->len = len;
	__builtin_memset(&scratch->bytes[off + sizeof(*p) + len], 0, 8);
	scratch->call.head.payloads++;
	return (off + sizeof(*p) + len + 7) & ~7U;
}

static __always_inline __u32 copy_string(struct scratch *scratch, __u32 off, __u8 arg,
					 const void *src, bool from_kernel)
{
	__u32 limit = min_u32(path_limit, UTRACE_PAYLOAD_MAX);
	__u16 flags = 0;
	void *dst;
	long n;

	if (off > SCRATCH_BYTES)
		return off;
	dst = &scratch->bytes[off + sizeof(struct utrace_rec_payload)];
	/* Two more than the limit: the NUL, and one to see that there was more. */
	if (from_kernel)
		n = bpf_probe_read_kernel_str(dst, limit + 2, src);
	else
		n = bpf_probe_read_user_str(dst, limit + 2, src);
	if (n < 1) {
		/* Of an empty string of the user's kernels before 6.13 say 0. */
		flags = n ? UTRACE_PAYLOAD_FAULT : 0;
		n = 1;
	} else if (n > limit + 1) {
		flags = UTRACE_PAYLOAD_TRUNCATED;
		n = limit + 1;
	}
	return end_payload(scratch, off, arg, UTRACE_COPY_STRING, flags, n - 1);
}

static __always_inline __u32 copy_bytes(struct scratch *scratch, __u32 off, __u8 arg, __u8 kind,
					const void *src, __u64 want, __u32 limit)
{
	__u16 flags = 0;
	__u32 len;

	if (off > SCRATCH_BYTES)
		return off;
	limit = min_u32(limit, UTRACE_PAYLOAD_MAX);
	if (want > limit) {
		flags = UTRACE_PAYLOAD_TRUNCATED;
		want = limit;
	}
	len = want;
	/* The verifier must see the bound on the very register that is passed. */
	barrier_var(len);
	if (len > UTRACE_PAYLOAD_MAX)
		return off;
	if (bpf_probe_read_user(&scratch->bytes[off + sizeof(struct utrace_rec_payload)], len,
				src)) {
		flags = UTRACE_PAYLOAD_FAULT;
		len = 0;
	}
	return end_payload(scratch, off, arg, kind, flags, len);
}

struct strings_copy {
	struct scratch *scratch;
	__u64 vector;
	__u32 pointer_bytes;
	__u32 start; /* of the bytes, after the payload's head */
	__u32 len;
	__u16 flags;
};

static long copy_next_string(__u32 i, struct strings_copy *copy)
{
	__u32 room, at = copy->start + copy->len;
	__u64 string = 0;
	long n;

	if (bpf_probe_read_user(&string, copy->pointer_bytes == 4 ? 4 : 8,
				(void *)(copy->vector + i * copy->pointer_bytes))) {
		copy->flags |= i ? UTRACE_PAYLOAD_TRUNCATED : UTRACE_PAYLOAD_FAULT;
		return 1;
	}
	if (!string)
		return 1;
	if (copy->len >= UTRACE_PAYLOAD_MAX || at >= SCRATCH_BYTES + UTRACE_PAYLOAD_MAX) {
		copy->flags |= UTRACE_PAYLOAD_TRUNCATED;
		return 1;
	}
	room = UTRACE_PAYLOAD_MAX - copy->len;
	if (room > UTRACE_PAYLOAD_MAX)
		return 1;
	n = bpf_probe_read_user_str(&copy->scratch->bytes[at], room, (void *)string);
	if (n < 0) {
		copy->flags |= UTRACE_PAYLOAD_TRUNCATED;
		return 1;
	}
	if (n == room)
		copy->flags |= UTRACE_PAYLOAD_TRUNCATED;
	copy->len += n;
	return 0;
}

static __always_inline __u32 copy_strings(struct scratch *scratch, __u32 off, __u8 arg,
					  __u64 vector)
{
	struct strings_copy copy = {
		.scratch = scratch,
		.vector = vector,
		.pointer_bytes = scratch->call.abi == UTRACE_ABI_I386 ? 4 : 8,
		.start = off + sizeof(struct utrace_rec_payload),
	};

	if (off > SCRATCH_BYTES)
		return off;
	bpf_loop(256, copy_next_string, &copy, 0);
	return end_payload(scratch, off, arg, UTRACE_COPY_STRINGS, copy.flags,
			   min_u32(copy.len, UTRACE_PAYLOAD_MAX));
}

/* One rule of the call in scratch->call: appends a payload, or nothing if it does not apply. */
static __noinline __u32 copy_argument(struct scratch *scratch, __u32 off,
				      const struct utrace_copy_rule *rule)
{
	const struct utrace_rec_syscall *call = &scratch->call;
	__u32 limit, count = 0;
	__u64 src, want;

	if (rule->arg >= 6 || rule->len_arg >= 6 || off > SCRATCH_BYTES)
		return off;
	if ((rule->flags & UTRACE_COPY_F_RESULT) && call->ret < 0)
		return off;
	src = call->args[rule->arg];
	if (!src)
		return off;
	if (rule->kind == UTRACE_COPY_STRING)
		return copy_string(scratch, off, rule->arg, (void *)src, false);
	if (rule->kind == UTRACE_COPY_STRINGS)
		return copy_strings(scratch, off, rule->arg, src);

	switch (rule->len_from) {
	case UTRACE_LEN_ARG:
		want = call->args[rule->len_arg];
		break;
	case UTRACE_LEN_RESULT:
		if (call->ret < 0)
			return off;
		want = call->ret;
		break;
	case UTRACE_LEN_AT:
		if (bpf_probe_read_user(&count, sizeof(count), (void *)call->args[rule->len_arg]))
			return off;
		want = count;
		break;
	default:
		want = 1;
	}
	/* Before the product, so that it cannot wrap; far above every limit. */
	if (want > 1 << 20)
		want = 1 << 20;
	want *= rule->size;
	limit = rule->flags & UTRACE_COPY_F_WHOLE ? UTRACE_PAYLOAD_MAX : data_limit;
	return copy_bytes(scratch, off, rule->arg, UTRACE_COPY_BYTES, (void *)src, want, limit);
}

static __always_inline __u32 copy_file_name(struct scratch *scratch, __u32 off, const char *name)
{
	return copy_string(scratch, off, 0, name, true);
}

/* The kernel has just written the new program's argv, one string after the other. */
static __always_inline __u32 copy_argv(struct scratch *scratch, __u32 off, struct mm_struct *mm)
{
	unsigned long start = mm->arg_start;

	return copy_bytes(scratch, off, 1, UTRACE_COPY_STRINGS, (void *)start, mm->arg_end - start,
			  UTRACE_PAYLOAD_MAX);
}

#endif /* _UTRACE_PAYLOAD_BPF_H */
