#include "aot/ptd_writer.h"

#include <string.h>

#include <numeric>
#include <utility>

#include "aot/insert_header.h"
#include "aot/output_files.h"
#include "base/endian.h"
#include "base/rounding.h"
#include "flat_tensor_generated.h"
#include "onepack/tensor_layout.h"

namespace onepack {
namespace {

constexpr size_t kHeaderSize = 40;

std::vector<uint8_t> OrderOf(const PtdTensorLayout& layout) {
  if (!layout.dim_order.empty()) return layout.dim_order;
  std::vector<uint8_t> order(layout.sizes.size());
  std::iota(order.begin(), order.end(), uint8_t{0});
  return order;
}

flatbuffers::Offset<wire::flat_tensor::TensorLayout> CreateLayout(
    flatbuffers::FlatBufferBuilder& builder, const PtdTensorLayout& layout) {
  const auto sizes = builder.CreateVector(layout.sizes);
  const auto dim_order = builder.CreateVector(OrderOf(layout));
  return wire::flat_tensor::CreateTensorLayout(
      builder, static_cast<wire::ScalarType>(layout.scalar_type), sizes, dim_order);
}

}  // namespace

bool SameLayout(const std::optional<PtdTensorLayout>& a, const std::optional<PtdTensorLayout>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  const std::vector<uint8_t> order_a = OrderOf(*a);
  const std::vector<uint8_t> order_b = OrderOf(*b);
  return SameLayout(TensorLayout{a->scalar_type, a->sizes, order_a},
                    TensorLayout{b->scalar_type, b->sizes, order_b});
}

uint32_t PtdWriter::AddSegment(DataBytes bytes, size_t alignment) {
  return segments_.Add(std::move(bytes), alignment);
}

void PtdWriter::AddKey(std::string key, uint32_t segment, std::optional<PtdTensorLayout> layout) {
  entries_.push_back({std::move(key), segment, std::move(layout)});
}

uint32_t PtdWriter::AddBytes(std::string key, Bytes bytes, std::optional<PtdTensorLayout> layout) {
  const uint32_t segment = AddSegment(DataBytes::Copied(bytes));
  AddKey(std::move(key), segment, std::move(layout));
  return segment;
}

std::vector<uint8_t> PtdWriter::Directory() const {
  namespace wire_ptd = wire::flat_tensor;
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire_ptd::DataSegment>> segments;
  for (const SegmentList::PlacedSegment& segment : segments_.segments()) {
    segments.push_back(
        wire_ptd::CreateDataSegment(builder, segment.offset, segment.bytes.size_bytes()));
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
  bytes.resize(RoundUp(bytes.size(), segments_.base_alignment()));
  uint8_t* header = bytes.data() + kFlatbufferPrefixSize;
  memcpy(header, "FH01", 4);
  StoreLittleEndian(static_cast<uint32_t>(kHeaderSize), header + 4);
  StoreLittleEndian(flatbuffer_offset, header + 8);
  StoreLittleEndian(flatbuffer_size, header + 16);
  StoreLittleEndian(static_cast<uint64_t>(bytes.size()), header + 24);
  StoreLittleEndian(segments_.size_bytes(), header + 32);
  return bytes;
}

Status PtdWriter::Write(const Append& append) const {
  ONEPACK_RETURN_IF_ERROR(append(Directory()));
  return segments_.Write(append);
}

Result<std::vector<uint8_t>> PtdWriter::ToBytes() const {
  std::vector<uint8_t> file;
  ONEPACK_RETURN_IF_ERROR(Write([&](Bytes bytes) {
    file.insert(file.end(), bytes.begin(), bytes.end());
    return Status::Ok();
  }));
  return file;
}

Status PtdWriter::ToFile(const std::string& path) const {
  return WriteOutputFile(path, [this](const Append& append) { return Write(append); }, &ReadBack);
}

Status PtdWriter::ReadBack(const std::string& path) { return ReadBackDataFile(path); }

}  // namespace onepack
