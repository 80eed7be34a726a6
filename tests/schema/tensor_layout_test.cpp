#include "onepack/tensor_layout.h"

#include <numeric>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

// A layout and what it is a view of.
struct Layout {
  ScalarType type = ScalarType::kFloat;
  std::vector<int32_t> sizes;
  std::vector<uint8_t> order;

  TensorLayout view() const { return {type, sizes, order}; }
};

TEST(TensorLayoutTest, SizesMultiply) {
  const Layout layout{ScalarType::kLong, {2, 3, 4}, {0, 1, 2}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const size_t bytes, VerifiedSizeBytes(layout.view()));
  EXPECT_EQ(bytes, 2u * 3 * 4 * 8);
}

TEST(TensorLayoutTest, AScalarHasOneElement) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const size_t bytes, VerifiedSizeBytes(Layout().view()));
  EXPECT_EQ(bytes, 4u);
}

TEST(TensorLayoutTest, AZeroSizeMakesItEmpty) {
  const Layout layout{ScalarType::kFloat, {5, 0, 7}, {0, 1, 2}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const size_t bytes, VerifiedSizeBytes(layout.view()));
  EXPECT_EQ(bytes, 0u);
}

TEST(TensorLayoutTest, AnUnknownTypeIsRefused) {
  const Layout layout{static_cast<ScalarType>(18), {1}, {0}};
  EXPECT_TRUE(
      IsError(VerifiedSizeBytes(layout.view()), StatusCode::kInvalidFile, {"scalar type 18"}));
}

TEST(TensorLayoutTest, TooManyDimensionsAreRefused) {
  Layout layout{ScalarType::kFloat, std::vector<int32_t>(16, 1), std::vector<uint8_t>(16)};
  std::iota(layout.order.begin(), layout.order.end(), uint8_t{0});
  EXPECT_TRUE(IsOk(VerifiedSizeBytes(layout.view())));
  layout.sizes.push_back(1);
  layout.order.push_back(16);
  EXPECT_TRUE(
      IsError(VerifiedSizeBytes(layout.view()), StatusCode::kInvalidFile, {"rank 17", "16"}));
}

TEST(TensorLayoutTest, ADimOrderThatIsNoPermutationIsRefused) {
  const StatusCode code = StatusCode::kInvalidFile;
  const std::vector<int32_t> sizes = {2, 3};
  EXPECT_TRUE(IsError(VerifiedSizeBytes(Layout{ScalarType::kFloat, sizes, {0}}.view()), code,
                      {"1 entries for rank 2"}));
  EXPECT_TRUE(IsError(VerifiedSizeBytes(Layout{ScalarType::kFloat, sizes, {1, 1}}.view()), code,
                      {"permutation"}));
  EXPECT_TRUE(IsError(VerifiedSizeBytes(Layout{ScalarType::kFloat, sizes, {0, 2}}.view()), code,
                      {"permutation"}));
  EXPECT_TRUE(IsError(VerifiedSizeBytes(Layout{ScalarType::kFloat, sizes, {0, 255}}.view()), code,
                      {"permutation"}));
}

TEST(TensorLayoutTest, ANegativeSizeIsRefused) {
  const Layout layout{ScalarType::kFloat, {2, -3}, {0, 1}};
  EXPECT_TRUE(IsError(VerifiedSizeBytes(layout.view()), StatusCode::kInvalidFile, {"-3"}));
}

TEST(TensorLayoutTest, AProductThatOverflowsIsRefusedEvenBesideAZero) {
  const Layout layout{ScalarType::kFloat, {0, INT32_MAX, INT32_MAX, INT32_MAX}, {0, 1, 2, 3}};
  EXPECT_TRUE(IsError(VerifiedSizeBytes(layout.view()), StatusCode::kInvalidFile, {"64 bits"}));
}

bool Same(const Layout& a, const Layout& b) { return SameLayout(a.view(), b.view()); }

