// SPDX-License-Identifier: Apache-2.0
// What the kernel makes of compiled expressions, beside what Evaluate() makes of them: given ones,
// and many made by chance. Each that is accepted has to pass the verifier.
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "include/uapi/utrace_predicate.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/predicate/assembler.h"
#include "userspace/libutrace/predicate/cgroup.h"
#include "userspace/libutrace/predicate/compile.h"
#include "userspace/libutrace/predicate/evaluate.h"

namespace utrace {
namespace {

// A program of its own around the code, which the kernel runs on a view that we give it.
class Kernel {
 public:
  Kernel()
      : room_(bpf_map_create(BPF_MAP_TYPE_ARRAY, "room", 4, UTRACE_PREDICATE_ROOM, 1, nullptr)) {}

  bool ok() const { return static_cast<bool>(room_); }

  // -1 and the verifier's words if it does not take it.
  UniqueFd Load(const std::vector<bpf_insn>& code, std::string* log) const {
    std::vector<bpf_insn> program = Prologue();
    program.insert(program.end(), code.begin(), code.end());
    program.push_back(
        bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0});
    LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_SLEEPABLE);
    UniqueFd fd(bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "predicate", "GPL", program.data(),
                              program.size(), &options));
    if (fd) return fd;
    log->resize(size_t{1} << 24);
    options.log_buf = log->data();
    options.log_size = static_cast<uint32_t>(log->size());
    options.log_level = 1;
    fd = UniqueFd(bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "predicate", "GPL", program.data(),
                                program.size(), &options));
    log->resize(std::strlen(log->c_str()));
    return fd;
  }

  static int Run(const UniqueFd& program, const PredicateCall& call) {
    utrace_predicate_view view{};
    view.ret = call.ret;
    std::copy(call.args.begin(), call.args.end(), view.args);
    view.nr = call.nr;
    view.abi = static_cast<uint32_t>(call.abi);
    view.pid = call.pid;
    view.tid = call.tid;
    if (call.fd) view.fd = *call.fd;
    view.has_fd = call.fd.has_value();
    if (call.path) view.path = reinterpret_cast<uintptr_t>(call.path->c_str());
    LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &view, .ctx_size_in = sizeof(view));
    const int error = bpf_prog_test_run_opts(program.Get(), &run);
    EXPECT_EQ(error, 0);
    return static_cast<int>(run.retval);
  }

 private:
  std::vector<bpf_insn> Prologue() const {
    Assembler as;
    as.Move(BPF_REG_6, BPF_REG_1);
    as.Set(BPF_REG_1, 0);
    as.Store(BPF_REG_10, static_cast<size_t>(-8), BPF_REG_1);
    as.Move(BPF_REG_2, BPF_REG_10);
    as.Apply(BPF_ADD, BPF_REG_2, -8);
    std::vector<bpf_insn> code = as.Take();
    bpf_insn map{};
    map.code = BPF_LD | BPF_IMM | BPF_DW;
    map.dst_reg = BPF_REG_1;
    map.src_reg = BPF_PSEUDO_MAP_FD;
    map.imm = room_.Get();
    code.push_back(map);
    code.push_back(bpf_insn{});
    as.Call(BPF_FUNC_map_lookup_elem);
    Label there;
    as.JumpIf(BPF_JNE, BPF_REG_0, 0, there);
    std::vector<bpf_insn> rest = as.Take();
    rest.back().off = 1;
    rest.push_back(
        bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0});
    as.Move(BPF_REG_1, BPF_REG_6);
    as.Move(BPF_REG_2, BPF_REG_0);
    const std::vector<bpf_insn> last = as.Take();
    code.insert(code.end(), rest.begin(), rest.end());
    code.insert(code.end(), last.begin(), last.end());
    return code;
  }

  UniqueFd room_;
};

// Calls, texts and expressions of which many fit each other.
class Chance {
 public:
  explicit Chance(uint32_t seed) : engine_(seed) { LearnCgroups(); }

  size_t Below(size_t n) { return engine_() % n; }

