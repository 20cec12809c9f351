// SPDX-License-Identifier: Apache-2.0
// The commands, by the files that hold them. command.cc lists them in the order of the help.
#ifndef UTRACE_UTRACECTL_COMMANDS_COMMANDS_H_
#define UTRACE_UTRACECTL_COMMANDS_COMMANDS_H_

#include "userspace/utracectl/command.h"

namespace utrace {

Run DefineTrace(CLI::App& app);
Run DefineRecord(CLI::App& app);
Run DefineReport(CLI::App& app);
Run DefineDoctor(CLI::App& app);

inline constexpr Command kTraceCommand = {
    "trace", "print what a program or process does, live",
    "  utracectl trace -f -- make -j4         a command and all its children\n"
    "  utracectl trace -p 812 -o nginx.txt    a running process, into a file\n"
    "  utracectl trace -j -p 812 | jq .name   for programs: JSON Lines",
    true, DefineTrace};

inline constexpr Command kRecordCommand = {
    "record", "write what a program or process does to a file, at the least cost",
    "  utracectl record -o run.utr -f -- make -j4\n"
    "  utracectl report run.utr",
    true, DefineRecord};

inline constexpr Command kReportCommand = {
    "report", "print a recording",
    "  utracectl report run.utr\n"
    "  utracectl report -j run.utr | jq 'select(.errno == \"ENOENT\")'",
    false, DefineReport};

inline constexpr Command kDoctorCommand = {
    "doctor", "say what is missing on this machine and the command that mends it",
    "  utracectl doctor", false, DefineDoctor};

}  // namespace utrace

#endif  // UTRACE_UTRACECTL_COMMANDS_COMMANDS_H_
