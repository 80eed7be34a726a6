#include "aot/ptd_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "aot/insert_header.h"
#include "flat_tensor_generated.h"

namespace onepack {
namespace {

constexpr size_t kHeaderSize = 40;

std::vector<uint8_t> ContiguousOrder(size_t rank) {
  std::vector<uint8_t> order(rank);
  std::iota(order.begin(), order.end(), uint8_t{0});
  return order;
}

flatbuffers::Offset<wire::flat_tensor::TensorLayout> CreateLayout(
    flatbuffers::FlatBufferBuilder& builder, const PtdTensorLayout& layout) {
  const std::vector<uint8_t> order =
      layout.dim_order.empty() ? ContiguousOrder(layout.sizes.size()) : layout.dim_order;
  const auto sizes = builder.CreateVector(layout.sizes);
  const auto dim_order = builder.CreateVector(order);
  return wire::flat_tensor::CreateTensorLayout(
      builder, static_cast<wire::ScalarType>(layout.scalar_type), sizes, dim_order);
}

struct CloseFile {
  void operator()(FILE* file) const { fclose(file); }
};

}  // namespace

uint32_t PtdWriter::AddSegment(uint64_t size_bytes) {
  const uint64_t end =
      segments_.empty() ? 0 : segments_.back().offset + segments_.back().size_bytes;
  segments_.push_back({AlignUp(end, alignment_), size_bytes, {}, false});
  return static_cast<uint32_t>(segments_.size() - 1);
}

void PtdWriter::AddKey(std::string key, uint32_t segment, std::optional<PtdTensorLayout> layout) {
  entries_.push_back({std::move(key), segment, std::move(layout)});
}

uint32_t PtdWriter::AddBytes(std::string key, Bytes bytes, std::optional<PtdTensorLayout> layout) {
  const uint32_t segment = AddSegment(bytes.size());
  segments_[segment].bytes.assign(bytes.begin(), bytes.end());
  segments_[segment].has_bytes = true;
  AddKey(std::move(key), segment, std::move(layout));
  return segment;
}

// Everything before the first segment.
std::vector<uint8_t> PtdWriter::Directory() const {
  namespace wire_ptd = wire::flat_tensor;
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire_ptd::DataSegment>> segments;
  for (const Segment& segment : segments_) {
    segments.push_back(wire_ptd::CreateDataSegment(builder, segment.offset, segment.size_bytes));
  }
  std::vector<flatbuffers::Offset<wire_ptd::NamedData>> entries;
  for (const Entry& entry : entries_) {
    flatbuffers::Offset<wire_ptd::TensorLayout> layout;
    if (entry.layout) layout = CreateLayout(builder, *entry.layout);
    const auto key = builder.CreateString(entry.key);
    entries.push_back(wire_ptd::CreateNamedData(builder, key, entry.segment, layout));
  }
  const auto segment_vector = builder.CreateVector(segments);
  const auto entry_vector = builder.CreateVector(entries);
  builder.Finish(wire_ptd::CreateFlatTensor(builder, /*version=*/0, segment_vector, entry_vector),
                 wire_ptd::FlatTensorIdentifier());

  std::vector<uint8_t> bytes = InsertHeaderSpace(builder.GetBufferSpan(), kHeaderSize);
  const uint64_t flatbuffer_offset = kFlatbufferPrefixSize + kHeaderSize;
  const uint64_t flatbuffer_size = bytes.size() - flatbuffer_offset;
  bytes.resize(AlignUp(bytes.size(), alignment_));
  uint8_t* header = bytes.data() + kFlatbufferPrefixSize;
  memcpy(header, "FH01", 4);
  StoreLittleEndian(static_cast<uint32_t>(kHeaderSize), header + 4);
  StoreLittleEndian(flatbuffer_offset, header + 8);
  StoreLittleEndian(flatbuffer_size, header + 16);
  StoreLittleEndian(static_cast<uint64_t>(bytes.size()), header + 24);
  const uint64_t data_size =
      segments_.empty() ? 0 : segments_.back().offset + segments_.back().size_bytes;
  StoreLittleEndian(data_size, header + 32);
  return bytes;
}

Status PtdWriter::WriteOne(uint32_t index, const WriteSegment& write, const Append& append) const {
  const Segment& segment = segments_[index];
  if (segment.has_bytes) return append(segment.bytes);
  if (!write) {
    return Status::Error(StatusCode::kInvalidArgument, "nobody writes segment %u", index);
  }
  uint64_t written = 0;
  ONEPACK_RETURN_IF_ERROR(write(index, [&](Bytes bytes) {
    written += bytes.size();
    return append(bytes);
  }));
  if (written == segment.size_bytes) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument,
                       "segment %u was declared with %llu bytes and got %llu", index,
                       static_cast<unsigned long long>(segment.size_bytes),
                       static_cast<unsigned long long>(written));
}

Status PtdWriter::WriteAll(const WriteSegment& write, const Append& append) const {
  ONEPACK_RETURN_IF_ERROR(append(Directory()));
  uint64_t position = 0;
  for (uint32_t i = 0; i < segments_.size(); ++i) {
    const std::vector<uint8_t> padding(segments_[i].offset - position);
    ONEPACK_RETURN_IF_ERROR(append(padding));
    ONEPACK_RETURN_IF_ERROR(WriteOne(i, write, append));
    position = segments_[i].offset + segments_[i].size_bytes;
  }
  return Status::Ok();
}

Result<std::vector<uint8_t>> PtdWriter::ToBytes(const WriteSegment& write) const {
  std::vector<uint8_t> file;
  ONEPACK_RETURN_IF_ERROR(WriteAll(write, [&](Bytes bytes) {
    file.insert(file.end(), bytes.begin(), bytes.end());
    return Status::Ok();
  }));
  return file;
}

Status PtdWriter::ToFile(const std::string& path, const WriteSegment& write) const {
  std::unique_ptr<FILE, CloseFile> file(fopen(path.c_str(), "wb"));
  if (file == nullptr) return PosixError(path.c_str(), errno);
  ONEPACK_RETURN_IF_ERROR(WriteAll(write, [&](Bytes bytes) {
    if (bytes.empty() || fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size()) {
      return Status::Ok();
    }
    return PosixError(path.c_str(), errno);
  }));
  // Closed here and not by the guard, because the last bytes may fail only now.
  if (fclose(file.release()) != 0) return PosixError(path.c_str(), errno);
  return Status::Ok();
}

}  // namespace onepack
