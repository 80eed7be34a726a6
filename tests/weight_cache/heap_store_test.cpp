#include "weight_cache/heap_store.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/sanitizers.h"
#include "tests/support/status_matchers.h"
#include "tests/support/threads.h"
#include "tests/weight_cache/cache_helpers.h"

namespace onepack {
namespace {

const size_t kSizes[] = {0,
                         1,
                         63,
                         64,
                         65,
                         4095,
                         4096,
                         4097,
                         HeapStore::kLargeBlock - 1,
                         HeapStore::kLargeBlock,
                         HeapStore::kLargeBlock + 1,
                         5 * HeapStore::kChunkSize + 13};

size_t PageSize() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

// How many of the whole pages in [data, data + size) take memory now. A page that is not mapped any
// more takes none.
size_t ResidentPages(const uint8_t* data, size_t size) {
  const size_t page = PageSize();
  const size_t first = (page - reinterpret_cast<uintptr_t>(data) % page) % page;
  size_t resident = 0;
  for (size_t offset = first; offset + page <= size; offset += page) {
    unsigned char state = 0;
    const int result = mincore(const_cast<uint8_t*>(data + offset), 1, &state);
    resident += result == 0 && (state & 1) != 0;
  }
  return resident;
}

bool KernelHasHugePages() { return access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0; }

// Whether the kernel was asked to back the mapping of `data` with huge pages.
bool WantsHugePages(const uint8_t* data) {
  std::ifstream file("/proc/self/smaps");
  const auto address = reinterpret_cast<uintptr_t>(data);
  bool is_here = false;
  for (std::string line; std::getline(file, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    char dash = 0;
    std::istringstream range(line);
    if (range >> std::hex >> begin >> dash >> end && dash == '-') {
      is_here = begin <= address && address < end;
    } else if (is_here && line.rfind("VmFlags:", 0) == 0) {
      return line.find(" hg") != std::string::npos;
    }
  }
  ADD_FAILURE() << "not mapped: " << static_cast<const void*>(data);
  return false;
}

HeapBlock Allocate(HeapStore& store, size_t size) {
  auto block = store.Allocate(size);
  EXPECT_TRUE(IsOk(block));
  return block.ok() ? std::move(block).value() : HeapBlock();
}

HeapBlock AllocateFilled(HeapStore& store, size_t size, uint8_t value) {
  HeapBlock block = Allocate(store, size);
  if (block.data() != nullptr) memset(block.data(), value, size);
  return block;
}

TEST(HeapStoreTest, BlocksOfEverySizeAreAlignedAndAsLargeAsAsked) {
  const auto store = HeapStore::Create(false);
  std::vector<HeapBlock> blocks;
  for (const size_t size : kSizes) {
    blocks.push_back(AllocateFilled(*store, size, 0xab));
    ASSERT_NE(blocks.back().data(), nullptr) << size;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back().data()) % HeapStore::kAlignment, 0u)
        << size;
    EXPECT_EQ(blocks.back().size(), size);
    EXPECT_EQ(blocks.back().bytes().size(), size);
  }
}

TEST(HeapStoreTest, BlocksOfSizeZeroHaveAddressesOfTheirOwn) {
  const auto store = HeapStore::Create(false);
  const HeapBlock first = Allocate(*store, 0);
  const HeapBlock second = Allocate(*store, 0);
  EXPECT_NE(first.data(), second.data());
}

TEST(HeapStoreTest, HugePagesChangeNothingThatCanBeSeen) {
  const auto store = HeapStore::Create(true);
  for (const size_t size : kSizes) {
    const HeapBlock block = AllocateFilled(*store, size, 0xab);
    EXPECT_EQ(block.size(), size);
    EXPECT_TRUE(IsFilledWith(block.bytes(), 0xab));
  }
  EXPECT_EQ(store->mapped_bytes(), 0u);
}

TEST(HeapStoreTest, HugePagesAreAskedForFromTheFirstToTheLastThatABlockFills) {
  constexpr size_t kHuge = HeapStore::kHugePage;
  constexpr size_t kSize = HeapStore::kLargeBlockOfHugePages + kHuge / 2;
  const auto store = HeapStore::Create(true);
  const HeapBlock block = Allocate(*store, kSize);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block.data()) % kHuge, 0u);
  if (!KernelHasHugePages()) GTEST_SKIP() << "this kernel has no transparent huge pages";
  EXPECT_TRUE(WantsHugePages(block.data()));
  EXPECT_TRUE(WantsHugePages(block.data() + kSize / kHuge * kHuge - 1));
  // A huge page of its own would cost more than half of one.
  EXPECT_FALSE(WantsHugePages(block.data() + kSize - 1));
}

