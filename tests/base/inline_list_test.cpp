#include "base/inline_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace onepack {
namespace {

using List = InlineList<int, 4>;

std::vector<int> Of(const List& list) { return {list.begin(), list.end()}; }

TEST(InlineListTest, ADefaultListIsEmpty) {
  const List list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.begin(), list.end());
}

TEST(InlineListTest, KeepsElementsInOrderUpToItsCapacity) {
  List list{5, 6, 7};
  list.push_back(8);
  EXPECT_EQ(list.size(), 4u);
  EXPECT_EQ(list[3], 8);
  EXPECT_EQ(Of(list), (std::vector<int>{5, 6, 7, 8}));
}

TEST(InlineListTest, ErasesOneOfEquals) {
  List list{1, 2, 1, 3};
  list.Erase(1);
  EXPECT_EQ(Of(list), (std::vector<int>{2, 1, 3}));
  list.Erase(3);
  EXPECT_EQ(Of(list), (std::vector<int>{2, 1}));
  list.Erase(1);
  list.Erase(2);
  EXPECT_TRUE(list.empty());
}

TEST(InlineListTest, WhatIsNotThereIsNotErased) {
  List list{1, 2, 3, 4};
  list.Erase(5);
  EXPECT_EQ(Of(list), (std::vector<int>{1, 2, 3, 4}));
  List empty;
  empty.Erase(0);
  EXPECT_TRUE(empty.empty());
}

}  // namespace
}  // namespace onepack
