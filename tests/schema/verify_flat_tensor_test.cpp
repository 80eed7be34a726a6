#include "schema/verify_flat_tensor.h"

#include <functional>
#include <vector>

#include "aot/ptd_writer.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

Status Verify(const std::vector<uint8_t>& file) {
  ONEPACK_ASSIGN_OR_RETURN(const FlatTensorHeader header, ParseFlatTensorHeader(file, file.size()));
  auto verified = VerifyFlatTensor(
      Bytes(file).subspan(0, header.flatbuffer.offset + header.flatbuffer.size), header);
  return verified.ok() ? Status::Ok() : verified.TakeStatus();
}

Status VerifyWritten(const std::function<void(PtdWriter&)>& declare) {
  PtdWriter writer;
  declare(writer);
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<uint8_t> file, writer.ToBytes());
  return Verify(file);
}

const std::vector<uint8_t> kBytes(24);

TEST(VerifyFlatTensorTest, RealFilesPass) {
  for (const char* name : {"cases/lora_fp32/foundation.ptd", "cases/lora_fp32/lora0.ptd",
                           "cases/lora_8da4w/foundation.ptd", "cases/scale_8da4w/one.ptd"}) {
    EXPECT_TRUE(IsOk(Verify(ReadFile(TestData(name))))) << name;
  }
}

TEST(VerifyFlatTensorTest, TensorsAndBlobsPass) {
  EXPECT_TRUE(IsOk(VerifyWritten([](PtdWriter& writer) {
    const uint32_t segment = writer.AddBytes("blob", kBytes);
    writer.AddKey("tensor", segment, PtdTensorLayout{ScalarType::kFloat, {2, 3}, {}});
    writer.AddKey("smaller", segment, PtdTensorLayout{ScalarType::kFloat, {5}, {}});
  })));
  EXPECT_TRUE(IsOk(VerifyWritten([](PtdWriter&) {})));
}

TEST(VerifyFlatTensorTest, ASegmentThatIsNotThereIsRefused) {
  EXPECT_TRUE(IsError(VerifyWritten([](PtdWriter& writer) {
                        writer.AddBytes("a", kBytes);
                        writer.AddKey("lost", 3);
                      }),
                      StatusCode::kInvalidFile, {"key 'lost'", "segment 3 of 1"}));
}

TEST(VerifyFlatTensorTest, ATensorLargerThanItsSegmentIsRefused) {
  EXPECT_TRUE(IsError(VerifyWritten([](PtdWriter& writer) {
                        writer.AddBytes("w", kBytes, PtdTensorLayout{ScalarType::kFloat, {7}, {}});
                      }),
                      StatusCode::kInvalidFile, {"key 'w'", "float32 [7] needs 28 bytes", "24"}));
}

TEST(VerifyFlatTensorTest, AnUnsoundLayoutIsRefused) {
  EXPECT_TRUE(IsError(VerifyWritten([](PtdWriter& writer) {
                        writer.AddBytes("w", kBytes,
                                        PtdTensorLayout{ScalarType::kFloat, {2, 3}, {0, 0}});
                      }),
                      StatusCode::kInvalidFile, {"key 'w'", "permutation"}));
}

TEST(VerifyFlatTensorTest, KeysThatAreNoNamesAreRefused) {
  for (const std::string& key : {std::string(), std::string("a\0b", 3)}) {
    EXPECT_TRUE(IsError(VerifyWritten([&](PtdWriter& writer) {
                          writer.AddBytes("good", kBytes);
                          writer.AddKey(key, 0);
                        }),
                        StatusCode::kInvalidFile, {"named_data entry 1"}));
  }
}

TEST(VerifyFlatTensorTest, SegmentsOutsideTheSegmentDataAreRefused) {
  PtdWriter writer;
  writer.AddBytes("a", kBytes);
  ONEPACK_ASSERT_OK_AND_ASSIGN(std::vector<uint8_t> file, writer.ToBytes());
  file[8 + 32] -= 1;  // segment data size
  EXPECT_TRUE(IsError(Verify(file), StatusCode::kInvalidFile, {"segment 0", "24 bytes", "23"}));
}

TEST(VerifyFlatTensorTest, ADirectoryOfNoiseIsRefused) {
  std::vector<uint8_t> file = ReadFile(TestData("cases/scale_8da4w/one.ptd"));
  for (size_t i = 48; i < 300; ++i) file[i] = static_cast<uint8_t>(i * 37);
  EXPECT_TRUE(IsError(Verify(file), StatusCode::kInvalidFile, {"damaged"}));
}

}  // namespace
}  // namespace onepack
