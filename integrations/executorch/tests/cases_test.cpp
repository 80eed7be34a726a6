// The recorded cases through ExecuTorch's Module, in each of its load modes.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "integrations/executorch/tests/backend_stats.h"
#include "integrations/executorch/tests/module_case.h"

namespace onepack {
namespace {

using Mode = Module::LoadMode;

// Also one whose channel stands elsewhere in the program than in the graph.
constexpr const char* kFamilies[] = {"lora_fp32", "lora_8da4w", "lora_8da8w", "scale_8da4w",
                                     "llm_fp32",  "llm_8da4w",  "one_channel"};

std::vector<std::string> AllRecordings() {
  std::vector<std::string> all;
  for (const char* family : kFamilies) {
    const std::vector<std::string> paths = RecordingsIn(family);
    all.insert(all.end(), paths.begin(), paths.end());
  }
  return all;
}

class CasesTest : public testing::TestWithParam<Mode> {};

INSTANTIATE_TEST_SUITE_P(, CasesTest, testing::Values(Mode::Mmap, Mode::File, Mode::MmapUseMlock),
                         [](const auto& mode) {
                           return mode.param == Mode::Mmap   ? "Mmap"
                                  : mode.param == Mode::File ? "File"
                                                             : "Mlock";
                         });

TEST_P(CasesTest, AllGiveTheirAnswersAliveTogetherInEitherOrder) {
  std::vector<std::string> paths = AllRecordings();
  for (const bool is_reversed : {false, true}) {
    if (is_reversed) std::reverse(paths.begin(), paths.end());
    std::vector<std::unique_ptr<ModuleCase>> cases;
    for (const std::string& path : paths) {
      cases.push_back(std::make_unique<ModuleCase>(path, GetParam()));
      EXPECT_EQ(cases.back()->Load(), "") << path;
    }
    for (const auto& one : cases) EXPECT_EQ(one->Run(), "") << one->recorded().name;
  }
  EXPECT_EQ(BackendStats()["pins"], 0u);
  EXPECT_EQ(BackendStats()["bytes"], BackendStats()["retained_bytes"]);
}

TEST_P(CasesTest, ASecondProgramPacksItsAdapterAlone) {
  const std::vector<std::string> paths = RecordingsIn("lora_8da8w");  // packed, not run in place
  ModuleCase first(paths[1], GetParam());
  ASSERT_EQ(first.Run(), "");
  const auto before = BackendStats();
  ModuleCase second(paths[2], GetParam());
  ASSERT_EQ(second.Run(), "");
  const auto after = BackendStats();
  EXPECT_GT(after.at("hits"), before.at("hits"));
  EXPECT_LT(after.at("bytes") - before.at("bytes"), before.at("bytes") / 2);
}

// Which load mode a program was loaded with makes no difference to what is shared.
TEST_P(CasesTest, MappedAndOtherBytesAreSharedWithEachOther) {
  for (const char* family : {"lora_8da8w", "lora_8da4w", "lora_fp32"}) {
    const std::string path = RecordingsIn(family)[0];
    ModuleCase first(path, GetParam() == Mode::File ? Mode::Mmap : Mode::File);
    ASSERT_EQ(first.Run(), "");
    const auto before = BackendStats();
    ModuleCase second(path, GetParam());
    ASSERT_EQ(second.Run(), "");
    EXPECT_EQ(BackendStats()["misses"], before.at("misses")) << family;
    EXPECT_EQ(BackendStats()["bytes"], before.at("bytes")) << family;
  }
}

}  // namespace
}  // namespace onepack
