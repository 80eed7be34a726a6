#include "delegate/xnn/ones.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "tests/support/sanitizers.h"

namespace onepack {
namespace {

constexpr uint16_t kBfloatOne = 0x3f80;
constexpr size_t kMany = 10'000'000;

size_t MinorFaults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_minflt);
}

TEST(OnesTest, AreOnesWhetherFewOrMany) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{4097}, size_t{8192}, size_t{8193},
                             size_t{65535}, size_t{65536}, size_t{65537}, kMany}) {
    const Ones<uint16_t> bfloats(count);
    EXPECT_TRUE(std::all_of(bfloats.data(), bfloats.data() + count,
                            [](uint16_t one) { return one == kBfloatOne; }));
    const Ones<float> floats(count);
    EXPECT_TRUE(
        std::all_of(floats.data(), floats.data() + count, [](float one) { return one == 1.0f; }));
  }
}

TEST(OnesTest, ManyTakeNoMemoryOfTheirOwn) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  const Ones<float> first(kMany);
  const size_t before = MinorFaults();
  const Ones<float> second(kMany);
  EXPECT_EQ(std::count(second.data(), second.data() + kMany, 1.0f), kMany);
  constexpr size_t kPages = kMany * sizeof(float) / 4096;
  EXPECT_LT(MinorFaults() - before, kPages / 10);
}

TEST(OnesTest, StayWhereTheyAreWhenMoved) {
  Ones<float> ones(kMany);
  const float* before = ones.data();
  const Ones<float> moved(std::move(ones));
  EXPECT_EQ(moved.data(), before);
  EXPECT_EQ(moved.data()[kMany - 1], 1.0f);
}

TEST(OnesStoreTest, KeepsWhatItGaveOutWhenMoreAreAskedFor) {
  OnesStore store;
  const uint16_t* few = store.Get<uint16_t>(10);
  EXPECT_EQ(store.Get<uint16_t>(5), few);
  const uint16_t* many = store.Get<uint16_t>(kMany);
  EXPECT_NE(many, few);
  EXPECT_EQ(store.Get<uint16_t>(10), many);
  EXPECT_EQ(few[9], kBfloatOne);
  EXPECT_EQ(many[kMany - 1], kBfloatOne);
}

}  // namespace
}  // namespace onepack
