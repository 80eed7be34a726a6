// Poolings against plain loops.

#include <algorithm>
#include <limits>
#include <string>

#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

using wire::xnnpack::CreateXNNArgMaxPooling2d;
using wire::xnnpack::CreateXNNNode1x1;
using wire::xnnpack::CreateXNNPooling2D;

constexpr uint32_t kKeepDims = 0x40;

struct Pooling {
  uint32_t size = 2;
  uint32_t stride = 2;
  uint32_t dilation = 1;
  uint32_t padding = 0;
  uint32_t flags = kKeepDims;
};

AddNode Pool(XNodeUnion type, const Pooling& p) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    const auto node =
        CreateXNNPooling2D(payload.builder(), p.padding, p.padding, p.padding, p.padding, p.size,
                           p.size, p.stride, p.stride, p.dilation, p.dilation, in, out, p.flags);
    payload.AddNode(type, node.Union());
  };
}

uint32_t OutputSize(const Pooling& p, uint32_t input) {
  return (input + 2 * p.padding - ((p.size - 1) * p.dilation + 1)) / p.stride + 1;
}

// One image of `size` by `size` with two channels. `reduce` is given what lies under the window.
template <typename Reduce>
std::vector<float> Expected(const Pooling& p, uint32_t size, const std::vector<float>& x,
                            Reduce reduce) {
  std::vector<float> y;
  const uint32_t out = OutputSize(p, size);
  for (uint32_t i = 0; i < out * out * 2; ++i) {
    std::vector<float> window;
    for (uint32_t k = 0; k < p.size * p.size; ++k) {
      const auto row = static_cast<int>(i / 2 / out * p.stride + k / p.size * p.dilation) -
                       static_cast<int>(p.padding);
      const auto column = static_cast<int>(i / 2 % out * p.stride + k % p.size * p.dilation) -
                          static_cast<int>(p.padding);
      const auto end = static_cast<int>(size);
      if (row < 0 || column < 0 || row >= end || column >= end) continue;
      window.push_back(x[static_cast<size_t>((row * end + column) * 2) + i % 2]);
    }
    y.push_back(reduce(window));
  }
  return y;
}

float Max(const std::vector<float>& window) {
  return *std::max_element(window.begin(), window.end());
}
float Mean(const std::vector<float>& window) {
  float sum = 0;
  for (const float number : window) sum += number;
  return sum / static_cast<float>(window.size());
}

const Pooling kPoolings[] = {{2, 2, 1, 0}, {3, 2, 1, 1}, {3, 1, 1, 0}, {3, 3, 1, 1}, {5, 1, 1, 2}};

TEST(MaxPoolingTest, IsTheLargestUnderTheWindow) {
  std::vector<Pooling> poolings(std::begin(kPoolings), std::end(kPoolings));
  poolings.push_back({2, 1, 2, 1});
  for (const Pooling& p : poolings) {
    const uint32_t out = OutputSize(p, 7);
    const std::vector<float> x = Mixed(7 * 7 * 2, p.size);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne({1, 7, 7, 2}, {1, out, out, 2}, x,
                                                          Pool(XNodeUnion::XNNMaxPooling2d, p)));
    EXPECT_EQ(FloatsOf(found[0]), Expected(p, 7, x, Max)) << p.size << ", " << p.stride;
  }
}

TEST(AvgPoolingTest, IsTheMeanOfWhatIsNoPadding) {
  for (const Pooling& p : kPoolings) {
    const uint32_t out = OutputSize(p, 7);
    const std::vector<float> x = Mixed(7 * 7 * 2, p.size);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne({1, 7, 7, 2}, {1, out, out, 2}, x,
                                                          Pool(XNodeUnion::XNNAvgPooling2d, p)));
    EXPECT_LT(LargestDifference(FloatsOf(found[0]), Expected(p, 7, x, Mean)), 1e-6f)
        << p.size << ", " << p.stride;
  }
}

