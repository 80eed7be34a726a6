#include "onepack/span.h"

#include <gtest/gtest.h>

#include <vector>

namespace onepack {
namespace {

TEST(SpanTest, ADefaultSpanIsEmpty) {
  const Span<int> span;
  EXPECT_TRUE(span.empty());
  EXPECT_EQ(span.data(), nullptr);
  EXPECT_EQ(span.begin(), span.end());
}

TEST(SpanTest, ViewsArraysAndContainers) {
  int numbers[] = {1, 2, 3};
  const Span<int> span(numbers);
  EXPECT_EQ(span.size(), 3u);
  span[1] = 5;
  EXPECT_EQ(numbers[1], 5);
  const std::vector<int> vector = {4, 5};
  const Span<const int> view = vector;
  EXPECT_EQ(view.data(), vector.data());
  const Span<const int> read_only = span;
  EXPECT_EQ(read_only.size(), 3u);
}

TEST(SpanTest, SubspansMayBeEmptyAtTheEnd) {
  const std::vector<int> vector = {1, 2, 3};
  const Span<const int> span = vector;
  EXPECT_EQ(span.subspan(1, 2)[0], 2);
  EXPECT_TRUE(span.subspan(3, 0).empty());
}

}  // namespace
}  // namespace onepack
