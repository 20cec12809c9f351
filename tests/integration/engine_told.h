// SPDX-License-Identifier: Apache-2.0
// What an engine in BPF has counted in its one variable that is not const.
#ifndef TESTS_INTEGRATION_ENGINE_TOLD_H_
#define TESTS_INTEGRATION_ENGINE_TOLD_H_

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "gtest/gtest.h"
#include "userspace/libutrace/bpf/engine_object.h"

namespace utrace::test {

// As it is now. `Told` is what the object has.
template <typename Told>
Told ToldTo(const EngineObject& engine) {
  const bpf_map* map = bpf_object__find_map_by_name(engine.Object(), ".bss");
  Told told{};
  const int key = 0;
  EXPECT_EQ(bpf_map__value_size(map), sizeof(told));
  EXPECT_EQ(bpf_map__lookup_elem(map, &key, sizeof(key), &told, sizeof(told), 0), 0);
  return told;
}

}  // namespace utrace::test

#endif  // TESTS_INTEGRATION_ENGINE_TOLD_H_
