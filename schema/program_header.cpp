#include "schema/program_header.h"

#include "base/checked_math.h"
#include "base/endian.h"
#include "schema/identifier.h"

namespace onepack {
namespace {

constexpr size_t kExtendedHeaderOffset = 8;
constexpr size_t kShortHeaderSize = 24;
constexpr size_t kLongHeaderSize = 32;

Status CheckParts(const ProgramHeader& header, uint64_t file_size) {
  if (header.flatbuffer_size < kExtendedHeaderOffset || header.flatbuffer_size > file_size) {
    return Status::Error(StatusCode::kInvalidFile,
                         "the header gives the program %llu bytes, but the file has %llu",
                         static_cast<unsigned long long>(header.flatbuffer_size),
                         static_cast<unsigned long long>(file_size));
  }
  if (header.segment_base != 0 && header.segment_base < header.flatbuffer_size) {
    return Status::Error(StatusCode::kInvalidFile,
                         "segments start at %llu, inside the program's %llu bytes",
                         static_cast<unsigned long long>(header.segment_base),
                         static_cast<unsigned long long>(header.flatbuffer_size));
  }
  if (header.segment_base > header.segment_end || header.segment_end > file_size) {
    return Status::Error(StatusCode::kInvalidFile,
                         "segments end at %llu, but the file has %llu bytes: truncated?",
                         static_cast<unsigned long long>(header.segment_end),
                         static_cast<unsigned long long>(file_size));
  }
  return Status::Ok();
}

}  // namespace

Result<ProgramHeader> ParseProgramHeader(Bytes head, uint64_t file_size) {
  ONEPACK_RETURN_IF_ERROR(CheckIdentifier(head, "ET12", "a program (.pte)"));
  ProgramHeader header;
  const uint8_t* extended = head.data() + kExtendedHeaderOffset;
  const size_t available = head.size() - kExtendedHeaderOffset;
  if (available < kShortHeaderSize || IdentifierAt(head, kExtendedHeaderOffset) != "eh00") {
    header.flatbuffer_size = file_size;
    return header;
  }
  const auto length = LoadLittleEndian<uint32_t>(extended + 4);
  if (length < kShortHeaderSize || length > file_size - kExtendedHeaderOffset) {
    return Status::Error(StatusCode::kInvalidFile,
                         "extended header of %u bytes, at least %zu expected", length,
                         kShortHeaderSize);
  }
  header.flatbuffer_size = LoadLittleEndian<uint64_t>(extended + 8);
  header.segment_base = LoadLittleEndian<uint64_t>(extended + 16);
  const bool has_size = length >= kLongHeaderSize && available >= kLongHeaderSize;
  const uint64_t segment_size = has_size ? LoadLittleEndian<uint64_t>(extended + 24) : 0;
  if (segment_size == 0) {
    header.segment_end = header.segment_base == 0 ? 0 : file_size;
  } else if (!CheckedAdd(header.segment_base, segment_size, &header.segment_end)) {
    return Status::Error(StatusCode::kInvalidFile, "segment base and size overflow 64 bits");
  }
  ONEPACK_RETURN_IF_ERROR(CheckParts(header, file_size));
  return header;
}

}  // namespace onepack
