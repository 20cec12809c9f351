// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/bpf/engine_object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "include/uapi/utrace_bpf.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/bpf/built_in.h"
#include "userspace/libutrace/bpf/engine_choice.h"
#include "userspace/libutrace/bpf/engine_field.h"
#include "userspace/libutrace/bpf/engine_pins.h"
#include "userspace/libutrace/bpf/engine_rodata.h"
#include "userspace/libutrace/bpf/engine_types.h"
#include "userspace/libutrace/bpf/libbpf_log.h"
#include "userspace/libutrace/bpf/privileges.h"
#include "userspace/libutrace/bpf/verifier_text.h"
#include "userspace/libutrace/machine.h"
#include "userspace/libutrace/predicate/cgroup.h"

namespace utrace {
namespace {

// All threads of a process, and with `children` the processes it creates.
uint32_t GroupFlags(bool children) {
  return UTRACE_TARGET_GROUP | (children ? UTRACE_TARGET_CHILDREN : 0);
}

}  // namespace

void EngineObject::ObjectDeleter::operator()(bpf_object* object) const {
  bpf_object__close(object);
}

EngineObject::EngineObject(std::string path, std::unique_ptr<bpf_object, ObjectDeleter> object,
                           bpf_map* map)
    : path_(std::move(path)), object_(std::move(object)), map_(map) {}

EngineObject::~EngineObject() = default;

absl::StatusOr<std::unique_ptr<EngineObject>> EngineObject::Open(const std::string& path,
                                                                 const std::string& expression) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  // Of a directory it is the reading that fails.
  if (!file || !(bytes << file.rdbuf())) {
    if (errno != 0) return LastErrno(absl::StrCat("read ", path));
  }
  return Make(path, bytes.str(), expression);
}

absl::StatusOr<std::unique_ptr<EngineObject>> EngineObject::OpenBuiltIn(
    BuiltInEngine which, const std::string& expression) {
  const BuiltInObject object = ObjectOf(which);
  return Make(object.name, std::string(object.bytes), expression);
}

absl::StatusOr<std::unique_ptr<EngineObject>> EngineObject::Make(const std::string& path,
                                                                 std::string bytes,
                                                                 const std::string& expression) {
  const std::string what = absl::StrCat("read ", path);
  EngineChoice choice;
  if (!expression.empty()) {
    ASSIGN_OR_RETURN(choice, EngineChoice::Compile(expression));
    RETURN_IF_ERROR(choice.PutInto(path, &bytes));
  }
  LibbpfLog log;
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  // Else its maps would be called by an address.
  const std::string title = std::filesystem::path(path).stem().stem();
  options.object_name = title.c_str();
  std::unique_ptr<bpf_object, ObjectDeleter> object(
      bpf_object__open_mem(bytes.data(), bytes.size(), &options));
  if (!object) return ErrnoStatus(errno, what, absl::StrCat("it is no BPF object: ", log.Tail()));
  bpf_map* engine = nullptr;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS) continue;
    if (engine != nullptr) {
      return ErrnoStatus(EINVAL, what, "it has more than one engine: one is what it may have");
    }
    engine = map;
  }
  const btf* types = bpf_object__btf(object.get());
  const btf_member* name = types ? FindMember(types, kEngineType, "name") : nullptr;
  size_t size = 0;
  const char* value =
      engine ? static_cast<const char*>(bpf_map__initial_value(engine, &size)) : nullptr;
  if (value == nullptr || name == nullptr || name->offset / 8 + sizeof(EngineName) > size) {
    return ErrnoStatus(EINVAL, what,
                       "it has no engine: a struct utrace_bpf_engine_ops in .struct_ops.link, as "
                       "UTRACE_ENGINE() of utrace.bpf.h makes it");
  }
  std::unique_ptr<EngineObject> found(new EngineObject(path, std::move(object), engine));
  EngineName text{};
  std::memcpy(&text, value + name->offset / 8, sizeof(text));
  found->name_ = TextOf(text);
  if (found->name_.empty()) return ErrnoStatus(EINVAL, what, "its engine has no .name");
  if (!IsEngineName(found->name_)) {
    return ErrnoStatus(EINVAL, what,
                       absl::StrCat("its engine's .name, '", found->name_,
                                    "', has other characters than letters, digits, - and _"));
  }
  if (!expression.empty()) RETURN_IF_ERROR(choice.Tell(found->object_.get()));
  return found;
}