// The indirection buffers of XNNPACK's poolings are made for one size, and not for other channels.
TEST(PoolingTest, FollowsSizesThatGrowAndShrinkInEveryDim) {
  for (const XNodeUnion type : {XNodeUnion::XNNMaxPooling2d, XNodeUnion::XNNAvgPooling2d}) {
    const Pooling p = {2, 1, 1, 1};
    PayloadWriter payload;
    const uint32_t x = payload.AddInput({2, 8, 8, 4});
    Pool(type, p)(payload, x, payload.AddOutput({2, 9, 9, 4}));
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const GraphProgram program,
        GraphProgram::Load(payload, {Input({2, 8, 8, 4}), Output({2, 9, 9, 4})}));
    for (const std::vector<int32_t>& sizes :
         {std::vector<int32_t>{1, 4, 4, 2}, {1, 4, 4, 4}, {2, 8, 8, 4}, {1, 4, 4, 1}}) {
      const auto count = static_cast<size_t>(sizes[0] * sizes[1] * sizes[2] * sizes[3]);
      const std::vector<float> numbers = Mixed(count, 9);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats(sizes, numbers)}));
      ONEPACK_ASSERT_OK_AND_ASSIGN(
          const auto fresh,
          RunOne({sizes.begin(), sizes.end()},
                 {static_cast<uint32_t>(sizes[0]), static_cast<uint32_t>(sizes[1] + 1),
                  static_cast<uint32_t>(sizes[2] + 1), static_cast<uint32_t>(sizes[3])},
                 numbers, Pool(type, p)));
      EXPECT_EQ(found[0].sizes, fresh[0].sizes);
      EXPECT_EQ(FloatsOf(found[0]), FloatsOf(fresh[0]));
    }
  }
}

// XNNPACK has no maximum over one element: only the clamp is left.
TEST(MaxPoolingTest, OverOneElementIsTheElement) {
  const std::vector<uint32_t> dims = {1, 2, 2, 1};
  const auto over_one = [](std::optional<std::pair<float, float>> range) {
    return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
      payload.AddNode(
          XNodeUnion::XNNMaxPooling2d,
          CreateXNNPooling2D(payload.builder(), 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, in, out, kKeepDims)
              .Union(),
          range);
    };
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               RunOne(dims, dims, {1, -2, 3, -4}, over_one(std::nullopt)));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{1, -2, 3, -4}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto clamped,
                               RunOne(dims, dims, {1, -2, 3, -4}, over_one({{0.0f, 2.0f}})));
  EXPECT_EQ(FloatsOf(clamped[0]), (std::vector<float>{1, 0, 2, 0}));
  PayloadWriter payload;
  const uint32_t x = AddQuantizedValue(payload, XNNDatatype::qint8, dims, 0.5f, 3, Place::kInput);
  over_one(std::nullopt)(
      payload, x, AddQuantizedValue(payload, XNNDatatype::qint8, dims, 0.5f, 3, Place::kOutput));
  const ScalarType type = ScalarType::kChar;
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input(SizesOf(dims), type), Output(SizesOf(dims), type)}));
  const std::vector<int8_t> extremes = {-128, 127, 0, 3};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto quantized,
                               program.Run({TensorOfNumbers(type, SizesOf(dims), extremes)}));
  EXPECT_EQ(NumbersOf<int8_t>(quantized[0]), extremes);
}

uint32_t AddIndices(PayloadWriter& payload, const std::vector<uint32_t>& dims, bool is_border) {
  PayloadTensor tensor;
  tensor.datatype = XNNDatatype::int32;
  tensor.dims = dims;
  return is_border ? payload.AddBorder(tensor, true) : payload.AddTensor(tensor);
}

void AddArgMax(PayloadWriter& payload, uint32_t height, uint32_t width, uint32_t in, uint32_t out,
               uint32_t indices) {
  const auto node =
      CreateXNNArgMaxPooling2d(payload.builder(), 0, 0, 0, 0, height, width, in, out, indices);
  payload.AddNode(XNodeUnion::XNNArgMaxPooling2d, node.Union());
}

