// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/predicate/assembler.h"

namespace utrace {

void Assembler::Add(int code, BpfRegister to, BpfRegister from, int16_t offset, int32_t value) {
  bpf_insn insn{};
  insn.code = static_cast<uint8_t>(code);
  insn.dst_reg = to & 0xf;
  insn.src_reg = from & 0xf;
  insn.off = offset;
  insn.imm = value;
  code_.push_back(insn);
}

void Assembler::Set(BpfRegister to, uint64_t value) {
  const auto as_signed = static_cast<int64_t>(value);
  const auto low = static_cast<int32_t>(value);
  if (as_signed == low) {
    Add(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, low);
    return;
  }
  // The one instruction of two.
  Add(BPF_LD | BPF_IMM | BPF_DW, to, 0, 0, low);
  Add(0, 0, 0, 0, static_cast<int32_t>(value >> 32));
}

void Assembler::Bind(const Label& label) {
  for (const size_t jump : label.jumps) {
    code_[jump].off = static_cast<int16_t>(Here() - jump - 1);
  }
}

}  // namespace utrace
