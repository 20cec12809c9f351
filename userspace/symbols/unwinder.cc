// SPDX-License-Identifier: Apache-2.0
#include "userspace/symbols/unwinder.h"

#include <cxxabi.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/process_maps.h"

namespace utrace {
namespace {

// Of a 32-bit program's user mode.
constexpr uint64_t kCode32 = 0x23;

absl::Status DwflStatus(absl::string_view attempt) {
  return ErrnoStatus(EINVAL, attempt, dwfl_errmsg(-1));
}

class DwflUnwinder : public Unwinder {
 public:
  explicit DwflUnwinder(pid_t pid) : pid_(pid) {}
  ~DwflUnwinder() override {
    if (dwfl_ != nullptr) dwfl_end(dwfl_);
  }

  absl::Status Begin();
  Stack Unwind(const ThreadSnapshot& thread, size_t limit) override;
  std::string NameOf(uint64_t address, uint64_t* offset) override;
  SourceLine SourceOf(uint64_t address) override;
  std::string BuildIdOf(uint64_t address) override;

 private:
  struct Walk {
    Stack stack;
    size_t limit;
    const std::string* missed;
    bool lost = false;  // the first frame is a place that libdw does not know
  };

  static int FindElf(Dwfl_Module* module, void** user, const char* name, Dwarf_Addr base,
                     char** file, Elf** elf);
  static int Introduce(Dwfl_Module*, void** user, const char*, Dwarf_Addr, void* self);
  static pid_t NextThread(Dwfl*, void*, void**) { return 0; }
  static bool GetThread(Dwfl*, pid_t, void* self, void** argument) {
    *argument = self;
    return true;
  }
  static bool ReadWord(Dwfl*, Dwarf_Addr address, Dwarf_Word* word, void* self);
  static bool SetRegisters(Dwfl_Thread* thread, void* self);
  static int AddFrame(Dwfl_Frame* frame, void* walk);

  int Open(const char* name, Dwarf_Addr base) const;
  bool IsLost(const utrace_user_registers& registers) const;

  static const Dwfl_Callbacks kFiles;
  static const Dwfl_Thread_Callbacks kThreads;

