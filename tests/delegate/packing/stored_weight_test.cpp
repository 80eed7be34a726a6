// Weights that are used as they are stored: what is pinned, what is computed, what is refused, and
// what the cache says of them.

#include "delegate/packing/stored_weight.h"

#include <gtest/gtest.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aot/payload_writer.h"
#include "base/small_floats.h"
#include "delegate/packing/packer.h"
#include "tests/delegate/packing/xor_packer.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_plans.h"
#include "tests/support/watched_source.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNQuantParams;
using Storage = WatchedSource::Storage;

constexpr uint32_t kOutputs = 8;
constexpr uint32_t kInputs = 64;
constexpr uint32_t kRows = 4;

// Numbers that are exact in every float format.
float BiasAt(size_t output) { return static_cast<float>(output) - 2.5f; }

std::vector<uint8_t> BiasBytes(XNNDatatype datatype) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < kOutputs; ++i) {
    const float number = BiasAt(i);
    const uint16_t half =
        datatype == XNNDatatype::fp16 ? Float16OfFloat(number) : Bfloat16OfFloat(number);
    const bool is_wide = datatype == XNNDatatype::fp32;
    const void* from = is_wide ? static_cast<const void*>(&number) : &half;
    bytes.resize(bytes.size() + (is_wide ? sizeof(number) : sizeof(half)));
    memcpy(bytes.data() + bytes.size() - (is_wide ? sizeof(number) : sizeof(half)), from,
           is_wide ? sizeof(number) : sizeof(half));
  }
  return bytes;
}

LinearLayer LayerOf(WeightKind kind) { return {"w", kInputs, kOutputs, kind, 3}; }

template <typename T>
std::vector<T> NumbersAt(const void* address, size_t count) {
  std::vector<T> numbers(count);
  memcpy(numbers.data(), address, count * sizeof(T));
  return numbers;
}

// Of the file's bytes.
std::vector<float> SumsOf(const LinearOperands& operands) {
  std::vector<float> sums(kOutputs);
  linear::WeightSums(operands.weights, 0, kOutputs, sums.data());
  EXPECT_NE(sums, std::vector<float>(kOutputs));
  return sums;
}

// A delegate of one linear layer, and a data file.
class StoredWeightTest : public testing::Test {
 protected:
  // The layer "w" of one of the fixture's kinds, and a bias of some datatype, or none.
  std::vector<uint8_t> LayerPayload(WeightKind kind, std::optional<XNNDatatype> bias = {}) {
    PayloadWriter payload;
    const uint32_t x = payload.AddInput({kRows, kInputs}), y = payload.AddOutput({kRows, kOutputs});
    if (!bias) {
      AddLinearLayer(payload, LayerOf(kind), kRows, x, y);
      return payload.Finish();
    }
    PayloadTensor row;
    row.datatype = *bias;
    row.dims = {kOutputs};
    row.constant = payload.AddNamedConstant("b", BiasBytes(*bias).size());
    uint32_t in = x;
    if (kind != WeightKind::kFloat) {
      in = payload.AddDynamicInt8({kRows, kInputs});
      payload.AddConvert(x, in);
    }
    payload.AddFullyConnected(in, AddFilter(payload, kind), y, payload.AddTensor(row));
    return payload.Finish();
  }

  static uint32_t AddFilter(PayloadWriter& payload, WeightKind kind) {
    const std::vector<uint32_t> dims = {kOutputs, kInputs};
    const NamedBytes data = DataOf(LayerOf(kind));
    const uint32_t weight = payload.AddNamedConstant("w", data.at("w").size());
    if (kind == WeightKind::kFloat) return payload.AddConstant(dims, weight);
    const size_t scale_bytes = data.at("w.scale").size();
    PayloadScales scales;
    scales.constant = payload.AddNamedConstant("w.scale", scale_bytes);
    scales.count =
        static_cast<uint32_t>(scale_bytes / (kind == WeightKind::kInt8 ? sizeof(float) : 2));
    return kind == WeightKind::kInt8 ? payload.AddPerChannelInt8(dims, weight, scales)
                                     : payload.AddBlockwiseInt4(dims, weight, scales, kInt4Group);
  }

  static std::vector<uint8_t> DataBytes(WeightKind kind, std::optional<XNNDatatype> bias = {}) {
    NamedBytes data = DataOf(LayerOf(kind));
    if (bias) data["b"] = BiasBytes(*bias);
    return MakeData(data);
  }

  Ref<WatchedSource> Watched(std::vector<uint8_t> data, Storage storage = Storage::kMapped) {
    return WatchedSource::Create(std::move(data), "test.ptd", storage);
  }

