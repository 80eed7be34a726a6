#include "tools/memory_usage.h"

#include <gtest/gtest.h>
#include <string.h>

#include "base/mapping.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr size_t kSize = size_t{32} << 20;
// What the process may gain or lose meanwhile for reasons of its own.
constexpr uint64_t kSlack = uint64_t{4} << 20;

MemoryUsage Usage() {
  auto usage = CurrentMemoryUsage();
  EXPECT_TRUE(IsOk(usage));
  return usage.ok() ? *usage : MemoryUsage();
}

TEST(MemoryUsageTest, ItsNumbersFitTogether) {
  const MemoryUsage usage = Usage();
  EXPECT_GT(usage.anonymous_bytes, 0u);
  EXPECT_GT(usage.file_backed_bytes, 0u);
  EXPECT_EQ(usage.resident_bytes, usage.anonymous_bytes + usage.file_backed_bytes);
  EXPECT_LE(usage.proportional_bytes, usage.resident_bytes);
}

TEST(MemoryUsageTest, MemoryThatIsTouchedIsAnonymousUntilItIsGivenBack) {
  const MemoryUsage before = Usage();
  ONEPACK_ASSERT_OK_AND_ASSIGN(Mapping memory, Mapping::OfZeros(kSize));
  EXPECT_LT(Usage().anonymous_bytes, before.anonymous_bytes + kSlack);
  memset(memory.data(), 1, memory.size());
  const MemoryUsage touched = Usage();
  EXPECT_GE(touched.anonymous_bytes, before.anonymous_bytes + kSize - kSlack);
  EXPECT_LE(touched.file_backed_bytes, before.file_backed_bytes + kSlack);
  memory = Mapping();
  EXPECT_LT(Usage().anonymous_bytes, before.anonymous_bytes + kSlack);
}

TEST(MemoryUsageTest, PagesOfAFileAreFileBacked) {
  const TempFolder folder;
  WriteFile(folder.File("file"), std::vector<uint8_t>(kSize, 1));
  const MemoryUsage before = Usage();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Mapping file, Mapping::OfFile(folder.File("file").c_str()));
  uint64_t sum = 0;
  for (size_t i = 0; i < file.size(); i += 4096) sum += file.data()[i];
  EXPECT_EQ(sum, kSize / 4096);
  const MemoryUsage after = Usage();
  EXPECT_GE(after.file_backed_bytes, before.file_backed_bytes + kSize - kSlack);
  EXPECT_LT(after.anonymous_bytes, before.anonymous_bytes + kSlack);
}

}  // namespace
}  // namespace onepack
