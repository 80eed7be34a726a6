#include <gtest/gtest.h>
#include <sys/stat.h>

#include "onepack/file_identity.h"
#include "weight_cache/content_registry.h"

namespace onepack {
namespace {

bool IsSame(const DataRange& a, const DataRange& b) {
  const bool is_same = !DataRangeOrder()(a, b) && !DataRangeOrder()(b, a);
  EXPECT_EQ(a.digest() == b.digest(), is_same);
  return is_same;
}

TEST(ContentIdentityTest, OfARangeEveryPartCounts) {
  struct stat info = {};
  info.st_dev = 1;
  info.st_ino = 2;
  info.st_ctim.tv_sec = 3;
  const DataIdentity file(FileIdentity(info), 4);
  const DataRange range(file, 6, 7);
  EXPECT_TRUE(IsSame({DataIdentity(FileIdentity(info), 4), 6, 7}, range));
  EXPECT_TRUE(IsSame({DataIdentity(FileIdentity(info), 0), 10, 7}, range));
  EXPECT_FALSE(IsSame({DataIdentity(FileIdentity(info), 0), 6, 7}, range));
  EXPECT_FALSE(IsSame({file, 7, 7}, range));
  EXPECT_FALSE(IsSame({file, 6, 8}, range));
  info.st_ino = 9;
  EXPECT_FALSE(IsSame({DataIdentity(FileIdentity(info), 4), 6, 7}, range));
}

TEST(ContentIdentityTest, UniqueDataAreOneWithTheirCopiesAlone) {
  const DataIdentity unique = DataIdentity::Unique();
  EXPECT_TRUE(IsSame({unique, 6, 7}, {DataIdentity(unique), 6, 7}));
  EXPECT_FALSE(IsSame({unique, 6, 7}, {DataIdentity::Unique(), 6, 7}));
}

}  // namespace
}  // namespace onepack
