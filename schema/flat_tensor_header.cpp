#include "schema/flat_tensor_header.h"

#include "base/checked_math.h"
#include "base/endian.h"
#include "schema/identifier.h"

namespace onepack {
namespace {

constexpr size_t kHeaderOffset = 8;
constexpr size_t kHeaderSize = 40;

Status CheckInsideFile(const char* what, const Segment& part, uint64_t file_size) {
  if (InRange(part.offset, part.size, file_size)) return Status::Ok();
  return Status::Error(
      StatusCode::kInvalidFile, "%s of %llu bytes at %llu, but the file has %llu bytes: truncated?",
      what, static_cast<unsigned long long>(part.size),
      static_cast<unsigned long long>(part.offset), static_cast<unsigned long long>(file_size));
}

// Both lie inside the file: their ends do not overflow.
Status CheckApart(const FlatTensorHeader& header) {
  const Segment& directory = header.flatbuffer;
  const Segment& segments = header.segments;
  if (directory.size == 0 || segments.size == 0 ||
      directory.offset + directory.size <= segments.offset ||
      segments.offset + segments.size <= directory.offset) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidFile,
                       "the segments at %llu overlap the directory, %llu bytes at %llu",
                       static_cast<unsigned long long>(segments.offset),
                       static_cast<unsigned long long>(directory.size),
                       static_cast<unsigned long long>(directory.offset));
}

}  // namespace

Result<FlatTensorHeader> ParseFlatTensorHeader(Bytes head, uint64_t file_size) {
  ONEPACK_RETURN_IF_ERROR(CheckIdentifier(head, "FT01", "a data file (.ptd)"));
  if (head.size() < FlatTensorHeader::kHeadSize) {
    return Status::Error(StatusCode::kInvalidFile, "%zu bytes, at least %zu expected: truncated?",
                         head.size(), FlatTensorHeader::kHeadSize);
  }
  const uint8_t* bytes = head.data() + kHeaderOffset;
  const auto length = LoadLittleEndian<uint32_t>(bytes + 4);
  if (IdentifierAt(head, kHeaderOffset) != "FH01" || length < kHeaderSize) {
    return Status::Error(StatusCode::kInvalidFile,
                         "header \"%s\" of %u bytes, \"FH01\" of at least %zu expected",
                         Printable(IdentifierAt(head, kHeaderOffset)).c_str(), length, kHeaderSize);
  }
  FlatTensorHeader header;
  header.flatbuffer.offset = LoadLittleEndian<uint64_t>(bytes + 8);
  header.flatbuffer.size = LoadLittleEndian<uint64_t>(bytes + 16);
  header.segments.offset = LoadLittleEndian<uint64_t>(bytes + 24);
  header.segments.size = LoadLittleEndian<uint64_t>(bytes + 32);
  ONEPACK_RETURN_IF_ERROR(CheckInsideFile("a directory", header.flatbuffer, file_size));
  ONEPACK_RETURN_IF_ERROR(CheckInsideFile("segments", header.segments, file_size));
  if (header.flatbuffer.offset < kHeaderOffset + kHeaderSize) {
    return Status::Error(StatusCode::kInvalidFile,
                         "the directory starts at %llu, inside the header",
                         static_cast<unsigned long long>(header.flatbuffer.offset));
  }
  ONEPACK_RETURN_IF_ERROR(CheckApart(header));
  return header;
}

}  // namespace onepack
