#include "aot/editable_payload.h"

#include <utility>

#include "aot/payload_file.h"
#include "aot/segment_list.h"
#include "runtime/aligned_copy.h"
#include "schema/verify_payload.h"

namespace onepack {

namespace wire_edit = edit::xnnpack;

Result<EditablePayload> EditablePayload::Read(const Ref<const DataSource>& source,
                                              const Segment& range, const Watch& watch) {
  ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, source->LoadWhole(range));
  ONEPACK_ASSIGN_OR_RETURN(const PayloadHeader header, ParsePayloadHeader(buffer.bytes));
  const Bytes flatbuffer = buffer.bytes.subspan(header.flatbuffer.offset, header.flatbuffer.size);
  ONEPACK_ASSIGN_OR_RETURN(const Ref<AlignedCopy> copy,
                           AlignedCopy::Of(flatbuffer, HeapAllocator()));
  ONEPACK_ASSIGN_OR_RETURN(const auto* verified, VerifyPayload(copy->bytes(), header));
  (void)verified;
  EditablePayload payload;
  wire_edit::GetXNNGraph(copy->bytes().data())->UnPackTo(&payload.graph_);
  const auto* identifier = reinterpret_cast<const char*>(copy->bytes().data()) + 4;
  payload.identifier_.assign(identifier, 4);
  const Segment region = {range.offset + header.constant_data.offset, header.constant_data.size};
  ONEPACK_RETURN_IF_ERROR(payload.ReadConstants(source, region, watch));
  return payload;
}

// Takes the constants out of the graph; Encode puts them back.
Status EditablePayload::ReadConstants(const Ref<const DataSource>& source, const Segment& region,
                                      const Watch& watch) {
  for (const auto& entry : graph_.constant_data) {
    Constant constant;
    constant.key = entry->named_key;
    constant.size_bytes = entry->size;
    const bool is_none = constants_.empty();
    if (constant.key.empty() && !is_none) {
      constant.bytes = BytesOfSource(source, {region.offset + entry->offset, entry->size}, watch);
    }
    constants_.push_back(std::move(constant));
  }
  if (graph_.constant_data.empty()) {
    for (const auto& buffer : graph_.constant_buffer) {
      const uint64_t size = buffer->storage.size();
      constants_.push_back({{}, DataBytes::Owned(std::move(buffer->storage)), size});
    }
  }
  graph_.constant_data.clear();
  graph_.constant_buffer.clear();
  return Status::Ok();
}

void EditablePayload::MoveOut(size_t index, std::string key) {
  constants_[index].key = std::move(key);
  constants_[index].bytes = DataBytes();
  is_changed_ = true;
}

DataBytes EditablePayload::Encode() const {
  wire_edit::XNNGraphT graph = graph_;
  BufferGroup region;
  for (size_t i = 0; i < constants_.size(); ++i) {
    auto entry = std::make_unique<wire_edit::ConstantDataOffsetT>();
    entry->named_key = constants_[i].key;
    entry->size = constants_[i].size_bytes;
    if (i > 0 && constants_[i].key.empty()) {
      region.Add(constants_[i].bytes);
      entry->offset = region.offsets().back();
    } else if (i > 0) {
      entry->offset = UINT64_MAX;  // as the exporter has it
    }
    graph.constant_data.push_back(std::move(entry));
  }
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(wire_edit::CreateXNNGraph(builder, &graph), identifier_.c_str());
  const DataBytes constants = region.ToSegment();
  std::vector<uint8_t> front = PayloadFront(builder.GetBufferSpan(), constants.size_bytes());
  const uint64_t size = front.size() + constants.size_bytes();
  return DataBytes::Produced(size, [front = std::move(front), constants](const Append& append) {
    ONEPACK_RETURN_IF_ERROR(append(front));
    return constants.AppendTo(append);
  });
}

}  // namespace onepack
