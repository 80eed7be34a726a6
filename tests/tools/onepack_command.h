// Runs the built onepack command as a child process.
//
//     const CommandResult result = RunOnepack({"inspect", path});
//     EXPECT_EQ(result.exit_status, 0);
//
// Errors: throws, and so fails the test, when the child cannot be started or is killed by a signal.

#ifndef ONEPACK_TESTS_TOOLS_ONEPACK_COMMAND_H_
#define ONEPACK_TESTS_TOOLS_ONEPACK_COMMAND_H_

#include <string>
#include <vector>

namespace onepack {

struct CommandResult {
  int exit_status = 0;
  std::string out;
  std::string err;
};

enum class StandardOutput { kTaken, kFull, kClosed };

CommandResult RunOnepack(const std::vector<std::string>& arguments,
                         StandardOutput output = StandardOutput::kTaken);

// The signal that ends the command when its output goes to a pipe without a reader; 0: none did.
int SignalOfOnepackWithoutReader(const std::vector<std::string>& arguments);

// Without their newlines.
std::vector<std::string> LinesOf(const std::string& text);

bool Contains(const std::string& text, const std::string& part);

// That the command failed, and said why in one line of standard error.
void ExpectFailed(const CommandResult& result, const std::string& reason);

// "lora_fp32/base.json" and so on: the recorded cases that are in the repository, as paths.
std::vector<std::string> RecordedCases();

// A file of the case lora_fp32: CaseFile("base.pte").
std::string CaseFile(const std::string& name);

}  // namespace onepack

#endif  // ONEPACK_TESTS_TOOLS_ONEPACK_COMMAND_H_
