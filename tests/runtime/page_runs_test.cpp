#include "runtime/page_runs.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace onepack {
namespace {

std::vector<std::vector<size_t>> Listed(const PageRuns& runs) {
  std::vector<std::vector<size_t>> list;
  for (const PageRun& run : runs) list.push_back({run.first, run.count});
  return list;
}

TEST(PageRunsTest, PagesSideBySideAreOneRunInAnyOrder) {
  PageRuns runs;
  EXPECT_TRUE(runs.empty());
  for (const size_t page : {5, 6, 9, 8, 2}) runs.Add({page, 1});
  EXPECT_EQ(Listed(runs), (std::vector<std::vector<size_t>>{{2, 1}, {5, 2}, {8, 2}}));
  runs.Add({7, 1});
  runs.Add({4, 0});
  EXPECT_EQ(Listed(runs), (std::vector<std::vector<size_t>>{{2, 1}, {5, 5}}));
  runs.Add({1, 20});
  EXPECT_EQ(Listed(runs), (std::vector<std::vector<size_t>>{{1, 20}}));
  EXPECT_EQ(runs.page_count(), 20u);
}

TEST(PageRunsTest, WhatIsThereAlreadyChangesNothing) {
  PageRuns runs;
  runs.Add({10, 10});
  runs.Add({12, 3});
  runs.Add({10, 10});
  EXPECT_EQ(Listed(runs), (std::vector<std::vector<size_t>>{{10, 10}}));
}

TEST(PageRunsTest, TheNearestBecomeOneWhereTheyAreTooMany) {
  PageRuns runs;
  for (size_t i = 0; i < PageRuns::kMost; ++i) runs.Add({i * 100, 10});
  const size_t before = runs.page_count();
  runs.Add({3 * 100 + 15, 10});  // five pages from the one before, as many as no other
  EXPECT_EQ(runs.end() - runs.begin(), static_cast<ptrdiff_t>(PageRuns::kMost));
  EXPECT_TRUE(runs.Has(312));
  EXPECT_EQ(runs.page_count(), before + 10 + 5);
}

// Beside a set of pages.
TEST(PageRunsTest, AllThatWasAddedIsThereAndRunsAreApart) {
  std::mt19937 random(7);
  for (const size_t most_pages : {100, 3000, 100000}) {
    PageRuns runs;
    std::set<size_t> pages;
    for (int i = 0; i < 2000; ++i) {
      const PageRun run = {random() % most_pages, random() % 4};
      runs.Add(run);
      for (size_t page = run.first; page < run.end(); ++page) pages.insert(page);
      ASSERT_LE(runs.end() - runs.begin(), static_cast<ptrdiff_t>(PageRuns::kMost));
    }
    for (const size_t page : pages) ASSERT_TRUE(runs.Has(page)) << page;
    size_t found = 0;
    for (size_t page = 0; page < most_pages + 4; ++page) found += runs.Has(page) ? 1 : 0;
    EXPECT_EQ(found, runs.page_count());
    for (const PageRun* run = runs.begin(); run + 1 < runs.end(); ++run) {
      EXPECT_LT(run->end(), run[1].first);
    }
  }
}

}  // namespace
}  // namespace onepack
