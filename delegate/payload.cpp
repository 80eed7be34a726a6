#include "delegate/payload.h"

#include "base/printable.h"
#include "schema/verify_text.h"
#include "weight_cache/content_identity.h"

namespace onepack {

Result<std::shared_ptr<const Payload>> Payload::Open(const DelegateRequest& request) {
  ONEPACK_ASSIGN_OR_RETURN(const PayloadHeader header, ParsePayloadHeader(request.payload.bytes));
  std::shared_ptr<Payload> payload(new Payload());
  const Bytes flatbuffer =
      request.payload.bytes.subspan(header.flatbuffer.offset, header.flatbuffer.size);
  ONEPACK_ASSIGN_OR_RETURN(payload->flatbuffer_, AlignedCopy::Of(flatbuffer, HeapAllocator()));
  ONEPACK_ASSIGN_OR_RETURN(payload->graph_,
                           VerifyPayload(payload->flatbuffer_->bytes(), header));
  ONEPACK_RETURN_IF_ERROR(payload->FindConstants(request, header));
  return std::shared_ptr<const Payload>(std::move(payload));
}

Status Payload::FindConstants(const DelegateRequest& request, const PayloadHeader& header) {
  constants_.resize(ConstantCount(*graph_));
  for (size_t i = 1; i < constants_.size(); ++i) {
    auto constant = FindConstant(request, header, static_cast<uint32_t>(i));
    if (!constant.ok()) return constant.TakeStatus().WithContext("constant %zu", i);
    constants_[i] = std::move(constant).value();
  }
  return Status::Ok();
}

Result<Constant> Payload::FindConstant(const DelegateRequest& request, const PayloadHeader& header,
                                       uint32_t index) const {
  Constant constant;
  constant.source = request.source;
  constant.owner = Ref<const RefCounted>::Share(request.source);
  if (CountOf(graph_->constant_data()) == 0) {
    // Old files keep constants as vectors in the graph, of which this payload has an aligned copy. The file has them at
    // the same distance from the graph's first byte.
    const auto* storage = graph_->constant_buffer()->Get(index)->storage();
    const size_t start =
        storage == nullptr
            ? 0
            : static_cast<size_t>(storage->data() - flatbuffer_->bytes().data());
    constant.segment = {request.payload_offset + header.flatbuffer.offset + start, CountOf(storage)};
    constant.place = "constant buffer " + std::to_string(index);
  } else {
    const auto* entry = graph_->constant_data()->Get(index);
    const std::string_view key = TextOf(entry->named_key());
    if (key.empty()) {
      constant.segment = {request.payload_offset + header.constant_data.offset + entry->offset(),
                          entry->size()};
      constant.place = "constant " + std::to_string(index) + " of the payload";
    } else {
      ONEPACK_ASSIGN_OR_RETURN(const NamedData* data, request.named_data->Find(key));
      constant.source = data->source;
      constant.owner = Ref<const RefCounted>::Share(data->source);
      constant.segment = data->segment;
      constant.place =
          std::string("key '") + Printable(key).c_str() + "' in " + data->source->name();
    }
  }
  constant.identity = IdentityOfFileRange(constant.source->identity(), constant.segment.offset,
                                          constant.segment.size);
  return constant;
}

}  // namespace onepack
