#include "tools/payload_summary.h"

#include "base/checked_math.h"
#include "delegate/ops/op.h"
#include "runtime/aligned_copy.h"
#include "schema/payload_header.h"
#include "schema/verify_payload.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

// All node types are spelled with XNNPACK's prefix in the file.
std::string ShortName(wire::xnnpack::XNodeUnion type) {
  const std::string name = NodeTypeName(type);
  return name.rfind("XNN", 0) == 0 ? name.substr(3) : name;
}

void CountConstants(const wire::xnnpack::XNNGraph& graph, PayloadSummary& summary) {
  // Older payloads list no keys: all their constants are in the flatbuffer. Index 0 is no constant.
  if (CountOf(graph.constant_data()) == 0) {
    const size_t count = CountOf(graph.constant_buffer());
    summary.inline_constants = count > 0 ? count - 1 : 0;
    return;
  }
  for (uint32_t i = 1; i < graph.constant_data()->size(); ++i) {
    const std::string_view key = TextOf(graph.constant_data()->Get(i)->named_key());
    if (key.empty()) {
      ++summary.inline_constants;
    } else {
      summary.keys.emplace(key);
    }
  }
}

}  // namespace

Result<PayloadSummary> SummarizePayload(Bytes payload) {
  ONEPACK_ASSIGN_OR_RETURN(const PayloadHeader header, ParsePayloadHeader(payload));
  const Bytes flatbuffer = payload.subspan(header.flatbuffer.offset, header.flatbuffer.size);
  ONEPACK_ASSIGN_OR_RETURN(const Ref<AlignedCopy> copy,
                           AlignedCopy::Of(flatbuffer, HeapAllocator()));
  ONEPACK_ASSIGN_OR_RETURN(const auto* graph, VerifyPayload(copy->bytes(), header));
  PayloadSummary summary;
  for (size_t i = 0; i < CountOf(graph->xnodes()); ++i) {
    const auto* node = graph->xnodes()->Get(static_cast<uint32_t>(i));
    ++summary.nodes[ShortName(node->xnode_union_type())];
  }
  CountConstants(*graph, summary);
  summary.linears = SummarizeLinears(*graph, LinearLayout::kAuto);
  return summary;
}

}  // namespace onepack
