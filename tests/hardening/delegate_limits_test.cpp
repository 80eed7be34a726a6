// Payloads whose constants are small and what they ask to make of them is not.

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint32_t kWidth = 64;

Status Load(PayloadWriter& payload) {
  auto method = LoadMethod(
      SourceOf(MakeProgramAround(payload.Finish(), 1, kWidth, kWidth), "greedy.pte"), {}, nullptr);
  return method.ok() ? Status::Ok() : method.TakeStatus();
}

// `count` linear layers over one weight, one after the other, each clamped at another number.
Status LoadLayersOfOneWeight(uint32_t count, bool are_equal) {
  const std::vector<float> weight(size_t{kWidth} * kWidth, 0.125f);
  PayloadWriter payload;
  const uint32_t filter =
      payload.AddConstant({kWidth, kWidth}, payload.AddOwnConstant(AsBytes(weight)));
  uint32_t last = payload.AddInput({1, kWidth});
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t next = payload.AddInternal({1, kWidth});
    const float limit = are_equal ? 1.0f : static_cast<float>(i + 1);
    payload.AddFullyConnected(last, filter, next, PayloadWriter::kNoValue, 0,
                              std::make_pair(-limit, limit));
    last = next;
  }
  payload.AddSigmoid(last, payload.AddOutput({1, kWidth}));
  return Load(payload);
}

TEST(DelegateLimitsTest, OneWeightForManyEqualLayersIsPackedOnce) {
  EXPECT_TRUE(IsOk(LoadLayersOfOneWeight(200, /*are_equal=*/true)));
}

TEST(DelegateLimitsTest, OneWeightInAFewFormsIsPackedForEach) {
  EXPECT_TRUE(IsOk(LoadLayersOfOneWeight(8, /*are_equal=*/false)));
}

TEST(DelegateLimitsTest, OneWeightInVeryManyFormsIsRefused) {
  EXPECT_TRUE(IsError(LoadLayersOfOneWeight(1200, /*are_equal=*/false), StatusCode::kInvalidFile,
                      {"greedy.pte", "delegate 0", "packing all weights"}));
}

}  // namespace
}  // namespace onepack