TEST(HeapStoreTest, BlocksThatFillNoHugePageShareThem) {
  const auto store = HeapStore::Create(true);
  const HeapBlock first = Allocate(*store, HeapStore::kHugePage / 2);
  const HeapBlock second = Allocate(*store, HeapStore::kHugePage / 2);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first.data()) % HeapStore::kHugePage, 0u);
  EXPECT_EQ(second.data(), first.data() + first.size());
  if (!KernelHasHugePages()) GTEST_SKIP() << "this kernel has no transparent huge pages";
  EXPECT_TRUE(WantsHugePages(first.data()));
}

TEST(HeapStoreTest, WithoutHugePagesNoneAreAskedFor) {
  const auto store = HeapStore::Create(false);
  EXPECT_FALSE(WantsHugePages(Allocate(*store, HeapStore::kLargeBlockOfHugePages).data()));
  EXPECT_FALSE(WantsHugePages(Allocate(*store, 100).data()));
}

TEST(HeapStoreTest, AMovedBlockTakesItsBytesWithIt) {
  const auto store = HeapStore::Create(false);
  HeapBlock block = AllocateFilled(*store, 100, 1);
  const uint8_t* data = block.data();
  HeapBlock moved = std::move(block);
  EXPECT_EQ(moved.data(), data);
  moved = HeapBlock();
  EXPECT_EQ(store->mapped_bytes(), 0u);
}

TEST(HeapStoreTest, ABlockKeepsItsStore) {
  std::weak_ptr<HeapStore> weak;
  {
    auto store = HeapStore::Create(false);
    weak = store;
    const HeapBlock block = AllocateFilled(*store, 100, 1);
    store.reset();
    EXPECT_FALSE(weak.expired());
    EXPECT_TRUE(IsFilledWith(block.bytes(), 1));
  }
  EXPECT_TRUE(weak.expired());
}

TEST(HeapStoreTest, MappedBytesCountWholePagesAndChunksAndReturnToZero) {
  const auto store = HeapStore::Create(false);
  EXPECT_EQ(store->mapped_bytes(), 0u);
  {
    const HeapBlock small = Allocate(*store, 1);
    EXPECT_EQ(store->mapped_bytes(), HeapStore::kChunkSize);
    const HeapBlock large = Allocate(*store, HeapStore::kLargeBlock + 1);
    EXPECT_EQ(store->mapped_bytes(), HeapStore::kChunkSize + HeapStore::kLargeBlock + PageSize());
  }
  EXPECT_EQ(store->mapped_bytes(), 0u);
}

TEST(HeapStoreTest, SmallBlocksCostLessThanFivePercentMoreThanTheirBytes) {
  constexpr size_t kCount = 20'000;
  constexpr size_t kRounded = 320;  // 300 bytes
  const auto store = HeapStore::Create(false);
  std::vector<HeapBlock> blocks;
  for (size_t i = 0; i < kCount; ++i) blocks.push_back(Allocate(*store, 300));
  EXPECT_GE(store->mapped_bytes(), kCount * kRounded);
  // The last chunk may be almost empty.
  EXPECT_LT(store->mapped_bytes(), kCount * kRounded * 105 / 100 + HeapStore::kChunkSize);
  blocks.clear();
  EXPECT_EQ(store->mapped_bytes(), 0u);
}

