// Every recorded case, all loaded into one process before the first one runs.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "tests/conformance/coverage.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tools/case_runner.h"

namespace onepack {
namespace {

constexpr char kCases[] = ONEPACK_CONFORMANCE_DIR "/cases";

Result<CaseRunner> LoadCase(ProgramLoader& loader, const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(RecordedCase recorded, ReadRecordedCase(path));
  return CaseRunner::Load(loader, std::move(recorded));
}

// Loads all, then runs all, so that each runs in the company of all others.
void RunAll(const ProgramLoaderOptions& options, const std::vector<std::string>& cases) {
  auto loader = ProgramLoader::Create(options);
  ASSERT_TRUE(IsOk(loader));
  std::vector<std::optional<CaseRunner>> runners(cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    auto runner = LoadCase(**loader, cases[i]);
    EXPECT_TRUE(IsOk(runner)) << cases[i];
    if (runner.ok()) runners[i].emplace(std::move(runner).value());
  }
  for (size_t i = 0; i < cases.size(); ++i) {
    if (!runners[i].has_value()) continue;
    const CaseOutcome outcome = runners[i]->Run();
    EXPECT_TRUE(outcome.passed) << cases[i] << ": " << outcome.reason;
    EXPECT_TRUE(outcome.compared) << cases[i];
  }
}

TEST(ConformanceTest, EveryCasePassesOverOneCache) {
  ProgramLoaderOptions options;
  options.share_packed_weights = true;
  options.linears = LinearLayout::kAuto;
  RunAll(options, CasesIn(kCases));
}

TEST(ConformanceTest, EveryCasePassesWithoutACacheAndWithAllPacked) {
  ProgramLoaderOptions options;
  options.share_packed_weights = false;
  options.linears = LinearLayout::kPacked;
  RunAll(options, CasesIn(kCases));
}

TEST(ConformanceTest, EveryCasePassesInPlace) {
  ProgramLoaderOptions options;
  options.linears = LinearLayout::kInPlace;
  RunAll(options, CasesIn(kCases));
}

TEST(ConformanceTest, EveryCasePassesInReverseOrderOnTwoThreads) {
  for (const LinearLayout linears : {LinearLayout::kPacked, LinearLayout::kInPlace}) {
    SCOPED_TRACE(linears == LinearLayout::kPacked ? "packed" : "in place");
    std::vector<std::string> cases = CasesIn(kCases);
    std::reverse(cases.begin(), cases.end());
    ProgramLoaderOptions options;
    options.linears = linears;
    options.threads = 2;
    RunAll(options, cases);
  }
}

// Those of programs that share a foundation: in place, packed, and both side by side.
TEST(ConformanceTest, RecordedProgramsThatShareFilesPassInPlaceInEitherOrder) {
  std::vector<std::string> cases;
  for (const auto& folder : std::filesystem::directory_iterator(TestData("cases"))) {
    if (!folder.is_directory()) continue;
    for (const std::string& path : CasesIn(folder.path().string())) cases.push_back(path);
  }
  std::sort(cases.begin(), cases.end());
  ASSERT_GE(cases.size(), 18u);
  for (const size_t threads : {1, 2}) {
    ProgramLoaderOptions options;
    options.linears = LinearLayout::kInPlace;
    options.threads = threads;
    RunAll(options, cases);
    std::reverse(cases.begin(), cases.end());
  }
}

// Each method is loaded and run twice over one cache; the second finds all its weights packed.
TEST(ConformanceTest, EveryCasePassesWithWeightsThatAnotherLoadHasPacked) {
  auto loader = ProgramLoader::Create(ProgramLoaderOptions());
  ASSERT_TRUE(IsOk(loader));
  for (const std::string& path : CasesIn(kCases)) {
    auto first = LoadCase(**loader, path);
    const size_t entries = (*loader)->weight_cache()->Stats().entries;
    auto second = LoadCase(**loader, path);
    EXPECT_TRUE(IsOk(first)) << path;
    EXPECT_TRUE(IsOk(second)) << path;
    if (!first.ok() || !second.ok()) continue;
    EXPECT_EQ((*loader)->weight_cache()->Stats().entries, entries) << path;
    EXPECT_TRUE(second->Run().passed) << path;
    EXPECT_TRUE(first->Run().passed) << path;
  }
}

TEST(ConformanceTest, ThereAreManyCasesAndTheyAreSmall) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kCases)) bytes += entry.file_size();
  EXPECT_GE(CasesIn(kCases).size(), 400u);
  EXPECT_LT(bytes, 8u << 20);
}

TEST(ConformanceTest, EveryFileBelongsToACase) {
  std::set<std::string> used;
  for (const std::string& path : CasesIn(kCases)) {
    auto recorded = ReadRecordedCase(path);
    ASSERT_TRUE(IsOk(recorded));
    used.insert(
        {path, std::filesystem::path(path).replace_extension(".bin").string(), recorded->program});
    used.insert(recorded->data.begin(), recorded->data.end());
  }
  for (const auto& entry : std::filesystem::directory_iterator(kCases)) {
    EXPECT_EQ(used.count(entry.path().string()), 1u) << entry.path();
  }
}

}  // namespace
}  // namespace onepack