  // Makes the plan, and forgets what was read for it.
  Status MakePlan(const Ref<DataSource>& data, std::vector<uint8_t> payload,
                  LinearLayout layout = LinearLayout::kInPlace) {
    files_.emplace_back(std::make_unique<TestPlans>(cache_->contents(), data, layout));
    ONEPACK_ASSIGN_OR_RETURN(Plan plan, files_.back()->Make(std::move(payload)));
    plans_.clear();
    plans_.push_back(std::move(plan));
    return Status::Ok();
  }

  Result<std::vector<PinnedWeights>> Pin() {
    const ProgressCallback on_progress;
    LoadReporter reporter(on_progress, "test.pte", 0);
    return Packer(cache_, packer_, {}, reporter).Pin(plans_);
  }

  // Of the only weight of the plan at hand.
  LinearOperands Operands(const std::vector<PinnedWeights>& pins) const {
    const Plan& plan = plans_[0];
    const Linear& linear = plan.stages[0].linears[0];
    return OperandsOf(linear.node, plan.weights[0].bias.is_present(), pins[0].pins()[0]);
  }

  void ExpectNothingLeft() const { ExpectNothingIn(*cache_); }

  std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  XorPacker packer_;
  std::vector<std::unique_ptr<TestPlans>> files_;
  std::vector<Plan> plans_;
};

constexpr WeightKind kKinds[] = {WeightKind::kFloat, WeightKind::kInt8, WeightKind::kInt4};

TEST_F(StoredWeightTest, SumsOfIntegersAreComputedAndOfFloatsNone) {
  for (const WeightKind kind : kKinds) {
    ASSERT_TRUE(IsOk(MakePlan(Watched(DataBytes(kind)), LayerPayload(kind))));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
    const LinearOperands operands = Operands(pins);
    EXPECT_EQ(operands.bias, nullptr);
    if (kind == WeightKind::kFloat) {
      EXPECT_EQ(operands.sums, nullptr);
      continue;
    }
    EXPECT_EQ(NumbersAt<float>(operands.sums, kOutputs), SumsOf(operands));
  }
  EXPECT_TRUE(packer_.calls().empty());
}

TEST_F(StoredWeightTest, ABiasOfAnyWidthBecomesFloats) {
  for (const WeightKind kind : kKinds) {
    for (const XNNDatatype bias : {XNNDatatype::fp32, XNNDatatype::fp16, XNNDatatype::bf16}) {
      SCOPED_TRACE(EnumNameXNNDatatype(bias));
      ASSERT_TRUE(IsOk(MakePlan(Watched(DataBytes(kind, bias)), LayerPayload(kind, bias))));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
      const LinearOperands operands = Operands(pins);
      ASSERT_NE(operands.bias, nullptr);
      for (size_t i = 0; i < kOutputs; ++i) EXPECT_EQ(operands.bias[i], BiasAt(i));
      if (kind == WeightKind::kFloat) continue;
      EXPECT_EQ(NumbersAt<float>(operands.sums, kOutputs), SumsOf(operands));
    }
  }
}

// Scales that stand in the graph are kept with what is computed; floats of blocks are rounded.
TEST_F(StoredWeightTest, ScalesOfTheGraphItselfAreKept) {
  for (const bool is_blockwise : {false, true}) {
    for (const std::optional<XNNDatatype> bias :
         {std::optional<XNNDatatype>(), std::make_optional(XNNDatatype::fp16)}) {
      PayloadWriter payload;
      const uint32_t x = payload.AddInput({kRows, kInputs});
      const uint32_t rounded = payload.AddDynamicInt8({kRows, kInputs});
      payload.AddConvert(x, rounded);
      PayloadScales scales;
      const size_t count = kOutputs * (is_blockwise ? kInputs / kInt4Group : 1);
      // 1/3 needs rounding.
      for (size_t i = 0; i < count; ++i) {
        scales.inline_scales.push_back(static_cast<float>(i + 1) / 3);
      }
      const std::vector<uint32_t> dims = {kOutputs, kInputs};
      const WeightKind kind = is_blockwise ? WeightKind::kInt4 : WeightKind::kInt8;
      const uint32_t weight = payload.AddNamedConstant("w", DataOf(LayerOf(kind)).at("w").size());
      const uint32_t filter = is_blockwise
                                  ? payload.AddBlockwiseInt4(dims, weight, scales, kInt4Group)
                                  : payload.AddPerChannelInt8(dims, weight, scales);
      uint32_t row = PayloadWriter::kNoValue;
      if (bias) {
        PayloadTensor tensor;
        tensor.datatype = *bias;
        tensor.dims = {kOutputs};
        tensor.constant = payload.AddOwnConstant(BiasBytes(*bias));
        row = payload.AddTensor(tensor);
      }
      payload.AddFullyConnected(rounded, filter, payload.AddOutput({kRows, kOutputs}), row);
      ASSERT_TRUE(IsOk(MakePlan(Watched(DataBytes(kind)), payload.Finish())));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
      const LinearOperands operands = Operands(pins);
      if (is_blockwise) {
        std::vector<uint16_t> expected;
        for (const float scale : scales.inline_scales) expected.push_back(Bfloat16OfFloat(scale));
        EXPECT_EQ(NumbersAt<uint16_t>(operands.weights.scales, count), expected);
      } else {
        EXPECT_EQ(NumbersAt<float>(operands.weights.scales, count), scales.inline_scales);
      }
      if (bias) {
        EXPECT_EQ(operands.bias[kOutputs - 1], BiasAt(kOutputs - 1));
      }
      EXPECT_TRUE(pins[0].pins()[0].stored().scales.empty());
    }
  }
}

