// The table of packed weights, called as XNNPACK calls it and as it should not.

#include "delegate/xnn/weight_table.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <string.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "delegate/xnn/layout_tag.h"
#include "tests/support/child_process.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr size_t kSize = 256;  // of packed weights
constexpr uint32_t kSeed = 7;

class WeightTableTest : public testing::Test {
 protected:
  void TearDown() override {
    table_.reset();
    pins_.clear();
    EXPECT_EQ(cache_->Stats().pins, 0u);
    EXPECT_EQ(cache_->Stats().bytes, 0u);
    EXPECT_EQ(cache_->Stats().heap_bytes, 0u);
  }

  xnn_weights_cache_look_up_key KeyFor(size_t kernel, uint32_t seed = kSeed) const {
    xnn_weights_cache_look_up_key key{};
    key.seed = seed;
    key.kernel = &kernels_[kernel];
    return key;
  }

  // The pin of a weight that is filled with `value`.
  PackedWeight Packed(uint8_t value, uint32_t seed = kSeed, size_t size = kSize) {
    PackKey key;
    key.weight.kernel = DigestBuilder("test").Add(value).Add(seed).Add(size).Finish();
    PackTransaction transaction(cache_);
    EXPECT_FALSE(transaction.LookUp(key));
    memset(transaction.Reserve(size), value, size);
    return transaction.Commit(TagOf(KeyFor(0, seed)));
  }

  void AddRow(size_t kernel, bool is_readable, PackedWeight pin) {
    rows_.push_back({&kernels_[kernel], is_readable});
    pins_.push_back(std::move(pin));
  }
  // A row for each of the first kernels, with a pin filled with its number.
  void AddRows(size_t count) {
    for (size_t i = 0; i < count; ++i) AddRow(i, false, Packed(static_cast<uint8_t>(i)));
  }
  void Begin() { table_->Begin(rows_, pins_); }

  xnn_weights_cache_t handle() { return table_->handle(); }
  size_t LookUp(size_t kernel, uint32_t seed = kSeed) {
    const auto key = KeyFor(kernel, seed);
    return handle()->look_up(handle()->context, &key);
  }
  void* Reserve(size_t size = kSize) { return handle()->reserve_space(handle()->context, size); }
  size_t Insert(size_t kernel, void* packed, size_t size = kSize, uint32_t seed = kSeed) {
    const auto key = KeyFor(kernel, seed);
    return handle()->look_up_or_insert(handle()->context, &key, packed, size);
  }
  size_t ReserveAndInsert(size_t kernel, uint8_t value, size_t size = kSize,
                          uint32_t seed = kSeed) {
    void* space = Reserve(size);
    EXPECT_NE(space, nullptr);
    if (space == nullptr) return SIZE_MAX;
    memset(space, value, size);
    return Insert(kernel, space, size, seed);
  }
  const uint8_t* Address(size_t offset) {
    return static_cast<const uint8_t*>(handle()->offset_to_addr(handle()->context, offset));
  }
  bool IsFilledWith(size_t offset, uint8_t value, size_t size = kSize) {
    const uint8_t* bytes = Address(offset);
    return std::all_of(bytes, bytes + size, [&](uint8_t byte) { return byte == value; });
  }

  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  const char kernels_[1000] = {};
  std::vector<WeightTable::Row> rows_;
  std::vector<PackedWeight> pins_;
  std::unique_ptr<WeightTable> table_ = std::make_unique<WeightTable>(cache_);
};

TEST_F(WeightTableTest, ALookUpFindsAWeightByTheAddressOfItsKernel) {
  AddRows(3);
  Begin();
  for (const size_t number : {2, 0, 1, 0}) {
    EXPECT_EQ(LookUp(number), number);
    EXPECT_EQ(Address(number), pins_[number].bytes().data());
  }
  EXPECT_TRUE(IsOk(table_->End()));
  EXPECT_TRUE(table_->refused().empty());
  EXPECT_TRUE(table_->is_shared());
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
}

