// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reader of the kernel's BTF: just enough to print the type of a function.  It knows the
 * format and not the kernel: sizes of kinds newer than this file come from the layout section
 * that newer kernels write.
 */
#include <linux/btf.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include "prototype.h"
#include "symbols.h"

#ifdef UTRACE_GATES
static char *seed_wrong_prototype;
module_param(seed_wrong_prototype, charp, 0);
MODULE_PARM_DESC(seed_wrong_prototype, "for tests: expect a wrong type of this function");
#endif

/* As written by all versions so far: what was 16 and 5 bits wide has grown into unused bits. */
#define KIND(type) ((type)->info >> 24 & 0x7f)
#define VLEN(type) ((type)->info & 0xffffff)

#define BUCKETS		64
#define TEXT_SIZE	256
#define DECLARATOR_SIZE 48
#define DEPTH_MAX	4
#define CHAIN_MAX	16

struct header {
	u16 magic;
	u8 version;
	u8 flags;
	u32 length;
	u32 type_offset;
	u32 type_length;
	u32 string_offset;
	u32 string_length;
	/* Only there if length says so. */
	u32 layout_offset;
	u32 layout_length;
};

struct layout {
	u8 fixed;   /* bytes after struct btf_type */
	u8 element; /* and for each of VLEN */
	u16 flags;
};

static const struct layout known_layout[] = {
	[BTF_KIND_INT] = { .fixed = 4 },	  [BTF_KIND_PTR] = {},
	[BTF_KIND_ARRAY] = { .fixed = 12 },	  [BTF_KIND_STRUCT] = { .element = 12 },
	[BTF_KIND_UNION] = { .element = 12 },	  [BTF_KIND_ENUM] = { .element = 8 },
	[BTF_KIND_FUNC_PROTO] = { .element = 8 }, [BTF_KIND_VAR] = { .fixed = 4 },
	[BTF_KIND_DATASEC] = { .element = 12 },	  [BTF_KIND_FLOAT] = {},
	[BTF_KIND_DECL_TAG] = { .fixed = 4 },	  [BTF_KIND_TYPE_TAG] = {},
	[BTF_KIND_ENUM64] = { .element = 12 },
};

struct view {
	const char *types;
	u32 types_length;
	const char *strings;
	u32 strings_length;
	const struct layout *layout;
	u32 layout_count;
	/* Where in types each id is; id 0 is void and nowhere. */
	u32 *offset;
	u32 count;
};

struct text {
	char buf[TEXT_SIZE];
	size_t length;
};

static __printf(2, 3) void put(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text->length +=
		vscnprintf(text->buf + text->length, TEXT_SIZE - text->length, format, args);
	va_end(args);
}

static const char *name_of(const struct view *view, u32 offset)
{
	return offset < view->strings_length ? view->strings + offset : "?";
}

static const struct btf_type *type_of(const struct view *view, u32 id)
{
	return id && id < view->count ? (const void *)(view->types + view->offset[id]) : NULL;
}

static void prepend(char *declarator, const char *what)
{
	char old[DECLARATOR_SIZE];

	strscpy(old, declarator, sizeof(old));
	scnprintf(declarator, DECLARATOR_SIZE, "%s%s%s", what, *what != '*' && *old ? " " : "",
		  old);
}

static const char *qualifier_of(const struct btf_type *type)
{
	switch (KIND(type)) {
	case BTF_KIND_CONST:
		return "const";
	case BTF_KIND_VOLATILE:
		return "volatile";
	case BTF_KIND_RESTRICT:
		return "restrict";
	default:
		return NULL;
	}
}

static void put_type(const struct view *view, struct text *text, u32 id, unsigned int depth);

static void put_function(const struct view *view, struct text *text, const struct btf_type *proto,
			 const char *declarator, unsigned int depth)
{
	const struct btf_param *param = (const void *)(proto + 1);
	u32 i;

	put_type(view, text, proto->type, depth + 1);
	if (*declarator)
		put(text, " (%s)", declarator);
	else if (text->buf[text->length - 1] != '*')
		put(text, " ");
	put(text, VLEN(proto) ? "(" : "(void");
	for (i = 0; i < VLEN(proto); i++) {
		put(text, i ? ", " : "");
		if (!param[i].type && !param[i].name_off)
			put(text, "...");
		else
			put_type(view, text, param[i].type, depth + 1);
	}
	put(text, ")");
}

