#include <gtest/gtest.h>
#include <sys/stat.h>

#include "onepack/file_identity.h"
#include "weight_cache/content_registry.h"

namespace onepack {
namespace {

TEST(ContentIdentityTest, OfARangeEveryPartCounts) {
  struct stat info = {};
  info.st_dev = 1;
  info.st_ino = 2;
  info.st_ctim.tv_sec = 3;
  const DataIdentity file(FileIdentity(info), 4);
  const Digest range = IdentityOfRange(file, 6, 7);
  EXPECT_EQ(IdentityOfRange(DataIdentity(FileIdentity(info), 4), 6, 7), range);
  EXPECT_EQ(IdentityOfRange(DataIdentity(FileIdentity(info), 0), 10, 7), range);
  EXPECT_NE(IdentityOfRange(DataIdentity(FileIdentity(info), 0), 6, 7), range);
  EXPECT_NE(IdentityOfRange(file, 7, 7), range);
  EXPECT_NE(IdentityOfRange(file, 6, 8), range);
  info.st_ino = 9;
  EXPECT_NE(IdentityOfRange(DataIdentity(FileIdentity(info), 4), 6, 7), range);
}

TEST(ContentIdentityTest, UniqueDataAreOneWithTheirCopiesAlone) {
  const DataIdentity unique = DataIdentity::Unique();
  EXPECT_EQ(IdentityOfRange(unique, 6, 7), IdentityOfRange(DataIdentity(unique), 6, 7));
  EXPECT_NE(IdentityOfRange(unique, 6, 7), IdentityOfRange(DataIdentity::Unique(), 6, 7));
}

}  // namespace
}  // namespace onepack