  PredicateCall Call() {
    PredicateCall call;
    call.nr = static_cast<uint32_t>(Pick<long>({SYS_read, SYS_openat, SYS_open, SYS_close, 999}));
    call.abi = Pick<Abi>({Abi::kX8664, Abi::kX8664, Abi::kI386, Abi::kX32});
    call.ret = Pick<int64_t>({0, 3, -ENOENT, -4095, -4096, INT64_MIN, INT64_MAX, 1L << 40});
    for (uint64_t& arg : call.args) {
      arg = Pick<uint64_t>({0, 1, 2, 0x41, 0644, 1UL << 31, 1UL << 32, UINT64_MAX});
    }
    if (Below(3)) call.fd = Pick<int32_t>({0, 3, -100, INT32_MAX, INT32_MIN});
    if (Below(4)) call.path = Text(Pick<size_t>({0, 1, 5, 20, 300, 1023}));
    call.pid = Pick<uint32_t>({1, 3, 65, UINT32_MAX});
    call.tid = Pick<uint32_t>({1, 3, 65});
    call.uid = getuid();
    char comm[16] = {};
    prctl(PR_GET_NAME, comm);
    call.comm = comm;
    call.cgroups = cgroups_;
    return call;
  }

  std::string Expression(int depth) {
    if (depth > 0 && Below(2)) {
      const char* const sign = Below(2) ? " && " : " || ";
      return absl::StrCat(Below(3) ? "(" : "!(", Expression(depth - 1), sign, Expression(depth - 1),
                          ")");
    }
    switch (Below(cgroups_.empty() ? 6 : 7)) {
      case 6:
        return absl::StrCat("cgroup ", Pick<const char*>({"==", "!="}), " '",
                            cgroup_paths_[Below(cgroup_paths_.size())], "'");
      case 0:
        return absl::StrCat("call ", Pick<const char*>({"==", "!="}), " ",
                            Pick<const char*>({"openat", "open", "read", "epoll_wait", "3"}));
      case 1:
        return absl::StrCat(Pick<const char*>({"path", "comm"}), " ",
                            Pick<const char*>({"==", "!=", "~", "~", "!~"}), " '", Glob(), "'");
      case 2:
        return absl::StrCat("arg", Below(6), " & ",
                            Pick<const char*>({"1", "O_CREAT|O_EXCL", "0x8000000000000000"}),
                            Below(2) ? "" : absl::StrCat(" ", Compare(), " 0x41"));
      case 3:
        return absl::StrCat(
            Pick<const char*>({"ret", "fd"}), " ", Compare(), " ",
            Pick<const char*>({"0", "3", "-2", "-100", "0x7fffffffffffffff", "1099511627776"}));
      case 4:
        return Pick<const char*>(
            {"failed", "error == ENOENT", "error in (EPERM, ENOENT, 4095)", "error < 4095"});
      default:
        return absl::StrCat(
            Pick<const char*>({"pid", "tid", "uid", "arg0", "arg5"}), " ", Compare(), " ",
            Pick<const char*>({"0", "1", "65", "4294967295", "0xffffffffffffffff", "2147483648"}));
    }
  }

  // Some bytes of it changed, doubled or gone.
  std::string Spoil(std::string text) {
    for (size_t n = 1 + Below(3); n > 0 && !text.empty(); --n) {
      const size_t at = Below(text.size());
      switch (Below(3)) {
        case 0:
          text[at] = static_cast<char>(Below(256));
          break;
        case 1:
          text.insert(at, text.substr(at, Below(20)));
          break;
        default:
          text.erase(at, 1 + Below(3));
          break;
      }
    }
    return text;
  }

 private:
  template <typename T>
  T Pick(std::initializer_list<T> from) {
    return *(from.begin() + Below(from.size()));
  }
  const char* Compare() { return Pick<const char*>({"==", "!=", "<", "<=", ">", ">="}); }
  // Of few letters, so that pieces are found often, and nearly.
  std::string Text(size_t length) {
    std::string text;
    for (size_t i = 0; i < length; ++i) text.push_back("aab/"[Below(4)]);
    return text;
  }
  std::string Glob() {
    std::string glob;
    for (size_t i = Below(5); i > 0; --i) {
      absl::StrAppend(&glob, Below(2) ? "*" : "", Text(Below(12)), Below(4) ? "" : "?");
    }
    if (Below(3) == 0) glob += '*';
    return glob;
  }

