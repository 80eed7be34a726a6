#include "delegate/xnn/initialize.h"

#include <cpuinfo.h>
#include <gtest/gtest.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <vector>

#include "delegate/xnn/handles.h"
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

// Whether XNNPACK, left alone, takes kernels that write outputs of fp16 to the wrong place.
bool HasKernelsThatMisplaceHalves() {
#if (defined(__x86_64__) || defined(__i386__)) && XNN_EXTRA_QUANTIZATION_PARAMS < 15
  return cpuinfo_initialize() && cpuinfo_has_x86_avx512fp16();
#else
  return false;
#endif
}

// A row of fp16 ones times a matrix of them, by XNNPACK as it is.
bool HalvesAreRight() {
  constexpr size_t kSize = 64;
  const size_t dims[] = {kSize, kSize}, row[] = {1, kSize};
  constexpr uint16_t kOne = 0x3C00, kSum = 0x5400;  // 64
  std::vector<uint16_t> matrix(kSize * kSize, kOne), x(kSize + XNN_EXTRA_BYTES, kOne);
  std::vector<uint16_t> y(kSize + XNN_EXTRA_BYTES);
  xnn_subgraph_t created_graph = nullptr;
  if (xnn_create_subgraph(2, 0, &created_graph) != xnn_status_success) return false;
  const XnnSubgraph graph(created_graph);
  uint32_t in = 0, weight = 0, out = 0;
  const auto define = [&](const size_t* sizes, const void* data, uint32_t external, uint32_t flags,
                          uint32_t& id) {
    return xnn_define_tensor_value(graph.get(), xnn_datatype_fp16, 2, sizes, data, external, flags,
                                   &id) == xnn_status_success;
  };
  xnn_workspace_t created_workspace = nullptr;
  if (xnn_create_workspace(&created_workspace) != xnn_status_success) return false;
  const XnnWorkspace workspace(created_workspace);
  xnn_runtime_t created = nullptr;
  if (!define(row, nullptr, 0, XNN_VALUE_FLAG_EXTERNAL_INPUT, in) ||
      !define(dims, matrix.data(), XNN_INVALID_VALUE_ID, 0, weight) ||
      !define(row, nullptr, 1, XNN_VALUE_FLAG_EXTERNAL_OUTPUT, out) ||
      xnn_define_fully_connected(graph.get(), -INFINITY, INFINITY, in, weight, XNN_INVALID_VALUE_ID,
                                 out, 0) != xnn_status_success ||
      xnn_create_runtime_v4(graph.get(), nullptr, workspace.get(), nullptr, 0, &created) !=
          xnn_status_success) {
    return false;
  }
  const XnnRuntime runtime(created);
  const xnn_external_value values[] = {{0, x.data()}, {1, y.data()}};
  return xnn_reshape_runtime(runtime.get()) == xnn_status_success &&
         xnn_setup_runtime_v2(runtime.get(), 2, values) == xnn_status_success &&
         xnn_invoke_runtime(runtime.get()) == xnn_status_success &&
         std::all_of(y.begin(), y.begin() + kSize, [](uint16_t sum) { return sum == kSum; });
}

// The next two in processes of their own, because XNNPACK chooses its kernels once.
TEST(XnnInitializeDeathTest, OutputsOfHalfAreWhereTheyBelong) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto answer = [](bool is_initialized) {
    fputs(!is_initialized ? "not initialized" : HalvesAreRight() ? "right" : "wrong", stderr);
    exit(0);
  };
  EXPECT_EXIT(answer(InitializeXnnpack().ok()), testing::ExitedWithCode(0), "right");
  EXPECT_EXIT(answer(xnn_initialize(nullptr) == xnn_status_success), testing::ExitedWithCode(0),
              HasKernelsThatMisplaceHalves() ? "wrong" : "right");
}

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
