// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/built_in.h"

// The files as they are: the build says where it has made them.
#define UTRACE_EMBED(name, file)                \
  asm(".section .rodata\n"                      \
      ".balign 8\n"                             \
      "utrace_object_" #name                    \
      ":\n"                                     \
      ".incbin \"" file                         \
      "\"\n"                                    \
      "utrace_object_end_" #name                \
      ":\n"                                     \
      ".byte 0\n"                               \
      ".previous\n");                           \
  extern "C" const char utrace_object_##name[]; \
  extern "C" const char utrace_object_end_##name[]
#define UTRACE_EMBEDDED(name)                                                                    \
  {                                                                                              \
#name, {                                                                                     \
      utrace_object_##name, static_cast<size_t>(utrace_object_end_##name - utrace_object_##name) \
    }                                                                                            \
  }

namespace utrace {

UTRACE_EMBED(faultinject, UTRACE_OBJECTS "/faultinject.bpf.o");
UTRACE_EMBED(pause, UTRACE_OBJECTS "/pause.bpf.o");

BuiltInObject ObjectOf(BuiltInEngine which) {
  switch (which) {
    case BuiltInEngine::kFaultInject:
      return UTRACE_EMBEDDED(faultinject);
    case BuiltInEngine::kPause:
      return UTRACE_EMBEDDED(pause);
  }
  return {};
}

}  // namespace utrace