  // Our own and those above it, and the others there are below the root.
  void LearnCgroups() {
    std::string own;
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("0::/")) own = line.substr(3);
    }
    if (own.empty() || !FindCgroup("/").ok()) return;
    std::string path = "/";
    for (const absl::string_view name : absl::StrSplit("/" + own, '/')) {
      if (name.empty() && !cgroups_.empty()) continue;
      if (!name.empty()) absl::StrAppend(&path, "/", name);
      const absl::StatusOr<CgroupPlace> place = FindCgroup(path);
      ASSERT_TRUE(place.ok()) << place.status();
      cgroups_.push_back(place->id);
      cgroup_paths_.push_back(path);
    }
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/cgroup", ignored)) {
      if (FindCgroup(entry.path().string()).ok()) cgroup_paths_.push_back(entry.path().string());
    }
  }

  std::mt19937 engine_;
  std::vector<uint64_t> cgroups_;
  std::vector<std::string> cgroup_paths_;
};

class CompiledExpression : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "loading BPF programs takes root";
    ASSERT_TRUE(kernel_.ok()) << std::strerror(errno);
  }
  // Another one by UTRACE_SEED.
  static uint32_t Seed() {
    const char* seed = std::getenv("UTRACE_SEED");
    return seed == nullptr ? 1 : static_cast<uint32_t>(std::strtoul(seed, nullptr, 10));
  }
  // True if it was accepted.
  bool Try(const std::string& text, Chance& chance, int calls) {
    const absl::StatusOr<Expression> expression = ParseExpression(text);
    if (!expression.ok()) return false;
    const absl::StatusOr<std::vector<bpf_insn>> code = CompileExpression(*expression);
    if (!code.ok()) return false;
    std::string log;
    const UniqueFd program = kernel_.Load(*code, &log);
    EXPECT_TRUE(program) << text << "\n" << std::strerror(errno) << "\n" << log;
    if (!program) return false;
    for (int i = 0; i < calls; ++i) {
      const PredicateCall call = chance.Call();
      const bool wanted = Evaluate(*expression, call);
      EXPECT_EQ(Kernel::Run(program, call), wanted)
          << text << "\nof a call to " << call.nr << ", path " << call.path.value_or("(none)");
      (wanted ? yes_ : no_)++;
    }
    return true;
  }

  Kernel kernel_;
  int yes_ = 0;
  int no_ = 0;
};

TEST_F(CompiledExpression, SmokeDecidesAsEvaluateDoes) {
  constexpr int kExpressions = 400;
  Chance chance(Seed());
  int accepted = 0;
  for (int i = 0; i < kExpressions && !HasFailure(); ++i) {
    accepted += Try(chance.Expression(static_cast<int>(chance.Below(4))), chance, 20);
  }
  EXPECT_EQ(accepted, kExpressions) << yes_ << " yes, " << no_ << " no";
  EXPECT_GT(yes_, kExpressions);
  EXPECT_GT(no_, kExpressions);
}

TEST_F(CompiledExpression, IsNeverRefusedByTheVerifierWhateverIsWritten) {
  Chance chance(Seed());
  int accepted = 0;
  for (int i = 0; i < 4000 && !HasFailure(); ++i) {
    accepted += Try(chance.Spoil(chance.Expression(static_cast<int>(chance.Below(5)))), chance, 2);
  }
  EXPECT_GT(accepted, 100);
}

// What costs the verifier most: pieces that it looks for everywhere.
TEST_F(CompiledExpression, SmokeMayBeAsLongAsThereIsRoom) {
  Chance chance(3);
  std::string text = "path ~ '*aaaaaaaaa?aaaaaaa?aaaaa?abaaaaaaaaa?aaaaaaaab*bb*cc*dd*ee*ff*gg*'";
  EXPECT_TRUE(Try(text + " || " + text, chance, 5));
  std::vector<std::string> many(200, "path == 'abcdefgh'");
  const absl::StatusOr<Expression> expression = ParseExpression(absl::StrJoin(many, " || "));
  ASSERT_TRUE(expression.ok());
  EXPECT_EQ(CompileExpression(*expression).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace utrace
