#include "base/new_file.h"

#include <sys/stat.h>

#include <string>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

std::string TextOf(const std::string& path) {
  const std::vector<uint8_t> bytes = ReadFile(path);
  return {bytes.begin(), bytes.end()};
}

TEST(NewFileTest, AppearsWholeAndReplacesWhatWasThere) {
  const TempFolder folder;
  WriteFile(folder.File("a"), AsBytes("old"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(NewFile file, NewFile::Create(folder.File("a").c_str()));
  ASSERT_TRUE(IsOk(file.Append(AsBytes("new "))));
  ASSERT_TRUE(IsOk(file.Append(AsBytes("bytes"))));
  EXPECT_EQ(TextOf(folder.File("a")), "old");
  ASSERT_TRUE(IsOk(file.Commit()));
  EXPECT_EQ(TextOf(folder.File("a")), "new bytes");
  EXPECT_EQ(FilesIn(folder.path()), std::vector<std::string>{"a"});
}

TEST(NewFileTest, LeavesNothingBehindWhenItIsNotCommitted) {
  const TempFolder folder;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(NewFile file, NewFile::Create(folder.File("a").c_str()));
    ASSERT_TRUE(IsOk(file.Append(AsBytes("bytes"))));
    EXPECT_EQ(FilesIn(folder.path()).size(), 1u);
    const NewFile moved = std::move(file);
  }
  EXPECT_TRUE(FilesIn(folder.path()).empty());
}

TEST(NewFileTest, AFinishedFileIsReadUnderItsTemporaryNameBeforeItGetsItsOwn) {
  const TempFolder folder;
  ONEPACK_ASSERT_OK_AND_ASSIGN(NewFile file, NewFile::Create(folder.File("a").c_str()));
  ASSERT_TRUE(IsOk(file.Append(AsBytes("bytes"))));
  ASSERT_TRUE(IsOk(file.Finish()));
  EXPECT_EQ(TextOf(file.temporary()), "bytes");
  EXPECT_FALSE(file.is_named());
  ASSERT_TRUE(IsOk(file.GiveName(ExistingFile::kRefuse)));
  EXPECT_TRUE(file.is_named());
  EXPECT_EQ(TextOf(folder.File("a")), "bytes");
  EXPECT_EQ(FilesIn(folder.path()), std::vector<std::string>{"a"});
}

TEST(NewFileTest, AFinishedFileWithoutItsNameIsRemoved) {
  const TempFolder folder;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(NewFile file, NewFile::Create(folder.File("a").c_str()));
    ASSERT_TRUE(IsOk(file.Finish()));
  }
  EXPECT_TRUE(FilesIn(folder.path()).empty());
}

TEST(NewFileTest, ANameThatIsTakenIsRefusedOnRequest) {
  const TempFolder folder;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(NewFile file, NewFile::Create(folder.File("a").c_str()));
    EXPECT_TRUE(IsOk(CheckNameIsFree(folder.File("a").c_str())));
    WriteFile(folder.File("a"), AsBytes("another writer's"));
    EXPECT_TRUE(IsError(CheckNameIsFree(folder.File("a").c_str()), StatusCode::kFailedPrecondition,
                        {folder.File("a")}));
    ASSERT_TRUE(IsOk(file.Finish()));
    EXPECT_TRUE(IsError(file.GiveName(ExistingFile::kRefuse), StatusCode::kFailedPrecondition,
                        {folder.File("a")}));
    EXPECT_FALSE(file.is_named());
  }
  EXPECT_EQ(TextOf(folder.File("a")), "another writer's");
  EXPECT_EQ(FilesIn(folder.path()), std::vector<std::string>{"a"});
}

TEST(NewFileTest, DoesNotReplaceAFolder) {
  const TempFolder folder;
  ASSERT_EQ(mkdir(folder.File("a").c_str(), 0700), 0);
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(NewFile file, NewFile::Create(folder.File("a").c_str()));
    EXPECT_TRUE(IsError(file.Commit(), StatusCode::kIoError, {folder.File("a")}));
  }
  EXPECT_EQ(FilesIn(folder.path()), std::vector<std::string>{"a"});
}

TEST(NewFileTest, AFolderThatIsNotThereIsNamed) {
  const TempFolder folder;
  EXPECT_TRUE(IsError(NewFile::Create(folder.File("no/a").c_str()), StatusCode::kNotFound,
                      {folder.File("no/a")}));
}

TEST(NewFileTest, HasThePermissionsOfOrdinaryFiles) {
  const TempFolder folder;
  WriteFile(folder.File("ordinary"), AsBytes("bytes"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(NewFile file, NewFile::Create(folder.File("a").c_str()));
  ASSERT_TRUE(IsOk(file.Commit()));
  struct stat ordinary;
  struct stat ours;
  ASSERT_EQ(stat(folder.File("ordinary").c_str(), &ordinary), 0);
  ASSERT_EQ(stat(folder.File("a").c_str(), &ours), 0);
  EXPECT_EQ(ours.st_mode & 0777, ordinary.st_mode & 0777 & ours.st_mode);
  EXPECT_NE(ours.st_mode & 0400, 0u);
}

}  // namespace
}  // namespace onepack
