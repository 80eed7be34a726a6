// Large weights: packed in slices where that makes the same bytes, and whole where it does not.

#include <atomic>
#include <new>
#include <thread>
#include <tuple>

#include "delegate/packing/packer.h"
#include "tests/delegate/packing/packer_fixture.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

const ProgressCallback kNoListener;
const ProgressCallback kListener = [](const LoadProgress&) { return true; };

// On one thread and on three, with a listener and without: who packs differs, what is packed not.
class PackerSlicesTest : public PackerTest,
                         public testing::WithParamInterface<std::tuple<size_t, bool>> {
 protected:
  size_t threads() const { return std::get<0>(GetParam()); }
  const ProgressCallback& listener() const {
    return std::get<1>(GetParam()) ? kListener : kNoListener;
  }
};

INSTANTIATE_TEST_SUITE_P(, PackerSlicesTest,
                         testing::Combine(testing::Values(1, 3), testing::Bool()),
                         [](const auto& test) {
                           return "On" + std::to_string(std::get<0>(test.param)) +
                                  (std::get<1>(test.param) ? "WithAListener" : "");
                         });

TEST_P(PackerSlicesTest, ALargeMappedWeightIsPackedInSlicesToTheSameBytesAsWhole) {
  for (const TestWeight& weight :
       {TestWeight{"plain", 1024, 8}, TestWeight{"bias", 1024, 8, WeightKind::kFloat, true},
        TestWeight{"odd", 1001, 5, WeightKind::kFloat, true}, TestWeight{"two blocks", 256, 8},
        TestWeight{"one more", 257, 8}, TestWeight{"int8", 999, 12, WeightKind::kInt8},
        TestWeight{"int4", 513, 64, WeightKind::kInt4}}) {
    SCOPED_TRACE(weight.key);
    MakePlans({{weight}});
    const size_t whole_before = packer_.CountWhole();
    const size_t slices_before = packer_.CountSlices();
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(Slices(threads()), listener()));
    EXPECT_EQ(packer_.CountWhole(), whole_before);
    EXPECT_GE(packer_.CountSlices(), slices_before + (weight.outputs + 127) / 128);
    EXPECT_EQ(BytesOf(pins[0].pins()[0]), PackedByHand(weight));
    EXPECT_EQ(pins[0].pins()[0].tag(), packer_.tag ^ weight.outputs);
    EXPECT_EQ(cache_->Stats().entries, 1u);
    EXPECT_EQ(cache_->Stats().pins, 1u);
  }
}

TEST_P(PackerSlicesTest, WhoseBlocksDoNotJoinIsPackedWhole) {
  for (const auto layout : {XorPacker::Layout::kNumbered, XorPacker::Layout::kWithHeader,
                            XorPacker::Layout::kTagOfItsOwn}) {
    SCOPED_TRACE(static_cast<int>(layout));
    packer_.layout = layout;
    MakePlans({{{"a", 1000, 8}}});
    const size_t whole_before = packer_.CountWhole();
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(Slices(threads()), listener()));
    EXPECT_EQ(packer_.CountWhole(), whole_before + 1);
    const std::vector<uint8_t> sliced = BytesOf(pins[0].pins()[0]);
    MakePlans({{{"a", 1000, 8}}});
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins whole, Pin());
    EXPECT_EQ(sliced, BytesOf(whole[0].pins()[0]));
    EXPECT_EQ(pins[0].pins()[0].tag(), whole[0].pins()[0].tag());
  }
}

TEST_P(PackerSlicesTest, WhatIsNoLargeMappedWeightIsPackedWhole) {
  const auto expect_whole = [&](const TestWeight& weight, size_t large_weight_bytes,
                                WatchedSource::Storage storage) {
    SCOPED_TRACE(weight.key);
    MakePlans({{weight}}, storage);
    const size_t slices_before = packer_.CountSlices();
    PackerOptions options = Slices(threads());
    options.large_weight_bytes = large_weight_bytes;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(options, listener()));
    EXPECT_EQ(packer_.CountSlices(), slices_before);
    EXPECT_EQ(BytesOf(pins[0].pins()[0]), PackedByHand(weight));
  };
  expect_whole({"not large", 1024, 8}, 1024 * 8 * 4 + 1, WatchedSource::Storage::kMapped);
  expect_whole({"not two blocks", 255, 8}, 1, WatchedSource::Storage::kMapped);
  expect_whole({"not mapped", 1024, 8}, 1, WatchedSource::Storage::kReadOnRequest);
  expect_whole({"none is large", 1024, 8}, 0, WatchedSource::Storage::kMapped);
}

// So many runs are packed to see the layout of a weight whose last block is whole.
constexpr int kProbes = 3;

TEST_P(PackerSlicesTest, OfWhichASliceFailsIsPackedWholeAndReportedOnce) {
  for (const bool throws : {false, true}) {
    for (const int failing : {1, 2, 4, 8}) {
      SCOPED_TRACE(failing);
      MakePlans({{{"a", 1024, 8}, {"b"}}});
      const size_t whole_before = packer_.CountWhole();
      std::atomic<int> slices{-kProbes};
      packer_.on_pack = [&](const Weight&, const ShownWeight& shown) {
        if (!shown.channels || ++slices != failing) return Status::Ok();
        if (throws) throw std::bad_alloc();
        return Status::Error(StatusCode::kInternal, "the packer says so");
      };
      uint64_t served = 0;
      PackerOptions options = Slices(threads());
      options.large_weight_bytes = 16 * 1024;  // "b" is not
      ProgressCallback count = [&](const LoadProgress& progress) {
        EXPECT_GE(progress.served_bytes, served);
        served = progress.served_bytes;
        return true;
      };
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(options, listener() ? count : kNoListener));
      EXPECT_GE(slices, failing) << "there was no such slice";
      EXPECT_EQ(packer_.CountWhole(), whole_before + 2);
      EXPECT_EQ(BytesOf(pins[0].pins()[0]), PackedByHand({"a", 1024, 8}));
      EXPECT_EQ(served, listener() ? RawBytes() : 0u);
      EXPECT_EQ(cache_->Stats().entries, 2u);
    }
  }
}

