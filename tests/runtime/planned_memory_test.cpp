// Memories that have pages in common.

#include "runtime/planned_memory.h"

#include <gtest/gtest.h>
#include <string.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/page_size.h"
#include "onepack/method_state.h"
#include "runtime/page_map.h"
#include "tests/support/child_process.h"
#include "tests/support/resident_bytes.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

const std::string kPrefix = "/memfd:onepack-state";
const std::string kFile = kPrefix + " (deleted)";
constexpr size_t kPages = 300;

// A memory, and what should be in it.
struct Pair {
  Ref<PlannedMemory> memory;
  std::vector<uint8_t> expected;

  void Write(size_t page, uint8_t byte) {
    memory->WillChange();
    memset(memory->data() + page * PageSize() + 10, byte, 20);
    memset(expected.data() + page * PageSize() + 10, byte, 20);
  }
  void Reset() {
    memory->Reset();
    std::fill(expected.begin(), expected.end(), 0);
  }
  bool IsRight() const { return std::equal(expected.begin(), expected.end(), memory->data()); }
};

Pair NewPair(size_t pages = kPages) {
  auto memory = PlannedMemory::Create(pages * PageSize(), 0, HeapAllocator());
  EXPECT_TRUE(IsOk(memory));
  return {*memory, std::vector<uint8_t>(pages * PageSize())};
}

Pair ForkOf(const Pair& from) {
  auto fork = from.memory->Fork(HeapAllocator());
  EXPECT_TRUE(IsOk(fork));
  return {*fork, from.expected};
}

TEST(MemoryForkTest, ForksHaveWhatWasThereAndChangeByThemselves) {
  Pair first = NewPair();
  for (size_t page = 3; page < 200; page += 2) first.Write(page, 7);
  Pair second = ForkOf(first);
  Pair third = ForkOf(first);
  first.Write(5, 1);
  second.Write(5, 2);
  second.Write(250, 3);
  third.Write(4, 4);
  for (const Pair* pair : {&first, &second, &third}) EXPECT_TRUE(pair->IsRight());
  second.memory = nullptr;
  first.memory = nullptr;
  EXPECT_TRUE(third.IsRight());
}

TEST(MemoryForkTest, OneThatHasNothingHasForks) {
  for (const size_t pages : {size_t{0}, kPages}) {
    const Pair empty = NewPair(pages);
    Pair fork = ForkOf(empty);
    EXPECT_TRUE(fork.IsRight());
    if (pages > 0) fork.Write(2, 1);
    EXPECT_TRUE(empty.IsRight());
  }
  int mappings = 0;
  ResidentBytesOf(kFile, &mappings);
  EXPECT_EQ(mappings, 0);
}

TEST(MemoryForkTest, ResetForgetsWhatAForkHasInCommon) {
  Pair first = NewPair();
  for (size_t page = 0; page < kPages; ++page) first.Write(page, 7);
  Pair second = ForkOf(first);
  first.Reset();
  EXPECT_TRUE(first.IsRight());
  EXPECT_TRUE(second.IsRight());
  first.Write(8, 1);
  Pair third = ForkOf(first);
  EXPECT_TRUE(third.IsRight());
  third.Reset();
  EXPECT_TRUE(third.IsRight());
}

TEST(MemoryForkTest, InitialContentsOfAForkAreInTheFork) {
  const std::vector<uint8_t> initial(100, 9);
  auto created = PlannedMemory::Create(3 * PageSize(), 1, HeapAllocator());
  ASSERT_TRUE(IsOk(created));
  const Ref<PlannedMemory> memory = *created;
  memory->AddInitial(initial, memory->data() + PageSize());
  memset(memory->data() + PageSize(), 1, 200);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<PlannedMemory> fork, memory->Fork(HeapAllocator()));
  fork->Reset();
  EXPECT_EQ(fork->data()[PageSize() + 99], 9);
  EXPECT_EQ(fork->data()[PageSize() + 100], 0);
  EXPECT_EQ(memory->data()[PageSize() + 99], 1);
}

// What a saved state leaves out.
TEST(MemoryForkTest, PagesThatWereReadOrOnlySharedAreNotTakenForZeros) {
  Pair first = NewPair(8);
  first.Write(2, 7);
  const Pair second = ForkOf(first);
  PageMap pages;
  const size_t blocks = PageSize() / MethodState::kBlock;
  for (const Pair* pair : {static_cast<const Pair*>(&first), &second}) {
    EXPECT_FALSE(pair->memory->IsUntouched(2 * blocks, pages));
  }
  EXPECT_TRUE(second.memory->IsUntouched(5 * blocks, pages));
}

