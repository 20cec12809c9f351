// SPDX-License-Identifier: Apache-2.0
// BPF instructions, and jumps to places that come later.
#ifndef UTRACE_LIBUTRACE_PREDICATE_ASSEMBLER_H_
#define UTRACE_LIBUTRACE_PREDICATE_ASSEMBLER_H_

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace utrace {

// Names of registers, as bpf.h has them: BPF_REG_0 and so on.
using BpfRegister = uint8_t;

// A place in the code: jumps to it may come before it.
struct Label {
  std::vector<size_t> jumps;
};

class Assembler {
 public:
  const std::vector<bpf_insn>& Code() const { return code_; }
  std::vector<bpf_insn> Take() { return std::move(code_); }
  size_t Here() const { return code_.size(); }

  void Move(BpfRegister to, BpfRegister from) { Add(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
  void Set(BpfRegister to, uint64_t value);
  // BPF_ADD, BPF_SUB, BPF_AND, BPF_LSH, BPF_ARSH
  void Apply(uint8_t operation, BpfRegister to, int32_t value) {
    Add(BPF_ALU64 | operation | BPF_K, to, 0, 0, value);
  }
  void ApplyRegister(uint8_t operation, BpfRegister to, BpfRegister from) {
    Add(BPF_ALU64 | operation | BPF_X, to, from, 0, 0);
  }
  // BPF_B, BPF_H, BPF_W, BPF_DW
  void Load(uint8_t size, BpfRegister to, BpfRegister base, size_t offset) {
    Add(BPF_LDX | BPF_MEM | size, to, base, static_cast<int16_t>(offset), 0);
  }
  void Store(BpfRegister base, size_t offset, BpfRegister from) {
    Add(BPF_STX | BPF_MEM | BPF_DW, base, from, static_cast<int16_t>(offset), 0);
  }
  void Call(int32_t helper) { Add(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }

  void Jump(Label& to) { AddJump(BPF_JMP | BPF_JA, 0, 0, 0, to); }
  // BPF_JEQ and so on; `value` is widened with its sign.
  void JumpIf(uint8_t condition, BpfRegister left, int32_t value, Label& to) {
    AddJump(BPF_JMP | condition | BPF_K, left, 0, value, to);
  }
  void JumpIfRegister(uint8_t condition, BpfRegister left, BpfRegister right, Label& to) {
    AddJump(BPF_JMP | condition | BPF_X, left, right, 0, to);
  }
  void JumpBack(size_t to) {
    Add(BPF_JMP | BPF_JA, 0, 0, static_cast<int16_t>(to - Here() - 1), 0);
  }
  // The place is here.
  void Bind(const Label& label);

 private:
  void Add(int code, BpfRegister to, BpfRegister from, int16_t offset, int32_t value);
  void AddJump(int code, BpfRegister left, BpfRegister right, int32_t value, Label& to) {
    to.jumps.push_back(Here());
    Add(code, left, right, 0, value);
  }

  std::vector<bpf_insn> code_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_PREDICATE_ASSEMBLER_H_