TEST(PoolingErrorsTest, NumbersThatMakeNoWindowAreNamed) {
  const auto load = [](const Pooling& p) {
    return LoadOne({1, 7, 7, 2}, {1, 3, 3, 2}, Pool(XNodeUnion::XNNMaxPooling2d, p));
  };
  EXPECT_TRUE(IsOk(load({2, 2, 1, 0})));
  EXPECT_TRUE(IsError(load({0, 2, 1, 0}), StatusCode::kInvalidFile, {"window size of 0"}));
  EXPECT_TRUE(IsError(load({2, 0, 1, 0}), StatusCode::kInvalidFile, {"stride of 0"}));
  EXPECT_TRUE(IsError(load({2, 2, 0, 0}), StatusCode::kInvalidFile, {"dilation of 0"}));
  EXPECT_TRUE(IsError(load({2, 2, 1, 2}), StatusCode::kInvalidFile, {"padding of 2"}));
  EXPECT_TRUE(IsError(load({2, 2, 1, 0xffffffff}), StatusCode::kInvalidFile, {"padding"}));
  EXPECT_TRUE(IsError(load({8, 2, 1, 0}), StatusCode::kInvalidFile, {"window of 8", "input of 7"}));
  EXPECT_TRUE(IsError(load({65536, 2, 1, 0}), StatusCode::kInvalidFile, {"window"}));
  EXPECT_TRUE(
      IsError(LoadOne({1, 7, 7, 2}, {1, 2, 2, 2}, Pool(XNodeUnion::XNNMaxPooling2d, {2, 3, 1, 0})),
              StatusCode::kUnsupported, {"XNNMaxPooling2d", "stride"}));
  EXPECT_TRUE(
      IsError(load({2, 2, 1, 0, 4}), StatusCode::kUnsupported, {"XNNMaxPooling2d", "flags 0x4"}));
}

TEST(PoolingErrorsTest, AnArgMaxOverOneElementIsRefusedByName) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 2, 1, 1});
  AddArgMax(payload, 1, 1, x, payload.AddOutput({1, 2, 1, 1}),
            AddIndices(payload, {1, 2, 1, 1}, true));
  EXPECT_TRUE(IsError(GraphProgram::Load(payload, {Input({1, 2, 1, 1}), Output({1, 2, 1, 1}),
                                                   Output({1, 2, 1, 1}, ScalarType::kInt)}),
                      StatusCode::kUnsupported, {"XNNArgMaxPooling2d", "one element"}));
}

TEST(PoolingErrorsTest, AnInputOfACallThatIsSmallerThanTheWindowIsRefusedThen) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 8, 8, 1});
  Pool(XNodeUnion::XNNMaxPooling2d, {3, 1, 1, 0})(payload, x, payload.AddOutput({1, 6, 6, 1}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({1, 8, 8, 1}), Output({1, 6, 6, 1})}));
  EXPECT_TRUE(IsError(program.Run({Floats({1, 2, 8, 1}, Mixed(16))}), StatusCode::kMismatch,
                      {"XNNMaxPooling2d", "window of 3", "input of 2"}));
}

// Arg-max.

