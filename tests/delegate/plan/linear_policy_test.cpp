// What runs in place is what was asked for; else what the table says.

#include "delegate/plan/linear_policy.h"

#include <gtest/gtest.h>

namespace onepack {
namespace {

using linear::Weights;
using linear::WeightType;

Weights Square(WeightType type, size_t width) {
  Weights weights;
  weights.type = type;
  weights.outputs = width;
  weights.inputs = width;
  if (type == WeightType::kInt4Blocks) weights.block_size = 32;
  return weights;
}

TEST(LinearPolicyTest, WhatIsAskedForIsDoneWhateverTheWeights) {
  for (const WeightType type :
       {WeightType::kInt4Blocks, WeightType::kInt4Channels, WeightType::kInt8Channels,
        WeightType::kFloat32, WeightType::kFloat16, WeightType::kBfloat16}) {
    for (const size_t width : {32, 8192}) {
      EXPECT_TRUE(RunsInPlace(LinearLayout::kInPlace, Square(type, width)));
      EXPECT_FALSE(RunsInPlace(LinearLayout::kPacked, Square(type, width)));
    }
  }
}

// x86 is what it was measured on.
#if defined(__x86_64__)
TEST(LinearPolicyTest, OfItselfItTakesBlocksOfInt4AndFloatsInPlace) {
  for (const WeightType type : {WeightType::kInt4Blocks, WeightType::kFloat32, WeightType::kFloat16,
                                WeightType::kBfloat16}) {
    for (const size_t width : {32, 2048, 8192}) {
      EXPECT_TRUE(RunsInPlace(LinearLayout::kAuto, Square(type, width)));
    }
  }
}
#else
TEST(LinearPolicyTest, OfItselfItTakesFloatsOfAnAdapterInPlace) {
  Weights adapter = Square(WeightType::kFloat32, 4096);
  adapter.outputs = 16;
  EXPECT_TRUE(RunsInPlace(LinearLayout::kAuto, adapter));
  EXPECT_FALSE(RunsInPlace(LinearLayout::kAuto, Square(WeightType::kFloat32, 4096)));
}
#endif

}  // namespace
}  // namespace onepack
