#include "delegate/payload.h"

#include "base/printable.h"
#include "schema/verify_text.h"
#include "weight_cache/content_identity.h"

namespace onepack {

Status Constant::Read(const std::function<void(Bytes)>& use) const {
  ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, Load());
  use(buffer.bytes);
  source_->Discard(segment_);
  return Status::Ok();
}

Result<std::shared_ptr<const Payload>> Payload::Open(const DelegateRequest& request,
                                                     ContentRegistry& contents,
                                                     KeyVerifier* verifier) {
  ONEPACK_ASSIGN_OR_RETURN(const PayloadHeader header, ParsePayloadHeader(request.payload.bytes));
  std::shared_ptr<Payload> payload(new Payload());
  const Bytes flatbuffer =
      request.payload.bytes.subspan(header.flatbuffer.offset, header.flatbuffer.size);
  ONEPACK_ASSIGN_OR_RETURN(payload->flatbuffer_, AlignedCopy::Of(flatbuffer, HeapAllocator()));
  ONEPACK_ASSIGN_OR_RETURN(payload->graph_, VerifyPayload(payload->flatbuffer_->bytes(), header));
  ONEPACK_RETURN_IF_ERROR(payload->FindConstants(request, header, contents, verifier));
  return std::shared_ptr<const Payload>(std::move(payload));
}

Status Payload::FindConstants(const DelegateRequest& request, const PayloadHeader& header,
                              ContentRegistry& contents, KeyVerifier* verifier) {
  constants_.resize(ConstantCount(*graph_));
  for (size_t i = 1; i < constants_.size(); ++i) {
    auto constant = FindConstant(request, header, contents, verifier, static_cast<uint32_t>(i));
    if (!constant.ok()) return constant.TakeStatus().WithContext("constant %zu", i);
    constants_[i] = std::move(constant).value();
  }
  return Status::Ok();
}

Result<Payload::Registered> Payload::FindConstant(const DelegateRequest& request,
                                                  const PayloadHeader& header,
                                                  ContentRegistry& contents, KeyVerifier* verifier,
                                                  uint32_t index) const {
  std::string_view key;
  if (CountOf(graph_->constant_data()) > 0) {
    key = TextOf(graph_->constant_data()->Get(index)->named_key());
  }
  Registered constant;
  if (key.empty()) {
    constant.raw = InGraph(request, header, index);
  } else {
    ONEPACK_ASSIGN_OR_RETURN(const NamedData* data, request.named_data->Find(key));
    if (verifier != nullptr) ONEPACK_RETURN_IF_ERROR(verifier->Verify(*data));
    constant.raw = std::make_shared<Constant>(
        *data->source, data->segment,
        std::string("key '") + Printable(key).c_str() + "' in " + data->source->name());
  }
  const Segment& segment = constant.raw->segment();
  ONEPACK_ASSIGN_OR_RETURN(
      constant.content,
      contents.Register(
          key, IdentityOfFileRange(constant.raw->source().identity(), segment.offset, segment.size),
          segment.size, constant.raw));
  return constant;
}

// A constant that the payload carries itself.
std::shared_ptr<const Constant> Payload::InGraph(const DelegateRequest& request,
                                                 const PayloadHeader& header,
                                                 uint32_t index) const {
  Segment segment;
  if (CountOf(graph_->constant_data()) > 0) {
    const auto* entry = graph_->constant_data()->Get(index);
    segment = {request.payload_offset + header.constant_data.offset + entry->offset(),
               entry->size()};
  } else {
    // Old files keep constants as vectors in the graph, of which this payload has a copy. The file
    // has them at the same distance from the graph's first byte.
    const auto* storage = graph_->constant_buffer()->Get(index)->storage();
    segment = {request.payload_offset + header.flatbuffer.offset, CountOf(storage)};
    if (storage != nullptr) {
      segment.offset += static_cast<uint64_t>(storage->data() - flatbuffer_->bytes().data());
    }
  }
  return std::make_shared<Constant>(
      *request.source, segment,
      "constant " + std::to_string(index) + " of the payload in " + request.source->name());
}

}  // namespace onepack
