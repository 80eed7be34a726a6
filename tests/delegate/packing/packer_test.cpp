// The Packer, without XNNPACK: what it finds, packs and pins, and what is left when something goes
// wrong.

#include "delegate/packing/packer.h"

#include <new>
#include <utility>

#include "aot/payload_writer.h"
#include "delegate/packing/source_call.h"
#include "tests/delegate/packing/packer_fixture.h"

namespace onepack {
namespace {

TEST_F(PackerTest, PacksWhatItIsShownAndPinsItUnderThePackersTag) {
  const TestWeight plain{"plain", 16, 32}, with_bias{"with", 24, 8, WeightKind::kFloat, true};
  const TestWeight int8{"int8", 12, 20, WeightKind::kInt8}, int4{"int4", 8, 64, WeightKind::kInt4};
  MakePlans({{plain, with_bias, int8, int4}});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin());
  ASSERT_EQ(pins.size(), 1u);
  ASSERT_EQ(pins[0].pins().size(), 4u);
  size_t i = 0;
  for (const TestWeight& weight : {plain, with_bias, int8, int4}) {
    SCOPED_TRACE(weight.key);
    const PackedWeight& pin = pins[0].pins()[i++];
    EXPECT_EQ(BytesOf(pin), PackedByHand(weight));
    EXPECT_EQ(pin.tag(), packer_.tag ^ weight.outputs);
    EXPECT_FALSE(pin.is_private());
  }
}

TEST_F(PackerTest, PacksEachKeyOnceForAllPlansAndWeightsThatHaveIt) {
  MakePlans({{{"a"}, {"b"}, {"a"}}, {{"a"}, {"c"}}});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin());
  EXPECT_EQ(packer_.calls().size(), 3u);
  ASSERT_EQ(pins.size(), 2u);
  const auto first = pins[0].pins();
  const auto second = pins[1].pins();
  ASSERT_EQ(first.size(), 3u);
  ASSERT_EQ(second.size(), 2u);
  EXPECT_EQ(first[0].bytes().data(), first[2].bytes().data());
  EXPECT_EQ(first[0].bytes().data(), second[0].bytes().data());
  EXPECT_NE(first[0].bytes().data(), first[1].bytes().data());
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 3u);
  EXPECT_EQ(stats.misses.total(), 3u);
  EXPECT_EQ(stats.hits, 0u);
  EXPECT_EQ(stats.pins, 5u);
  EXPECT_EQ(stats.packed_bytes, stats.bytes);
}

TEST_F(PackerTest, ASecondPackerFindsEverythingAndReadsNoRawByte) {
  MakePlans({{{"a"}, {"b", 8, 8, WeightKind::kFloat, true}, {"c", 32, 32, WeightKind::kInt8}}});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins first, Pin());
  EXPECT_GT(data_->reads(), 0u);
  const WeightCacheStats before = cache_->Stats();
  data_->Forget();
  for (const size_t threads : {1, 3}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins second, Pin(Threads(threads)));
    EXPECT_EQ(BytesOf(second), BytesOf(first));
  }
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins sliced, Pin(Slices()));
  EXPECT_EQ(data_->reads(), 0u);
  EXPECT_EQ(packer_.calls().size(), 3u);
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.hits, before.hits + 3 * 3);
  EXPECT_EQ(stats.misses.total(), before.misses.total());
  EXPECT_EQ(stats.packed_bytes, before.packed_bytes);
}

TEST_F(PackerTest, OnlyWhatIsAbsentIsReadAndPacked) {
  MakePlans({{{"a"}}, {{"a"}, {"b"}}});
  std::vector<Plan> both = std::move(plans_);
  plans_.clear();
  plans_.push_back(std::move(both[0]));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins first, Pin());
  plans_[0] = std::move(both[1]);
  data_->Forget();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins second, Pin());
  EXPECT_EQ(data_->ReadsOf(files_->SegmentOf("a")), 0u);
  EXPECT_EQ(data_->ReadsOf(files_->SegmentOf("b")), 1u);
  EXPECT_EQ(packer_.calls().size(), 2u);
  EXPECT_EQ(BytesOf(second[0].pins()[1]), PackedByHand({"b"}));
}