static void put_base(const struct view *view, struct text *text, const struct btf_type *type)
{
	static const char *const keyword[] = {
		[BTF_KIND_STRUCT] = "struct ",
		[BTF_KIND_UNION] = "union ",
		[BTF_KIND_ENUM] = "enum ",
		[BTF_KIND_ENUM64] = "enum ",
	};
	u32 kind = KIND(type);
	const char *word = kind < ARRAY_SIZE(keyword) ? keyword[kind] : NULL;

	if (kind == BTF_KIND_FWD)
		word = type->info >> 31 ? "union " : "struct ";
	put(text, "%s%s", word ?: "", name_of(view, type->name_off));
}

static void put_type(const struct view *view, struct text *text, u32 id, unsigned int depth)
{
	char declarator[DECLARATOR_SIZE] = "";
	const struct btf_type *type = NULL, *next;
	const char *qualifier;
	unsigned int chain;

	if (depth > DEPTH_MAX) {
		put(text, "?");
		return;
	}
	for (chain = 0; chain < CHAIN_MAX; chain++) {
		type = type_of(view, id);
		if (!type)
			break;
		qualifier = qualifier_of(type);
		if (KIND(type) == BTF_KIND_PTR) {
			prepend(declarator, "*");
		} else if (qualifier) {
			next = type_of(view, type->type);
			if (next && KIND(next) == BTF_KIND_PTR)
				prepend(declarator, qualifier);
			else
				put(text, "%s ", qualifier);
		} else if (KIND(type) != BTF_KIND_TYPE_TAG) {
			break;
		}
		id = type->type;
	}

	if (type && KIND(type) == BTF_KIND_FUNC_PROTO) {
		put_function(view, text, type, declarator, depth);
		return;
	}
	if (!type)
		put(text, id ? "?" : "void");
	else if (KIND(type) == BTF_KIND_ARRAY)
		put_type(view, text, ((const struct btf_array *)(type + 1))->type, depth + 1);
	else
		put_base(view, text, type);
	if (*declarator)
		put(text, " %s", declarator);
	if (type && KIND(type) == BTF_KIND_ARRAY)
		put(text, "[%u]", ((const struct btf_array *)(type + 1))->nelems);
}

static int open_view(struct view *view)
{
	unsigned long start = utrace_symbols_find("__start_BTF");
	unsigned long stop = utrace_symbols_find("__stop_BTF");
	const struct header *header = (const void *)start;
	size_t length = stop - start;

	if (!start || stop <= start || length < offsetof(struct header, layout_offset)) {
		pr_err("kernel %s carries no type information (BTF) to check its functions by: a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed\n",
		       init_utsname()->release);
		return -ENODATA;
	}
	if (header->magic != BTF_MAGIC || header->length > length ||
	    header->type_length > length - header->length ||
	    header->type_offset > length - header->length - header->type_length ||
	    header->string_length > length - header->length ||
	    header->string_offset > length - header->length - header->string_length) {
		pr_err("the type information (BTF) of kernel %s is not of a form this module can read\n",
		       init_utsname()->release);
		return -EINVAL;
	}
	*view = (struct view){
		.types = (const char *)start + header->length + header->type_offset,
		.types_length = header->type_length,
		.strings = (const char *)start + header->length + header->string_offset,
		.strings_length = header->string_length,
		.layout = known_layout,
		.layout_count = ARRAY_SIZE(known_layout),
		.count = 1,
	};
	if (header->length >= sizeof(*header) && header->layout_length &&
	    header->layout_offset <= length - header->length &&
	    header->layout_length <= length - header->length - header->layout_offset) {
		view->layout = (const void *)((const char *)start + header->length +
					      header->layout_offset);
		view->layout_count = header->layout_length / sizeof(struct layout);
	}
	/* A type is no smaller than its struct btf_type. */
	view->offset = kvmalloc_array(view->types_length / sizeof(struct btf_type) + 1, sizeof(u32),
				      GFP_KERNEL);
	return view->offset ? 0 : -ENOMEM;
}