TEST(MemoryForkTest, WhatForksHaveInCommonIsThereOnce) {
  Pair first = NewPair();
  for (size_t page = 0; page < 200; ++page) first.Write(page, 7);
  std::vector<Pair> forks;
  for (int i = 0; i < 8; ++i) forks.push_back(ForkOf(first));
  for (const Pair& fork : forks) ASSERT_TRUE(fork.IsRight());
  ASSERT_TRUE(first.IsRight());
  int mappings = 0;
  EXPECT_EQ(ResidentBytesOf(kFile, &mappings), 9 * 200 * PageSize());
  EXPECT_EQ(mappings, 9);
  // The system rounds the part of each mapping.
  const auto proportional_pages = [] {
    return (ProportionalBytesOf(kFile) + 9 * 1024) / PageSize();
  };
  EXPECT_GE(proportional_pages(), 200u);
  EXPECT_LE(proportional_pages(), 203u);
  for (Pair& fork : forks) fork.Write(17, 1);
  EXPECT_GE(proportional_pages(), 207u);
  EXPECT_LE(proportional_pages(), 211u);
}

// The same number of pages each time: what is below becomes one with what is new.
TEST(MemoryForkTest, AForkOfAForkOfAForkHasFewMappings) {
  Pair pair = NewPair();
  std::vector<Pair> kept;
  for (size_t page = 0; page < 200; ++page) {
    pair.Write(page, static_cast<uint8_t>(page + 1));
    Pair fork = ForkOf(pair);
    ASSERT_TRUE(fork.IsRight()) << page;
    if (page % 20 == 0) kept.push_back(std::move(pair));
    pair = std::move(fork);
  }
  for (const Pair& one : kept) EXPECT_TRUE(one.IsRight());
  kept.clear();
  int mappings = 0;
  ResidentBytesOf(kFile, &mappings);
  EXPECT_LE(mappings, 8);  // log2(200)
}

// Each time fewer pages than before.
TEST(MemoryForkTest, EightLieOnEachOtherAtMost) {
  Pair pair = NewPair();
  for (size_t count = 40; count > 0; --count) {
    for (size_t page = 0; page < count; ++page) pair.Write(page * 2, static_cast<uint8_t>(count));
    pair = ForkOf(pair);
    ASSERT_TRUE(pair.IsRight()) << count;
  }
  int snapshots = 0;
  FileBytesOf(kPrefix, &snapshots);
  EXPECT_GT(snapshots, 1);
  EXPECT_LE(snapshots, 8);
}

// As a token changes a KV cache, where each head of each layer has its own part.
TEST(MemoryForkTest, AForkCopiesWhatHasChangedInHundredsOfPlacesAndNothingBetween) {
  constexpr size_t kRegions = 576;
  constexpr size_t kShown = 10;
  constexpr size_t kRegion = 12;
  Pair first = NewPair(kRegions * kRegion);
  for (size_t i = 0; i < kRegions; ++i) {
    for (size_t page = 0; page < kShown; ++page) first.Write(i * kRegion + page, 7);
  }
  const Pair second = ForkOf(first);
  ASSERT_EQ(FileBytesOf(kPrefix), kRegions * kShown * PageSize());
  std::vector<Pair> forks;
  for (size_t turn = 1; turn <= 3; ++turn) {
    for (size_t i = 0; i < kRegions; ++i) first.Write(i * kRegion, static_cast<uint8_t>(turn));
    forks.push_back(ForkOf(first));
    ASSERT_EQ(FileBytesOf(kPrefix), kRegions * (kShown + turn) * PageSize()) << turn;
  }
  EXPECT_TRUE(second.IsRight());
  for (const Pair& fork : forks) EXPECT_TRUE(fork.IsRight());
  // Those that no memory shows any more go.
  forks.clear();
  EXPECT_EQ(FileBytesOf(kPrefix), kRegions * (kShown + 1) * PageSize());
}

// More places than a snapshot has runs: some are joined. What is between them is neither lost nor
// taken for written where nothing is.
TEST(MemoryForkTest, PlacesThatAreTooManyAreRightAndHolesStayUntouched) {
  constexpr size_t kPlaces = PageRuns::kMost + 200;
  Pair first = NewPair(kPlaces * 3);
  for (size_t i = 0; i < kPlaces; ++i) first.Write(i * 3, 7);
  Pair second = ForkOf(first);
  EXPECT_EQ(FileBytesOf(kPrefix), kPlaces * PageSize());
  PageMap pages;
  const size_t blocks = PageSize() / MethodState::kBlock;
  for (size_t i = 0; i < kPlaces; ++i) {
    ASSERT_FALSE(second.memory->IsUntouched(i * 3 * blocks, pages)) << i;
    ASSERT_TRUE(second.memory->IsUntouched((i * 3 + 1) * blocks, pages)) << i;
  }
  for (size_t i = 0; i < kPlaces; ++i) second.Write(i * 3 + 1, 8);
  const Pair third = ForkOf(second);
  for (const Pair* pair :
       {static_cast<const Pair*>(&first), static_cast<const Pair*>(&second), &third}) {
    EXPECT_TRUE(pair->IsRight());
  }
}

