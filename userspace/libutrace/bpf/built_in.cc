// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/built_in.h"

// The file as it is: FAULTINJECT_OBJECT is where the build has made it.
asm(".section .rodata\n"
    ".balign 8\n"
    "utrace_faultinject_object:\n"
    ".incbin \"" FAULTINJECT_OBJECT
    "\"\n"
    "utrace_faultinject_object_end:\n"
    ".byte 0\n"
    ".previous\n");

namespace utrace {
namespace {

extern "C" const char utrace_faultinject_object[];
extern "C" const char utrace_faultinject_object_end[];

}  // namespace

BuiltInObject ObjectOf(BuiltInEngine which) {
  switch (which) {
    case BuiltInEngine::kFaultInject:
      return {"faultinject",
              {utrace_faultinject_object,
               static_cast<size_t>(utrace_faultinject_object_end - utrace_faultinject_object)}};
  }
  return {};
}

}  // namespace utrace