TEST_P(PackerSlicesTest, WhatFailsWholeTooSaysWhyAndLeavesNothing) {
  MakePlans({{{"a", 1024, 8}}});
  std::atomic<int> slices{-kProbes};
  packer_.on_pack = [&](const Weight&, const ShownWeight& shown) {
    if (shown.channels && ++slices <= 3) return Status::Ok();
    return Status::Error(StatusCode::kInvalidFile, "the packer says so");
  };
  EXPECT_TRUE(IsError(Pin(Slices(threads()), listener()), StatusCode::kInvalidFile,
                      {"delegate 0", "graph node 0", "the packer says so"}));
  ExpectNothingLeft();
}

// As it would wherever XNNPACK allocates.
TEST_P(PackerSlicesTest, BadAllocWhileTheLayoutIsProbedLeavesTheWeightToBePackedWhole) {
  for (int failing = 1; failing <= kProbes; ++failing) {
    SCOPED_TRACE(failing);
    MakePlans({{{"a", 1024, 8}}});
    std::atomic<int> slices{0};
    packer_.on_pack = [&](const Weight&, const ShownWeight& shown) {
      if (shown.channels && ++slices == failing) throw std::bad_alloc();
      return Status::Ok();
    };
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(Slices(threads()), listener()));
    EXPECT_EQ(BytesOf(pins[0].pins()[0]), PackedByHand({"a", 1024, 8}));
  }
}

TEST_P(PackerSlicesTest, WithoutMemoryNothingIsLeft) {
  MakePlans({{{"a", 1024, 8}}});
  packer_.on_pack = [&](const Weight&, const ShownWeight& shown) {
    return shown.channels
               ? Status::Ok()
               : Status::Error(StatusCode::kResourceExhausted, "no memory for the whole");
  };
  packer_.extra_bytes = SIZE_MAX / 4;
  EXPECT_TRUE(
      IsError(Pin(Slices(threads()), listener()), StatusCode::kResourceExhausted, {"no memory"}));
  ExpectNothingLeft();
}

// The application may load another method when it is told of a slice.
TEST_F(PackerTest, ALoadFromTheCallbackThatWaitsForTheVeryWeightFinishes) {
  for (const size_t threads : {1, 3}) {
    SCOPED_TRACE(threads);
    MakePlans({{{"a", 1024, 8}}});
    const size_t slices_before = packer_.CountSlices();
    std::optional<Result<Pins>> inner;
    size_t calls = 0;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins outer, Pin(Slices(threads), [&](const LoadProgress&) {
                                   if (++calls == 2) inner.emplace(Pin(Slices(threads)));
                                   return true;
                                 }));
    ASSERT_TRUE(inner);
    ASSERT_TRUE(IsOk(*inner));
    EXPECT_EQ((**inner)[0].pins()[0].bytes().data(), outer[0].pins()[0].bytes().data());
    EXPECT_EQ(cache_->Stats().entries, 1u);
    EXPECT_EQ(packer_.CountWhole(), 0u);
    EXPECT_LE(packer_.CountSlices(), slices_before + 1024 / 128 + 2 * kProbes);
  }
}

TEST_P(PackerSlicesTest, ManyLoadsAtOncePackItOnce) {
  constexpr int kLoads = 4;
  MakePlans({{{"a", 1024, 8}}});
  std::vector<std::optional<Result<Pins>>> pins(kLoads);
  RunInThreads(kLoads, [&](int load) {
    pins[static_cast<size_t>(load)].emplace(Pin(Slices(threads()), listener()));
  });
  for (auto& each : pins) {
    ASSERT_TRUE(IsOk(*each));
    EXPECT_EQ(BytesOf((**each)[0].pins()[0]), PackedByHand({"a", 1024, 8}));
  }
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.misses.total(), 1u);
  EXPECT_EQ(stats.hits, static_cast<uint64_t>(kLoads - 1));
  EXPECT_EQ(stats.packed_bytes, stats.bytes);
}

TEST_F(PackerTest, TheRawPagesOfASliceAreLetGoOfBeforeTheNextIsPacked) {
  const TestWeight weight{"a", 1024, 8, WeightKind::kInt8};
  MakePlans({{weight}});
  const auto part = [&](const char* key, size_t slice) {
    Segment segment = files_->SegmentOf(key);
    segment.size /= 8;
    segment.offset += slice * segment.size;
    return segment;
  };
  int slices = -kProbes;
  packer_.on_pack = [&](const Weight&, const ShownWeight&) {
    if (slices >= 0) {
      for (size_t i = 0; i < 8; ++i) {
        const size_t expected = i < static_cast<size_t>(slices) ? 1 : 0;
        EXPECT_EQ(data_->DiscardsOf(part("a", i)), expected) << i << " of " << slices;
        EXPECT_EQ(data_->DiscardsOf(part("a.scale", i)), expected) << i << " of " << slices;
      }
    }
    ++slices;
    return Status::Ok();
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(Slices()));
  EXPECT_EQ(slices, 8);
  EXPECT_GE(data_->DiscardsOf(files_->SegmentOf("a")), 1u);
  EXPECT_EQ(BytesOf(pins[0].pins()[0]), PackedByHand(weight));
}

}  // namespace
}  // namespace onepack