TEST(MemoryForkTest, AnyForksOfAnyMemoriesAreRightAtAllTimes) {
  std::mt19937 random(3);
  std::vector<Pair> pairs;
  pairs.push_back(NewPair());
  for (int step = 0; step < 1500; ++step) {
    Pair& pair = pairs[random() % pairs.size()];
    const auto what = random() % 10;
    if (what < 6) {
      const size_t first = random() % kPages;
      for (size_t i = 0; i < random() % 30; ++i) {
        pair.Write((first + i * (random() % 3)) % kPages, static_cast<uint8_t>(random() % 3));
      }
    } else if (what < 8 && pairs.size() < 12) {
      pairs.push_back(ForkOf(pair));
    } else if (what == 8 && random() % 8 == 0) {
      pair.Reset();
    } else if (pairs.size() > 4) {
      pairs.erase(pairs.begin() + static_cast<ptrdiff_t>(random() % pairs.size()));
    }
    if (step % 10 == 0) {
      for (const Pair& each : pairs) ASSERT_TRUE(each.IsRight()) << step;
    }
  }
}

// A process that is forked off: the pages are shared once more, by the system's own means.
TEST(MemoryForkTest, AChildProcessWritesAndForksForItself) {
  Pair first = NewPair();
  for (size_t page = 0; page < 200; ++page) first.Write(page, 7);
  Pair second = ForkOf(first);
  second.Write(5, 8);
  EXPECT_EQ(ExitStatusOfChild([&] {
              first.Write(3, 1);
              second.Write(5, 2);
              second.Write(250, 3);
              Pair third = ForkOf(second);
              third.Write(6, 4);
              return first.IsRight() && second.IsRight() && third.IsRight();
            }),
            0);
  EXPECT_TRUE(first.IsRight());
  EXPECT_TRUE(second.IsRight());
  EXPECT_TRUE(ForkOf(second).IsRight());
}

class Limit {
 public:
  Limit(decltype(RLIMIT_NOFILE) what, rlim_t most) : what_(what) {
    getrlimit(what, &before_);
    const rlimit limit = {most, before_.rlim_max};
    setrlimit(what, &limit);
  }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
  ~Limit() { setrlimit(what_, &before_); }

 private:
  const decltype(RLIMIT_NOFILE) what_;
  rlimit before_;
};

TEST(MemoryForkTest, AForkThatTheSystemRefusesChangesNothing) {
  Pair first = NewPair();
  for (size_t page = 0; page < 200; page += 2) first.Write(page, 7);
  {
    const Limit limit(RLIMIT_NOFILE, 0);
    EXPECT_TRUE(IsError(first.memory->Fork(HeapAllocator()), StatusCode::kResourceExhausted,
                        {"file in memory"}));
  }
  {
    // Without a handler that ignores it, SIGXFSZ would end the process.
    const Limit limit(RLIMIT_FSIZE, 10 * PageSize());
    EXPECT_TRUE(IsError(first.memory->Fork(HeapAllocator()), StatusCode::kResourceExhausted,
                        {"limited to"}));
  }
  EXPECT_TRUE(first.IsRight());
  Pair second = ForkOf(first);
  second.Write(3, 1);
  EXPECT_TRUE(second.IsRight());
  EXPECT_TRUE(first.IsRight());
}

size_t BytesOfPages(const PlannedMemory& memory) {
  size_t sum = 0;
  const auto add = [](void* to, const void*, size_t bytes) { *static_cast<size_t*>(to) += bytes; };
  memory.VisitPages({add, &sum});
  return sum;
}

// Attention may read a whole cache that has hardly a token.
TEST(MemoryPagesTest, PagesThatWereOnlyReadDoNotCount) {
  Pair first = NewPair();
  ASSERT_TRUE(first.IsRight());  // reads all
  EXPECT_EQ(BytesOfPages(*first.memory), 0u);
  first.Write(7, 1);
  first.Write(200, 1);
  EXPECT_EQ(BytesOfPages(*first.memory), 2 * PageSize());
}

}  // namespace
}  // namespace onepack