namespace {

// Its const volatile variables, in the memory that their map begins with.
struct Option {
  EngineField field;
  char* memory;
};

std::vector<Option> OptionsOf(const bpf_object* object) {
  std::vector<Option> options;
  for (const RodataVariable& variable : RodataVariables(object)) {
    std::optional<EngineField> field = DescribeVariable(bpf_object__btf(object), variable.type);
    if (!field.has_value() || variable.offset + field->size > variable.size) continue;
    // What the loader says of itself.
    if (absl::StartsWith(field->name, "utrace_")) continue;
    field->offset = variable.offset;
    options.push_back({*std::move(field), variable.memory});
  }
  return options;
}

}  // namespace

absl::Status EngineObject::Set(absl::string_view name, absl::string_view text) {
  std::vector<std::string> names;
  for (const Option& option : OptionsOf(object_.get())) {
    names.push_back(option.field.name);
    if (option.field.name != name) continue;
    RETURN_IF_ERROR(SetField(option.field, text, option.memory));
    set_.emplace_back(name);
    return absl::OkStatus();
  }
  return ErrnoStatus(
      ENOENT, absl::StrCat("set ", name, " of ", name_),
      names.empty() ? "it has no options" : absl::StrCat("it has ", absl::StrJoin(names, ", ")));
}

std::vector<std::string> EngineObject::Options() const {
  std::vector<std::string> texts;
  for (const Option& option : OptionsOf(object_.get())) {
    texts.push_back(absl::StrCat(option.field.name, "=", FieldText(option.field, option.memory)));
  }
  return texts;
}

std::vector<std::string> EngineObject::Settings() const {
  std::vector<std::string> texts;
  for (const Option& option : OptionsOf(object_.get())) {
    if (!absl::c_linear_search(set_, option.field.name)) continue;
    texts.push_back(absl::StrCat(option.field.name, "=", FieldText(option.field, option.memory)));
  }
  return texts;
}

absl::StatusOr<char*> EngineObject::Member(const char* member, size_t size) {
  const btf_member* found = FindMember(bpf_object__btf(object_.get()), kEngineType, member);
  size_t room = 0;
  char* memory = static_cast<char*>(bpf_map__initial_value(map_, &room));
  if (found == nullptr || memory == nullptr || found->offset / 8 + size > room) {
    return ErrnoStatus(EINVAL, absl::StrCat("choose what ", name_, " is on"),
                       absl::StrCat("it was made without the member ", member));
  }
  return memory + found->offset / 8;
}

absl::Status EngineObject::SetName(const std::string& name) {
  if (!IsEngineName(name) || name.size() >= UTRACE_BPF_NAME_SIZE) {
    return ErrnoStatus(
        EINVAL, absl::StrCat("call an engine '", name, "'"),
        absl::StrCat("a name has 1 to ", UTRACE_BPF_NAME_SIZE - 1, " letters, digits, - and _"));
  }
  ASSIGN_OR_RETURN(char* member, Member("name", UTRACE_BPF_NAME_SIZE));
  std::memset(member, 0, UTRACE_BPF_NAME_SIZE);
  std::memcpy(member, name.data(), name.size());
  name_ = name;
  return absl::OkStatus();
}

absl::Status EngineObject::SetTarget(pid_t process, bool children) {
  ASSIGN_OR_RETURN(char* target, Member("target", sizeof(int32_t)));
  target_ = process;
  const int32_t pid = process;
  std::memcpy(target, &pid, sizeof(pid));
  return ChangeFlags(GroupFlags(children), 0);
}

absl::Status EngineObject::SetCgroup(const std::string& path, bool children) {
  ASSIGN_OR_RETURN(char* target, Member("target", sizeof(int32_t)));
  ASSIGN_OR_RETURN(cgroup_, OpenCgroup(path));
  const int32_t fd = cgroup_.Get();
  std::memcpy(target, &fd, sizeof(fd));
  return ChangeFlags(UTRACE_TARGET_CGROUP | GroupFlags(children), 0);
}

