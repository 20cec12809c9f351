// SPDX-License-Identifier: Apache-2.0
#include "userspace/utracectl/output/json.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <signal.h>
#include <sys/wait.h>

#include "absl/strings/escaping.h"
#include "userspace/libutrace/control_names.h"
#include "userspace/libutrace/decode/constants.h"

namespace utrace {
namespace {

constexpr int kVersion = 1;

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

bool IsUtf8(absl::string_view bytes) {
  rapidjson::MemoryStream stream(bytes.data(), bytes.size());
  while (stream.Tell() < bytes.size()) {
    unsigned codepoint = 0;
    if (!rapidjson::UTF8<>::Decode(stream, &codepoint)) return false;
  }
  return true;
}

void Text(Json& json, absl::string_view text) {
  json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

// What programs pass need not be text: bytes that are not UTF-8 come as {"hex": "..."}.
void Bytes(Json& json, absl::string_view bytes) {
  if (IsUtf8(bytes)) return Text(json, bytes);
  json.StartObject();
  json.Key("hex");
  Text(json, absl::BytesToHexString(bytes));
  json.EndObject();
}

const char* AbiName(Abi abi) {
  switch (abi) {
    case Abi::kX8664:
      return "x86_64";
    case Abi::kI386:
      return "i386";
    case Abi::kX32:
      return "x32";
  }
  return "unknown";
}

struct BodyWriter {
  Json& json;
  const DecodeOptions& options;

  void Name(const char* name) {
    json.Key("ev");
    json.String(name);
  }
  void Number(const char* key, uint64_t value) {
    json.Key(key);
    json.Uint64(value);
  }
  void Signed(const char* key, int64_t value) {
    json.Key(key);
    json.Int64(value);
  }
  void Flag(const char* key, bool value) {
    json.Key(key);
    json.Bool(value);
  }
  void String(const char* key, absl::string_view value) {
    json.Key(key);
    Text(json, value);
  }

  void Argument(const SyscallArgs& call, const SyscallInfo* info, const ArgText& arg) {
    json.StartObject();
    String("name", arg.name);
    const ArgInfo* described = info == nullptr ? nullptr : &info->args[arg.index];
    const bool is_fd = described != nullptr &&
                       (described->kind == ArgKind::kFd || described->kind == ArgKind::kDirfd);
    if (described != nullptr && (described->is_signed || is_fd)) {
      Signed("value", is_fd || described->width == 32 ? static_cast<int32_t>(arg.value)
                                                      : static_cast<int64_t>(arg.value));
    } else if (described != nullptr && described->width == 32) {
      Number("value", static_cast<uint32_t>(arg.value));
    } else {
      Number("value", arg.value);
    }
    String("text", arg.text);
    const bool is_bytes = described != nullptr && (described->kind == ArgKind::kPath ||
                                                   described->kind == ArgKind::kString ||
                                                   described->kind == ArgKind::kBuffer);
    for (const Payload& payload : call.payloads) {
      if (!is_bytes || payload.fault || payload.arg != static_cast<int>(arg.index)) continue;
      json.Key("data");
      Bytes(json, payload.bytes);
      if (payload.truncated) Flag("truncated", true);
    }
    json.EndObject();
  }

  void Call(const SyscallArgs& call, const CallText& text) {
    String("abi", AbiName(call.abi));
    Signed("nr", call.nr);
    String("name", text.name);
    json.Key("args");
    json.StartArray();
    const SyscallInfo* info = FindSyscall(call.abi, call.nr);
    for (const ArgText& arg : text.args) Argument(call, info, arg);
    json.EndArray();
  }

  void operator()(const SyscallEvent& call) {
    Name("syscall");
    const CallText text = DescribeCall(call, options);
    Call(call, text);
    if (!call.no_return) {
      Signed("ret", call.ret);
      if (const int error = CallError(call.ret); error != 0 && !ErrnoName(error).empty()) {
        String("errno", ErrnoName(error));
      }
    }
    String("result", text.result);
    if (call.resumed) Flag("resumed", true);
  }

  void operator()(const PendingEvent& call) {
    Name("pending");
    Call(call, DescribeCall(call, options));
  }

  void operator()(const ForkEvent& fork) {
    Name("fork");
    Signed("child_pid", fork.child_pid);
    Signed("child_tid", fork.child_tid);
    Flag("thread", fork.thread);
    Flag("followed", fork.followed);
  }

  void operator()(const ExecEvent& exec) {
    Name("exec");
    String("abi", AbiName(exec.abi));
    Signed("nr", exec.nr);
    String("name", SyscallName(exec.abi, exec.nr));
    Signed("old_tid", exec.old_tid);
    json.Key("filename");
    Bytes(json, exec.filename);
    json.Key("argv");
    json.StartArray();
    for (const std::string& arg : exec.argv) Bytes(json, arg);
    json.EndArray();
    Number("argc", exec.argc);
    Number("envc", exec.envc);
    if (exec.argv_truncated || exec.filename_truncated) Flag("truncated", true);
    if (exec.resumed) Flag("resumed", true);
  }

  void operator()(const ExitEvent& exit) {
    Name("exit");
    Status(exit.status);
    Flag("group", exit.group);
  }

  void Status(int status) {
    if (WIFSIGNALED(status)) {
      String("signal", SignalName(WTERMSIG(status)));
      Flag("core", WCOREDUMP(status));
    } else {
      Signed("code", WEXITSTATUS(status));
    }
  }

  void operator()(const SignalEvent& signal) {
    Name("signal");
    Signed("signo", signal.signo);
    String("signal", SignalName(signal.signo));
    Flag("sent", signal.sent);
    Flag("handled", signal.handled);
    if (signal.sent) {
      Signed("sender_pid", signal.sender_pid);
      Signed("sender_tid", signal.sender_tid);
    }
    if (signal.no_info) return;
    Signed("code", signal.code);
    String("code_name", SignalCodeText(signal.signo, signal.code));
    // What siginfo_t's union holds depends on who sent it.
    const bool from_kernel = signal.code > 0;
    if (!from_kernel || signal.signo == SIGCHLD) {
      Signed("from_pid", signal.pid);
      Number("from_uid", signal.uid);
    }
    if (from_kernel && signal.signo == SIGCHLD) Signed("status", signal.status);
    if (IsFaultSignal(signal.signo) && from_kernel) Number("addr", signal.addr);
    if (signal.code == SI_QUEUE) Number("value", signal.value);
  }

  void operator()(const LostEvent& lost) {
    Name("lost");
    Number("count", lost.count);
  }
  void HeldAt(uint32_t event) { String("event", event == 0 ? "asynchronous" : EventName(event)); }
  void operator()(const StopEvent& stop) {
    Name("stop");
    HeldAt(stop.event);
    if (stop.nr < 0) return;
    String("abi", AbiName(stop.abi));
    Signed("nr", stop.nr);
    String("name", SyscallName(stop.abi, stop.nr));
  }
  void operator()(const ResumeEvent& resume) {
    Name("resume");
    HeldAt(resume.event);
  }
  void operator()(const DeathEvent& death) {
    Name("death");
    Status(death.status);
  }
  void operator()(const ReapEvent&) { Name("reap"); }
  void operator()(const JobControlEvent& job) {
    Name("jctl");
    String("state", job.signal == 0 ? "continued" : "stopped");
    if (job.signal != 0) String("signal", SignalName(job.signal));
  }
};

void Head(Json& json, uint64_t ts, uint64_t seq, int64_t pid, int64_t tid) {
  json.StartObject();
  json.Key("v");
  json.Int(kVersion);
  json.Key("ts");
  json.Uint64(ts);
  json.Key("seq");
  json.Uint64(seq);
  json.Key("pid");
  json.Int64(pid);
  json.Key("tid");
  json.Int64(tid);
}

void Close(Json& json, const rapidjson::StringBuffer& buffer, std::string* out) {
  json.EndObject();
  out->append(buffer.GetString(), buffer.GetSize());
  out->push_back('\n');
}

}  // namespace

void JsonWriter::Write(const Event& event, std::string* out) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  Head(json, event.ts_ns, event.seq, event.pid, event.tid);
  json.Key("cpu");
  json.Uint(event.cpu);
  std::visit(BodyWriter{json, options_}, event.body);
  Close(json, buffer, out);
  last_ns_ = event.ts_ns;
}

void JsonWriter::Finish(const EventStream::Totals& totals, std::string* out) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  Head(json, last_ns_, 0, 0, 0);
  BodyWriter body{json, options_};
  body.Name("end");
  body.Number("events", totals.events);
  body.Number("lost", totals.lost);
  Close(json, buffer, out);
}

}  // namespace utrace