TEST_F(WeightTableTest, ItIsAlwaysFinalizedAndNeverDeletedByXnnpack) {
  EXPECT_TRUE(handle()->is_finalized(handle()->context));
  EXPECT_NE(handle()->delete_cache(handle()->context), xnn_status_success);
}

TEST_F(WeightTableTest, AWeightOfAnotherTagIsRefusedAndNoMemoryGivenForIt) {
  AddRows(2);
  Begin();
  EXPECT_EQ(LookUp(1, kSeed + 1), SIZE_MAX);
  EXPECT_EQ(Reserve(), nullptr) << "XNNPACK would read what cannot be read";
  EXPECT_EQ(Reserve(), nullptr);
  EXPECT_TRUE(IsOk(table_->End()));
  EXPECT_EQ(table_->refused(), std::vector<size_t>{1});
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
}

TEST_F(WeightTableTest, ARefusalEndsWithTheNextLookUp) {
  AddRows(1);
  AddRow(1, true, PackedWeight());
  Begin();
  EXPECT_EQ(LookUp(0, kSeed + 1), SIZE_MAX);
  EXPECT_EQ(LookUp(1), SIZE_MAX);
  EXPECT_NE(Reserve(), nullptr);
  EXPECT_EQ(LookUp(0, kSeed + 1), SIZE_MAX);
  EXPECT_EQ(LookUp(0), 0u);
  EXPECT_NE(Reserve(), nullptr);
  EXPECT_TRUE(IsOk(table_->End()));
  EXPECT_EQ(table_->refused(), (std::vector<size_t>{0, 0}));
}

TEST_F(WeightTableTest, AReadableRowThatIsNotServedIsPackedPrivatelyAndCounted) {
  AddRow(0, true, PackedWeight());        // not pinned
  AddRow(1, true, Packed(1, kSeed + 1));  // pinned in another layout
  AddRow(2, false, Packed(2));
  Begin();
  EXPECT_EQ(LookUp(0), SIZE_MAX);
  const size_t first = ReserveAndInsert(0, 10);
  EXPECT_EQ(LookUp(1), SIZE_MAX);
  const size_t second = ReserveAndInsert(1, 11, 2 * kSize);
  EXPECT_EQ(LookUp(2), 2u);
  EXPECT_TRUE(IsOk(table_->End()));
  EXPECT_EQ(std::min(first, second), rows_.size());
  EXPECT_NE(first, second);
  EXPECT_TRUE(IsFilledWith(first, 10));
  EXPECT_TRUE(IsFilledWith(second, 11, 2 * kSize));
  EXPECT_TRUE(IsFilledWith(2, 2));
  EXPECT_TRUE(table_->refused().empty());
  EXPECT_FALSE(table_->is_shared());
  EXPECT_EQ(cache_->Stats().private_bytes, 3 * kSize);
  EXPECT_EQ(cache_->Stats().entries, 2u) << "no other program can find them";
  table_.reset();
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
}

TEST_F(WeightTableTest, AnAddressThatIsNoRowIsPackedPrivately) {
  AddRows(1);
  Begin();
  EXPECT_EQ(LookUp(5), SIZE_MAX);
  const size_t offset = ReserveAndInsert(5, 50);
  EXPECT_TRUE(IsOk(table_->End()));
  EXPECT_TRUE(IsFilledWith(offset, 50));
  EXPECT_EQ(cache_->Stats().private_bytes, kSize);
}

TEST_F(WeightTableTest, TwoRowsOfOneAddressAreAmbiguousAndPackedPrivately) {
  AddRow(0, true, Packed(1));
  AddRow(0, true, Packed(2));
  Begin();
  EXPECT_EQ(LookUp(0), SIZE_MAX);
  const size_t first = ReserveAndInsert(0, 10);
  EXPECT_EQ(LookUp(0), SIZE_MAX);
  const size_t second = ReserveAndInsert(0, 20);
  EXPECT_TRUE(IsOk(table_->End()));
  EXPECT_TRUE(table_->refused().empty());
  EXPECT_TRUE(IsFilledWith(first, 10));
  EXPECT_TRUE(IsFilledWith(second, 20));
  EXPECT_EQ(cache_->Stats().private_bytes, 2 * kSize);
}