// XNNPACK packs the filter of a depthwise convolution for itself.
TEST_F(PackerTest, AWeightThatXnnpackKeepsHasNoPin) {
  MakePlans({{{"a", 9, 4}}});
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 4, 4, 4});
  const uint32_t filter =
      payload.AddConstant({1, 3, 3, 4}, payload.AddNamedConstant("a", 3 * 3 * 4 * sizeof(float)));
  const auto node = wire::xnnpack::CreateXNNNodeConv(
      payload.builder(), 0, 0, 0, 0, 3, 3, 1, 1, 1, 1, 1, 1, 4, 0, 0, x, filter,
      PayloadWriter::kNoValue, payload.AddOutput({1, 2, 2, 4}));
  payload.AddNode(wire::xnnpack::XNodeUnion::XNNDepthwiseConv2d, node.Union());
  ONEPACK_ASSERT_OK_AND_ASSIGN(Plan plan, files_->Make(payload.Finish()));
  ASSERT_EQ(plan.weights.size(), 1u);
  plan.weights[0].packing = Packing::kPrivate;  // which XNNPACK this is for does not matter
  plans_[0] = std::move(plan);
  uint64_t served = 0;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin({}, [&](const LoadProgress& progress) {
                                 served = progress.served_bytes;
                                 return true;
                               }));
  ASSERT_EQ(pins[0].pins().size(), 1u);
  EXPECT_FALSE(pins[0].pins()[0]);
  EXPECT_TRUE(packer_.calls().empty());
  EXPECT_EQ(served, RawBytes());
  ExpectNothingLeft();
}

// With one thread and with several: a packer that fails for the weight "b".
class PackerFailureTest : public PackerTest, public testing::WithParamInterface<size_t> {
 protected:
  void SetUp() override { MakePlans({{{"a"}}, {{"c", 16}, {"b", 8}}}); }

  const Weight& Failing() const { return plans_[1].weights[1]; }

  // Makes the packer call this for the weight "b".
  template <typename Failure>
  void FailWith(Failure failure) {
    packer_.on_pack = [this, failure](const Weight& weight, const ShownWeight&) -> Status {
      return &weight == &Failing() ? failure() : Status::Ok();
    };
  }

  void ExpectThatAnotherLoadPacksEverything() {
    packer_.on_pack = nullptr;
    const uint64_t waits = cache_->Stats().waits;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(Threads(GetParam())));
    EXPECT_EQ(BytesOf(pins[1].pins()[1]), PackedByHand({"b", 8}));
    EXPECT_EQ(cache_->Stats().entries, 3u);
    EXPECT_EQ(cache_->Stats().waits, waits);
  }
};

INSTANTIATE_TEST_SUITE_P(, PackerFailureTest, testing::Values(1, 3),
                         [](const auto& threads) { return "On" + std::to_string(threads.param); });

TEST_P(PackerFailureTest, AFailureNamesDelegateAndNodeAndLeavesNothing) {
  FailWith([] { return Status::Error(StatusCode::kIoError, "the packer says so"); });
  const auto pins = Pin(Threads(GetParam()));
  EXPECT_TRUE(IsError(pins, StatusCode::kIoError,
                      {"delegate 1", "graph node 1 (XNNFullyConnected)", "the packer says so"}));
  ExpectNothingLeft();
  ExpectThatAnotherLoadPacksEverything();
}

TEST_P(PackerFailureTest, APackerThatFailedHoldsNoPinEvenWhileItLives) {
  FailWith([] { return Status::Error(StatusCode::kIoError, "the packer says so"); });
  const ProgressCallback no_listener;
  LoadReporter reporter(no_listener, "test.pte", RawBytes());
  Packer packer(cache_, packer_, Threads(GetParam()), reporter);
  EXPECT_FALSE(packer.Pin(plans_).ok());
  ExpectNothingLeft();
}

TEST_P(PackerFailureTest, AFailureDisturbsNoWeightOfOthers) {
  std::vector<Plan> all = std::move(plans_);
  plans_.clear();
  plans_.push_back(std::move(all[0]));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins others, Pin());
  plans_.push_back(std::move(all[1]));
  FailWith([] { return Status::Error(StatusCode::kIoError, "the packer says so"); });
  EXPECT_FALSE(Pin(Threads(GetParam())).ok());
  EXPECT_EQ(cache_->Stats().entries, 1u);
  EXPECT_EQ(cache_->Stats().pins, 1u);
  EXPECT_EQ(BytesOf(others[0].pins()[0]), PackedByHand({"a"}));
}

