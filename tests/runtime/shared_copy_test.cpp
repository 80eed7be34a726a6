#include "runtime/shared_copy.h"

#include <string>
#include <vector>

#include "aot/pte_writer.h"
#include "onepack/named_data_map.h"
#include "onepack/program.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

std::string Text(const SharedCopy& copy) { return {copy.bytes().begin(), copy.bytes().end()}; }

TEST(SharedCopyTest, EqualBytesAreCopiedOnceForAsLongAsTheyAreUsed) {
  CountingAllocator counted;
  std::string file(1000, 'a');
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<const SharedCopy> first,
                               SharedCopy::Of(AsBytes(file), counted.allocator()));
  const size_t one = counted.bytes;
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<const SharedCopy> second,
                               SharedCopy::Of(AsBytes(file), counted.allocator()));
  EXPECT_EQ(first.get(), second.get());
  EXPECT_EQ(counted.bytes, one);
  file.assign(1000, 'b');  // the file changes, the copy does not
  EXPECT_EQ(Text(*first), std::string(1000, 'a'));
  first = nullptr;
  EXPECT_EQ(counted.bytes, one);
  second = nullptr;
  EXPECT_EQ(counted.bytes, 0u);
}

TEST(SharedCopyTest, OtherBytesOrAnotherAllocatorIsACopyOfItsOwn) {
  CountingAllocator here;
  CountingAllocator there;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<const SharedCopy> first,
                               SharedCopy::Of(AsBytes("abc"), here.allocator()));
  for (const char* other : {"", "abd", "ab", "abcd"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<const SharedCopy> copy,
                                 SharedCopy::Of(AsBytes(other), here.allocator()));
    EXPECT_EQ(Text(*copy), other);
  }
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<const SharedCopy> elsewhere,
                               SharedCopy::Of(AsBytes("abc"), there.allocator()));
  EXPECT_NE(elsewhere.get(), first.get());
  EXPECT_GT(there.bytes, 0u);
}

TEST(SharedCopyTest, WhatIsVerifiedForAFileIsNotForASmallerOne) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<const SharedCopy> copy,
                               SharedCopy::Of(AsBytes("directory"), HeapAllocator()));
  EXPECT_FALSE(copy->IsVerifiedFor(100));
  copy->SetVerifiedFor(100);
  EXPECT_TRUE(copy->IsVerifiedFor(100));
  EXPECT_FALSE(copy->IsVerifiedFor(99));
}

TEST(SharedCopyTest, ThreadsThatComeAndGoAlwaysFindTheirBytes) {
  const std::vector<std::string> files = {"one", "two", "three"};
  RunInThreads(4, [&](int thread) {
    for (size_t i = 0; i < 300; ++i) {
      const std::string& file = files[(i + static_cast<size_t>(thread)) % files.size()];
      auto copy = SharedCopy::Of(AsBytes(file), HeapAllocator());
      ASSERT_TRUE(copy.ok());
      EXPECT_EQ(Text(**copy), file);
    }
  });
}

std::vector<uint8_t> ProgramWith(const std::string& segment) {
  ProgramWriter writer;
  MethodPlan method;
  method.name = "forward";
  writer.AddMethod(std::move(method));
  writer.AddNamedData("weights", writer.AddSegment(AsBytes(segment)));
  return writer.Finish();
}

TEST(SharedCopyTest, AnAdaptersProgramHasItsOwnWeightsAndNoDirectoryOfItsOwn) {
  CountingAllocator counted;
  const auto open = [&](const std::string& weights) {
    return Program::Open(SourceOf(ProgramWith(weights), "adapter.pte"), counted.allocator());
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> first, open("of the first"));
  const size_t one = counted.bytes;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> second, open("of a second"));
  EXPECT_GT(counted.bytes, one);  // another length is another directory
  const size_t two = counted.bytes;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> third, open("of a third."));
  EXPECT_LT(counted.bytes - two, (two - one) / 2);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer weights, third->named_data()->Find("weights")->Load());
  EXPECT_EQ(std::string(weights.bytes.begin(), weights.bytes.end()), "of a third.");
}

}  // namespace
}  // namespace onepack