// At any address.
TEST_F(StoredWeightTest, BytesOfAMappedFileArePinnedWhereTheyAre) {
  const TempFolder folder;
  for (const WeightKind kind : kKinds) {
    for (const uint64_t offset : {0, 1, 2, 3, 5, 64}) {
      const std::vector<uint8_t> data = DataBytes(kind, XNNDatatype::fp32);
      std::vector<uint8_t> bytes(offset, 0xee);
      bytes.insert(bytes.end(), data.begin(), data.end());
      const std::string path = folder.File(std::to_string(offset));
      WriteFile(path, bytes);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source,
                                   OpenMappedFilePart(path.c_str(), {offset, data.size()}));
      ASSERT_TRUE(IsOk(MakePlan(source, LayerPayload(kind, XNNDatatype::fp32))));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
      const LinearOperands operands = Operands(pins);
      const auto address = [&](const char* key) {
        return source->Load(files_.back()->SegmentOf(key))->bytes.data();
      };
      EXPECT_EQ(operands.weights.values, address("w"));
      if (kind != WeightKind::kFloat) {
        EXPECT_EQ(operands.weights.scales, address("w.scale"));
      }
      for (size_t i = 0; i < kOutputs; ++i) EXPECT_EQ(operands.bias[i], BiasAt(i));
    }
  }
}

TEST_F(StoredWeightTest, BytesOfTheApplicationArePinnedWhereTheyAre) {
  const std::vector<uint8_t> data = DataBytes(WeightKind::kInt4);
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<DataSource> source, WrapMemory(data, "memory"));
  ASSERT_TRUE(IsOk(MakePlan(source, LayerPayload(WeightKind::kInt4))));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
  const LinearOperands operands = Operands(pins);
  EXPECT_EQ(operands.weights.values, data.data() + files_.back()->SegmentOf("w").offset);
  EXPECT_EQ(operands.weights.scales, data.data() + files_.back()->SegmentOf("w.scale").offset);
}

TEST_F(StoredWeightTest, BytesOfAFileThatIsGoneAreStillThere) {
  const TempFolder folder;
  const std::string path = folder.File("data.ptd");
  WriteFile(path, DataBytes(WeightKind::kInt4));
  std::vector<PinnedWeights> pins;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
    ASSERT_TRUE(IsOk(MakePlan(source, LayerPayload(WeightKind::kInt4))));
    ONEPACK_ASSERT_OK_AND_ASSIGN(pins, Pin());
  }
  const LinearOperands operands = Operands(pins);
  plans_.clear();
  files_.clear();
  ASSERT_EQ(unlink(path.c_str()), 0);
  const std::vector<uint8_t> expected = DataOf(LayerOf(WeightKind::kInt4)).at("w");
  EXPECT_EQ(NumbersAt<uint8_t>(operands.weights.values, expected.size()), expected);
}

TEST_F(StoredWeightTest, OfASourceThatIsNotMappedEachByteIsReadOnce) {
  for (const WeightKind kind : kKinds) {
    const Ref<WatchedSource> source =
        Watched(DataBytes(kind, XNNDatatype::fp16), Storage::kReadOnRequest);
    ASSERT_TRUE(IsOk(MakePlan(source, LayerPayload(kind, XNNDatatype::fp16))));
    source->Forget();
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
    EXPECT_EQ(source->ReadsOf(files_.back()->SegmentOf("w")), 1u);
    EXPECT_EQ(source->ReadsOf(files_.back()->SegmentOf("b")), 1u);
    if (kind != WeightKind::kFloat) {
      EXPECT_EQ(source->ReadsOf(files_.back()->SegmentOf("w.scale")), 1u);
    }
    const std::vector<uint8_t> expected = DataOf(LayerOf(kind)).at("w");
    EXPECT_EQ(NumbersAt<uint8_t>(Operands(pins).weights.values, expected.size()), expected);
    // And never again.
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto more, Pin());
    EXPECT_EQ(source->ReadsOf(files_.back()->SegmentOf("w")), 1u);
  }
}

