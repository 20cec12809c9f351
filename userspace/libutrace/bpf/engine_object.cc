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
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "include/uapi/utrace_bpf.h"
#include "userspace/base/errno_status.h"
#include "userspace/base/status_macros.h"
#include "userspace/base/unique_fd.h"
#include "userspace/libutrace/bpf/engine_choice.h"
#include "userspace/libutrace/bpf/engine_field.h"
#include "userspace/libutrace/bpf/engine_rodata.h"
#include "userspace/libutrace/bpf/libbpf_log.h"
#include "userspace/libutrace/bpf/privileges.h"
#include "userspace/libutrace/bpf/verifier_text.h"
#include "userspace/libutrace/machine.h"

namespace utrace {
namespace {

constexpr char kType[] = "utrace_bpf_engine_ops";
constexpr char kModuleBtf[] = "/sys/kernel/btf/utrace";
constexpr char kPins[] = "/sys/fs/bpf/utrace";

struct BtfDeleter {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, BtfDeleter>;

std::string PinOf(const std::string& name) { return absl::StrCat(kPins, "/", name); }

// Of the struct in these types, nullptr if it or the member is not there.
const btf_member* FindMember(const btf* types, const char* type, absl::string_view member) {
  const int id = btf__find_by_name_kind(types, type, BTF_KIND_STRUCT);
  if (id < 0) return nullptr;
  const btf_type* structure = btf__type_by_id(types, static_cast<uint32_t>(id));
  const btf_member* members = btf_members(structure);
  for (int i = 0; i < btf_vlen(structure); ++i) {
    if (member == btf__name_by_offset(types, members[i].name_off)) return &members[i];
  }
  return nullptr;
}

// The module's types lie over the kernel's, which have to live as long.
struct ModuleTypes {
  Btf kernel;
  Btf module;
};

absl::StatusOr<ModuleTypes> ReadModuleTypes() {
  ModuleTypes types;
  types.kernel.reset(btf__load_vmlinux_btf());
  if (!types.kernel) return LastErrno("read the kernel's types, /sys/kernel/btf/vmlinux");
  types.module.reset(btf__load_module_btf("utrace", types.kernel.get()));
  if (!types.module) return LastErrno(absl::StrCat("read the module's types, ", kModuleBtf));
  return types;
}

// Where in a struct_ops map's value the engine's own members begin.
absl::StatusOr<size_t> DataOffset(const btf* types) {
  const btf_member* data =
      FindMember(types, absl::StrCat("bpf_struct_ops_", kType).c_str(), "data");
  if (data == nullptr) {
    return ErrnoStatus(EOPNOTSUPP, "find the type of BPF engines in the utrace module",
                       "this kernel takes no such types from modules: it has to be 6.9 or later");
  }
  return data->offset / 8;
}

// A struct_ops map's value, by the kernel's layout.
class EngineValue {
 public:
  static absl::StatusOr<EngineValue> Read(const btf* types, int map_fd, uint32_t size) {
    ASSIGN_OR_RETURN(const size_t offset, DataOffset(types));
    EngineValue value(types, offset);
    value.bytes_.resize(size);
    const uint32_t key = 0;
    if (::bpf_map_lookup_elem(map_fd, &key, value.bytes_.data()) != 0) {
      return LastErrno("read a BPF engine's map");
    }
    return value;
  }

  // Zeros where there is no such member.
  template <typename T>
  T Member(absl::string_view name) const {
    T member{};
    const btf_member* found = FindMember(types_, kType, name);
    if (found == nullptr) return member;
    const size_t at = offset_ + found->offset / 8;
    if (at + sizeof(member) <= bytes_.size()) {
      std::memcpy(&member, bytes_.data() + at, sizeof(member));
    }
    return member;
  }

 private:
  EngineValue(const btf* types, size_t offset) : types_(types), offset_(offset) {}

