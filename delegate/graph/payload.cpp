#include "delegate/graph/payload.h"

#include <string.h>

#include <algorithm>

#include "base/printable.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNGraph;

// Stands in the graph for each character of a key.
constexpr char kBlank = '-';

size_t OffsetIn(const AlignedCopy& flatbuffer, std::string_view text) {
  return static_cast<size_t>(reinterpret_cast<const uint8_t*>(text.data()) -
                             flatbuffer.bytes().data());
}

const char* FirstByteOfGraph(const DelegateRequest& request, const PayloadHeader& header) {
  return reinterpret_cast<const char*>(request.payload.bytes.data()) + header.flatbuffer.offset;
}

}  // namespace

std::string Constant::place() const {
  const std::string what = key_.empty() ? "constant " + std::to_string(index_) + " of the payload"
                                        : std::string("key '") + Printable(key_).c_str() + "'";
  return what + " in " + source_->name();
}

Result<std::shared_ptr<const Payload>> Payload::Open(const DelegateRequest& request,
                                                     GraphStore& graphs, KeyVerifier* verifier) {
  ONEPACK_ASSIGN_OR_RETURN(const PayloadHeader header, ParsePayloadHeader(request.payload.bytes));
  std::shared_ptr<Payload> payload(new Payload());
  Sources sources{request, header, {}, graphs, verifier};
  ONEPACK_RETURN_IF_ERROR(payload->ReadGraph(sources));
  ONEPACK_RETURN_IF_ERROR(payload->FindConstants(sources));
  return std::shared_ptr<const Payload>(std::move(payload));
}

bool Payload::Holds(uint32_t index, uint64_t size_bytes) const {
  const uint64_t found = constant(index).size();
  if (found <= size_bytes) return found == size_bytes;
  const auto* constants = graph().constant_data();
  return CountOf(constants) == 0 || constants->Get(index)->size() == found;
}

Status Payload::ReadGraph(Sources& sources) {
  const PayloadHeader& header = sources.header;
  const char* original = FirstByteOfGraph(sources.request, sources.header);
  ONEPACK_ASSIGN_OR_RETURN(
      const Ref<AlignedCopy> flatbuffer,
      AlignedCopy::Of({reinterpret_cast<const uint8_t*>(original), header.flatbuffer.size},
                      HeapAllocator()));
  ONEPACK_ASSIGN_OR_RETURN(const ConstantList* constants,
                           VerifyConstantList(flatbuffer->bytes(), header));
  if (CountOf(constants) == 0) {
    ONEPACK_ASSIGN_OR_RETURN(const XNNGraph* root, VerifyPayload(flatbuffer->bytes(), header));
    sources.keys.resize(ConstantCount(*root));
    graph_ = std::make_shared<NamelessGraph>(
        NamelessGraph{flatbuffer, root, header.constant_data.size, std::nullopt});
    return Status::Ok();
  }
  sources.keys.resize(constants->size());
  for (uint32_t i = 0; i < constants->size(); ++i) {
    const std::string_view key = TextOf(constants->Get(i)->named_key());
    if (!key.empty()) sources.keys[i] = {original + OffsetIn(*flatbuffer, key), key.size()};
  }
  for (const std::string_view key : sources.keys) {
    if (!key.empty()) memset(flatbuffer->data() + (key.data() - original), kBlank, key.size());
  }
  return ReadNamelessGraph(sources, flatbuffer);
}

// The graph is read from bytes without names, and verified as such, here or by who had them first:
// so equal bytes without names are equal graphs, also where a crafted file has other things inside
// a name.
Status Payload::ReadNamelessGraph(const Sources& sources, const Ref<AlignedCopy>& flatbuffer) {
  const uint64_t constant_data_size = sources.header.constant_data.size;
  graph_ = sources.graphs.Find(flatbuffer->bytes(), constant_data_size);
  if (graph_ == nullptr) {
    ONEPACK_ASSIGN_OR_RETURN(const XNNGraph* root,
                             VerifyPayload(flatbuffer->bytes(), sources.header));
    graph_ = sources.graphs.Add({flatbuffer, root, constant_data_size, Digest::UnlikeAll()});
  }
  return CheckPlaces(sources);
}

// The names have been where the blanks are. No file is known to fail here: a blank is an odd
// number, so an offset that begins with one is not aligned, and a key with one in its length has
// the NUL at its old end inside. Both are refused when the graph without names is verified.
Status Payload::CheckPlaces(const Sources& sources) const {
  const auto& constants = graph().constant_data();
  bool is_same = CountOf(constants) == sources.keys.size();
  for (uint32_t i = 0; is_same && i < sources.keys.size(); ++i) {
    const std::string_view blank = TextOf(constants->Get(i)->named_key());
    const std::string_view key = sources.keys[i];
    is_same =
        blank.size() == key.size() &&
        (key.empty() ||
         OffsetIn(*graph_->bytes, blank) ==
             static_cast<size_t>(key.data() - FirstByteOfGraph(sources.request, sources.header)));
  }
  if (is_same) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "a graph with something else inside a key");
}

Status Payload::FindConstants(const Sources& sources) {
  const uint32_t count = static_cast<uint32_t>(ConstantCount(graph()));
  constants_.reserve(count);
  size_t key_bytes = 0;
  for (const std::string_view key : sources.keys) key_bytes += key.size();
  keys_.reserve(key_bytes);
  for (uint32_t i = 1; i < count; ++i) {
    auto constant = FindConstant(sources, i);
    if (!constant.ok()) return constant.TakeStatus().WithContext("constant %u", i);
    constants_.push_back(std::move(constant).value());
  }
  return Status::Ok();
}

Result<Constant> Payload::FindConstant(const Sources& sources, uint32_t index) {
  const std::string_view key = sources.keys[index];
  if (key.empty()) return InGraph(sources.request, sources.header, index);
  const uint64_t size_bytes = graph().constant_data()->Get(index)->size();
  ONEPACK_ASSIGN_OR_RETURN(const NamedData* data,
                           sources.request.named_data->Find(key, size_bytes));
  if (sources.verifier != nullptr) {
    ONEPACK_RETURN_IF_ERROR(sources.verifier->Verify(*data));
  }
  const size_t start = keys_.size();
  keys_ += key;
  return Constant(*data->source, data->segment, std::string_view(keys_).substr(start), index);
}

// A constant that the payload carries itself.
Constant Payload::InGraph(const DelegateRequest& request, const PayloadHeader& header,
                          uint32_t index) const {
  Segment segment;
  if (CountOf(graph().constant_data()) > 0) {
    const auto* entry = graph().constant_data()->Get(index);
    segment = {request.payload_offset + header.constant_data.offset + entry->offset(),
               entry->size()};
  } else {
    // Old files keep constants as vectors in the graph, of which this payload has a copy. The file
    // has them at the same distance from the graph's first byte.
    const auto* storage = graph().constant_buffer()->Get(index)->storage();
    segment = {request.payload_offset + header.flatbuffer.offset, CountOf(storage)};
    if (storage != nullptr) {
      segment.offset += static_cast<uint64_t>(storage->data() - graph_bytes()->bytes().data());
    }
  }
  return Constant(*request.source, segment, /*key=*/{}, index);
}

}  // namespace onepack