TEST_F(StoredWeightTest, PagesThatAreUsedInPlaceAreNotLetGoOf) {
  const Ref<WatchedSource> source = Watched(DataBytes(WeightKind::kInt4, XNNDatatype::fp32));
  ASSERT_TRUE(IsOk(MakePlan(source, LayerPayload(WeightKind::kInt4, XNNDatatype::fp32))));
  source->Forget();
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
  }
  EXPECT_EQ(source->DiscardsOf(files_.back()->SegmentOf("w")), 0u);
  EXPECT_EQ(source->DiscardsOf(files_.back()->SegmentOf("w.scale")), 0u);
}

TEST_F(StoredWeightTest, BadScalesAreRefusedAsWherePacked) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const WeightKind kind : {WeightKind::kInt8, WeightKind::kInt4}) {
    for (const float bad : {0.0f, kNan, -1.0f, kInfinity, 1e-40f}) {
      SCOPED_TRACE(bad);
      NamedBytes data = DataOf(LayerOf(kind));
      std::vector<uint8_t>& scales = data["w.scale"];
      const uint16_t half = Bfloat16OfFloat(bad);
      const bool is_wide = kind == WeightKind::kInt8;
      const size_t size = is_wide ? sizeof(bad) : sizeof(half);
      memcpy(scales.data() + 3 * size, is_wide ? static_cast<const void*>(&bad) : &half, size);
      std::string messages[2];
      for (const LinearLayout layout : {LinearLayout::kPacked, LinearLayout::kInPlace}) {
        ASSERT_TRUE(IsOk(MakePlan(Watched(MakeData(data)), LayerPayload(kind), layout)));
        auto pins = Pin();
        ASSERT_TRUE(IsError(pins, StatusCode::kInvalidFile,
                            {"XNNFullyConnected", "w.scale", "scale 3 is", "positive"}));
        messages[layout == LinearLayout::kPacked ? 0 : 1] = pins.status().message();
      }
      EXPECT_EQ(messages[0], messages[1]);
      ExpectNothingLeft();
    }
  }
}

TEST_F(StoredWeightTest, WhatCannotBeReadIsNamedAndNothingIsLeft) {
  for (const Storage storage : {Storage::kMapped, Storage::kReadOnRequest}) {
    for (const char* key : {"w", "w.scale", "b"}) {
      SCOPED_TRACE(key);
      const Ref<WatchedSource> source =
          Watched(DataBytes(WeightKind::kInt8, XNNDatatype::fp16), storage);
      ASSERT_TRUE(IsOk(MakePlan(source, LayerPayload(WeightKind::kInt8, XNNDatatype::fp16))));
      const Segment failing = files_.back()->SegmentOf(key);
      source->on_read = [failing](const Segment& range) {
        return range.offset == failing.offset
                   ? Status::Error(StatusCode::kIoError, "test.ptd: the disk is gone")
                   : Status::Ok();
      };
      EXPECT_TRUE(IsError(Pin(), StatusCode::kIoError,
                          {"delegate 0", "XNNFullyConnected", "the disk is gone"}));
      source->on_read = nullptr;  // others may be compared with it
      ExpectNothingLeft();
    }
  }
}

TEST_F(StoredWeightTest, HashesAreRecordedWhereAskedFor) {
  for (const bool is_recorded : {false, true}) {
    WeightCacheOptions options;
    options.record_hashes = is_recorded;
    cache_ = PackedWeightCache::Create(options);
    const auto kind = WeightKind::kFloat;
    ASSERT_TRUE(IsOk(MakePlan(Watched(DataBytes(kind)), LayerPayload(kind))));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
    // The first file can no longer be compared with.
    plans_.clear();
    files_.clear();
    ASSERT_TRUE(IsOk(MakePlan(Watched(DataBytes(kind)), LayerPayload(kind))));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto more, Pin());
    EXPECT_EQ(cache_->Stats().entries, is_recorded ? 1u : 2u);
  }
}

