// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/verifier_text.h"

#include "gtest/gtest.h"

namespace utrace {
namespace {

// As Linux 6.12 and libbpf 1.5 say it, of tests/integration/engines/refused.bpf.c.
constexpr char kScalar[] =
    R"(libbpf: prog 'on_entry': BPF program load failed: Permission denied
libbpf: prog 'on_entry': -- BEGIN PROG LOAD LOG --
0: R1=ctx() R10=fp0
; u32 BPF_PROG(on_entry, u32 action, struct utrace_engine *engine, @ refused.bpf.c:8
0: (79) r2 = *(u64 *)(r1 +16)
func 'report_syscall_entry' arg2 has btf_id 1180 type STRUCT 'pt_regs'
1: R1=ctx() R2_w=trusted_ptr_pt_regs()
; return *(const u32 *)regs->si ? utrace_pass(action) : utrace_abort(); @ refused.bpf.c:10
2: (79) r2 = *(u64 *)(r2 +104)        ; R2_w=scalar()
3: (61) r2 = *(u32 *)(r2 +0)
R2 invalid mem access 'scalar'
processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'on_entry': failed to load: -13
libbpf: failed to load object 'refused.bpf.o')";

TEST(VerifierText, SaysWhichProgramWhereAndWhatToDo) {
  EXPECT_EQ(ExplainVerifier(kScalar),
            "on_entry, refused.bpf.c:10, at 'return *(const u32 *)regs->si ? utrace_pass(action) : "
            "utrace_abort();':\n"
            "  R2 invalid mem access 'scalar'\n"
            "  It follows a number that the verifier does not know as a pointer: the thread's "
            "memory is read by bpf_utrace_read_user(), the kernel's by BPF_CORE_READ().");
}

// As Linux 7.3 says it, shortened.
constexpr char kReport[] = R"(libbpf: prog 'on_entry': -- BEGIN PROG LOAD LOG --
; return *(const u32 *)regs->si ? utrace_pass(action) : utrace_abort(); @ refused.bpf.c:10
2: (61) r2 = *(u32 *)(r2 +0)
At:
  on_entry @ refused.bpf.c:10:9
  Source context:
  >>> 10 |         return *(const u32 *)regs->si ? utrace_pass(action) : utrace_abort();
         |         ^-- error: invalid dereference of R2 (an integer scalar)
      11 | ...
Suggestion:
  Preserve a pointer-valued register where needed, or reload and revalidate the pointer after scalar
  arithmetic, helper calls, or other operations that can invalidate it.

processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'on_entry': failed to load: -13)";

TEST(VerifierText, OfALongReportItIsWhatTheErrorIsAt) {
  EXPECT_EQ(ExplainVerifier(kReport),
            "on_entry, refused.bpf.c:10, at 'return *(const u32 *)regs->si ? utrace_pass(action) : "
            "utrace_abort();':\n"
            "  invalid dereference of R2 (an integer scalar)\n"
            "  It follows a number that the verifier does not know as a pointer: the thread's "
            "memory is read by bpf_utrace_read_user(), the kernel's by BPF_CORE_READ().");
}

TEST(VerifierText, WithoutPlaceOrAdviceItIsTheComplaint) {
  // 6.9 has no place in its log.
  EXPECT_EQ(ExplainVerifier("; x = y;\n0: (95) exit\nsomething new\nprocessed 1 insns\n"),
            "a program, at 'x = y;':\n  something new");
  EXPECT_EQ(ExplainVerifier("R0 !read_ok\nprocessed 1 insns (limit 1000000)\n"
                            "libbpf: prog 'p': failed to load: -22\n"),
            "p:\n  R0 !read_ok\n  It uses a variable, or an argument, that was never set.");
}

TEST(VerifierText, WhatIsNoLogIsNotExplained) {
  EXPECT_EQ(ExplainVerifier(""), "");
  EXPECT_EQ(ExplainVerifier("libbpf: failed to find BTF for extern 'bpf_utrace_nosuch'"), "");
  EXPECT_EQ(ExplainVerifier("processed 3 insns"), "");
  EXPECT_EQ(ExplainVerifier("\n\n; only a place @ a.c:1\nprocessed 3 insns"), "");
}

}  // namespace
}  // namespace utrace
