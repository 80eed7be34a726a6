// Packers that want the same weights at the same time, and packers of many threads.

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <utility>

#include "delegate/packing/packer.h"
#include "tests/delegate/packing/packer_fixture.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

// Two loads of the same plans. The second begins while the first one packs, and the first goes on
// when the second one waits for it.
class PackerWaitingTest : public PackerTest {
 protected:
  void SetUp() override { MakePlans({{{"a"}}}); }

  void LoadTwice(const Status& first_packing) {
    packer_.on_pack = [&](const Weight&, const ShownWeight&) {
      if (++packings_ > 1) return Status::Ok();
      other_ = std::thread([this] { second_.emplace(Pin()); });
      WaitUntil([this] { return cache_->Stats().waits == 1; });
      return first_packing.ok() ? Status::Ok()
                                : Status::Error(first_packing.code(), "%s", "the packer says so");
    };
    first_.emplace(Pin());
    other_.join();
  }

  std::atomic<int> packings_{0};
  std::thread other_;
  std::optional<Result<Pins>> first_, second_;
};

TEST_F(PackerWaitingTest, OfTwoThatWantOneWeightOnePacksAndTheOtherWaits) {
  LoadTwice(Status::Ok());
  ASSERT_TRUE(IsOk(*first_));
  ASSERT_TRUE(IsOk(*second_));
  EXPECT_EQ(packings_, 1);
  EXPECT_EQ((**first_)[0].pins()[0].bytes().data(), (**second_)[0].pins()[0].bytes().data());
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.misses.total(), 1u);
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.waits, 1u);
  EXPECT_EQ(stats.pins, 2u);
}

TEST_F(PackerWaitingTest, TheOneThatWaitsTakesOverWhenTheOtherFails) {
  LoadTwice(Status::Error(StatusCode::kIoError, "the packer says so"));
  EXPECT_TRUE(IsError(*first_, StatusCode::kIoError, {"the packer says so"}));
  ASSERT_TRUE(IsOk(*second_));
  EXPECT_EQ(packings_, 2);
  EXPECT_EQ(BytesOf((**second_)[0].pins()[0]), PackedByHand({"a"}));
  EXPECT_EQ(cache_->Stats().entries, 1u);
  EXPECT_EQ(cache_->Stats().pins, 1u);
}

// Each begins with what the other one ends with.
TEST_F(PackerTest, PackersThatWantTheSameWeightsInOtherOrdersDoNotWaitForEachOther) {
  std::vector<TestWeight> weights;
  for (int i = 0; i < 8; ++i) weights.push_back({"w" + std::to_string(i)});
  const std::vector<TestWeight> reversed(weights.rbegin(), weights.rend());
  MakePlans({weights, reversed});
  constexpr int kLoads = 8;
  std::vector<std::vector<PackedWeight>> kept(kLoads);
  RunInThreads(kLoads, [&](int load) {
    const auto index = static_cast<size_t>(load);
    const ProgressCallback no_listener;
    LoadReporter reporter(no_listener, "test.pte", RawBytes());
    Packer packer(cache_, packer_, Threads(index % 3 + 1), reporter);
    auto pins = packer.Pin(Span<const Plan>(&plans_[index % 2], 1));
    ASSERT_TRUE(IsOk(pins));
    for (const PackedWeight& pin : (*pins)[0].pins()) kept[index].push_back(pin.Share());
  });
  EXPECT_EQ(packer_.calls().size(), weights.size());
  EXPECT_EQ(cache_->Stats().entries, weights.size());
  EXPECT_EQ(cache_->Stats().misses.total(), weights.size());
  EXPECT_EQ(cache_->Stats().packed_bytes, cache_->Stats().bytes);
}

// Weights of many sizes, two of them twice.
std::vector<std::vector<TestWeight>> ManyWeights() {
  std::vector<std::vector<TestWeight>> delegates(3);
  for (uint32_t i = 0; i < 24; ++i) {
    delegates[i % 3].push_back({"w" + std::to_string(i), 8 + 8 * (i * 7 % 24), 16,
                                i % 4 == 0 ? WeightKind::kInt8 : WeightKind::kFloat, i % 4 == 2});
  }
  delegates[0].push_back(delegates[1][0]);
  delegates[2].push_back(delegates[1][0]);
  return delegates;
}
constexpr size_t kManyWeights = 24;  // that differ