TEST_F(StoredWeightTest, TheCacheCountsWhatIsInPlaceAndWhatIsComputed) {
  for (const size_t retained : {size_t{0}, size_t{1} << 30}) {
    WeightCacheOptions options;
    options.retained_bytes = retained;
    cache_ = PackedWeightCache::Create(options);
    const auto kind = WeightKind::kInt4;
    const NamedBytes data = DataOf(LayerOf(kind));
    const size_t in_place = data.at("w").size() + data.at("w.scale").size();
    const size_t computed = 2 * kOutputs * sizeof(float);  // sums and bias
    ASSERT_TRUE(IsOk(MakePlan(Watched(DataBytes(kind, XNNDatatype::bf16)),
                              LayerPayload(kind, XNNDatatype::bf16))));
    {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
      WeightCacheStats stats = cache_->Stats();
      EXPECT_EQ(stats.entries, 1u);
      EXPECT_EQ(stats.pins, 1u);
      EXPECT_EQ(stats.bytes, computed);
      EXPECT_EQ(stats.in_place_bytes, in_place);
      EXPECT_EQ(stats.private_bytes, 0u);
      EXPECT_EQ(stats.hits, 0u);
      EXPECT_EQ(stats.misses.absent, 1u);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto more, Pin());
      stats = cache_->Stats();
      EXPECT_EQ(stats.entries, 1u);
      EXPECT_EQ(stats.pins, 2u);
      EXPECT_EQ(stats.bytes, computed);
      EXPECT_EQ(stats.in_place_bytes, in_place);
      EXPECT_EQ(stats.hits, 1u);
      EXPECT_EQ(stats.hit_bytes, computed + in_place);
    }
    ExpectNothingLeft();
    EXPECT_EQ(cache_->Stats().evictions, 0u) << "never kept, so never evicted";
  }
}

TEST_F(StoredWeightTest, WhatASourceReadsIntoMemoryIsNotCountedAsInPlace) {
  const auto kind = WeightKind::kInt4;
  const NamedBytes data = DataOf(LayerOf(kind));
  const size_t kernel = data.at("w").size(), scales = data.at("w.scale").size();
  ASSERT_TRUE(
      IsOk(MakePlan(Watched(DataBytes(kind), Storage::kReadOnRequest), LayerPayload(kind))));
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
    EXPECT_EQ(cache_->Stats().in_place_bytes, 0u);
    EXPECT_EQ(cache_->Stats().copied_bytes, kernel + scales);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto more, Pin());
    EXPECT_EQ(cache_->Stats().copied_bytes, kernel + scales);
    EXPECT_EQ(cache_->Stats().hit_bytes, pins[0].pins()[0].bytes().size() + kernel + scales);
  }
  ExpectNothingLeft();
}

TEST_F(StoredWeightTest, AWeightOfFloatsTakesNextToNothing) {
  ASSERT_TRUE(
      IsOk(MakePlan(Watched(DataBytes(WeightKind::kFloat)), LayerPayload(WeightKind::kFloat))));
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
    EXPECT_LE(cache_->Stats().bytes, 1u);
    EXPECT_EQ(cache_->Stats().in_place_bytes, kOutputs * kInputs * sizeof(float));
  }
  ExpectNothingLeft();
}

// One node over floats that are computed, another over a constant: to a packer they are the same
// weight, but for the layout.
TEST_F(StoredWeightTest, OneWeightInBothLayoutsIsTwoEntriesOfOneLoad) {
  for (const bool in_place_first : {true, false}) {
    PayloadWriter payload;
    const uint32_t filter = AddFilter(payload, WeightKind::kFloat);
    const uint32_t x = payload.AddInput({kRows, kInputs});
    const uint32_t constant = payload.AddConstant(
        {kRows, kInputs},
        payload.AddOwnConstant(std::vector<uint8_t>(kRows * kInputs * sizeof(float))));
    for (const bool is_in_place : {in_place_first, !in_place_first}) {
      payload.AddFullyConnected(is_in_place ? x : constant, filter,
                                payload.AddOutput({kRows, kOutputs}));
    }
    ASSERT_TRUE(IsOk(MakePlan(Watched(DataBytes(WeightKind::kFloat)), payload.Finish())));
    ASSERT_EQ(plans_[0].weights.size(), 2u);
    ASSERT_TRUE(plans_[0].weights[0].identity == plans_[0].weights[1].identity);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto pins, Pin());
    for (size_t i = 0; i < 2; ++i) {
      const bool is_stored = plans_[0].weights[i].packing == Packing::kAsStored;
      EXPECT_EQ(pins[0].pins()[i].stored().owner != nullptr, is_stored);
    }
    EXPECT_EQ(cache_->Stats().entries, 2u);
    EXPECT_EQ(packer_.CountWhole(), in_place_first ? 1u : 2u);
  }
}

}  // namespace
}  // namespace onepack