// Convolutions do.
TEST_F(WeightTableTest, InsertingNothingAfterAHitGivesTheSameNumber) {
  AddRows(2);
  Begin();
  EXPECT_EQ(LookUp(1), 1u);
  EXPECT_EQ(Insert(1, nullptr), 1u);
  EXPECT_TRUE(IsOk(table_->End()));
  EXPECT_TRUE(table_->is_shared());
}

TEST_F(WeightTableTest, InsertingNothingThatWasNeverFoundIsAnError) {
  AddRows(1);
  Begin();
  EXPECT_NE(Insert(5, nullptr), SIZE_MAX);
  EXPECT_TRUE(IsError(table_->End(), StatusCode::kInternal, {"never found"}));
}

TEST_F(WeightTableTest, InsertingWhatWasNeverReservedIsAnError) {
  AddRow(0, true, PackedWeight());
  Begin();
  uint8_t foreign[kSize] = {};
  EXPECT_EQ(LookUp(0), SIZE_MAX);
  EXPECT_NE(Reserve(), nullptr);
  EXPECT_NE(Insert(0, foreign), SIZE_MAX);
  EXPECT_TRUE(IsError(table_->End(), StatusCode::kInternal, {"never reserved"}));
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
}

// As depthwise and transposed convolutions pack.
TEST_F(WeightTableTest, WhatIsPackedUnaskedIsDroppedIfItIsWhatIsPinned) {
  AddRow(0, true, Packed(10));
  Begin();
  EXPECT_EQ(ReserveAndInsert(0, 10), 0u);
  EXPECT_TRUE(IsOk(table_->End()));
  EXPECT_EQ(Address(0), pins_[0].bytes().data());
  EXPECT_TRUE(table_->is_shared());
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
}

TEST_F(WeightTableTest, WhatIsPackedUnaskedInAnotherLayoutIsKeptPrivately) {
  AddRow(0, true, Packed(10));
  AddRow(1, true, Packed(11));
  Begin();
  const size_t of_another_size = ReserveAndInsert(0, 20, 2 * kSize);
  const size_t of_another_tag = ReserveAndInsert(1, 21, kSize, kSeed + 1);
  EXPECT_TRUE(IsOk(table_->End()));
  EXPECT_TRUE(IsFilledWith(of_another_size, 20, 2 * kSize));
  EXPECT_TRUE(IsFilledWith(of_another_tag, 21));
  EXPECT_EQ(cache_->Stats().private_bytes, 3 * kSize);
}

TEST_F(WeightTableTest, WithoutMemoryTheCreationFailsAndTheFirstFailureCounts) {
  AddRow(0, true, PackedWeight());
  Begin();
  EXPECT_EQ(LookUp(0), SIZE_MAX);
  EXPECT_EQ(Reserve(SIZE_MAX / 2), nullptr);
  EXPECT_EQ(Reserve(), nullptr) << "it cannot succeed any more";
  Insert(5, nullptr);
  EXPECT_TRUE(IsError(table_->End(), StatusCode::kResourceExhausted, {"no memory"}));
}

TEST_F(WeightTableTest, OffsetsStayValidWhileTheTableGrows) {
  AddRows(1);
  Begin();
  std::vector<size_t> offsets;
  for (size_t i = 1; i < 1000; ++i) {
    EXPECT_EQ(LookUp(i), SIZE_MAX);
    offsets.push_back(ReserveAndInsert(i, static_cast<uint8_t>(i)));
  }
  EXPECT_TRUE(IsOk(table_->End()));
  for (size_t i = 1; i < 1000; ++i) {
    EXPECT_TRUE(IsFilledWith(offsets[i - 1], static_cast<uint8_t>(i)));
  }
  EXPECT_TRUE(IsFilledWith(0, 0));
}

