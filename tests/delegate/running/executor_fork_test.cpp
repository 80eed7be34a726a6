// Forks of a method whose delegates are of both kinds: one whose runtimes are the pool's, which the
// forks have in common, and depthwise convolutions, which XNNPACK packs for itself, so that each
// fork has runtimes of its own.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "aot/payload_writer.h"
#include "aot/pte_writer.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

constexpr uint32_t kRows = 4;
constexpr uint32_t kWidth = 32;
constexpr int32_t kSide = 4;
constexpr int32_t kChannels = 8;
constexpr size_t kPixels = size_t{kSide} * kSide * kChannels;
constexpr size_t kDepthwise = 3;

LinearLayer Layer() { return {"layer", kWidth, kWidth}; }

std::vector<uint8_t> LinearPayload() {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({kRows, kWidth});
  AddLinearLayer(payload, Layer(), kRows, x, payload.AddOutput({kRows, kWidth}));
  return payload.Finish();
}

// One multiplication for each channel: by `factor`.
std::vector<uint8_t> DepthwisePayload(float factor) {
  PayloadWriter payload;
  const std::vector<uint32_t> dims = {1, kSide, kSide, kChannels};
  const uint32_t x = payload.AddInput(dims);
  const std::vector<float> filter(kChannels, factor);
  const std::vector<float> bias(kChannels, 0);
  const uint32_t filter_id =
      payload.AddConstant({1, 1, 1, kChannels}, payload.AddOwnConstant(AsBytes(filter)));
  const uint32_t bias_id = payload.AddConstant({kChannels}, payload.AddOwnConstant(AsBytes(bias)));
  const auto node = wire::xnnpack::CreateXNNNodeConv(payload.builder(), 0, 0, 0, 0, 1, 1, 1, 1, 1,
                                                     1, 1, 1, kChannels, 0, 0, x, filter_id,
                                                     bias_id, payload.AddOutput(dims));
  payload.AddNode(wire::xnnpack::XNodeUnion::XNNDepthwiseConv2d, node.Union());
  return payload.Finish();
}

TensorPlan Placed(std::vector<int32_t> sizes, uint64_t offset) {
  TensorPlan tensor;
  tensor.sizes = std::move(sizes);
  tensor.is_dynamic = true;
  tensor.place = PlannedPlace{1, offset};
  return tensor;
}

// The linear layer of the first input; the second one times 2, 3 and 4.
std::vector<uint8_t> MixedProgram() {
  ProgramWriter program;
  MethodPlan method;
  method.values = {Placed({kRows, kWidth}, 0), Placed({kRows, kWidth}, 1024),
                   Placed({1, kSide, kSide, kChannels}, 2048)};
  method.inputs = {0, 2};
  method.outputs = {1};
  method.delegates = {
      DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(LinearPayload()))};
  method.chains = {{DelegateCallPlan{0, {0, 1}}}};
  for (size_t i = 0; i < kDepthwise; ++i) {
    const auto index = static_cast<int32_t>(method.values.size());
    method.values.push_back(Placed({1, kSide, kSide, kChannels}, 3072 + i * 1024));
    method.outputs.push_back(index);
    method.delegates.push_back(DelegatePlan::InSegment(
        "XnnpackBackend", program.AddSegment(DepthwisePayload(static_cast<float>(i + 2)))));
    method.chains[0].push_back(DelegateCallPlan{static_cast<int32_t>(i + 1), {2, index}});
  }
  method.buffer_sizes = {0, 3072 + kDepthwise * 1024};
  program.AddMethod(method);
  return program.Finish();
}

std::vector<float> OutputOf(const Method& method, size_t index) {
  const Tensor& tensor = method.output(index).tensor();
  const auto* numbers = reinterpret_cast<const float*>(tensor.data());
  return {numbers, numbers + tensor.size_bytes() / sizeof(float)};
}

class ExecutorForkTest : public testing::Test {
 protected:
  Ref<Method> Load() const {
    auto method =
        LoadMethod(SourceOf(MixedProgram(), "mixed.pte"),
                   {SourceOf(MakeData(DataOf(Layer())), "layer.ptd")}, cache_, LoadOptions());
    EXPECT_TRUE(IsOk(method));
    return std::move(method).value();
  }
  static Ref<Method> ForkOf(const Method& method) {
    auto fork = method.Fork();
    EXPECT_TRUE(IsOk(fork));
    return std::move(fork).value();
  }

  static void ExpectToRun(Method& method, float number) {
    std::vector<float> rows = MakeRows(kRows, kWidth);
    for (float& x : rows) x *= number;
    std::vector<float> image(kPixels, number);
    const int32_t row_sizes[] = {kRows, kWidth};
    const int32_t image_sizes[] = {1, kSide, kSide, kChannels};
    SetInput(method, 0, row_sizes, rows);
    SetInput(method, 1, image_sizes, image);
    ASSERT_TRUE(IsOk(method.Execute()));
    EXPECT_LT(LargestDifference(OutputOf(method, 0), ReferenceChain({Layer()}, rows)), 1e-4f);
    for (size_t i = 0; i < kDepthwise; ++i) {
      EXPECT_EQ(OutputOf(method, i + 1),
                std::vector<float>(kPixels, number * static_cast<float>(i + 2)));
    }
  }

  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();

 private:
  static void SetInput(Method& method, size_t index, Span<const int32_t> sizes,
                       std::vector<float>& numbers) {
    const uint8_t order[] = {0, 1, 2, 3};
    auto tensor =
        Tensor::Over({ScalarType::kFloat, sizes, {order, sizes.size()}},
                     {reinterpret_cast<uint8_t*>(numbers.data()), numbers.size() * sizeof(float)});
    ASSERT_TRUE(IsOk(tensor));
    ASSERT_TRUE(IsOk(method.SetInput(index, Value::OfTensor(&*tensor))));
  }
};

TEST_F(ExecutorForkTest, BothKindsRunInForksAtOneTime) {
  Ref<Method> methods[3];
  methods[0] = Load();
  ExpectToRun(*methods[0], 1);
  methods[1] = ForkOf(*methods[0]);
  methods[2] = ForkOf(*methods[1]);
  RunInThreads(3, [&](int thread) {
    for (int run = 1; run <= 5; ++run) {
      ExpectToRun(*methods[thread], static_cast<float>(thread * 10 + run));
    }
  });
}

// Whoever is last to close the delegate that they have in common leaves the other's lane alone.
TEST_F(ExecutorForkTest, AMethodAndItsForkAreClosedAtOneTime) {
  for (int round = 0; round < 40; ++round) {
    Ref<Method> methods[2];
    methods[0] = Load();
    methods[1] = ForkOf(*methods[0]);
    RunInThreads(2, [&](int thread) {
      if (round % 2 == 0) ExpectToRun(*methods[thread], 1);
      methods[thread] = nullptr;
    });
  }
  ExpectNothingIn(*cache_);
}

}  // namespace
}  // namespace onepack
