// What a Packer reports while it packs, and what is left of a load that is cancelled.

#include <algorithm>
#include <set>
#include <stdexcept>
#include <thread>

#include "delegate/packing/packer.h"
#include "tests/delegate/packing/packer_fixture.h"

namespace onepack {
namespace {

// Four weights, one of them twice.
std::vector<std::vector<TestWeight>> FourWeights() {
  return {{{"a", 512, 16}, {"b", 64, 8, WeightKind::kFloat, true}},
          {{"a", 512, 16}, {"c", 32, 16, WeightKind::kInt8}, {"d", 640, 8}}};
}
constexpr size_t kFourWeights = 4;

// Whole on one thread and on three, and the large ones in slices on one and on three.
struct Way {
  const char* name;
  PackerOptions options;
};
void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

constexpr size_t kLarge = 4096;  // "a" and "d" are

class PackerProgressTest : public PackerTest, public testing::WithParamInterface<Way> {
 protected:
  void SetUp() override { MakePlans(FourWeights()); }

  const PackerOptions& options() const { return GetParam().options; }
};

INSTANTIATE_TEST_SUITE_P(, PackerProgressTest,
                         testing::Values(Way{"WholeOn1", {1, 1, 0}}, Way{"WholeOn3", {3, 1, 0}},
                                         Way{"SlicesOn1", {1, 1, kLarge}},
                                         Way{"SlicesOn3", {3, 1, kLarge}}),
                         [](const auto& way) { return std::string(way.param.name); });

// Remembers what it is told, and says no from the call on whose number it is given.
struct Listener {
  ProgressCallback Callback() {
    return [this](const LoadProgress& progress) {
      served.push_back(progress.served_bytes);
      expected.insert(progress.expected_bytes);
      threads.insert(std::this_thread::get_id());
      return served.size() < cancel_at;
    };
  }

  size_t cancel_at = SIZE_MAX;
  std::vector<uint64_t> served;
  std::set<uint64_t> expected;
  std::set<std::thread::id> threads;
};

TEST_P(PackerProgressTest, CountsTheRawBytesOfEachWeightOnceAndEndsAtWhatWasExpected) {
  Listener listener;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(options(), listener.Callback()));
  ASSERT_GE(listener.served.size(), kFourWeights + 1);
  EXPECT_TRUE(std::is_sorted(listener.served.begin(), listener.served.end()));
  EXPECT_EQ(listener.served.back(), RawBytes());
  EXPECT_EQ(listener.expected, std::set<uint64_t>{RawBytes()});
  EXPECT_EQ(listener.threads, std::set<std::thread::id>{std::this_thread::get_id()});
  if (options().large_weight_bytes == 0) {
    EXPECT_EQ(listener.served.size(), kFourWeights + 1);
  } else {
    EXPECT_EQ(packer_.CountWhole(), 2u);
    EXPECT_GE(listener.served.size(), 512u / 128 + 640 / 128 + 2) << "slice by slice";
  }
}

TEST_P(PackerProgressTest, CountsWhatIsFoundInTheSameWay) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin());
  Listener listener;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins again, Pin(options(), listener.Callback()));
  EXPECT_EQ(listener.served.size(), kFourWeights + 1);
  EXPECT_EQ(listener.served.back(), RawBytes());
}

TEST_P(PackerProgressTest, ALoadThatIsCancelledAfterTheFirstWeightLeavesNothing) {
  Listener listener;
  listener.cancel_at = 1;
  const auto pins = Pin(options(), listener.Callback());
  ASSERT_EQ(listener.served.size(), 1u) << "it was asked again after it had said no";
  EXPECT_TRUE(IsError(pins, StatusCode::kCancelled,
                      {"cancelled after " + std::to_string(listener.served[0]) + " of " +
                       std::to_string(RawBytes()) + " bytes"}));
  ExpectNothingLeft();
}

TEST_P(PackerProgressTest, ALoadThatIsCancelledAtAnyTimeLeavesNothingAndTheNextSucceeds) {
  Listener whole;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(options(), whole.Callback()));
  }
  for (size_t cancel_at = 1; cancel_at <= whole.served.size(); ++cancel_at) {
    SCOPED_TRACE(cancel_at);
    Listener listener;
    listener.cancel_at = cancel_at;
    EXPECT_TRUE(IsError(Pin(options(), listener.Callback()), StatusCode::kCancelled));
    EXPECT_EQ(listener.served.size(), cancel_at);
    ExpectNothingLeft();
  }
  EXPECT_TRUE(IsOk(Pin(options())));
}

TEST_P(PackerProgressTest, ACallbackThatThrowsCancels) {
  EXPECT_TRUE(
      IsError(Pin(options(), [](const LoadProgress&) -> bool { throw std::runtime_error("no"); }),
              StatusCode::kCancelled));
  ExpectNothingLeft();
}

TEST_P(PackerProgressTest, AFullHitCanBeCancelledToo) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin());
  const WeightCacheStats before = cache_->Stats();
  for (size_t cancel_at = 1; cancel_at <= kFourWeights + 1; ++cancel_at) {
    Listener listener;
    listener.cancel_at = cancel_at;
    EXPECT_TRUE(IsError(Pin(options(), listener.Callback()), StatusCode::kCancelled));
    EXPECT_EQ(cache_->Stats().pins, before.pins);
  }
}

}  // namespace
}  // namespace onepack