TEST(SameLayoutTest, LooksAtTypeSizesAndOrder) {
  const Layout a{ScalarType::kFloat, {2, 3}, {0, 1}};
  EXPECT_TRUE(Same(a, a));
  EXPECT_FALSE(Same(a, {ScalarType::kInt, {2, 3}, {0, 1}}));
  EXPECT_FALSE(Same(a, {ScalarType::kFloat, {2, 4}, {0, 1}}));
  EXPECT_FALSE(Same(a, {ScalarType::kFloat, {2, 3}, {1, 0}}));
  EXPECT_FALSE(Same(a, Layout()));
  EXPECT_TRUE(Same(Layout(), Layout()));
}

TEST(SameLayoutTest, DimensionsOfSizeOneMayHaveAnyPlace) {
  const std::vector<std::vector<uint8_t>> orders = {{0, 1, 2, 3}, {0, 2, 3, 1}, {0, 2, 1, 3}};
  for (const auto& a : orders) {
    for (const auto& b : orders) {
      EXPECT_TRUE(
          Same({ScalarType::kFloat, {1, 1, 7, 5}, a}, {ScalarType::kFloat, {1, 1, 7, 5}, b}));
      EXPECT_EQ(Same({ScalarType::kFloat, {1, 3, 7, 5}, a}, {ScalarType::kFloat, {1, 3, 7, 5}, b}),
                a == b);
    }
  }
  const Layout pixel{ScalarType::kFloat, {4, 3, 1, 1}, {0, 1, 2, 3}};
  EXPECT_TRUE(Same(pixel, {ScalarType::kFloat, {4, 3, 1, 1}, {0, 2, 3, 1}}));
  EXPECT_FALSE(Same(pixel, {ScalarType::kFloat, {4, 3, 1, 1}, {1, 0, 2, 3}}));
}

TEST(SameLayoutTest, WhereThereIsAtMostOneElementAllOrdersAreTheSame) {
  EXPECT_TRUE(
      Same({ScalarType::kFloat, {1, 1, 1}, {0, 1, 2}}, {ScalarType::kFloat, {1, 1, 1}, {2, 0, 1}}));
  EXPECT_TRUE(
      Same({ScalarType::kFloat, {4, 0, 3}, {0, 1, 2}}, {ScalarType::kFloat, {4, 0, 3}, {2, 0, 1}}));
  EXPECT_FALSE(
      Same({ScalarType::kFloat, {4, 0, 3}, {0, 1, 2}}, {ScalarType::kFloat, {3, 0, 4}, {0, 1, 2}}));
}

// They were not verified.
TEST(SameLayoutTest, OrdersThatAreNoPermutationsAreCompared) {
  EXPECT_FALSE(Same({ScalarType::kFloat, {2, 1}, {0}}, {ScalarType::kFloat, {2, 1}, {0, 1}}));
  EXPECT_FALSE(Same({ScalarType::kFloat, {2, 1}, {0, 9}}, {ScalarType::kFloat, {2, 1}, {0, 1}}));
  EXPECT_TRUE(Same({ScalarType::kFloat, {2, 1}, {0, 9}}, {ScalarType::kFloat, {2, 1}, {0, 9}}));
}

TEST(LayoutTextTest, ShowsTypeSizesAndAnUnusualOrder) {
  EXPECT_STREQ(LayoutText(Layout{ScalarType::kFloat, {64, 128}, {0, 1}}.view()).c_str(),
               "float32 [64, 128]");
  EXPECT_STREQ(LayoutText(Layout{ScalarType::kChar, {2, 3}, {1, 0}}.view()).c_str(),
               "int8 [2, 3] dim_order [1, 0]");
  EXPECT_STREQ(LayoutText(Layout().view()).c_str(), "float32 []");
}

TEST(LayoutTextTest, FitsHoweverLongTheLayoutIs) {
  const Layout layout{ScalarType::kFloat8E4M3FNUZ, std::vector<int32_t>(300, INT32_MIN),
                      std::vector<uint8_t>(300, 255)};
  EXPECT_LT(std::string(LayoutText(layout.view()).c_str()).size(), 512u);
}

}  // namespace
}  // namespace onepack
