#include "delegate/payload.h"

#include <string.h>

#include "base/printable.h"
#include "schema/verify_text.h"
#include "weight_cache/content_identity.h"

namespace onepack {
namespace {

// Stands in the graph for each character of a key.
constexpr char kBlank = '-';

}  // namespace

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
  Sources sources{request, header, {}, contents, verifier};
  ONEPACK_RETURN_IF_ERROR(payload->ReadGraph(sources));
  ONEPACK_RETURN_IF_ERROR(payload->FindConstants(sources));
  return std::shared_ptr<const Payload>(std::move(payload));
}

Status Payload::ReadGraph(Sources& sources) {
  const PayloadHeader& header = sources.header;
  const Bytes original =
      sources.request.payload.bytes.subspan(header.flatbuffer.offset, header.flatbuffer.size);
  ONEPACK_ASSIGN_OR_RETURN(flatbuffer_, AlignedCopy::Of(original, HeapAllocator()));
  ONEPACK_ASSIGN_OR_RETURN(graph_, VerifyPayload(flatbuffer_->bytes(), header));
  sources.keys.resize(ConstantCount(*graph_));
  for (uint32_t i = 0; i < CountOf(graph_->constant_data()); ++i) {
    const std::string_view key = TextOf(graph_->constant_data()->Get(i)->named_key());
    if (key.empty()) continue;
    sources.keys[i] = {reinterpret_cast<const char*>(original.data()) + OffsetOf(key), key.size()};
  }
  if (CountOf(graph_->constant_data()) == 0) return Status::Ok();
  ONEPACK_RETURN_IF_ERROR(BlankKeys(sources));
  structure_ = Sha256Of(flatbuffer_->bytes());
  return Status::Ok();
}

// From here on the graph is read from bytes without names, and verified as such: so equal bytes
// without names are equal graphs, also where a crafted file has other things inside a name.
Status Payload::BlankKeys(const Sources& sources) {
  const char* original = reinterpret_cast<const char*>(sources.request.payload.bytes.data()) +
                         sources.header.flatbuffer.offset;
  for (const std::string_view key : sources.keys) {
    if (key.empty()) continue;
    memset(flatbuffer_->data() + (key.data() - original), kBlank, key.size());
  }
  ONEPACK_ASSIGN_OR_RETURN(graph_, VerifyPayload(flatbuffer_->bytes(), sources.header));
  bool is_same = CountOf(graph_->constant_data()) == sources.keys.size();
  for (uint32_t i = 0; is_same && i < sources.keys.size(); ++i) {
    const std::string_view blank = TextOf(graph_->constant_data()->Get(i)->named_key());
    const std::string_view key = sources.keys[i];
    is_same = blank.size() == key.size() &&
              (key.empty() || OffsetOf(blank) == static_cast<size_t>(key.data() - original));
  }
  if (is_same) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "a graph with something else inside a key");
}

size_t Payload::OffsetOf(std::string_view text) const {
  return static_cast<size_t>(reinterpret_cast<const uint8_t*>(text.data()) - flatbuffer_->data());
}

Status Payload::FindConstants(const Sources& sources) {
  constants_.resize(ConstantCount(*graph_));
  for (size_t i = 1; i < constants_.size(); ++i) {
    auto constant = FindConstant(sources, static_cast<uint32_t>(i));
    if (!constant.ok()) return constant.TakeStatus().WithContext("constant %zu", i);
    constants_[i] = std::move(constant).value();
  }
  return Status::Ok();
}

Result<Payload::Registered> Payload::FindConstant(const Sources& sources, uint32_t index) const {
  const DelegateRequest& request = sources.request;
  const std::string_view key = sources.keys[index];
  Registered constant;
  if (key.empty()) {
    constant.raw = InGraph(request, sources.header, index);
  } else {
    ONEPACK_ASSIGN_OR_RETURN(const NamedData* data, request.named_data->Find(key));
    if (sources.verifier != nullptr) {
      ONEPACK_RETURN_IF_ERROR(sources.verifier->Verify(*data));
    }
    constant.raw = std::make_shared<Constant>(
        *data->source, data->segment,
        std::string("key '") + Printable(key).c_str() + "' in " + data->source->name());
  }
  const Segment& segment = constant.raw->segment();
  ONEPACK_ASSIGN_OR_RETURN(
      constant.content,
      sources.contents.Register(
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