TEST(ArgMaxPoolingTest, GivesIndicesOf32And64Bits) {
  for (const ScalarType type : {ScalarType::kInt, ScalarType::kLong}) {
    PayloadWriter payload;
    const uint32_t x = payload.AddInput({2, 4, 1, 3});
    const uint32_t y = payload.AddOutput({2, 1, 1, 3});
    AddArgMax(payload, 4, 1, x, y, AddIndices(payload, {2, 1, 1, 3}, true));
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const GraphProgram program,
        GraphProgram::Load(
            payload, {Input({2, 4, 1, 3}), Output({2, 1, 1, 3}), Output({2, 1, 1, 3}, type)}));
    // Shrinks and grows: XNNPACK does not know the shape of the indices.
    for (const int32_t batch : {2, 1, 2}) {
      std::vector<float> numbers = {0, 5, 1, 9, 4, 2, 3, 3, 8, 1, 2, 7,  //
                                    7, 0, 0, 1, 1, 1, 2, 2, 9, 3, 3, 3};
      numbers.resize(static_cast<size_t>(batch) * 12);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                   program.Run({Floats({batch, 4, 1, 3}, numbers)}));
      std::vector<float> values = {9, 5, 8, 7, 3, 9};
      std::vector<int64_t> indices = {1, 0, 2, 0, 3, 2};
      values.resize(static_cast<size_t>(batch) * 3);
      indices.resize(static_cast<size_t>(batch) * 3);
      EXPECT_EQ(FloatsOf(found[0]), values);
      EXPECT_EQ(found[1].sizes, (std::vector<int32_t>{batch, 1, 1, 3}));
      if (type == ScalarType::kLong) {
        EXPECT_EQ(NumbersOf<int64_t>(found[1]), indices);
      } else {
        EXPECT_EQ(NumbersOf<int32_t>(found[1]),
                  std::vector<int32_t>(indices.begin(), indices.end()));
      }
    }
  }
}

// XNNPACK forgets a value that nobody reads, and would let the node write to nowhere.
TEST(ArgMaxPoolingTest, RunsWhenNothingReadsOneOfItsOutputs) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 4, 1, 2});
  const uint32_t y = payload.AddOutput({1, 1, 1, 2});
  AddArgMax(payload, 4, 1, x, y, AddIndices(payload, {1, 1, 1, 2}, false));
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const GraphProgram program,
      GraphProgram::Load(payload, {Input({1, 4, 1, 2}), Output({1, 1, 1, 2})}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               program.Run({Floats({1, 4, 1, 2}, {1, 2, 3, 4, 9, 6, 7, 8})}));
  EXPECT_EQ(FloatsOf(found[0]), (std::vector<float>{9, 8}));
}

TEST(ArgMaxPoolingTest, IndicesThatANodeReadsAreRefused) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 4, 1, 2});
  const uint32_t y = payload.AddOutput({1, 1, 1, 2});
  const uint32_t indices = AddIndices(payload, {1, 1, 1, 2}, false);
  AddArgMax(payload, 4, 1, x, y, indices);
  payload.AddConvert(indices, payload.AddOutput({1, 1, 1, 2}));
  EXPECT_TRUE(IsError(GraphProgram::Load(payload, {Input({1, 4, 1, 2}), Output({1, 1, 1, 2}),
                                                   Output({1, 1, 1, 2})}),
                      StatusCode::kUnsupported, {"graph node 1 (XNNConvert)", "indices"}));
}

// Global average.

AddNode GlobalAverage(uint32_t flags) {
  return [=](PayloadWriter& payload, uint32_t in, uint32_t out) {
    payload.AddNode(XNodeUnion::XNNGlobalAvgPooling2d,
                    CreateXNNNode1x1(payload.builder(), in, out, flags).Union());
  };
}

TEST(GlobalAvgPoolingTest, IsTheMeanOfEachChannelWithOrWithoutItsDims) {
  const std::vector<float> x = {1, 10, 2, 20, 3, 30, 4, 40};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto kept,
                               RunOne({1, 2, 2, 2}, {1, 1, 1, 2}, x, GlobalAverage(kKeepDims)));
  EXPECT_EQ(FloatsOf(kept[0]), (std::vector<float>{2.5f, 25}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto dropped,
                               RunOne({1, 2, 2, 2}, {1, 2}, x, GlobalAverage(0)));
  EXPECT_EQ(FloatsOf(dropped[0]), (std::vector<float>{2.5f, 25}));
}

TEST(GlobalAvgPoolingErrorsTest, AnInputOfTooFewDimsIsNamed) {
  EXPECT_TRUE(IsError(LoadOne({4, 2}, {1, 2}, GlobalAverage(kKeepDims)), StatusCode::kInvalidFile,
                      {"XNNGlobalAvgPooling2d", "[4, 2]", "rank 3"}));
}

}  // namespace
}  // namespace onepack