  const btf* types_;
  size_t offset_;
  std::vector<char> bytes_;
};

struct EngineName {
  char text[UTRACE_BPF_NAME_SIZE];
};

std::string TextOf(const EngineName& name) {
  return std::string(name.text, ::strnlen(name.text, sizeof(name.text)));
}

// All threads of a process, and with `children` the processes it creates.
uint32_t GroupFlags(bool children) {
  return UTRACE_TARGET_GROUP | (children ? UTRACE_TARGET_CHILDREN : 0);
}

struct Report {
  const char* member;
  uint32_t events;
};

constexpr Report kReports[] = {
    {"report_quiesce", UTRACE_EVENT(QUIESCE)},
    {"report_syscall_entry", UTRACE_EVENT(SYSCALL_ENTRY)},
    {"report_syscall_exit", UTRACE_EVENT(SYSCALL_EXIT)},
    {"report_signal", UTRACE_EVENTS_OF_SIGNAL},
    {"report_jctl", UTRACE_EVENT(JCTL)},
    {"report_clone", UTRACE_EVENT(CLONE)},
    {"report_exec", UTRACE_EVENT(EXEC)},
    {"report_exit", UTRACE_EVENT(EXIT)},
    {"report_step", UTRACE_EVENT(STEP)},
    {"report_death", UTRACE_EVENT(DEATH)},
    {"report_reap", UTRACE_EVENT(REAP)},
};

uint32_t EventsOf(const EngineValue& value) {
  const auto signals = value.Member<uint32_t>("signal_events");
  uint32_t events = 0;
  for (const Report& report : kReports) {
    // The number of its program, 0 if it has none.
    if (value.Member<uint64_t>(report.member) != 0) events |= report.events;
  }
  return signals == 0 ? events : events & (~uint32_t{UTRACE_EVENTS_OF_SIGNAL} | signals);
}

// Nothing if the link is of no engine.
absl::StatusOr<std::optional<LoadedEngine>> Look(const btf* types, uint32_t link_id) {
  const UniqueFd link(::bpf_link_get_fd_by_id(link_id));
  if (!link) {
    if (errno == ENOENT) return std::nullopt;  // gone since
    return LastErrno("open a BPF link of the system");
  }
  bpf_link_info info{};
  uint32_t length = sizeof(info);
  if (::bpf_obj_get_info_by_fd(link.Get(), &info, &length) != 0 ||
      info.type != BPF_LINK_TYPE_STRUCT_OPS) {
    return std::nullopt;
  }
  // The first word of the union, struct_ops.map_id, which Debian 12's headers do not have yet.
  // 0 once it was detached.
  const uint32_t map_id = info.tracing.attach_type;
  const UniqueFd map(::bpf_map_get_fd_by_id(map_id));
  bpf_map_info about{};
  length = sizeof(about);
  if (!map || ::bpf_obj_get_info_by_fd(map.Get(), &about, &length) != 0) return std::nullopt;
  const int value_type = btf__find_by_name_kind(
      types, absl::StrCat("bpf_struct_ops_", kType).c_str(), BTF_KIND_STRUCT);
  if (value_type < 0 || about.btf_vmlinux_value_type_id != static_cast<uint32_t>(value_type)) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const EngineValue value, EngineValue::Read(types, map.Get(), about.value_size));
  LoadedEngine engine;
  engine.name = TextOf(value.Member<EngineName>("name"));
  engine.target = value.Member<int32_t>("target");
  engine.every_exec = value.Member<uint32_t>("flags") & UTRACE_TARGET_EXECS;
  engine.events = EventsOf(value);
  engine.link_id = link_id;
  engine.pinned = ::access(PinOf(engine.name).c_str(), F_OK) == 0;
  return engine;
}

}  // namespace

absl::Status CheckTakesEngines() {
  if (!ModuleLoaded() || !ModuleHasBtf()) {
    return ErrnoStatus(
        ENOENT, "load a BPF engine",
        ModuleLoaded() ? "the utrace module was built without type information (BTF)"
                       : absl::StrCat("the utrace module is not loaded (", HowToLoadModule(), ")"));
  }
  ASSIGN_OR_RETURN(const ModuleTypes types, ReadModuleTypes());
  return DataOffset(types.module.get()).status();
}

void EngineObject::ObjectDeleter::operator()(bpf_object* object) const {
  bpf_object__close(object);
}

void EngineObject::LinkDeleter::operator()(bpf_link* link) const { bpf_link__destroy(link); }

EngineObject::EngineObject(std::string path, std::unique_ptr<bpf_object, ObjectDeleter> object,
                           bpf_map* map)
    : path_(std::move(path)), object_(std::move(object)), map_(map) {}

EngineObject::~EngineObject() = default;

absl::StatusOr<std::unique_ptr<EngineObject>> EngineObject::Open(const std::string& path,
                                                                 const std::string& expression) {
  const std::string what = absl::StrCat("read ", path);
  if (::access(path.c_str(), R_OK) != 0) return LastErrno(what);
  EngineChoice choice;
  std::string bytes;
  if (!expression.empty()) {
    ASSIGN_OR_RETURN(choice, EngineChoice::Compile(expression));
    ASSIGN_OR_RETURN(bytes, choice.PutInto(path));
  }
  LibbpfLog log;
  std::unique_ptr<bpf_object, ObjectDeleter> object(
      expression.empty() ? bpf_object__open_file(path.c_str(), nullptr)
                         : bpf_object__open_mem(bytes.data(), bytes.size(), nullptr));
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
  const btf_member* name = types ? FindMember(types, kType, "name") : nullptr;
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
    field->offset = variable.offset;
    options.push_back({*std::move(field), variable.memory});
  }
  return options;
}

}  // namespace

