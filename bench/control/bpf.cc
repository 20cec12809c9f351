// SPDX-License-Identifier: Apache-2.0
#include <bpf/libbpf.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/control/caller.h"
#include "bench/control/cpu.h"
#include "bench/control/measures.h"
#include "bench/control/series.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/libutrace/bpf/engine_object.h"

namespace utrace::bench {
namespace {

std::string PathOf(const std::string& name) {
  return absl::StrCat("/payload/engines/", name, ".bpf.o");
}

absl::StatusOr<std::unique_ptr<EngineObject>> On(
    pid_t pid, const std::string& name,
    const std::vector<std::pair<std::string, std::string>>& options = {}) {
  ASSIGN_OR_RETURN(std::unique_ptr<EngineObject> engine, EngineObject::Open(PathOf(name)));
  for (const auto& [option, value] : options) RETURN_IF_ERROR(engine->Set(option, value));
  RETURN_IF_ERROR(engine->SetTarget(pid, /*children=*/false));
  RETURN_IF_ERROR(engine->Load());
  RETURN_IF_ERROR(engine->Attach());
  return engine;
}

struct Closer {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

// An empty program at each of the two tracepoints, which all threads of the machine pass.
struct EmptyPair {
  std::unique_ptr<bpf_object, Closer> object;
  std::vector<std::unique_ptr<bpf_link, Closer>> links;
};

absl::StatusOr<EmptyPair> AttachEmptyPair() {
  EmptyPair pair;
  pair.object.reset(bpf_object__open_file(PathOf("empty_pair").c_str(), nullptr));
  if (!pair.object || bpf_object__load(pair.object.get()) != 0) return LastErrno("load empty_pair");
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, pair.object.get()) {
    pair.links.emplace_back(bpf_program__attach(program));
    if (!pair.links.back()) return LastErrno("attach empty_pair");
  }
  return pair;
}

// getpid fails with EPERM, whoever asks.
int RefuseGetpid() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(code), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : 1;
}

}  // namespace

absl::Status MeasureBpf() {
  RETURN_IF_ERROR(StayOnOneCpu());
  ASSIGN_OR_RETURN(const std::unique_ptr<Caller> caller, Caller::Start());
  ASSIGN_OR_RETURN(const std::unique_ptr<Caller> other, Caller::Start());
  ASSIGN_OR_RETURN(const std::unique_ptr<Caller> refused, Caller::Start(RefuseGetpid));
  ASSIGN_OR_RETURN(const double bare, caller->Cost());
  Tell("bpf.none", bare);
  {
    ASSIGN_OR_RETURN(const auto engine, On(caller->Pid(), "pass"));
    ASSIGN_OR_RETURN(const double cost, caller->Cost());
    Tell("bpf.pass", cost);
    ASSIGN_OR_RETURN(const double elsewhere, other->Cost());
    Tell("bpf.elsewhere", elsewhere);
  }
  {
    ASSIGN_OR_RETURN(const EmptyPair pair, AttachEmptyPair());
    ASSIGN_OR_RETURN(const double cost, caller->Cost());
    Tell("bpf.empty_pair", cost);
  }
  ASSIGN_OR_RETURN(const double seccomp, refused->Cost());
  Tell("bpf.seccomp", seccomp);
  ASSIGN_OR_RETURN(const auto engine,
                   On(caller->Pid(), "faultinject", {{"call", "getpid"}, {"error", "EPERM"}}));
  ASSIGN_OR_RETURN(const double verdict, caller->Cost());
  Tell("bpf.verdict", verdict);
  return absl::OkStatus();
}

}  // namespace utrace::bench
