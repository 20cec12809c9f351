// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/checksum.h"

#include <array>
#include <cstring>

namespace utrace {
namespace {

constexpr size_t kLanes = 4;
constexpr size_t kStride = kLanes * sizeof(uint64_t);

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    // Castagnoli's polynomial, bits reversed.
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82F63B78u : 0);
    table[i] = value;
  }
  return table;
}

uint64_t WordAt(Bytes data, size_t at) {
  uint64_t word = 0;
  std::memcpy(&word, data.data() + at, sizeof(word));
  return word;
}

struct PortableStep {
  static uint32_t Byte(uint32_t crc, uint8_t byte) {
    static constexpr std::array<uint32_t, 256> kTable = MakeTable();
    return (crc >> 8) ^ kTable[(crc ^ byte) & 0xff];
  }
  static uint32_t Word(uint32_t crc, uint64_t word) {
    for (int i = 0; i < 8; ++i) crc = Byte(crc, static_cast<uint8_t>(word >> (8 * i)));
    return crc;
  }
};

struct HardwareStep {
  __attribute__((target("sse4.2"))) static uint32_t Byte(uint32_t crc, uint8_t byte) {
    return __builtin_ia32_crc32qi(crc, byte);
  }
  __attribute__((target("sse4.2"))) static uint32_t Word(uint32_t crc, uint64_t word) {
    return static_cast<uint32_t>(__builtin_ia32_crc32di(crc, word));
  }
};

template <typename Step>
__attribute__((always_inline)) inline uint32_t Run(Bytes data) {
  uint32_t a = ~0u, b = ~0u, c = ~0u, d = ~0u;
  size_t at = 0;
  for (; at + kStride <= data.size(); at += kStride) {
    a = Step::Word(a, WordAt(data, at));
    b = Step::Word(b, WordAt(data, at + 8));
    c = Step::Word(c, WordAt(data, at + 16));
    d = Step::Word(d, WordAt(data, at + 24));
  }
  uint32_t all = ~0u;
  for (const uint32_t lane : {a, b, c, d}) all = Step::Word(all, lane);
  for (; at < data.size(); ++at) all = Step::Byte(all, static_cast<uint8_t>(data[at]));
  return ~Step::Word(all, data.size());
}

__attribute__((target("sse4.2"), flatten)) uint32_t ChecksumHardware(Bytes data) {
  return Run<HardwareStep>(data);
}

}  // namespace

uint32_t ChecksumPortable(Bytes data) { return Run<PortableStep>(data); }

uint32_t Checksum(Bytes data) {
  return __builtin_cpu_supports("sse4.2") ? ChecksumHardware(data) : ChecksumPortable(data);
}

}  // namespace utrace
