// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/output/control_json.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "absl/strings/str_split.h"
#include "userspace/libutrace/control_names.h"
#include "userspace/libutrace/decode/constants.h"
#include "userspace/libutrace/decode/syscall_table.h"

namespace utrace {
namespace {

constexpr int kVersion = 1;

// One line, begun with what every line has.
class Line {
 public:
  Line(const char* event, uint64_t now_ns) : json_(buffer_) {
    json_.StartObject();
    Signed("v", kVersion);
    Number("ts", now_ns);
    String("ev", event);
  }

  std::string End() {
    json_.EndObject();
    return std::string(buffer_.GetString(), buffer_.GetSize()) + "\n";
  }

  void Key(const char* key) { json_.Key(key); }
  void StartObject() { json_.StartObject(); }
  void EndObject() { json_.EndObject(); }
  void StartArray() { json_.StartArray(); }
  void EndArray() { json_.EndArray(); }
  void Null(const char* key) {
    json_.Key(key);
    json_.Null();
  }
  void Number(const char* key, uint64_t value) {
    json_.Key(key);
    json_.Uint64(value);
  }
  void Signed(const char* key, int64_t value) {
    json_.Key(key);
    json_.Int64(value);
  }
  void Flag(const char* key, bool value) {
    json_.Key(key);
    json_.Bool(value);
  }
  void String(const char* key, absl::string_view value) {
    json_.Key(key);
    Text(value);
  }
  // A comm may hold any bytes: those beyond ASCII are shown as '?', as ps does.
  void Text(absl::string_view value) {
    std::string ascii(value);
    for (char& c : ascii) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
    json_.String(ascii.data(), static_cast<rapidjson::SizeType>(ascii.size()));
  }
  void Integer(int64_t value) { json_.Int64(value); }

