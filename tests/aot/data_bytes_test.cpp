#include "aot/data_bytes.h"

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

// Of "abc", as FIPS 180-4 has it.
constexpr char kSha256[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(DataBytesTest, OwnedBorrowedAndProducedBytesAreTheSame) {
  const std::vector<uint8_t> bytes = {'a', 'b', 'c'};
  const DataBytes produced = DataBytes::Produced(3, [](const Append& append) {
    ONEPACK_RETURN_IF_ERROR(append(AsBytes("ab")));
    return append(AsBytes("c"));
  });
  for (const DataBytes& data :
       {DataBytes::Owned(bytes), DataBytes::Copied(bytes), DataBytes::Borrowed(bytes), produced}) {
    EXPECT_EQ(data.size_bytes(), 3u);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<uint8_t> all, data.ToVector());
    EXPECT_EQ(all, bytes);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string sha256, data.Sha256());
    EXPECT_EQ(sha256, kSha256);
  }
}

TEST(DataBytesTest, BorrowedBytesAreNotCopied) {
  const std::vector<uint8_t> bytes = {1, 2, 3};
  const DataBytes data = DataBytes::Borrowed(bytes);
  ASSERT_TRUE(IsOk(data.AppendTo([&](Bytes piece) {
    EXPECT_EQ(piece.data(), bytes.data());
    return Status::Ok();
  })));
}

TEST(DataBytesTest, NoBytesAreAppendedAsNothing) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<uint8_t> all, DataBytes().ToVector());
  EXPECT_TRUE(all.empty());
}

TEST(DataBytesTest, CopiesShareOneDigest) {
  int productions = 0;
  const DataBytes data = DataBytes::Produced(1, [&](const Append& append) {
    ++productions;
    return append(AsBytes("x"));
  });
  const DataBytes copy = data;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string first, data.Sha256());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string second, copy.Sha256());
  EXPECT_EQ(first, second);
  EXPECT_EQ(productions, 1);
}

TEST(DataBytesTest, AnotherSizeThanAnnouncedAndAFailingProducerAreErrors) {
  const auto append_two = [](const Append& append) { return append(AsBytes("ab")); };
  EXPECT_TRUE(IsError(DataBytes::Produced(3, append_two).ToVector(), StatusCode::kInvalidArgument,
                      {"3 bytes", "2 came"}));
  EXPECT_TRUE(IsError(DataBytes::Produced(1, append_two).Sha256(), StatusCode::kInvalidArgument));
  const DataBytes failing = DataBytes::Produced(
      1, [](const Append&) { return Status::Error(StatusCode::kIoError, "the disk is gone"); });
  EXPECT_TRUE(IsError(failing.Sha256(), StatusCode::kIoError, {"the disk is gone"}));
}

}  // namespace
}  // namespace onepack
