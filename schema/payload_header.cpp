#include "schema/payload_header.h"

#include "base/checked_math.h"
#include "base/endian.h"
#include "schema/identifier.h"

namespace onepack {
namespace {

constexpr size_t kHeaderSize = 30;

Result<PayloadHeader> ParseWithHeader(Bytes payload) {
  const uint8_t* bytes = payload.data();
  const uint16_t length = payload.size() < kHeaderSize ? 0 : LoadLittleEndian<uint16_t>(bytes + 8);
  if (length < kHeaderSize) {
    return Status::Error(StatusCode::kInvalidFile,
                         "payload header of %u bytes (of %zu), at least %zu expected", length,
                         payload.size(), kHeaderSize);
  }
  PayloadHeader header;
  header.flatbuffer.offset = LoadLittleEndian<uint32_t>(bytes + 10);
  header.flatbuffer.size = LoadLittleEndian<uint32_t>(bytes + 14);
  header.constant_data.offset = LoadLittleEndian<uint32_t>(bytes + 18);
  header.constant_data.size = LoadLittleEndian<uint64_t>(bytes + 22);
  for (const Segment& part : {header.flatbuffer, header.constant_data}) {
    if (!InRange(part.offset, part.size, payload.size())) {
      return Status::Error(StatusCode::kInvalidFile,
                           "%llu bytes at %llu do not lie in the payload's %zu bytes",
                           static_cast<unsigned long long>(part.size),
                           static_cast<unsigned long long>(part.offset), payload.size());
    }
  }
  return header;
}

}  // namespace

Result<PayloadHeader> ParsePayloadHeader(Bytes payload) {
  if (payload.size() < kIdentifierOffset + kIdentifierSize) {
    return Status::Error(StatusCode::kInvalidFile, "%zu bytes are too few for an XNNPACK payload",
                         payload.size());
  }
  PayloadHeader header;
  header.flatbuffer.size = payload.size();
  if (IdentifierAt(payload, kIdentifierOffset) == "XH00") {
    ONEPACK_ASSIGN_OR_RETURN(header, ParseWithHeader(payload));
  }
  const Bytes graph = payload.subspan(header.flatbuffer.offset, header.flatbuffer.size);
  if (graph.size() >= kIdentifierOffset + kIdentifierSize) {
    const std::string_view found = IdentifierAt(graph, kIdentifierOffset);
    if (found == "XN00" || found == "XN01") return header;
  }
  return CheckIdentifier(graph, "XN01", "an XNNPACK graph");
}

}  // namespace onepack
