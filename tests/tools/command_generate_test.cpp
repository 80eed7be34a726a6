// onepack generate, from the outside.

#include <gtest/gtest.h>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

CommandResult Generate(const std::string& program, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"generate", "--program", program};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunOnepack(arguments);
}

std::string Model(const std::string& name) { return TestData("language_models/" + name + ".pte"); }

TEST(GenerateCommandTest, StopsAtTheEndThatTheModelNames) {
  for (const char* name : {"eos_ids", "eos_id"}) {
    const CommandResult result = Generate(Model(name), {"--tokens", "9"});
    EXPECT_EQ(result.exit_status, 0) << result.err;
    EXPECT_EQ(LinesOf(result.out)[0], "7 0 58") << name;
    EXPECT_TRUE(Contains(result.out, "stopped: a stop token")) << result.out;
  }
}

TEST(GenerateCommandTest, HalfLogitsAndInt32IdsAreFine) {
  for (const char* name : {"half_logits", "int32_ids"}) {
    const CommandResult result = Generate(Model(name), {"--tokens", "0", "--max-new-tokens", "8"});
    EXPECT_EQ(result.exit_status, 0) << result.err;
    EXPECT_EQ(LinesOf(result.out)[0], "58 50 32 62 2 28 24 24") << name;
  }
}

TEST(GenerateCommandTest, AContextGoesOnInAnotherProcess) {
  const TempFolder folder;
  const std::string context = folder.File("context");
  const std::string model = Model("state_update_cache");
  const CommandResult whole = Generate(model, {"--tokens", "3,5,1,2", "--max-new-tokens", "5"});
  EXPECT_EQ(Generate(model, {"--tokens", "3,5", "--max-new-tokens", "1", "--save-context", context})
                .exit_status,
            0);
  const CommandResult rest =
      Generate(model, {"--tokens", "1,2", "--max-new-tokens", "5", "--load-context", context});
  EXPECT_EQ(rest.exit_status, 0) << rest.err;
  EXPECT_EQ(LinesOf(rest.out)[0], LinesOf(whole.out)[0]);
  const CommandResult other =
      Generate(Model("state_index_copy"), {"--tokens", "1", "--load-context", context});
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_TRUE(Contains(other.err, context + ": a context of a model of another program"))
      << other.err;
}

TEST(GenerateCommandTest, AMethodOfAnotherNameIsAskedFor) {
  const CommandResult result = Generate(Model("eos_id"), {"--tokens", "9", "--method", "backward"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.err, "no method 'backward'; it has 'forward'")) << result.err;
}

}  // namespace
}  // namespace onepack
