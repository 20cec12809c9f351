// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbols/symbolizer.h"

#include <bcc/bcc_syms.h>
#include <elf.h>

namespace utrace {
namespace {

bcc_symbol_option Options() {
  bcc_symbol_option options{};
  options.use_debug_file = 1;
  options.check_debug_file_crc = 1;
  // Names are read when an address falls on them, not all of a library's at once.
  options.lazy_symbolize = 1;
  options.use_symbol_type = (1 << STT_FUNC) | (1 << STT_GNU_IFUNC) | (1 << STT_NOTYPE);
  return options;
}

}  // namespace

Symbolizer::Symbolizer(pid_t pid) : pid_(pid) {
  bcc_symbol_option options = Options();
  cache_ = bcc_symcache_new(pid, &options);
}

Symbolizer::~Symbolizer() {
  if (cache_ != nullptr) bcc_free_symcache(cache_, pid_);
}

Symbol Symbolizer::Resolve(uint64_t address) {
  const auto [entry, is_new] = known_.try_emplace(address);
  Symbol& symbol = entry->second;
  if (!is_new || cache_ == nullptr) return symbol;
  bcc_symbol found{};
  if (bcc_symcache_resolve(cache_, address, &found) == 0) {
    if (found.demangle_name != nullptr) symbol.name = found.demangle_name;
    bcc_symbol_free_demangle_name(&found);
  }
  // Where it found the module alone, the offset is in that.
  if (found.module != nullptr) symbol.module = found.module;
  symbol.offset = found.offset;
  return symbol;
}

}  // namespace utrace