TEST_F(PackerTest, ManyThreadsPackTheSameBytesAndCountTheSame) {
  std::vector<std::vector<uint8_t>> expected;
  std::optional<WeightCacheStats> alone;
  for (const size_t threads : {1, 2, 8}) {
    SCOPED_TRACE(threads);
    MakePlans(ManyWeights());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(Threads(threads)));
    if (threads == 1) expected = BytesOf(pins);
    EXPECT_EQ(BytesOf(pins), expected);
    const WeightCacheStats stats = cache_->Stats();
    if (!alone) alone = stats;
    EXPECT_EQ(stats.entries, kManyWeights);
    EXPECT_EQ(stats.bytes, alone->bytes);
    EXPECT_EQ(stats.pins, kManyWeights + 2);
    EXPECT_EQ(stats.hits, 0u);
  }
  EXPECT_EQ(packer_.calls().size(), 3 * kManyWeights) << "each file is another one";
}

uint64_t RawBytesOf(const XorPacker::Call& call) { return call.weight->raw_bytes; }

TEST_F(PackerTest, OneThreadPacksTheLargestFirst) {
  MakePlans(ManyWeights());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin());
  const auto calls = packer_.calls();
  ASSERT_EQ(calls.size(), kManyWeights);
  for (size_t i = 1; i < calls.size(); ++i) {
    EXPECT_GE(RawBytesOf(calls[i - 1]), RawBytesOf(calls[i])) << i;
    EXPECT_EQ(calls[i].thread, std::this_thread::get_id());
  }
}

TEST_F(PackerTest, ManyThreadsBeginWithTheLargest) {
  constexpr size_t kThreads = 8;
  MakePlans(ManyWeights());
  std::vector<uint64_t> sizes;
  for (const Plan& plan : plans_) {
    for (const Weight& weight : plan.weights) sizes.push_back(weight.raw_bytes);
  }
  std::sort(sizes.rbegin(), sizes.rend());
  Barrier all_begin(kThreads);
  std::atomic<size_t> begun{0};
  std::atomic<uint64_t> smallest_of_the_first{UINT64_MAX};
  packer_.on_pack = [&](const Weight& weight, const ShownWeight&) {
    if (++begun > kThreads) return Status::Ok();
    uint64_t smallest = smallest_of_the_first;
    while (weight.raw_bytes < smallest &&
           !smallest_of_the_first.compare_exchange_weak(smallest, weight.raw_bytes)) {
    }
    all_begin.Wait();
    return Status::Ok();
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(Threads(kThreads)));
  EXPECT_GE(smallest_of_the_first, sizes[kThreads + 1]) << "two of the sizes are of one weight";
}

size_t CountThreads(const std::vector<XorPacker::Call>& calls) {
  std::set<std::thread::id> threads;
  for (const auto& call : calls) threads.insert(call.thread);
  return threads.size();
}

TEST_F(PackerTest, FewBytesAreWorthNoThread) {
  MakePlans(ManyWeights());
  PackerOptions options = Threads(8);
  options.min_bytes_per_thread = 1 << 20;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(options));
  EXPECT_EQ(CountThreads(packer_.calls()), 1u);
  EXPECT_EQ(packer_.calls()[0].thread, std::this_thread::get_id());
}

TEST_F(PackerTest, NoMoreThreadsPackThanThereAreWeights) {
  MakePlans({{{"a"}, {"b"}}});
  Barrier both(2);
  packer_.on_pack = [&](const Weight&, const ShownWeight&) {
    both.Wait();  // one thread would wait in vain
    return Status::Ok();
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Pins pins, Pin(Threads(8)));
  EXPECT_EQ(CountThreads(packer_.calls()), 2u);
}

}  // namespace
}  // namespace onepack