// Other pins for a runtime that is there.

class PointToTest : public WeightTableTest {
 protected:
  // A table of two weights that were looked up.
  void SetUp() override {
    AddRows(2);
    Begin();
    EXPECT_EQ(LookUp(0), 0u);
    EXPECT_EQ(LookUp(1), 1u);
    ASSERT_TRUE(IsOk(table_->End()));
  }
  void TearDown() override {
    others_.clear();
    WeightTableTest::TearDown();
  }

  void ExpectUnchanged() {
    EXPECT_EQ(Address(0), pins_[0].bytes().data());
    EXPECT_EQ(Address(1), pins_[1].bytes().data());
  }

  std::vector<PackedWeight> others_;
};

TEST_F(PointToTest, OtherPinsAreServedFromThenOn) {
  others_.push_back(Packed(10));
  others_.push_back(Packed(11));
  ASSERT_TRUE(table_->Fits(others_));
  table_->PointTo(others_);
  EXPECT_EQ(Address(0), others_[0].bytes().data());
  EXPECT_EQ(Address(1), others_[1].bytes().data());
  ASSERT_TRUE(table_->Fits(pins_));
  table_->PointTo(pins_);
  ExpectUnchanged();
}

TEST_F(PointToTest, AMissingPinDoesNotFit) {
  others_.push_back(Packed(10));
  others_.emplace_back();
  EXPECT_FALSE(table_->Fits(others_));
  others_.pop_back();
  EXPECT_FALSE(table_->Fits(others_)) << "one pin for two weights";
  ExpectUnchanged();
}

TEST_F(PointToTest, APinOfAnotherLayoutDoesNotFit) {
  others_.push_back(Packed(10));
  others_.push_back(Packed(11, kSeed + 1));
  EXPECT_FALSE(table_->Fits(others_));
  ExpectUnchanged();
}

TEST_F(WeightTableTest, TheTagOfWhatWasPackedUnaskedIsComparedToo) {
  AddRow(0, true, Packed(10));
  Begin();
  EXPECT_EQ(ReserveAndInsert(0, 10), 0u);
  EXPECT_TRUE(IsOk(table_->End()));
  std::vector<PackedWeight> others;
  others.push_back(Packed(11, kSeed + 1));
  EXPECT_FALSE(table_->Fits(others));
  others[0] = Packed(12);
  ASSERT_TRUE(table_->Fits(others));
  table_->PointTo(others);
}

// Whether a process that reads the address dies of it.
bool DiesOfReading(const void* address) {
  return ExitStatusOfChild([address] {
           signal(SIGSEGV, SIG_DFL);  // sanitizers have handlers of their own
           const volatile auto* byte = static_cast<const volatile uint8_t*>(address);
           return *byte == 0 || true;
         }) == -SIGSEGV;
}

TEST(PlaceholdersTest, AreDifferentAddressesThatCannotBeRead) {
  constexpr size_t kCount = 200;  // more than a page of them
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Placeholders placeholders, Placeholders::Create(kCount));
  std::vector<const void*> addresses;
  for (size_t i = 0; i < kCount; ++i) addresses.push_back(placeholders[i]);
  std::sort(addresses.begin(), addresses.end());
  EXPECT_EQ(std::unique(addresses.begin(), addresses.end()), addresses.end());
  for (const size_t i : {size_t{0}, kCount / 2, kCount - 1}) {
    EXPECT_TRUE(DiesOfReading(placeholders[i])) << i;
  }
  EXPECT_FALSE(DiesOfReading(&addresses)) << "the test itself";
}

TEST(PlaceholdersTest, NoneAreAllRightToo) { EXPECT_TRUE(IsOk(Placeholders::Create(0))); }

}  // namespace
}  // namespace onepack
