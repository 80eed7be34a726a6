#include "aot/output_files.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>

#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Names = std::vector<std::string>;

// What a folder held each time that it was brought to the disk; a disk that fails after some.
struct FolderSyncs {
  FolderSyncs();
  ~FolderSyncs();
  std::vector<Names> names;
  size_t allowed = SIZE_MAX;
};

FolderSyncs* watched = nullptr;

FolderSyncs::FolderSyncs() { watched = this; }
FolderSyncs::~FolderSyncs() { watched = nullptr; }

bool IsFolder(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
}

int WatchedSync(int descriptor) {
  if (watched != nullptr && IsFolder(descriptor)) {
    watched->names.push_back(FilesIn("/proc/self/fd/" + std::to_string(descriptor)));
    if (watched->names.size() > watched->allowed) {
      errno = EIO;
      return -1;
    }
  }
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

DataBytes::Producer Text(const char* text) {
  return [text](const Append& append) { return append(AsBytes(text)); };
}

std::string TextOf(const std::string& path) {
  const std::vector<uint8_t> bytes = ReadFile(path);
  return {bytes.begin(), bytes.end()};
}

TEST(OutputFilesTest, FilesHaveTheirNamesOnlyAfterCommit) {
  const TempFolder folder;
  OutputFiles files(ExistingFile::kRefuse);
  ASSERT_TRUE(IsOk(files.Write(folder.File("a"), Text("one"), &ReadBackNothing)));
  ASSERT_TRUE(IsOk(files.Write(folder.File("b"), Text("two"), &ReadBackNothing)));
  EXPECT_FALSE(std::filesystem::exists(folder.File("a")));
  ASSERT_TRUE(IsOk(files.Commit()));
  EXPECT_EQ(TextOf(folder.File("a")), "one");
  EXPECT_EQ(TextOf(folder.File("b")), "two");
  EXPECT_EQ(FilesIn(folder.path()), (Names{"a", "b"}));
}

TEST(OutputFilesTest, WithoutCommitNothingStays) {
  const TempFolder folder;
  WriteFile(folder.File("a"), AsBytes("old"));
  {
    OutputFiles files(ExistingFile::kReplace);
    ASSERT_TRUE(IsOk(files.Write(folder.File("a"), Text("new"), &ReadBackNothing)));
    EXPECT_EQ(FilesIn(folder.path()).size(), 2u);
  }
  EXPECT_EQ(FilesIn(folder.path()), Names{"a"});
  EXPECT_EQ(TextOf(folder.File("a")), "old");
}

TEST(OutputFilesTest, AnExistingFileIsReplacedOrRefusedAsAsked) {
  const TempFolder folder;
  WriteFile(folder.File("a"), AsBytes("old"));
  OutputFiles refusing(ExistingFile::kRefuse);
  EXPECT_TRUE(IsError(refusing.Write(folder.File("a"), Text("new"), &ReadBackNothing),
                      StatusCode::kFailedPrecondition, {folder.File("a").c_str()}));
  OutputFiles replacing(ExistingFile::kReplace);
  ASSERT_TRUE(IsOk(replacing.Write(folder.File("a"), Text("new"), &ReadBackNothing)));
  ASSERT_TRUE(IsOk(replacing.Commit()));
  EXPECT_EQ(TextOf(folder.File("a")), "new");
  EXPECT_EQ(FilesIn(folder.path()), Names{"a"});
}

TEST(OutputFilesTest, ANameThatIsTakenBeforeCommitUndoesAll) {
  const TempFolder folder;
  OutputFiles files(ExistingFile::kRefuse);
  ASSERT_TRUE(IsOk(files.Write(folder.File("a"), Text("one"), &ReadBackNothing)));
  ASSERT_TRUE(IsOk(files.Write(folder.File("b"), Text("two"), &ReadBackNothing)));
  WriteFile(folder.File("b"), AsBytes("another writer's"));
  EXPECT_TRUE(IsError(files.Commit(), StatusCode::kFailedPrecondition));
  EXPECT_FALSE(std::filesystem::exists(folder.File("a")));
  EXPECT_EQ(TextOf(folder.File("b")), "another writer's");
}

TEST(OutputFilesTest, AReplacedFileIsRestoredWhenALaterNameFails) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.File("x"));
  WriteFile(folder.File("a"), AsBytes("old"));
  OutputFiles files(ExistingFile::kReplace);
  ASSERT_TRUE(IsOk(files.Write(folder.File("a"), Text("new"), &ReadBackNothing)));
  ASSERT_TRUE(IsOk(files.Write(folder.File("x/b"), Text("two"), &ReadBackNothing)));
  std::filesystem::remove_all(folder.File("x"));
  EXPECT_TRUE(IsError(files.Commit(), StatusCode::kNotFound, {folder.File("x/b").c_str()}));
  EXPECT_EQ(TextOf(folder.File("a")), "old");
  EXPECT_EQ(FilesIn(folder.path()), Names{"a"});
}

