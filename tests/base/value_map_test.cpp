#include "base/value_map.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace onepack {
namespace {

using Ids = std::vector<uint32_t>;

ValueMap<std::string> MapOf(const Ids& ids) {
  ValueMap<std::string> map;
  for (const uint32_t id : ids) EXPECT_TRUE(map.Add(id, std::to_string(id)));
  return map;
}

Ids CountedTo(uint32_t count) {
  Ids ids;
  for (uint32_t id = 0; id < count; ++id) ids.push_back(id);
  return ids;
}

// Counted from 0; few; many that begin as if counted, are counted from elsewhere, or anything.
class ValueMapTest : public testing::TestWithParam<Ids> {};

TEST_P(ValueMapTest, FindsWhatWasAddedAndNothingElse) {
  const ValueMap<std::string> map = MapOf(GetParam());
  for (const uint32_t id : GetParam()) {
    ASSERT_NE(map.Find(id), nullptr) << id;
    EXPECT_EQ(*map.Find(id), std::to_string(id));
    EXPECT_EQ(map.at(id), std::to_string(id));
  }
  for (const uint32_t id : {77u, 1000u, UINT32_MAX}) EXPECT_EQ(map.Find(id), nullptr) << id;
}

TEST_P(ValueMapTest, RefusesAnIdThatIsThere) {
  ValueMap<std::string> map = MapOf(GetParam());
  for (const uint32_t id : GetParam()) {
    EXPECT_FALSE(map.Add(id, "another")) << id;
    EXPECT_EQ(map.at(id), std::to_string(id));
  }
}

TEST_P(ValueMapTest, SaysWhetherIdsArePlaces) {
  EXPECT_EQ(MapOf(GetParam()).is_counted(),
            GetParam() == CountedTo(static_cast<uint32_t>(GetParam().size())));
}

TEST_P(ValueMapTest, IteratesInTheOrderOfAdding) {
  ValueMap<std::string> map = MapOf(GetParam());
  Ids ids;
  for (auto& [id, value] : map) {
    EXPECT_EQ(value, std::to_string(id));
    value += "!";
    ids.push_back(id);
  }
  EXPECT_EQ(ids, GetParam());
  for (const uint32_t id : GetParam()) EXPECT_EQ(map.at(id), std::to_string(id) + "!");
}

INSTANTIATE_TEST_SUITE_P(, ValueMapTest,
                         testing::Values(Ids{}, CountedTo(1), CountedTo(50), Ids{5},
                                         Ids{3, 2, 1, 0}, Ids{0, 1, 2, 9, 3},
                                         Ids{9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
                                         Ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 9, 11, 12},
                                         Ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                                         Ids{UINT32_MAX - 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));

TEST(ValueMapOfRandomIdsTest, IsAsAnyOtherMapForRandomIds) {
  std::mt19937 engine(1);
  const auto below = [&engine](uint32_t end) { return static_cast<uint32_t>(engine() % end); };
  for (int round = 0; round < 100; ++round) {
    const uint32_t range = 1 + below(40);
    ValueMap<int> map;
    std::unordered_map<uint32_t, int> expected;
    for (int i = 0; i < 30; ++i) {
      const uint32_t id = below(3) == 0 ? below(range) : static_cast<uint32_t>(i);
      ASSERT_EQ(map.Add(id, i), expected.emplace(id, i).second) << round << " " << id;
    }
    for (uint32_t id = 0; id < 50; ++id) {
      const auto found = expected.find(id);
      ASSERT_EQ(map.Find(id) != nullptr, found != expected.end()) << round << " " << id;
      if (found != expected.end()) {
        ASSERT_EQ(map.at(id), found->second);
      }
    }
  }
}

// All in one bucket of a hash table of the standard library, by chance or by design.
TEST(ValueMapOfRandomIdsTest, ManyIdsThatWouldCollideTakeNoTime) {
  constexpr uint32_t kStep = 85229;  // a number of buckets
  constexpr uint32_t kCount = 50000;
  ValueMap<uint32_t> map;
  for (uint32_t i = 0; i < kCount; ++i) ASSERT_TRUE(map.Add(i * kStep + 1, i));
  for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(map.at(i * kStep + 1), i);
}

}  // namespace
}  // namespace onepack
