#include "tests/delegate/packing/packer_fixture.h"

#include <functional>
#include <utility>

#include "aot/payload_writer.h"
#include "delegate/xnn/layout_tag.h"
#include "weight_cache/pack_transaction.h"

namespace onepack {
namespace {

constexpr uint32_t kRows = 4;

LinearLayer LayerOf(const TestWeight& weight) {
  return {weight.key, weight.inputs, weight.outputs, weight.kind,
          std::hash<std::string>()(weight.key)};
}

std::vector<uint8_t> PayloadOf(const std::vector<TestWeight>& weights) {
  PayloadWriter payload;
  for (const TestWeight& weight : weights) {
    const uint32_t x = payload.AddInput({kRows, weight.inputs});
    const uint32_t y = payload.AddOutput({kRows, weight.outputs});
    if (!weight.has_bias) {
      AddLinearLayer(payload, LayerOf(weight), kRows, x, y);
      continue;
    }
    const size_t row_bytes = weight.inputs * sizeof(float);
    const uint32_t kernel = payload.AddNamedConstant(weight.key, weight.outputs * row_bytes);
    const uint32_t bias =
        payload.AddNamedConstant(weight.bias_key(), weight.outputs * sizeof(float));
    payload.AddFullyConnected(x, payload.AddConstant({weight.outputs, weight.inputs}, kernel), y,
                              payload.AddConstant({weight.outputs}, bias));
  }
  return payload.Finish();
}

}  // namespace

NamedBytes DataOf(const TestWeight& weight) {
  NamedBytes data = DataOf(LayerOf(weight));
  if (weight.has_bias) {
    std::vector<uint8_t>& bias = data[weight.bias_key()];
    for (size_t i = 0; i < weight.outputs * sizeof(float); ++i) {
      bias.push_back(static_cast<uint8_t>(i * 7 + weight.key.size()));
    }
  }
  return data;
}

std::vector<uint8_t> PackedByHand(const TestWeight& weight) {
  const NamedBytes data = DataOf(weight);
  std::vector<uint8_t> packed;
  for (size_t channel = 0; channel < weight.outputs; ++channel) {
    for (const std::string& key : {weight.key, weight.key + ".scale", weight.bias_key()}) {
      if (data.count(key) == 0) continue;
      const std::vector<uint8_t>& bytes = data.at(key);
      const size_t each = bytes.size() / weight.outputs;
      for (size_t i = channel * each; i < (channel + 1) * each; ++i) {
        packed.push_back(bytes[i] ^ XorPacker::kMask);
      }
    }
  }
  return packed;
}

void PackerTest::MakePlans(const std::vector<std::vector<TestWeight>>& delegates,
                           WatchedSource::Storage storage) {
  NamedBytes all;
  for (const auto& weights : delegates) {
    for (const TestWeight& weight : weights) all.merge(DataOf(weight));
  }
  data_ = WatchedSource::Create(MakeData(all), "test.ptd", storage);
  files_.emplace(cache_->contents(), data_);
  plans_.clear();
  for (const auto& weights : delegates) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Plan plan, files_->Make(PayloadOf(weights)));
    plan.delegate_index = plans_.size();
    plans_.push_back(std::move(plan));
  }
  data_->Forget();
}

Result<PackerTest::Pins> PackerTest::Pin(const PackerOptions& options,
                                         const ProgressCallback& on_progress) {
  LoadReporter reporter(on_progress, "test.pte", RawBytes());
  return Packer(cache_, packer_, options, reporter).Pin(plans_);
}

uint64_t PackerTest::RawBytes() const {
  uint64_t bytes = 0;
  for (const Plan& plan : plans_) {
    for (const Weight& weight : plan.weights) bytes += weight.raw_bytes;
  }
  return bytes;
}

void PackerTest::ExpectNothingLeft() {
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(stats.pins, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.heap_bytes, 0u);
  for (const Plan& plan : plans_) {
    for (const Weight& weight : plan.weights) {
      EXPECT_FALSE(PackTransaction(cache_).LookUp({weight.identity, LayoutFingerprint()}));
    }
  }
}

std::vector<std::vector<uint8_t>> PackerTest::BytesOf(const Pins& pins) {
  std::vector<std::vector<uint8_t>> bytes;
  for (const PinnedWeights& of_plan : pins) {
    for (const PackedWeight& pin : of_plan.pins()) bytes.push_back(BytesOf(pin));
  }
  return bytes;
}

}  // namespace onepack