  pid_t pid_;
  std::vector<Mapping> mappings_;
  Dwfl* dwfl_ = nullptr;
  const ThreadSnapshot* thread_ = nullptr;  // that is being unwound
  utrace_user_registers registers_{};       // it begins with
  std::string missed_;                      // what could not be read
};

const Dwfl_Callbacks DwflUnwinder::kFiles = {
    .find_elf = FindElf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = nullptr,
    .debuginfo_path = nullptr,
};

const Dwfl_Thread_Callbacks DwflUnwinder::kThreads = {
    .next_thread = NextThread,
    .get_thread = GetThread,
    .memory_read = ReadWord,
    .set_initial_registers = SetRegisters,
    .detach = nullptr,
    .thread_detach = nullptr,
};

absl::Status DwflUnwinder::Begin() {
  const std::string attempt = absl::StrCat("find the program and libraries of process ", pid_);
  ASSIGN_OR_RETURN(mappings_, ReadMappings(pid_));
  dwfl_ = dwfl_begin(&kFiles);
  if (dwfl_ == nullptr) return DwflStatus(attempt);
  dwfl_report_begin(dwfl_);
  const int error = dwfl_linux_proc_report(dwfl_, pid_);
  if (error > 0) return ErrnoStatus(error, attempt);
  if (error < 0 || dwfl_report_end(dwfl_, nullptr, nullptr) != 0) return DwflStatus(attempt);
  dwfl_getmodules(dwfl_, Introduce, this, 0);
  if (!dwfl_attach_state(dwfl_, nullptr, pid_, &kThreads, this)) return DwflStatus(attempt);
  return absl::OkStatus();
}

// The file that is mapped; to ask for it by the kernel's own link takes CAP_CHECKPOINT_RESTORE.
int DwflUnwinder::Open(const char* name, Dwarf_Addr base) const {
  const Mapping* mapping = MappingAt(mappings_, base);
  if (mapping != nullptr && mapping->path == name) {
    const int fd = ::open(mapping->FileOf(pid_).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) return fd;
  }
  const std::string path = absl::StrCat("/proc/", pid_, "/root", name);
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

int DwflUnwinder::Introduce(Dwfl_Module*, void** user, const char*, Dwarf_Addr, void* self) {
  *user = self;
  return DWARF_CB_OK;
}

int DwflUnwinder::FindElf(Dwfl_Module* module, void** user, const char* name, Dwarf_Addr base,
                          char** file, Elf** elf) {
  // The kernel's own page is read from memory.
  if (name[0] != '/') return dwfl_linux_proc_find_elf(module, user, name, base, file, elf);
  UniqueFd fd(static_cast<const DwflUnwinder*>(*user)->Open(name, base));
  struct stat status {};
  // A device or a pipe may be mapped or bear the name, too.
  if (!fd || ::fstat(fd.Get(), &status) != 0 || !S_ISREG(status.st_mode)) return -1;
  *file = ::strdup(name);
  return fd.Release();
}

bool DwflUnwinder::ReadWord(Dwfl*, Dwarf_Addr address, Dwarf_Word* word, void* self) {
  auto& unwinder = *static_cast<DwflUnwinder*>(self);
  const ThreadSnapshot& thread = *unwinder.thread_;
  const size_t size = thread.registers->cs == kCode32 ? 4 : 8;
  *word = 0;
  if (address >= thread.stack_begin && address - thread.stack_begin < thread.stack.size() &&
      thread.stack.size() - (address - thread.stack_begin) >= size) {
    std::memcpy(word, thread.stack.data() + (address - thread.stack_begin), size);
    return true;
  }
  // Of a stack that was not copied to its end the rest is of another time.
  if (MappingAt(unwinder.mappings_, address) == MappingAt(unwinder.mappings_, thread.stack_begin)) {
    unwinder.missed_ =
        absl::StrCat("only ", thread.stack.size() >> 10, " KiB of its stack were copied");
    return false;
  }
  iovec here{word, size};
  iovec there{reinterpret_cast<void*>(address), size};
  if (::process_vm_readv(unwinder.pid_, &here, 1, &there, 1, 0) == static_cast<ssize_t>(size)) {
    return true;
  }
  unwinder.missed_ =
      absl::StrFormat("the frame before would be at 0x%x, where nothing is", address);
  return false;
}

// By the numbers of the psABI's DWARF, of x86-64 or i386.
bool DwflUnwinder::SetRegisters(Dwfl_Thread* thread, void* self) {
  const utrace_user_registers& from = static_cast<DwflUnwinder*>(self)->registers_;
  if (from.cs == kCode32) {
    const Dwarf_Word words[] = {from.ax, from.cx, from.dx, from.bx, from.sp,
                                from.bp, from.si, from.di, from.ip};
    return dwfl_thread_state_registers(thread, 0, std::size(words), words);
  }
  const Dwarf_Word words[] = {from.ax,  from.dx,  from.cx,  from.bx,  from.si,  from.di,
                              from.bp,  from.sp,  from.r8,  from.r9,  from.r10, from.r11,
                              from.r12, from.r13, from.r14, from.r15, from.ip};
  return dwfl_thread_state_registers(thread, 0, std::size(words), words);
}

int DwflUnwinder::AddFrame(Dwfl_Frame* frame, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  Dwarf_Addr pc = 0;
  bool next = false;
  if (!dwfl_frame_pc(frame, &pc, &next)) return DWARF_CB_ABORT;
  // A caller that could not be read has the registers of what it called, in libdw.
  if (!walk.missed->empty()) return DWARF_CB_ABORT;
  if (walk.stack.frames.size() == walk.limit) {
    walk.stack.cut = absl::StrCat("there are more than ", walk.limit);
    return DWARF_CB_ABORT;
  }
  // libdw takes the first that it is asked for to be where the thread is.
  const bool is_caller = walk.lost && walk.stack.frames.size() == 1;
  walk.stack.frames.push_back({.pc = pc, .next = next && !is_caller});
  return DWARF_CB_OK;
}

// Where nothing can be run, as after a call of a null pointer: the call has only just been made.
bool DwflUnwinder::IsLost(const utrace_user_registers& registers) const {
  const Mapping* mapping = MappingAt(mappings_, registers.ip);
  return mapping == nullptr || !mapping->executable;
}

Stack DwflUnwinder::Unwind(const ThreadSnapshot& thread, size_t limit) {
  thread_ = &thread;
  registers_ = *thread.registers;
  missed_.clear();
  Walk walk{.stack = {}, .limit = limit, .missed = &missed_};
  Dwarf_Word caller = 0;
  if (IsLost(registers_) && ReadWord(dwfl_, registers_.sp, &caller, this)) {
    walk.stack.frames.push_back({.pc = registers_.ip, .next = true});
    walk.lost = true;
    registers_.ip = caller;
    registers_.sp += registers_.cs == kCode32 ? 4 : 8;
  }
  dwfl_errno();  // what is left of an earlier one
  const int ended = dwfl_getthread_frames(dwfl_, thread.info.tid, AddFrame, &walk);
  // In libdw a frame whose caller cannot be read is the last, and that no error.
  if (walk.stack.cut.empty()) walk.stack.cut = missed_;
  if (walk.stack.cut.empty() && ended != 0) walk.stack.cut = dwfl_errmsg(-1);
  thread_ = nullptr;
  if (walk.stack.frames.empty()) {
    walk.stack.frames.push_back({.pc = thread.registers->ip, .next = true});
  }
  return std::move(walk.stack);
}

std::string DwflUnwinder::NameOf(uint64_t address, uint64_t* offset) {
  Dwfl_Module* module = dwfl_addrmodule(dwfl_, address);
  if (module == nullptr) return {};
  GElf_Sym symbol;
  const char* name =
      dwfl_module_addrinfo(module, address, offset, &symbol, nullptr, nullptr, nullptr);
  if (name == nullptr) return {};
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
  return demangled != nullptr ? demangled.get() : name;
}

SourceLine DwflUnwinder::SourceOf(uint64_t address) {
  SourceLine source;
  Dwfl_Line* line = dwfl_getsrc(dwfl_, address);
  if (line == nullptr) return source;
  const char* file = dwfl_lineinfo(line, nullptr, &source.line, nullptr, nullptr, nullptr);
  if (file != nullptr) source.file = file;
  return source;
}

std::string DwflUnwinder::BuildIdOf(uint64_t address) {
  Dwfl_Module* module = dwfl_addrmodule(dwfl_, address);
  if (module == nullptr) return {};
  const unsigned char* bits = nullptr;
  GElf_Addr where = 0;
  const int length = dwfl_module_build_id(module, &bits, &where);
  if (length <= 0) return {};
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bits), static_cast<size_t>(length)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Unwinder>> Unwinder::Open(pid_t pid) {
  auto unwinder = std::make_unique<DwflUnwinder>(pid);
  RETURN_IF_ERROR(unwinder->Begin());
  return unwinder;
}

}  // namespace utrace