static u32 hash_of(const char *name)
{
	u32 hash = 0;

	while (*name)
		hash = hash * 31 + *name++;
	return hash;
}

struct wanted {
	struct utrace_prototype *list;
	u32 *hash;
	/* By hash: bit i stands for list[i]. */
	u64 bucket[BUCKETS];
};

static void note_function(const struct view *view, const struct btf_type *type,
			  struct wanted *wanted)
{
	const char *name = name_of(view, type->name_off);
	u32 hash = hash_of(name);
	u64 bits = wanted->bucket[hash % BUCKETS];
	u32 i;

	for (; bits; bits &= bits - 1) {
		i = __ffs64(bits);
		if (wanted->hash[i] == hash && !strcmp(wanted->list[i].function, name))
			wanted->list[i].type = type->type;
	}
}

/* The one pass: where each type is, and of which type the functions we ask for are. */
static int walk(struct view *view, struct wanted *wanted)
{
	const struct layout *layout;
	const struct btf_type *type;
	u32 at = 0, kind;
	u64 size;

	while (at + sizeof(*type) <= view->types_length) {
		type = (const void *)(view->types + at);
		kind = KIND(type);
		if (!kind || kind >= view->layout_count)
			break;
		layout = &view->layout[kind];
		size = sizeof(*type) + layout->fixed + (u64)layout->element * VLEN(type);
		if (size > view->types_length - at)
			break;
		if (kind == BTF_KIND_FUNC)
			note_function(view, type, wanted);
		view->offset[view->count++] = at;
		at += size;
	}
	if (at == view->types_length)
		return 0;
	pr_err("the type information (BTF) of kernel %s has a kind of type this module cannot read\n",
	       init_utsname()->release);
	return -EINVAL;
}

static bool matches(const struct view *view, const struct utrace_prototype *prototype)
{
	const struct btf_type *type = type_of(view, prototype->type);
	const char *expected = prototype->expected;
	struct text text = { .length = 0 };

	if (!type || KIND(type) != BTF_KIND_FUNC_PROTO) {
		pr_err("kernel %s tells nothing of the type of %s(): it may be inlined or not there; this module needs \"%s\"\n",
		       init_utsname()->release, prototype->function, expected);
		return false;
	}
#ifdef UTRACE_GATES
	if (seed_wrong_prototype && !strcmp(seed_wrong_prototype, prototype->function))
		expected = "struct seeded *(void)";
#endif
	put_function(view, &text, type, "", 0);
	if (!strcmp(text.buf, expected))
		return true;
	pr_err("%s() of kernel %s is \"%s\", this module was built for \"%s\"\n",
	       prototype->function, init_utsname()->release, text.buf, expected);
	return false;
}

int utrace_prototypes_check(struct utrace_prototype *list, unsigned int count)
{
	struct wanted *wanted;
	struct view view;
	u32 i, hash;
	int ret;

	if (WARN_ON_ONCE(count > 64))
		return -E2BIG;
	ret = open_view(&view);
	if (ret)
		return ret;
	wanted = kzalloc(sizeof(*wanted) + count * sizeof(u32), GFP_KERNEL);
	if (!wanted) {
		kvfree(view.offset);
		return -ENOMEM;
	}
	wanted->list = list;
	wanted->hash = (u32 *)(wanted + 1);
	for (i = 0; i < count; i++) {
		hash = hash_of(list[i].function);
		wanted->hash[i] = hash;
		wanted->bucket[hash % BUCKETS] |= BIT_ULL(i);
	}

	ret = walk(&view, wanted);
	for (i = 0; !ret && i < count; i++) {
		/* All of them are looked at, so that one try tells all. */
		if (!matches(&view, &list[i]))
			list[i].type = 0;
	}
	for (i = 0; !ret && i < count; i++)
		if (!list[i].type)
			ret = -EINVAL;
	if (ret == -EINVAL)
		pr_err("not loaded: build the module for this kernel, or use a kernel that docs/kernels.md lists\n");
	kfree(wanted);
	kvfree(view.offset);
	return ret;
}