TEST(OutputFilesTest, AFolderIsNotReplaced) {
  const TempFolder folder;
  std::filesystem::create_directories(folder.File("a/inside"));
  EXPECT_TRUE(IsError(WriteOutputFile(folder.File("a"), Text("new"), &ReadBackNothing),
                      StatusCode::kIoError, {folder.File("a").c_str()}));
  EXPECT_EQ(FilesIn(folder.path()), Names{"a"});
  EXPECT_EQ(FilesIn(folder.File("a")), Names{"inside"});
}

TEST(OutputFilesTest, OneNameTwiceIsRefused) {
  const TempFolder folder;
  OutputFiles files(ExistingFile::kReplace);
  ASSERT_TRUE(IsOk(files.Write(folder.File("a"), Text("one"), &ReadBackNothing)));
  EXPECT_TRUE(IsError(files.Write(folder.File("a"), Text("two"), &ReadBackNothing),
                      StatusCode::kFailedPrecondition, {"two outputs"}));
}

TEST(OutputFilesTest, OneNameSpelledInTwoWaysIsRefused) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.File("x"));
  std::filesystem::create_directory_symlink(folder.File("x"), folder.File("link"));
  OutputFiles files(ExistingFile::kReplace);
  ASSERT_TRUE(IsOk(files.Write(folder.File("x/a"), Text("one"), &ReadBackNothing)));
  for (const char* other : {"x//a", "./x/a", "x/../x/a", "link/a"}) {
    EXPECT_TRUE(IsError(files.Write(folder.File(other), Text("two"), &ReadBackNothing),
                        StatusCode::kFailedPrecondition, {"two outputs"}));
  }
  EXPECT_TRUE(IsOk(files.Write(folder.File("a"), Text("another folder's"), &ReadBackNothing)));
  ASSERT_TRUE(IsOk(files.Commit()));
  EXPECT_EQ(TextOf(folder.File("x/a")), "one");
}

// Takes the name that a link to the old file would get: of the only one that `folder` waits for.
void RefuseLink(const std::string& folder) {
  WriteFile(folder + "/" + FilesIn(folder).at(0) + "-old", AsBytes("in the way of a link"));
}

TEST(OutputFilesTest, TheOriginalFileIsRestoredWhereTwoFoldersBecameOne) {
  for (const bool has_links : {true, false}) {
    const TempFolder folder;
    for (const char* name : {"x", "y", "z"}) std::filesystem::create_directory(folder.File(name));
    WriteFile(folder.File("x/a"), AsBytes("old"));
    OutputFiles files(ExistingFile::kReplace);
    for (const char* name : {"x/a", "y/a", "z/a"}) {
      ASSERT_TRUE(IsOk(files.Write(folder.File(name), Text(name), &ReadBackNothing)));
    }
    if (!has_links) RefuseLink(folder.File("x"));
    const std::string moved = FilesIn(folder.File("y")).at(0);
    std::filesystem::rename(folder.File("y/" + moved), folder.File("x/" + moved));
    std::filesystem::remove(folder.File("y"));
    std::filesystem::create_directory_symlink(folder.File("x"), folder.File("y"));
    std::filesystem::remove_all(folder.File("z"));
    EXPECT_TRUE(IsError(files.Commit(), StatusCode::kNotFound, {"z/a"}));
    EXPECT_EQ(TextOf(folder.File("x/a")), "old");
    EXPECT_EQ(FilesIn(folder.File("x")), Names{"a"});
  }
}

