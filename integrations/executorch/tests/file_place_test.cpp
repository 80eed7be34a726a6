#include "integrations/executorch/file_place.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/page_size.h"
#include "tests/support/files.h"

namespace onepack {
namespace {

// Some pages of a file, mapped.
class FilePlaceTest : public testing::Test {
 protected:
  static constexpr size_t kPages = 6;

  void SetUp() override { WriteFile(path_, {content_.data(), content_.size()}); }
  void TearDown() override {
    if (begin_ != nullptr) munmap(begin_, size());
  }

  uint8_t* Map(int protection, size_t first_page = 0, int kind = MAP_SHARED) {
    auto file = Fd::Open(path_.c_str(), O_RDWR);
    EXPECT_TRUE(file.ok());
    void* const mapped = mmap(nullptr, size(), protection, kind, file->get(),
                              static_cast<off_t>(first_page * PageSize()));
    EXPECT_NE(mapped, MAP_FAILED);
    begin_ = static_cast<uint8_t*>(mapped);
    return begin_;
  }
  static size_t size() { return kPages * PageSize(); }

  const TempFolder folder_;
  const std::string path_ = folder_.File("data");
  const std::vector<uint8_t> content_ = std::vector<uint8_t>(2 * size(), 7);
  uint8_t* begin_ = nullptr;
  FilePlaces places_;
};

TEST_F(FilePlaceTest, IsTheFileAndTheOffsetInIt) {
  const uint8_t* const data = Map(PROT_READ, 2) + 100;
  const auto place = places_.Find(data, 200);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->path, path_);
  EXPECT_EQ(place->offset, 2 * PageSize() + 100);
  EXPECT_TRUE(place->file.is_known());
}

TEST_F(FilePlaceTest, GoesOnWhereAMappingWasSplit) {
  uint8_t* const data = Map(PROT_READ);
  ASSERT_EQ(madvise(data + PageSize(), PageSize(), MADV_DONTDUMP), 0);
  const auto place = places_.Find(data + 5, size() - 5);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->offset, 5u);
}

TEST_F(FilePlaceTest, EndsWhereTheMappingEnds) {
  uint8_t* const data = Map(PROT_READ);
  EXPECT_TRUE(places_.Find(data, size()));
  ASSERT_EQ(munmap(data + size() - PageSize(), PageSize()), 0);
  EXPECT_FALSE(places_.Find(data, size()));
}

// What is mapped there may have been changed, or be changed yet.
TEST_F(FilePlaceTest, WritableMemoryIsNoPlaceInAFile) {
  uint8_t* const data = Map(PROT_READ | PROT_WRITE);
  EXPECT_FALSE(places_.Find(data, 10));
  ASSERT_EQ(mprotect(data, PageSize(), PROT_READ), 0);
  EXPECT_TRUE(places_.Find(data, 10));
  EXPECT_FALSE(places_.Find(data, PageSize() + 1));
}

// As an application may decrypt a file.
TEST_F(FilePlaceTest, NeitherIsAPrivateMappingWhichMayHaveBeenWrittenTo) {
  uint8_t* const data = Map(PROT_READ | PROT_WRITE, 0, MAP_PRIVATE);
  data[3] ^= 1;
  ASSERT_EQ(mprotect(data, size(), PROT_READ), 0);
  EXPECT_FALSE(places_.Find(data, 10));
}

TEST_F(FilePlaceTest, NorIsMemoryOfNoFile) {
  const std::vector<uint8_t> heap(100);
  EXPECT_FALSE(places_.Find(heap.data(), heap.size()));
  EXPECT_FALSE(places_.Find(nullptr, 1));
  EXPECT_FALSE(places_.Find(Map(PROT_READ), 0));
}

TEST_F(FilePlaceTest, NorAFileThatIsNotAtItsPathAnyMore) {
  const uint8_t* const data = Map(PROT_READ);
  WriteFile(path_ + ".new", {content_.data(), content_.size()});
  ASSERT_EQ(rename((path_ + ".new").c_str(), path_.c_str()), 0);
  EXPECT_FALSE(places_.Find(data, 10));
  ASSERT_EQ(unlink(path_.c_str()), 0);
  EXPECT_FALSE(places_.Find(data, 10));
}

// The bytes are the file's all the same, whatever has its path now.
TEST_F(FilePlaceTest, WhatWasReplacedOrRemovedIsMappedStill) {
  const uint8_t* const data = Map(PROT_READ);
  EXPECT_TRUE(places_.IsMapped(data, size()));
  WriteFile(path_ + ".new", {content_.data(), content_.size()});
  ASSERT_EQ(rename((path_ + ".new").c_str(), path_.c_str()), 0);
  EXPECT_TRUE(places_.IsMapped(data, size()));
  ASSERT_EQ(unlink(path_.c_str()), 0);
  EXPECT_TRUE(places_.IsMapped(data, size()));
  EXPECT_FALSE(places_.IsMapped(content_.data(), 10));
}

TEST_F(FilePlaceTest, NorTwoFilesSideBySide) {
  uint8_t* const data = Map(PROT_READ);
  const std::string other = folder_.File("other");
  WriteFile(other, {content_.data(), content_.size()});
  auto file = Fd::OpenForReading(other.c_str());
  ASSERT_TRUE(file.ok());
  ASSERT_NE(mmap(data + PageSize(), PageSize(), PROT_READ, MAP_SHARED | MAP_FIXED, file->get(),
                 static_cast<off_t>(PageSize())),
            MAP_FAILED);
  EXPECT_FALSE(places_.Find(data, size()));
}

}  // namespace
}  // namespace onepack