absl::Status EngineObject::Set(absl::string_view name, absl::string_view text) {
  std::vector<std::string> names;
  for (const Option& option : OptionsOf(object_.get())) {
    if (option.field.name == name) return SetField(option.field, text, option.memory);
    names.push_back(option.field.name);
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

absl::StatusOr<char*> EngineObject::Member(const char* member, size_t size) {
  const btf_member* found = FindMember(bpf_object__btf(object_.get()), kType, member);
  size_t room = 0;
  char* memory = static_cast<char*>(bpf_map__initial_value(map_, &room));
  if (found == nullptr || memory == nullptr || found->offset / 8 + size > room) {
    return ErrnoStatus(EINVAL, absl::StrCat("choose what ", name_, " is on"),
                       absl::StrCat("it was made without the member ", member));
  }
  return memory + found->offset / 8;
}

absl::Status EngineObject::SetName(const std::string& name) {
  if (name.empty() || name.size() >= UTRACE_BPF_NAME_SIZE) {
    return ErrnoStatus(EINVAL, absl::StrCat("call an engine '", name, "'"),
                       absl::StrCat("a name has 1 to ", UTRACE_BPF_NAME_SIZE - 1, " characters"));
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
  return AddFlags(GroupFlags(children));
}

absl::Status EngineObject::SetEveryExec(bool children) {
  return AddFlags(UTRACE_TARGET_EXECS | GroupFlags(children));
}

absl::Status EngineObject::AddFlags(uint32_t more) {
  ASSIGN_OR_RETURN(char* flags, Member("flags", sizeof(uint32_t)));
  uint32_t how = 0;
  std::memcpy(&how, flags, sizeof(how));
  how |= more;
  std::memcpy(flags, &how, sizeof(how));
  return absl::OkStatus();
}

uint32_t EngineObject::Events() const {
  uint32_t events = 0;
  for (const Report& report : kReports) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get()) {
      if (absl::EndsWith(bpf_program__section_name(program), absl::StrCat("/", report.member))) {
        events |= report.events;
      }
    }
  }
  return events;
}

absl::Status EngineObject::Load() {
  const std::string what = absl::StrCat("load ", path_);
  constexpr char kTakesRoot[] = "it takes root in the initial namespace: use sudo";
  // Without it the module's types cannot be read, and the error would be of them.
  ASSIGN_OR_RETURN(const bool may, HasCapability(CAP_SYS_ADMIN));
  if (!may) return ErrnoStatus(EPERM, what, kTakesRoot);
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
  LibbpfLog log;
  const int failed = bpf_link__update_map(link_.get(), next->map_);
  if (failed != 0) return FromNegErrno(failed, absl::StrCat("replace engine ", name_));
  next->link_ = std::move(link_);
  return absl::OkStatus();
}

absl::Status EngineObject::Pin() {
  const std::string pin = PinOf(name_);
  if (::mkdir(kPins, 0700) != 0 && errno != EEXIST) {
    return LastErrno(absl::StrCat("make ", kPins, ", where pinned engines are"));
  }
  LibbpfLog log;
  // What is left there of one that was unloaded otherwise keeps nothing.
  ::unlink(pin.c_str());
  if (bpf_link__pin(link_.get(), pin.c_str()) == 0) return absl::OkStatus();
  return LastErrno(absl::StrCat("pin engine ", name_, " at ", pin));
}

absl::StatusOr<std::vector<LoadedEngine>> ListLoadedEngines() {
  std::vector<LoadedEngine> engines;
  // Without the module, or a type of it, there can be none.
  if (!CheckTakesEngines().ok()) return engines;
  ASSIGN_OR_RETURN(const ModuleTypes types, ReadModuleTypes());
  for (uint32_t id = 0; ::bpf_link_get_next_id(id, &id) == 0;) {
    ASSIGN_OR_RETURN(std::optional<LoadedEngine> engine, Look(types.module.get(), id));
    if (engine.has_value()) engines.push_back(*std::move(engine));
  }
  if (errno != ENOENT) return LastErrno("list the BPF links of the system");
  return engines;
}

absl::Status UnloadEngine(const std::string& name) {
  const std::string what = absl::StrCat("unload engine ", name);
  ASSIGN_OR_RETURN(const std::vector<LoadedEngine> engines, ListLoadedEngines());
  for (const LoadedEngine& engine : engines) {
    if (engine.name != name) continue;
    const UniqueFd link(::bpf_link_get_fd_by_id(engine.link_id));
    if (!link || ::bpf_link_detach(link.Get()) != 0) return LastErrno(what);
    if (::unlink(PinOf(name).c_str()) != 0 && errno != ENOENT) {
      return LastErrno(absl::StrCat("remove ", PinOf(name)));
    }
    return absl::OkStatus();
  }
  return ErrnoStatus(ENOENT, what, "there is none of that name; see utracectl engine list");
}

}  // namespace utrace