TEST(OutputFilesTest, AFileThatCannotHaveTwoNamesIsReplaced) {
  const TempFolder folder;
  WriteFile(folder.File("a"), AsBytes("old"));
  OutputFiles files(ExistingFile::kReplace);
  ASSERT_TRUE(IsOk(files.Write(folder.File("a"), Text("new"), &ReadBackNothing)));
  RefuseLink(folder.path());
  ASSERT_TRUE(IsOk(files.Commit()));
  EXPECT_EQ(TextOf(folder.File("a")), "new");
  EXPECT_EQ(FilesIn(folder.path()), Names{"a"});
}

TEST(OutputFilesTest, AFileThatCannotBeKeptFailsBeforeAnyIsNamed) {
  const TempFolder folder;
  for (const char* name : {"x", "y"}) std::filesystem::create_directory(folder.File(name));
  WriteFile(folder.File("y/b"), AsBytes("old"));
  OutputFiles files(ExistingFile::kReplace);
  ASSERT_TRUE(IsOk(files.Write(folder.File("x/a"), Text("one"), &ReadBackNothing)));
  ASSERT_TRUE(IsOk(files.Write(folder.File("y/b"), Text("two"), &ReadBackNothing)));
  const Names temporary = FilesIn(folder.File("x"));
  // Neither a link nor a file can have this name.
  std::filesystem::create_directory(folder.File("y/" + FilesIn(folder.File("y")).at(0) + "-old"));
  EXPECT_TRUE(IsError(files.Commit(), StatusCode::kIoError, {"y/b"}));
  EXPECT_EQ(TextOf(folder.File("y/b")), "old");
  EXPECT_EQ(FilesIn(folder.File("x")), temporary);
}

TEST(OutputFilesTest, ANameIsOnTheDiskBeforeTheNextIsGivenAndBeforeOldFilesGo) {
  const TempFolder folder;
  WriteFile(folder.File("b"), AsBytes("old"));
  FolderSyncs syncs;
  OutputFiles files(ExistingFile::kReplace);
  ASSERT_TRUE(IsOk(files.Write(folder.File("a"), Text("data"), &ReadBackNothing)));
  ASSERT_TRUE(IsOk(files.Write(folder.File("b"), Text("program"), &ReadBackNothing)));
  ASSERT_TRUE(IsOk(files.Commit()));
  ASSERT_EQ(syncs.names.size(), 2u);
  // First with the new program and the old one under temporary names, then with the old one.
  ASSERT_EQ(syncs.names[0].size(), 4u);
  const std::string program = syncs.names[0][0];
  EXPECT_EQ(syncs.names[0], (Names{program, program + "-old", "a", "b"}));
  EXPECT_EQ(syncs.names[1], (Names{program + "-old", "a", "b"}));
  EXPECT_EQ(FilesIn(folder.path()), (Names{"a", "b"}));
}

TEST(OutputFilesTest, AFailedSyncOfAFolderUndoesAll) {
  for (const size_t allowed : {0, 1}) {
    const TempFolder folder;
    WriteFile(folder.File("b"), AsBytes("old"));
    {
      FolderSyncs syncs;
      syncs.allowed = allowed;
      OutputFiles files(ExistingFile::kReplace);
      ASSERT_TRUE(IsOk(files.Write(folder.File("a"), Text("data"), &ReadBackNothing)));
      ASSERT_TRUE(IsOk(files.Write(folder.File("b"), Text("program"), &ReadBackNothing)));
      EXPECT_TRUE(IsError(files.Commit(), StatusCode::kIoError,
                          {folder.File(allowed == 0 ? "a" : "b").c_str()}));
    }
    EXPECT_EQ(FilesIn(folder.path()), Names{"b"});
    EXPECT_EQ(TextOf(folder.File("b")), "old");
  }
}

