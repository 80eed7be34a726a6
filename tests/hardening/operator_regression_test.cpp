// Calls of operators that once went wrong, or would have.

#include <gtest/gtest.h>
#include <string.h>
#include <time.h>

#include <deque>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "onepack/cpu_operators.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

// Arguments in memory of just their size.
class Call {
 public:
  template <typename T>
  Call& Of(ScalarType type, std::vector<int32_t> sizes, const std::vector<T>& numbers) {
    const size_t bytes = numbers.size() * sizeof(T);
    uint8_t* data = data_.emplace_back(new uint8_t[bytes]).get();
    if (bytes > 0) memcpy(data, numbers.data(), bytes);
    const std::vector<int32_t>& kept = sizes_.emplace_back(std::move(sizes));
    std::vector<uint8_t>& order = orders_.emplace_back(kept.size());
    std::iota(order.begin(), order.end(), uint8_t{0});
    auto tensor = Tensor::Over({type, kept, order}, {data, bytes});
    EXPECT_TRUE(IsOk(tensor));
    return Add(Value::OfTensor(&tensors_.emplace_back(std::move(tensor).value())));
  }
  Call& Floats(std::vector<int32_t> sizes, const std::vector<float>& numbers) {
    return Of(ScalarType::kFloat, std::move(sizes), numbers);
  }
  Call& Longs(std::vector<int32_t> sizes, const std::vector<int64_t>& numbers) {
    return Of(ScalarType::kLong, std::move(sizes), numbers);
  }
  Call& Ints(const std::vector<int64_t>& numbers) {
    std::vector<Value*>& items = items_.emplace_back();
    for (const int64_t number : numbers) {
      items.push_back(&values_.emplace_back(Value::OfInt(number)));
    }
    return Add(Value::OfList(ValueKind::kIntList, {items.data(), items.size()}));
  }
  Call& Add(Value value) {
    arguments_.push_back(&values_.emplace_back(value));
    return *this;
  }

  Status Run(const std::string& name) {
    auto operators = CpuOperators::Create({});
    EXPECT_TRUE(IsOk(operators));
    const Operator* op = operators->registry().Find(name, "");
    if (op == nullptr) return Status::Error(StatusCode::kNotFound, "%s", name.c_str());
    timespec start{};
    timespec end{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    Status status = op->function(op->context, {arguments_.data(), arguments_.size()});
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    EXPECT_LT(end.tv_sec - start.tv_sec, 2) << name;
    return status;
  }
  template <typename T>
  T Result(size_t index) const {
    T number;
    memcpy(&number, tensors_.back().data() + index * sizeof(T), sizeof(T));
    return number;
  }

 private:
  std::deque<std::unique_ptr<uint8_t[]>> data_;
  std::deque<std::vector<int32_t>> sizes_;
  std::deque<std::vector<uint8_t>> orders_;
  std::deque<Tensor> tensors_;
  std::deque<std::vector<Value*>> items_;
  std::deque<Value> values_;
  std::vector<Value*> arguments_;
};

constexpr double kFactors[] = {1e-320,
                               1e-30,
                               1e30,
                               -1,
                               std::numeric_limits<double>::quiet_NaN(),
                               std::numeric_limits<double>::infinity()};

TEST(OperatorRegressionTest, AScaleOfAnySizeReadsInsideTheImage) {
  for (const double factor : kFactors) {
    const Value scale = Value::OfDouble(factor);
    Call nearest;
    nearest.Floats({1, 1, 2, 2}, {1, 2, 3, 4}).Ints({2, 2}).Add(scale).Add(scale);
    nearest.Floats({1, 1, 2, 2}, {0, 0, 0, 0});
    EXPECT_TRUE(IsOk(nearest.Run("aten::upsample_nearest2d.out"))) << factor;
    Call bilinear;
    bilinear.Floats({1, 1, 2, 2}, {1, 2, 3, 4}).Ints({2, 2}).Add(Value::OfBool(false));
    bilinear.Add(scale).Add(scale).Floats({1, 1, 2, 2}, {0, 0, 0, 0});
    EXPECT_TRUE(IsOk(bilinear.Run("aten::upsample_bilinear2d.out"))) << factor;
  }
}

TEST(OperatorRegressionTest, AnEmptyBatchOfLargeImagesTakesNoTime) {
  Call nearest;
  nearest.Floats({0, 1, 1, 1}, {}).Ints({1 << 30, 1 << 30}).Add(Value()).Add(Value());
  nearest.Floats({0, 1, 1 << 30, 1 << 30}, {});
  EXPECT_TRUE(IsOk(nearest.Run("aten::upsample_nearest2d.out")));
}

Call& WithConvolution(Call& call, int64_t padding) {
  return call.Add(Value())
      .Ints({1})
      .Ints({padding})
      .Ints({1})
      .Add(Value::OfBool(false))
      .Ints({0})
      .Add(Value::OfInt(1));
}

TEST(OperatorRegressionTest, AKernelWithoutChannelsTakesNoTimeWhateverItsWidth) {
  Call call;
  call.Floats({1, 0, 1}, {}).Floats({1, 0, 1000000000}, {});
  WithConvolution(call, 500000000).Floats({1, 1, 2}, {1, 1});
  EXPECT_TRUE(IsOk(call.Run("aten::convolution.out")));
  EXPECT_EQ(call.Result<float>(0), 0);
  EXPECT_EQ(call.Result<float>(1), 0);
}

TEST(OperatorRegressionTest, IntegersWrapAroundInProductsAndConvolutions) {
  Call convolution;
  convolution.Longs({1, 1, 2}, {INT64_MAX, INT64_MAX}).Longs({1, 1, 2}, {3, 3});
  WithConvolution(convolution, 0).Longs({1, 1, 1}, {0});
  EXPECT_TRUE(IsOk(convolution.Run("aten::convolution.out")));
  EXPECT_EQ(convolution.Result<int64_t>(0), -6);
  Call product;
  product.Longs({1, 1}, {1}).Longs({1, 1}, {INT64_MAX}).Longs({1, 1}, {2});
  product.Add(Value::OfInt(1)).Add(Value::OfInt(INT64_MAX)).Longs({1, 1}, {0});
  EXPECT_TRUE(IsOk(product.Run("aten::addmm.out")));
  EXPECT_EQ(product.Result<int64_t>(0), 3);
}

TEST(OperatorRegressionTest, ABlockOfAnySizeFitsADimensionWithoutElements) {
  Call call;
  call.Floats({0}, {}).Ints({INT64_MAX}).Floats({0}, {}).Add(Value()).Add(Value::OfInt(1));
  call.Add(Value::OfInt(-128)).Add(Value::OfInt(127));
  call.Of<int8_t>(ScalarType::kChar, {0}, {});
  EXPECT_TRUE(IsOk(call.Run("torchao::quantize_affine.out")));
}

}  // namespace
}  // namespace onepack