TEST(HeapStoreTest, WhatIsFreedIsUsedAgain) {
  const auto store = HeapStore::Create(false);
  const HeapBlock keeps_the_chunk = Allocate(*store, 64);
  for (int i = 0; i < 10'000; ++i) Allocate(*store, 1000);
  EXPECT_EQ(store->mapped_bytes(), HeapStore::kChunkSize);
}

TEST(HeapStoreTest, FreeNeighboursAreJoined) {
  constexpr size_t kQuarter = HeapStore::kChunkSize / 4;
  const auto store = HeapStore::Create(false);
  const HeapBlock keeps_the_chunk = Allocate(*store, 64);
  for (const std::vector<int>& order :
       {std::vector<int>{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}}) {
    std::vector<HeapBlock> blocks;
    for (int i = 0; i < 3; ++i) blocks.push_back(Allocate(*store, kQuarter / 3 / 64 * 64));
    for (const int i : order) blocks[static_cast<size_t>(i)] = HeapBlock();
    const HeapBlock whole = Allocate(*store, kQuarter - 1);
    EXPECT_EQ(whole.data(), keeps_the_chunk.data() + 64);
    EXPECT_EQ(store->mapped_bytes(), HeapStore::kChunkSize);
  }
}

// With huge pages or without.
class EitherHeapStoreTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(HugePages, EitherHeapStoreTest, testing::Bool());

TEST_P(EitherHeapStoreTest, RandomBlocksNeverOverlap) {
  std::mt19937 random(4711);
  const auto store = HeapStore::Create(GetParam());
  struct Owned {
    HeapBlock block;
    uint8_t value;
  };
  std::vector<Owned> owned;
  for (int step = 0; step < 20'000; ++step) {
    if (owned.size() < 200 && random() % 2 == 0) {
      // Mostly small, sometimes almost large or large.
      const size_t size = random() % 50 == 0 ? HeapStore::kLargeBlock - 100 + random() % 200
                                             : random() % (random() % 8 == 0 ? 60'000 : 900);
      const auto value = static_cast<uint8_t>(random());
      owned.push_back({AllocateFilled(*store, size, value), value});
    } else if (!owned.empty()) {
      const size_t chosen = random() % owned.size();
      ASSERT_TRUE(IsFilledWith(owned[chosen].block.bytes(), owned[chosen].value)) << step;
      std::swap(owned[chosen], owned.back());
      owned.pop_back();
    }
  }
  for (const Owned& one : owned) EXPECT_TRUE(IsFilledWith(one.block.bytes(), one.value));
  owned.clear();
  EXPECT_EQ(store->mapped_bytes(), 0u);
}

TEST_P(EitherHeapStoreTest, ThreadsGetBlocksOfTheirOwn) {
  const auto store = HeapStore::Create(GetParam());
  RunInThreads(8, [&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    const auto value = static_cast<uint8_t>(thread + 1);
    std::vector<HeapBlock> blocks;
    for (int step = 0; step < 1000; ++step) {
      if (blocks.size() < 20) blocks.push_back(AllocateFilled(*store, random() % 5000, value));
      if (random() % 2 == 0) {
        ASSERT_TRUE(IsFilledWith(blocks.front().bytes(), value));
        blocks.erase(blocks.begin());
      }
    }
  });
  EXPECT_EQ(store->mapped_bytes(), 0u);
}

bool KernelPopulates() {
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, which not all headers have
  auto page = Mapping::OfZeros(PageSize());
  return page.ok() && madvise(page->data(), PageSize(), kPopulateWrite) == 0;
}

// Every page that one of the bytes lies in takes memory now.
bool IsResident(Bytes bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data()) / PageSize() * PageSize();
  const size_t size = reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size() - begin;
  std::vector<unsigned char> states((size + PageSize() - 1) / PageSize());
  if (mincore(reinterpret_cast<void*>(begin), size, states.data()) != 0) return false;
  return std::all_of(states.begin(), states.end(), [](unsigned char state) { return state & 1; });
}

TEST_P(EitherHeapStoreTest, APopulatedBlockHasAllItsPages) {
  if (!KernelPopulates()) GTEST_SKIP() << "this system cannot";
  for (const size_t size : {size_t{100}, size_t{1} << 17, 5 * HeapStore::kChunkSize + 13}) {
    const HeapBlock block = Allocate(*HeapStore::Create(GetParam()), size);
    EXPECT_FALSE(IsResident(block.bytes()));
    block.Populate();
    EXPECT_TRUE(IsResident(block.bytes()));
  }
}

TEST_P(EitherHeapStoreTest, PopulatingABlockChangesNoBytes) {
  const auto store = HeapStore::Create(GetParam());
  const HeapBlock before = AllocateFilled(*store, 100, 1);
  const HeapBlock block = AllocateFilled(*store, 10000, 2);
  const HeapBlock after = AllocateFilled(*store, 100, 3);
  block.Populate();
  EXPECT_TRUE(IsFilledWith(before.bytes(), 1));
  EXPECT_TRUE(IsFilledWith(block.bytes(), 2));
  EXPECT_TRUE(IsFilledWith(after.bytes(), 3));
}

TEST(HeapStoreTest, MemoryInsideAUsedChunkGoesBackToTheSystem) {
  constexpr size_t kSize = 1 << 17;
  const auto store = HeapStore::Create(false);
  const HeapBlock before = AllocateFilled(*store, 100, 1);
  HeapBlock freed = AllocateFilled(*store, kSize, 2);
  const HeapBlock after = AllocateFilled(*store, 100, 3);
  const uint8_t* data = freed.data();
  ASSERT_EQ(ResidentPages(data, kSize), kSize / PageSize() - 1);  // it does not start at a page
  freed = HeapBlock();
  EXPECT_EQ(ResidentPages(data, kSize), 0u);
  EXPECT_TRUE(IsFilledWith(before.bytes(), 1));
  EXPECT_TRUE(IsFilledWith(after.bytes(), 3));
}

TEST(HeapStoreTest, APageGoesBackWithTheLastOfItsBlocks) {
  const auto store = HeapStore::Create(false);
  const HeapBlock keeps_the_chunk = AllocateFilled(*store, 64, 1);
  constexpr size_t kCount = 1000;
  constexpr size_t kBytes = kCount * 320;  // 300, rounded
  std::vector<HeapBlock> blocks;
  for (size_t i = 0; i < kCount; ++i) blocks.push_back(AllocateFilled(*store, 300, 2));
  const uint8_t* start = keeps_the_chunk.data();
  // Every other one first: now no page is free.
  for (size_t i = 0; i < blocks.size(); i += 2) blocks[i] = HeapBlock();
  EXPECT_GT(ResidentPages(start, kBytes), 70u);
  for (size_t i = 1; i < blocks.size(); i += 2) blocks[i] = HeapBlock();
  EXPECT_EQ(ResidentPages(start, kBytes), 1u);  // that of the block that is left
}

TEST_P(EitherHeapStoreTest, MemoryGoesBackToTheSystemWithTheLastBlock) {
  const auto store = HeapStore::Create(GetParam());
  constexpr size_t kTouchedSizes[] = {100'000, 1'000'000, 20'000'000};
  std::vector<HeapBlock> blocks;
  std::vector<const uint8_t*> data;
  for (const size_t size : kTouchedSizes) {
    blocks.push_back(AllocateFilled(*store, size, 1));
    data.push_back(blocks.back().data());
    EXPECT_GE(ResidentPages(data.back(), size), size / PageSize() - 1);
  }
  blocks.clear();
  for (size_t i = 0; i < data.size(); ++i)
    EXPECT_EQ(ResidentPages(data[i], kTouchedSizes[i]), 0u) << i;
  EXPECT_EQ(store->mapped_bytes(), 0u);
}

TEST_P(EitherHeapStoreTest, ASizeThatNoSystemHasIsResourceExhausted) {
  const auto store = HeapStore::Create(GetParam());
  for (const size_t size : {SIZE_MAX, SIZE_MAX - PageSize(), SIZE_MAX / 2, size_t{1} << 60}) {
    EXPECT_TRUE(IsError(store->Allocate(size), StatusCode::kResourceExhausted)) << size;
    EXPECT_EQ(store->mapped_bytes(), 0u);
  }
}

// In a child: the address space of a process cannot be made smaller for a while without a trace.
TEST(HeapStoreDeathTest, AChunkThatCannotBeMappedIsResourceExhausted) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs its own address space";
  const auto allocate_without_memory = [] {
    const auto store = HeapStore::Create(false);
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = 1;  // what is mapped already stays
    setrlimit(RLIMIT_AS, &limit);
    const auto block = store->Allocate(100);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
    const bool failed = IsError(block, StatusCode::kResourceExhausted) &&
                        store->mapped_bytes() == 0 && store->Allocate(100).ok();
    _exit(failed ? 0 : 1);
  };
  EXPECT_EXIT(allocate_without_memory(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace onepack
