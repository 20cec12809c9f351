// SPDX-License-Identifier: Apache-2.0
#include "userspace/libutrace/decode/constants.h"

#include <fcntl.h>
#include <signal.h>

#include "gtest/gtest.h"
#include "userspace/libutrace/decode/copy_rules.h"
#include "userspace/libutrace/decode/quote.h"

namespace utrace {
namespace {

TEST(ConstantsTest, AZeroWordIsItsBaseNameOrZero) {
  EXPECT_EQ(FlagsText(SetId::kOpen, 0), "O_RDONLY");
  EXPECT_EQ(FlagsText(SetId::kWait, 0), "0");
  EXPECT_EQ(FlagsText(SetId::kProt, 0), "PROT_NONE");
}

TEST(ConstantsTest, ANameThatHoldsAnotherIsPrintedAlone) {
  EXPECT_EQ(FlagsText(SetId::kOpen, O_WRONLY | O_SYNC), "O_WRONLY|O_SYNC");
  EXPECT_EQ(FlagsText(SetId::kOpen, O_WRONLY | O_DSYNC), "O_WRONLY|O_DSYNC");
}

TEST(ConstantsTest, BitsWithoutANameFollowInHexadecimal) {
  EXPECT_EQ(FlagsText(SetId::kOpen, O_RDWR | 0x40000000), "O_RDWR|0x40000000");
}

TEST(ConstantsTest, SignalsHaveTheKernelsNames) {
  EXPECT_EQ(SignalName(SIGCHLD), "SIGCHLD");
  EXPECT_EQ(SignalName(SIGABRT), "SIGABRT");
  EXPECT_EQ(SignalName(32), "SIGRTMIN");
  EXPECT_EQ(SignalName(34), "SIGRT_2");
  EXPECT_EQ(SignalNumber("SIGSEGV"), SIGSEGV);
  EXPECT_EQ(SignalNumber("SEGV"), SIGSEGV);
  EXPECT_EQ(SignalNumber("RT_2"), 34);
  EXPECT_EQ(SignalNumber("NOSUCH"), 0);
  EXPECT_EQ(SignalNumber(""), 0);
  EXPECT_EQ(SignalSetText(1u << (SIGINT - 1) | uint64_t{1} << 32), "[INT RT_1]");
  EXPECT_EQ(SignalSetText(~(uint64_t{3} << 31)), "~[RTMIN RT_1]");
}

TEST(ConstantsTest, CodesAreReadByTheirSignal) {
  EXPECT_EQ(SignalCodeText(SIGCHLD, CLD_KILLED), "CLD_KILLED");
  EXPECT_EQ(SignalCodeText(SIGSEGV, SEGV_MAPERR), "SEGV_MAPERR");
  EXPECT_EQ(SignalCodeText(SIGTERM, SI_USER), "SI_USER");
  EXPECT_EQ(SignalCodeText(SIGTERM, SI_TKILL), "SI_TKILL");
  EXPECT_EQ(SignalCodeText(SIGSEGV, 0x80), "SI_KERNEL");
}

TEST(ConstantsTest, ModesAreOctal) {
  EXPECT_EQ(FileModeText(0100644), "S_IFREG|0644");
  EXPECT_EQ(FileModeText(0104755), "S_IFREG|S_ISUID|0755");
  EXPECT_EQ(PermissionText(0), "000");
}

TEST(QuoteTest, EscapesAsCDoes) {
  EXPECT_EQ(Quote(absl::string_view("a\"\\\n\0b\0001\377", 9)), R"("a\"\\\n\0b\0001\377")");
  EXPECT_EQ(QuoteUpTo("abcdef", 3, false), "\"abc\"...");
}

TEST(CopyRulesTest, AReadGivesItsBufferByTheResult) {
  const CopyRuleTable table = CopyRulesFor(Abi::kX8664);
  const utrace_copy_rule& rule = table[0].rule[0];
  EXPECT_EQ(rule.arg, 1);
  EXPECT_EQ(rule.kind, UTRACE_COPY_BYTES);
  EXPECT_EQ(rule.len_from, UTRACE_LEN_RESULT);
  EXPECT_EQ(rule.size, 1);
  EXPECT_EQ(rule.flags, UTRACE_COPY_F_RESULT);
}

TEST(CopyRulesTest, ARenameGivesBothItsPaths) {
  const CopyRuleTable table = CopyRulesFor(Abi::kX8664);
  const int nr = *SyscallNumber(Abi::kX8664, "rename");
  EXPECT_EQ(table[static_cast<size_t>(nr)].rule[0].kind, UTRACE_COPY_STRING);
  EXPECT_EQ(table[static_cast<size_t>(nr)].rule[1].kind, UTRACE_COPY_STRING);
  EXPECT_EQ(table[static_cast<size_t>(nr)].rule[1].arg, 1);
}

}  // namespace
}  // namespace utrace