absl::Status EngineObject::SetEveryExec(bool children) {
  return ChangeFlags(UTRACE_TARGET_EXECS | GroupFlags(children), 0);
}

absl::Status EngineObject::SetHandover(bool handover) {
  return handover ? ChangeFlags(UTRACE_TARGET_HANDOVER, 0) : ChangeFlags(0, UTRACE_TARGET_HANDOVER);
}

absl::Status EngineObject::ChangeFlags(uint32_t set, uint32_t clear) {
  ASSIGN_OR_RETURN(char* flags, Member("flags", sizeof(uint32_t)));
  uint32_t how = 0;
  std::memcpy(&how, flags, sizeof(how));
  how = (how & ~clear) | set;
  std::memcpy(flags, &how, sizeof(how));
  return absl::OkStatus();
}

uint32_t EngineObject::Events() const {
  uint32_t events = 0;
  for (const EngineReport& report : kEngineReports) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get()) {
      if (absl::EndsWith(bpf_program__section_name(program), absl::StrCat("/", report.member))) {
        events |= report.events;
      }
    }
  }
  return events;
}

absl::Status EngineObject::AddPath(const std::string& path) {
  ASSIGN_OR_RETURN(const utrace_path identified, IdentifyPath(path));
  paths_.push_back(identified);
  return absl::OkStatus();
}

absl::Status EngineObject::Load() {
  const std::string what = absl::StrCat("load ", path_);
  constexpr char kTakesRoot[] = "it takes root in the initial namespace: use sudo";
  // Without it the module's types cannot be read, and the error would be of them.
  ASSIGN_OR_RETURN(const bool may, HasCapability(CAP_SYS_ADMIN));
  if (!may) return ErrnoStatus(EPERM, what, kTakesRoot);
  TellEngineName(object_.get(), name_);
  LibbpfLog log;
  if (bpf_object__load(object_.get()) == 0) return absl::OkStatus();
  if (errno == EPERM) return ErrnoStatus(EPERM, what, kTakesRoot);
  log_ = log.Tail();
  const std::string explained = ExplainVerifier(log_);
  return ErrnoStatus(ENOEXEC, what,
                     explained.empty() ? absl::StrCat("the kernel refuses it:\n", log_)
                                       : absl::StrCat("the kernel's verifier refuses ", explained));
}

absl::Status EngineObject::Attach() {
  RETURN_IF_ERROR(TellPaths(object_.get(), name_, paths_));
  // First, so that there is nobody whom the engine is on and they are not.
  RETURN_IF_ERROR(beside_.Attach(object_.get()));
  LibbpfLog log;
  link_.reset(bpf_map__attach_struct_ops(map_));
  if (link_) return absl::OkStatus();
  const std::string what = absl::StrCat("attach engine ", name_);
  switch (errno) {
    case EEXIST:
      return ErrnoStatus(
          EEXIST, what,
          absl::StrCat("one of that name is loaded already (utracectl engine unload ", name_,
                       "; or give this another by --name)"));
    case ESRCH:
      return ErrnoStatus(ESRCH, what, absl::StrCat("there is no process ", target_, " (any more)"));
    case EPERM:
      return ErrnoStatus(EPERM, what,
                         "it takes CAP_SYS_ADMIN and CAP_SYS_PTRACE in the initial namespace, and "
                         "the right to trace the process");
    default:
      return LastErrno(what);
  }
}

absl::Status EngineObject::ReplaceBy(EngineObject* next) {
  RETURN_IF_ERROR(TellPaths(next->object_.get(), name_, next->paths_));
  RETURN_IF_ERROR(next->beside_.Attach(next->object_.get()));
  LibbpfLog log;
  const int failed = bpf_link__update_map(link_.get(), next->map_);
  if (failed != 0) return FromNegErrno(failed, absl::StrCat("replace engine ", name_));
  next->link_ = std::move(link_);
  return absl::OkStatus();
}

absl::Status EngineObject::Pin() {
  // What is left there of one that was unloaded otherwise keeps nothing.
  RETURN_IF_ERROR(RemoveEnginePins(name_));
  RETURN_IF_ERROR(beside_.Pin(name_));
  return PinEngine(name_, link_.get());
}

}  // namespace utrace
