// SPDX-License-Identifier: Apache-2.0
// The commands, by the files that hold them. command.cc lists them in the order of the help.
#ifndef UTRACE_UTRACECTL_COMMANDS_COMMANDS_H_
#define UTRACE_UTRACECTL_COMMANDS_COMMANDS_H_

#include "userspace/utracectl/command.h"

namespace utrace {

Run DefineTrace(CLI::App& app);
Run DefineRecord(CLI::App& app);
Run DefineReport(CLI::App& app);
Run DefineStop(CLI::App& app);
Run DefineHold(CLI::App& app);
Run DefineInject(CLI::App& app);
Run DefineResume(CLI::App& app);
Run DefinePs(CLI::App& app);
Run DefineStack(CLI::App& app);
Run DefineEngine(CLI::App& app);
Run DefineStatus(CLI::App& app);
Run DefineDoctor(CLI::App& app);

inline constexpr Command kTraceCommand = {
    "trace", "print what a program or process does, live",
    "  utracectl trace -f -- make -j4         a command and all its children\n"
    "  utracectl trace -p 812 -o nginx.txt    a running process, into a file\n"
    "  utracectl trace -j -p 812 | jq .name   for programs: JSON Lines\n"
    "  utracectl trace -f --if 'failed && path ~ \"/etc/*\"' -- make",
    Command::kProgram, DefineTrace};

inline constexpr Command kRecordCommand = {
    "record", "write what a program or process does to a file, at the least cost",
    "  utracectl record -o run.utr -f -- make -j4\n"
    "  utracectl report run.utr",
    Command::kProgram, DefineRecord};

inline constexpr Command kReportCommand = {
    "report", "print a recording",
    "  utracectl report run.utr\n"
    "  utracectl report -j run.utr | jq 'select(.errno == \"ENOENT\")'",
    Command::kNoProgram, DefineReport};

inline constexpr Command kStopCommand = {
    "stop", "hold a process or thread quietly, until Ctrl-C or resume",
    "  utracectl stop -p 812                       all threads, those being born too\n"
    "  utracectl stop -p 812/815 --wait 5          one thread; fail if it does not come by\n"
    "  utracectl stop -p 812 --at syscall:openat   at the entry of its next openat\n"
    "  utracectl stop -p 812 --at syscall:unlinkat --if 'path ~ \"/srv/*\"'\n"
    "  utracectl stop -p 812 --background          a holder process keeps it; resume ends it",
    Command::kNoProgram, DefineStop};

inline constexpr Command kHoldCommand = {
    "hold", "hold a program at its exec, before its first instruction",
    "  utracectl hold -- ./server --port 80        then attach what you like to it\n"
    "  utracectl hold --background -- ./server     in a holder process; resume starts it\n"
    "  utracectl hold --tree 812 '*/installer'     what a process and its children execute",
    Command::kProgram, DefineHold};

inline constexpr Command kInjectCommand = {
    "inject", "let chosen calls fail, come late, give another result; send signals at them",
    "  utracectl inject 'openat:error=ENOSPC:when=3+' -f -- make\n"
    "  utracectl inject 'openat:error=EIO:if=path ~ \"*.db\"' -p 812\n"
    "  utracectl inject fsync,fdatasync:delay=20ms -p 812        without a signal or EINTR\n"
    "  utracectl inject write:signal=TERM:when=100 -- ./server   at its 100th",
    Command::kProgramAfterDashes, DefineInject};

inline constexpr Command kResumeCommand = {
    "resume", "let go of what stop or hold holds",
    "  utracectl resume 812\n"
    "  utracectl resume 812/815 --engine 7         if several engines hold it\n"
    "  utracectl resume 812 --all",
    Command::kNoProgram, DefineResume};

inline constexpr Command kPsCommand = {
    "ps", "show threads: what they do, who holds them and since when, their ptracer",
    "  utracectl ps                                all threads that have engines\n"
    "  utracectl ps -p 812\n"
    "  utracectl ps -j | jq 'select(.engines[].hold)'",
    Command::kNoProgram, DefinePs};

inline constexpr Command kStackCommand = {
    "stack", "show what the threads of a process are in the middle of, without disturbing it",
    "  utracectl stack 812                         all threads, as they were at one moment\n"
    "  utracectl stack 812/815 -v                  one thread; lines of source, build ids\n"
    "  utracectl stack -j 812 | jq -r '.frames[0].symbol' | sort | uniq -c",
    Command::kNoProgram, DefineStack};

inline constexpr Command kEngineCommand = {
    "engine", "list, show and detach engines, also those of others; load engines in BPF",
    "  utracectl engine list\n"
    "  utracectl engine show 7\n"
    "  utracectl engine detach 7\n"
    "  sudo utracectl engine detach --all          the emergency brake\n"
    "  utracectl engine load faultinject.bpf.o --set call=openat --set error=ENOSPC -- make\n"
    "  utracectl engine load faultinject.bpf.o --set call=fsync --pin -p 812\n"
    "  utracectl engine read -f crashcatch         what one tells that is pinned\n"
    "  utracectl engine unload faultinject",
    Command::kProgramAfterDashes, DefineEngine};

inline constexpr Command kStatusCommand = {"status",
                                           "show the module, the kernel and the hooks in use",
                                           "  utracectl status", Command::kNoProgram, DefineStatus};

inline constexpr Command kDoctorCommand = {
    "doctor", "say what is missing on this machine and the command that mends it",
    "  utracectl doctor", Command::kNoProgram, DefineDoctor};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_COMMANDS_COMMANDS_H_