TEST_P(PackerFailureTest, WithoutMemoryForAWeightNothingIsLeft) {
  packer_.extra_bytes = SIZE_MAX / 4;
  EXPECT_TRUE(IsError(Pin(Threads(GetParam())), StatusCode::kResourceExhausted,
                      {"delegate ", "graph node ", "no memory"}));
  packer_.extra_bytes = 0;
  ExpectNothingLeft();
  ExpectThatAnotherLoadPacksEverything();
}

TEST_P(PackerFailureTest, BadAllocWhileAWeightIsPackedIsAStatusAndLeavesNothing) {
  FailWith([]() -> Status { throw std::bad_alloc(); });
  EXPECT_TRUE(IsError(Pin(Threads(GetParam())), StatusCode::kResourceExhausted,
                      {"delegate 1", "graph node 1 (XNNFullyConnected)", "out of memory"}));
  ExpectNothingLeft();
  ExpectThatAnotherLoadPacksEverything();
}

TEST_P(PackerFailureTest, AWeightThatCannotBeReadIsNamed) {
  for (const auto storage :
       {WatchedSource::Storage::kMapped, WatchedSource::Storage::kReadOnRequest}) {
    MakePlans({{{"a"}}, {{"c", 16}, {"b", 8}}}, storage);
    const uint64_t offset = files_->SegmentOf("b").offset;
    data_->on_read = [offset](const Segment& range) {
      if (range.offset != offset) return Status::Ok();
      return Status::Error(StatusCode::kIoError, "the disk is gone");
    };
    EXPECT_TRUE(IsError(Pin(Threads(GetParam())), StatusCode::kIoError,
                        {"delegate 1", "graph node 1", "graph value ", "the disk is gone"}));
    ExpectNothingLeft();
    data_->on_read = nullptr;
    ExpectThatAnotherLoadPacksEverything();
  }
}

// A source could wait for what its own thread is to provide.
TEST_F(PackerTest, ASourceMayNotLoadAMethodWhileItIsReadAndACallbackMay) {
  MakePlans({{{"a"}}});
  Status in_source, in_callback = Status::Error(StatusCode::kInternal, "never called");
  data_->on_read = [&](const Segment&) {
    in_source = SourceCall::CheckNone();
    return Status::Ok();
  };
  EXPECT_TRUE(IsOk(Pin({}, [&](const LoadProgress&) {
    in_callback = SourceCall::CheckNone();
    return true;
  })));
  EXPECT_TRUE(IsError(in_source, StatusCode::kFailedPrecondition));
  EXPECT_TRUE(IsOk(in_callback));
}

TEST_F(PackerTest, TheRawPagesOfAWeightAreLetGoOfBeforeTheNextIsPacked) {
  const std::vector<std::string> keys = {"a", "b", "c"};
  MakePlans({{{"a", 64, 32, WeightKind::kFloat, true},
              {"b", 64, 16, WeightKind::kInt8},
              {"c", 8, 8, WeightKind::kFloat, true}}});
  size_t packed = 0;
  packer_.on_pack = [&](const Weight&, const ShownWeight&) {
    for (size_t i = 0; i < keys.size(); ++i) {
      const bool is_done = i < packed;
      EXPECT_EQ(data_->DiscardsOf(files_->SegmentOf(keys[i])), is_done ? 1u : 0u);
      EXPECT_EQ(data_->ReadsOf(files_->SegmentOf(keys[i])) > 0, i <= packed);
    }
    ++packed;
    return Status::Ok();
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin());
  EXPECT_EQ(packed, 3u);
  for (const char* key : {"a", "a.bias", "b", "b.scale", "c", "c.bias"}) {
    EXPECT_EQ(data_->DiscardsOf(files_->SegmentOf(key)), 1u) << key;
  }
}

TEST_F(PackerTest, WhatIsNotMappedIsReadOnce) {
  MakePlans({{{"a"}, {"b", 8, 8, WeightKind::kFloat, true}}},
            WatchedSource::Storage::kReadOnRequest);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin());
  for (const char* key : {"a", "b", "b.bias"}) {
    EXPECT_EQ(data_->ReadsOf(files_->SegmentOf(key)), 1u) << key;
  }
  EXPECT_EQ(BytesOf(pins[0].pins()[0]), PackedByHand({"a"}));
}

}  // namespace
}  // namespace onepack
