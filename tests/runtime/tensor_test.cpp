#include "onepack/tensor.h"

#include <vector>

#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

const std::vector<int32_t> kSizes = {2, 3};
const std::vector<uint8_t> kOrder = {0, 1};

TEST(TensorTest, IsAViewOfTheCallersBytes) {
  std::vector<uint8_t> bytes(24);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Tensor tensor,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, bytes));
  EXPECT_EQ(tensor.data(), bytes.data());
  EXPECT_EQ(tensor.size_bytes(), 24u);
  EXPECT_EQ(tensor.rank(), 2u);
  EXPECT_FALSE(tensor.is_dynamic());
  EXPECT_FALSE(tensor.is_constant());
}

TEST(TensorTest, TooFewBytesAreRefused) {
  std::vector<uint8_t> bytes(23);
  EXPECT_TRUE(IsError(Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, bytes),
                      StatusCode::kInvalidArgument, {"float32 [2, 3]", "24", "23"}));
}

TEST(TensorTest, AnUnsoundLayoutIsRefused) {
  std::vector<uint8_t> bytes(24);
  const std::vector<uint8_t> order = {1, 1};
  EXPECT_TRUE(IsError(Tensor::Over({ScalarType::kFloat, kSizes, order}, bytes),
                      StatusCode::kInvalidFile, {"permutation"}));
}

TEST(TensorTest, ATensorThatIsNotDynamicKeepsItsSizes) {
  std::vector<uint8_t> bytes(24);
  ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor tensor,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, bytes));
  EXPECT_TRUE(IsOk(tensor.Resize(kSizes)));
  const std::vector<int32_t> smaller = {1, 3};
  EXPECT_TRUE(IsError(tensor.Resize(smaller), StatusCode::kInvalidArgument,
                      {"float32 [1, 3] given", "float32 [2, 3] expected"}));
  const std::vector<int32_t> flat = {6};
  EXPECT_TRUE(IsError(tensor.Resize(flat), StatusCode::kInvalidArgument));
}

// A tensor of another runtime.
class Home final : public TensorHome {
 public:
  Status Resize(Span<const int32_t> wanted) override {
    if (wanted.size() != sizes.size() || wanted[0] > 2) {
      return Status::Error(StatusCode::kInvalidArgument, "too large");
    }
    sizes.assign(wanted.begin(), wanted.end());
    return Status::Ok();
  }

  std::vector<int32_t> sizes = kSizes;
};

TEST(TensorTest, ATensorOfAnotherRuntimeIsResizedThere) {
  Home home;
  std::vector<uint8_t> bytes(24);
  const std::vector<int32_t> bounds = {2, 5};
  Tensor tensor = Tensor::Of(home, {ScalarType::kFloat, home.sizes, kOrder}, bounds, bytes.data());
  EXPECT_EQ(tensor.data(), bytes.data());
  EXPECT_EQ(tensor.mutable_data(), bytes.data());
  EXPECT_EQ(tensor.size_bytes(), 24u);
  EXPECT_EQ(tensor.bounds()[1], 5);
  const std::vector<int32_t> smaller = {1, 3};
  ASSERT_TRUE(IsOk(tensor.Resize(smaller)));
  EXPECT_EQ(home.sizes, smaller);
  EXPECT_EQ(tensor.sizes()[0], 1);
  EXPECT_EQ(tensor.size_bytes(), 12u);
  const std::vector<int32_t> larger = {3, 3};
  EXPECT_TRUE(IsError(tensor.Resize(larger), StatusCode::kInvalidArgument, {"too large"}));
  EXPECT_EQ(home.sizes, smaller);
}

TEST(TensorTest, ATensorOfAnotherRuntimeCannotBecomeAView) {
  Home home;
  std::vector<uint8_t> bytes(24);
  Tensor tensor =
      Tensor::Of(home, {ScalarType::kFloat, home.sizes, kOrder}, home.sizes, bytes.data());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Tensor source,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, bytes));
  EXPECT_TRUE(IsError(tensor.ViewOf(source, 0), StatusCode::kInvalidArgument,
                      {"a tensor of another runtime"}));
  EXPECT_FALSE(tensor.is_view());
}

TEST(TensorTest, AViewShowsTheBytesOfAnotherUntilItIsResized) {
  std::vector<uint8_t> source_bytes(48, 1);
  std::vector<uint8_t> bytes(24, 2);
  const std::vector<int32_t> source_sizes = {4, 3};
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const Tensor source, Tensor::Over({ScalarType::kFloat, source_sizes, kOrder}, source_bytes));
  ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor tensor,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, bytes));
  ASSERT_TRUE(IsOk(tensor.ViewOf(source, 24)));
  EXPECT_TRUE(tensor.is_view());
  EXPECT_EQ(tensor.data(), source_bytes.data() + 24);
  EXPECT_EQ(tensor.mutable_data(), bytes.data());
  ASSERT_TRUE(IsOk(tensor.Resize(kSizes)));
  EXPECT_FALSE(tensor.is_view());
  EXPECT_EQ(tensor.data(), bytes.data());
}

TEST(TensorTest, AViewThatIsEndedLeavesACopy) {
  std::vector<uint8_t> source_bytes(24, 1);
  std::vector<uint8_t> bytes(24, 2);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Tensor source,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, source_bytes));
  ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor tensor,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, bytes));
  tensor.EndView();
  EXPECT_EQ(bytes[0], 2);  // its own room, as it was
  ASSERT_TRUE(IsOk(tensor.ViewOf(source, 0)));
  tensor.EndView();
  EXPECT_FALSE(tensor.is_view());
  EXPECT_EQ(tensor.data(), bytes.data());
  EXPECT_EQ(bytes, source_bytes);
}

TEST(TensorTest, AViewEndsWhereItsSourceEnds) {
  std::vector<uint8_t> source_bytes(24);
  std::vector<uint8_t> bytes(24);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Tensor source,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, source_bytes));
  ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor tensor,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, bytes));
  EXPECT_TRUE(IsError(tensor.ViewOf(source, 4), StatusCode::kInvalidArgument, {"24", "4"}));
  EXPECT_TRUE(IsError(tensor.ViewOf(source, SIZE_MAX), StatusCode::kInvalidArgument));
  EXPECT_FALSE(tensor.is_view());
}

TEST(TensorTest, ATensorThatSharesItsRoomWithTheSourceNeedsNoView) {
  std::vector<uint8_t> bytes(24);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Tensor source,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, bytes));
  ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor tensor,
                               Tensor::Over({ScalarType::kFloat, kSizes, kOrder}, bytes));
  ASSERT_TRUE(IsOk(tensor.ViewOf(source, 0)));
  EXPECT_FALSE(tensor.is_view());
}

}  // namespace
}  // namespace onepack