TEST(OutputFilesTest, AFailureOfTheProducerLeavesTheOldFile) {
  const TempFolder folder;
  WriteFile(folder.File("a"), AsBytes("old"));
  const auto fail = [](const Append& append) {
    ONEPACK_RETURN_IF_ERROR(append(AsBytes("some")));
    return Status::Error(StatusCode::kInvalidFile, "no more");
  };
  EXPECT_TRUE(
      IsError(WriteOutputFile(folder.File("a"), fail, &ReadBackNothing), StatusCode::kInvalidFile));
  EXPECT_EQ(TextOf(folder.File("a")), "old");
  EXPECT_EQ(FilesIn(folder.path()), Names{"a"});
}

TEST(OutputFilesTest, WhatItsReaderRefusesLeavesTheOldFile) {
  const TempFolder folder;
  WriteFile(folder.File("a.ptd"), AsBytes("old"));
  {
    OutputFiles files(ExistingFile::kReplace);
    EXPECT_TRUE(IsError(files.Write(folder.File("a.ptd"), Text("no data file"), &ReadBackDataFile),
                        StatusCode::kInternal, {folder.File("a.ptd").c_str(), "not sound"}));
  }
  EXPECT_EQ(TextOf(folder.File("a.ptd")), "old");
  EXPECT_EQ(FilesIn(folder.path()), Names{"a.ptd"});
}

// Segment 1 of a file that has one.
TEST(OutputFilesTest, AnInconsistentFileReplacesNothing) {
  const TempFolder folder;
  PtdWriter data;
  data.AddBytes("key", AsBytes("bytes"));
  ASSERT_TRUE(IsOk(data.ToFile(folder.File("a"))));
  const std::vector<uint8_t> old = ReadFile(folder.File("a"));
  data.AddKey("other", 1);
  EXPECT_TRUE(IsError(data.ToFile(folder.File("a")), StatusCode::kInternal, {"'other'", "of 1"}));
  ProgramWriter program;
  EXPECT_TRUE(IsError(program.ToFile(folder.File("a")), StatusCode::kInternal, {"0 methods"}));
  MethodPlan method;
  method.delegates = {DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(AsBytes("?")))};
  program.AddMethod(method);
  EXPECT_TRUE(IsError(program.ToFile(folder.File("a")), StatusCode::kInternal, {"delegate 0"}));
  EXPECT_EQ(ReadFile(folder.File("a")), old);
  EXPECT_EQ(FilesIn(folder.path()), Names{"a"});
}

TEST(OutputFilesTest, AFullDiskIsNamedAndLeavesTheOldFile) {
  const TempFolder folder;
  WriteFile(folder.File("a"), AsBytes("old"));
  const std::vector<uint8_t> large(3 << 20);
  {
    const FileSizeLimit limit(1 << 20);
    EXPECT_TRUE(IsError(WriteOutputFile(
                            folder.File("a"), [&](const Append& append) { return append(large); },
                            &ReadBackNothing),
                        StatusCode::kIoError, {folder.File("a").c_str()}));
  }
  EXPECT_EQ(TextOf(folder.File("a")), "old");
  EXPECT_EQ(FilesIn(folder.path()), Names{"a"});
}

TEST(OutputFilesTest, AFolderThatIsMissingOrReadOnlyIsNamed) {
  EXPECT_TRUE(IsError(WriteOutputFile("/nowhere/at/all", Text("x"), &ReadBackNothing),
                      StatusCode::kNotFound, {"/nowhere/at/all"}));
  EXPECT_FALSE(WriteOutputFile("/proc/self/a.ptd", Text("x"), &ReadBackNothing).ok());
}

TEST(OutputFilesTest, ManySmallPiecesArriveInOrder) {
  const TempFolder folder;
  std::vector<uint8_t> all;
  ASSERT_TRUE(IsOk(WriteOutputFile(
      folder.File("a"),
      [&](const Append& append) {
        for (int i = 0; i < 3000; ++i) {
          const std::vector<uint8_t> piece(static_cast<size_t>(i), static_cast<uint8_t>(i));
          all.insert(all.end(), piece.begin(), piece.end());
          ONEPACK_RETURN_IF_ERROR(append(piece));
        }
        return Status::Ok();
      },
      &ReadBackNothing)));
  EXPECT_EQ(ReadFile(folder.File("a")), all);
}

}  // namespace

}  // namespace onepack

// Stands in for the C library's.
extern "C" int fsync(int descriptor) { return onepack::WatchedSync(descriptor); }
