#include "delegate/xnn/initialize.h"

#include <cpuinfo.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "tests/support/delegate_fixture.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint32_t kWidth = 64;
// More than two whole tiles of the largest kernel, and every number of rows that can be left over.
constexpr uint32_t kMaxRows = 36;

// Whether XNNPACK, left alone, takes kernels of more rows than it pads for.
bool HasKernelsThatReadPastThePadding() {
#if (defined(__x86_64__) || defined(__i386__)) && XNN_EXTRA_QUANTIZATION_PARAMS < 15
  if (!cpuinfo_initialize()) return false;
  return cpuinfo_has_x86_avx512vnni() && cpuinfo_has_x86_gfni() &&
         cpuinfo_get_core(0)->uarch != cpuinfo_uarch_zen4;
#else
  return false;
#endif
}

TEST(XnnInitializeTest, RowsOfABatchAreWhatTheyAreAlone) {
  for (const WeightKind kind : {WeightKind::kFloat, WeightKind::kInt8, WeightKind::kInt4}) {
    SCOPED_TRACE(static_cast<int>(kind));
    LinearProgram program;
    program.layers = {{"w", kWidth, kWidth, kind}, {"v", kWidth, kWidth, kind, 1}};
    program.max_rows = kMaxRows;
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const Ref<Method> method,
        LoadMethod(SourceOf(MakeLinearProgram(program), "p.pte"),
                   {SourceOf(MakeData(DataOf(program.layers)), "d.ptd")}, nullptr));
    const std::vector<float> rows = MakeRows(kMaxRows, kWidth);
    std::vector<float> alone;
    for (uint32_t row = 0; row < kMaxRows; ++row) {
      const auto start = rows.begin() + row * kWidth;
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto y,
                                   RunLinear(*method, {start, start + kWidth}, kWidth));
      alone.insert(alone.end(), y.begin(), y.end());
    }
    for (uint32_t count = 1; count <= kMaxRows; ++count) {
      const size_t size = count * kWidth;
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto together,
                                   RunLinear(*method, {rows.begin(), rows.begin() + size}, kWidth));
      EXPECT_LT(LargestDifference(together, {alone.begin(), alone.begin() + size}), 1e-4f)
          << count << " rows";
    }
  }
}

// In a process of its own, because XNNPACK chooses its kernels once.
TEST(XnnInitializeDeathTest, AKernelThatWasChosenBeforeIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto initialize_too_late = [] {
    if (xnn_initialize(nullptr) != xnn_status_success) exit(1);
    const Status status = InitializeXnnpack();
    fprintf(stderr, "%s", status.ok() ? "initialized" : status.message());
    exit(0);
  };
  EXPECT_EXIT(initialize_too_late(), testing::ExitedWithCode(0),
              HasKernelsThatReadPastThePadding() ? "create the backend first" : "initialized");
}

}  // namespace
}  // namespace onepack
