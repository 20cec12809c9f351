// SPDX-License-Identifier: Apache-2.0
// BPF objects that are engines: bpf/include/utrace.bpf.h says how one is written.
#ifndef UTRACE_LIBUTRACE_BPF_ENGINE_OBJECT_H_
#define UTRACE_LIBUTRACE_BPF_ENGINE_OBJECT_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/bpf/engine_beside.h"
#include "userspace/libutrace/bpf/engine_paths.h"

struct bpf_map;
struct bpf_object;

namespace utrace {

enum class BuiltInEngine { kFaultInject, kPause };

// One engine: opened, then configured, loaded, and attached as long as this lives, or is pinned.
class EngineObject {
 public:
  // With an expression it is about those calls only (predicate/expression.h, Moment::kEntry): if it
  // has room for one, which utrace_choice.bpf.h makes.
  static absl::StatusOr<std::unique_ptr<EngineObject>> Open(const std::string& path,
                                                            const std::string& expression = {});
  // One of the gallery, which comes with the library.
  static absl::StatusOr<std::unique_ptr<EngineObject>> OpenBuiltIn(
      BuiltInEngine which, const std::string& expression = {});
  ~EngineObject();
  EngineObject(const EngineObject&) = delete;
  EngineObject& operator=(const EngineObject&) = delete;

  // As it is known to the module, by which it can be unloaded.
  const std::string& Name() const { return name_; }
  // Another than the object's, so that it can be there twice. EINVAL: too long, or empty.
  absl::Status SetName(const std::string& name);

  // An option, a const volatile variable of the object. The text is a number, true or false, or of
  // an array of characters a string; where the object says that it takes one, the name of a system
  // call or of an errno.
  absl::Status Set(absl::string_view name, absl::string_view text);
  // "every=1", with what they are now; and of those that were set.
  std::vector<std::string> Options() const;
  std::vector<std::string> Settings() const;

  // What it hears of.
  uint32_t Events() const;

  // For who reads its maps.
  const bpf_object* Object() const { return object_.get(); }

  // The process it begins on, with all threads, and `children` those it will have.
  absl::Status SetTarget(pid_t process, bool children);
  // Or those of a control group (v2) and below, by its path or its directory's, and what comes
  // there.
  absl::Status SetCgroup(const std::string& path, bool children);
  // Or each process of this machine, from its next exec on.
  absl::Status SetEveryExec(bool children);

  // Whether a debugger that comes for what it holds gets it there; else that waits.
  absl::Status SetHandover(bool handover);

  // A file or directory that it is about, if it has room for such, which utrace_paths.bpf.h makes.
  absl::Status AddPath(const std::string& path);

  // ENOEXEC: the kernel's verifier refuses it; the error has what it says.
  absl::Status Load();
  // What libbpf and the verifier said when it was refused: the last lines.
  const std::string& Log() const { return log_; }
  absl::Status Attach();
  // `next`, loaded and of the same name, takes the place of this on all its threads, without a gap.
  absl::Status ReplaceBy(EngineObject* next);
  // It stays when this goes, until it is unloaded.
  absl::Status Pin();

 private:
  struct ObjectDeleter {
    void operator()(bpf_object* object) const;
  };

  // Of the bytes of its file, which errors call by this path.
  static absl::StatusOr<std::unique_ptr<EngineObject>> Make(const std::string& path,
                                                            std::string bytes,
                                                            const std::string& expression);
  EngineObject(std::string path, std::unique_ptr<bpf_object, ObjectDeleter> object, bpf_map* map);
  // Of the engine's value, of so many bytes, before it is loaded.
  absl::StatusOr<char*> Member(const char* member, size_t size);
  // Beside what the object says of itself.
  absl::Status ChangeFlags(uint32_t set, uint32_t clear);

  std::string path_;
  std::unique_ptr<bpf_object, ObjectDeleter> object_;
  bpf_map* map_;
  std::string name_;
  std::string log_;
  pid_t target_ = 0;
  UniqueFd cgroup_;
  std::vector<std::string> set_;
  std::vector<utrace_path> paths_;
  // Gone after the engine.
  BesidePrograms beside_;
  Link link_;
};

}  // namespace utrace

#endif  // UTRACE_LIBUTRACE_BPF_ENGINE_OBJECT_H_
