// Every recorded case, all loaded into one process before the first one runs.

#include <gtest/gtest.h>
#include <sys/auxv.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#endif

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

// Of the processors that this is tested on, x86 ones compute with fp16 by way of fp32.
bool ProcessorComputesWithFloat16() {
#if defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDHP) != 0;
#else
  return true;
#endif
}

// XNNPACK has no kernels for it then, and a program that needs them is refused by name.
bool IsRefusedForFloat16(const Result<CaseRunner>& runner) {
  return !ProcessorComputesWithFloat16() &&
         IsError(runner, StatusCode::kUnsupported,
                 {"graph node ", "XNNPACK has no kernel for fp16", "has no fp16 arithmetic"});
}

Result<CaseRunner> LoadCase(ProgramLoader& loader, const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(RecordedCase recorded, ReadRecordedCase(path));
  return CaseRunner::Load(loader, std::move(recorded));
}

// Loads all, then runs all, so that each runs in the company of all others. The names of those that
// are refused for their fp16.
std::vector<std::string> RunAll(const ProgramLoaderOptions& options,
                                const std::vector<std::string>& cases) {
  std::vector<std::string> refused;
  auto loader = ProgramLoader::Create(options);
  EXPECT_TRUE(IsOk(loader));
  if (!loader.ok()) return refused;
  std::vector<std::optional<CaseRunner>> runners(cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    auto runner = LoadCase(**loader, cases[i]);
    if (IsRefusedForFloat16(runner)) {
      refused.push_back(std::filesystem::path(cases[i]).stem().string());
      continue;
    }
    EXPECT_TRUE(IsOk(runner)) << cases[i];
    if (runner.ok()) runners[i].emplace(std::move(runner).value());
  }
  for (size_t i = 0; i < cases.size(); ++i) {
    if (!runners[i].has_value()) continue;
    const CaseOutcome outcome = runners[i]->Run();
    EXPECT_TRUE(outcome.passed) << cases[i] << ": " << outcome.reason;
    EXPECT_TRUE(outcome.compared) << cases[i];
  }
  return refused;
}

// What moves fp16 numbers, or computes with each by itself, works on every processor.
TEST(ConformanceTest, CasesThatNeedFloat16ArithmeticAreRefusedWhereThereIsNoneAndNoOthers) {
  ProgramLoaderOptions options;
  options.linears = LinearLayout::kAuto;
  const std::vector<std::string> refused = RunAll(options, CasesIn(kCases));
  const auto is_refused = [&](const char* name) {
    return std::find(refused.begin(), refused.end(), name) != refused.end();
  };
  for (const char* name : {"conv2d_f16", "linear_f16", "lstm_f16", "maxpool_f16", "softmax_f16"}) {
    EXPECT_EQ(is_refused(name), !ProcessorComputesWithFloat16()) << name;
  }
  for (const std::string& name : refused) {
    EXPECT_NE(name.find("_f16"), std::string::npos) << name;
  }
  for (const char* name : {"add_f16", "permute_f16", "slice_f16", "tanh_f16"}) {
    EXPECT_FALSE(is_refused(name)) << name;
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
    if (IsRefusedForFloat16(first) && IsRefusedForFloat16(second)) continue;
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