  void Process(const char* key, pid_t pid, absl::string_view comm) {
    if (pid == 0) return Null(key);
    json_.Key(key);
    json_.StartObject();
    Signed("pid", pid);
    String("comm", comm);
    json_.EndObject();
  }
  void Events(uint32_t events) {
    json_.Key("events");
    json_.StartArray();
    for (const std::string& name : EventNames(events)) Text(name);
    json_.EndArray();
  }
  void Thread(const ThreadView& thread) {
    Signed("pid", thread.info.tgid);
    Signed("tid", thread.info.tid);
    String("comm", thread.info.comm);
    String("state", std::string(1, thread.info.state));
    if (thread.call >= 0) String("call", SyscallName(Abi::kX8664, thread.call));
  }
  void Frame(const FrameView& frame) {
    json_.StartObject();
    Number("pc", frame.frame.pc);
    if (!frame.symbol.name.empty()) String("symbol", frame.symbol.name);
    if (!frame.symbol.module.empty()) {
      Number("offset", frame.symbol.offset);
      String("module", frame.symbol.module);
    }
    if (!frame.build_id.empty()) String("build_id", frame.build_id);
    if (frame.source.line != 0) {
      String("file", frame.source.file);
      Signed("line", frame.source.line);
    }
    json_.EndObject();
  }
  // null if it does not hold.
  void Hold(const utrace_info& info, uint64_t now_ns) {
    if (!IsHeld(info)) return Null("hold");
    json_.Key("hold");
    json_.StartObject();
    Flag("asleep", IsAsleep(info));
    const bool at_event = info.flags & UTRACE_INFO_HELD_REPORT;
    if (at_event) String("event", EventName(info.event));
    if (at_event && info.nr >= 0) String("call", SyscallName(Abi::kX8664, info.nr));
    if (at_event && info.signo != 0) String("signal", SignalName(static_cast<int>(info.signo)));
    Number("seq", info.seq);
    if (info.debugger != 0) Number("debugger", static_cast<uint64_t>(info.debugger));
    if (info.since_ns != 0 && info.since_ns <= now_ns) Number("for_ns", now_ns - info.since_ns);
    json_.EndObject();
  }
  void Threads(absl::Span<const utrace_info> threads, uint64_t now_ns) {
    json_.Key("threads");
    json_.StartArray();
    for (const utrace_info& info : threads) {
      json_.StartObject();
      Signed("pid", info.tgid);
      Signed("tid", info.tid);
      Hold(info, now_ns);
      json_.EndObject();
    }
    json_.EndArray();
  }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> json_;
};

}  // namespace

std::string ThreadJson(const ThreadView& thread, uint64_t now_ns) {
  Line line("thread", now_ns);
  line.Thread(thread);
  line.Process("ptracer", thread.tracer.tid, thread.tracer.comm);
  line.Key("engines");
  line.StartArray();
  for (const utrace_info& info : thread.engines) {
    line.StartObject();
    line.Number("id", info.engine);
    if (info.flags & UTRACE_INFO_BPF) line.String("name", OwnerComm(info));
    line.Process("owner", info.owner, info.owner_comm);
    line.Events(info.events);
    line.Hold(info, now_ns);
    line.EndObject();
  }
  line.EndArray();
  return line.End();
}

std::string StackJson(const ThreadView& thread, const StackView& stack, uint64_t now_ns) {
  Line line("stack", now_ns);
  line.Thread(thread);
  line.Key("frames");
  line.StartArray();
  for (const FrameView& frame : stack.frames) line.Frame(frame);
  line.EndArray();
  if (!stack.cut.empty()) line.String("cut", stack.cut);
  return line.End();
}

std::string EngineJson(const EngineView& engine, uint64_t now_ns) {
  Line line("engine", now_ns);
  line.Number("id", engine.id);
  line.String("plane", "control");
  line.Process("owner", engine.owner, engine.owner_comm);
  line.Flag("kernel", engine.of_kernel);
  line.Flag("trace_only", engine.trace_only);
  line.Flag("nested", engine.nested);
  line.Events(engine.events);
  line.Threads(engine.threads, now_ns);
  return line.End();
}

std::string ObserverJson(const RunningObserver& observer, uint64_t now_ns) {
  Line line("engine", now_ns);
  line.String("plane", "observe");
  line.Process("owner", observer.owner, observer.owner_comm);
  if (observer.threads >= 0) line.Signed("observed_threads", observer.threads);
  return line.End();
}

std::string LoadedEngineJson(const LoadedEngine& engine, uint64_t now_ns) {
  Line line("engine", now_ns);
  line.String("plane", "bpf");
  line.String("name", engine.name);
  if (engine.id != 0) line.Number("id", engine.id);
  if (engine.target > 0) line.Signed("target", engine.target);
  if (engine.every_exec) line.Flag("every_exec", true);
  if (engine.cgroup) line.Flag("cgroup", true);
  if (engine.pinned.has_value()) line.Flag("pinned", *engine.pinned);
  line.Events(engine.events);
  line.Threads(engine.threads, now_ns);
  return line.End();
}

std::string StatusJson(const SystemStatus& status, uint64_t now_ns) {
  Line line("status", now_ns);
  line.String("version", status.version);
  line.Signed("abi", UTRACE_ABI_VERSION);
  line.String("kernel", status.kernel);
  line.String("machine", status.machine);
  if (!status.module_answers) {
    line.Null("module");
    line.String("module_error", status.module_error);
    return line.End();
  }
  line.Key("module");
  line.StartObject();
  line.String("version", status.features.version);
  line.Signed("abi", status.features.abi);
  line.Flag("btf", status.module_has_btf);
  line.Signed("engines", status.features.engines);
  line.Events(status.features.events);
  line.Key("hooks");
  line.StartArray();
  for (const absl::string_view name :
       absl::StrSplit(status.features.hook_names, ' ', absl::SkipEmpty())) {
    line.Text(name);
  }
  line.EndArray();
  line.EndObject();
  return line.End();
}

}  // namespace utrace
