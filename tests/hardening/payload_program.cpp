#include "tests/hardening/payload_program.h"

#include <utility>

#include "aot/pte_writer.h"
#include "base/checked_math.h"
#include "onepack/tensor_layout.h"
#include "runtime/aligned_copy.h"
#include "schema/payload_header.h"
#include "schema/verify_payload.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNTensorValue;

constexpr uint32_t kMaxArguments = 16;
constexpr size_t kMaxBytes = size_t{1} << 22;

ScalarType TypeOf(XNNDatatype datatype) {
  switch (datatype) {
    case XNNDatatype::fp16:
      return ScalarType::kHalf;
    case XNNDatatype::bf16:
      return ScalarType::kBFloat16;
    case XNNDatatype::qint8:
      return ScalarType::kChar;
    case XNNDatatype::quint8:
      return ScalarType::kByte;
    case XNNDatatype::qint32:
    case XNNDatatype::int32:
      return ScalarType::kInt;
    default:
      return ScalarType::kFloat;
  }
}

struct Arguments {
  std::vector<ValuePlan> values;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;

  void Add(const XNNTensorValue& value) {
    if (value.external_id() >= values.size()) return;
    TensorPlan tensor;
    tensor.scalar_type = TypeOf(value.datatype());
    tensor.is_dynamic = true;
    size_t bytes = ElementSize(tensor.scalar_type);
    for (const uint32_t dim : DimsOf(value)) {
      if (dim != 0 && (!CheckedMultiply<size_t>(bytes, dim, &bytes) || bytes > kMaxBytes)) return;
      tensor.sizes.push_back(static_cast<int32_t>(dim));
    }
    values[value.external_id()] = tensor;
    const auto index = static_cast<int32_t>(value.external_id());
    ((value.flags() & 2) != 0 ? outputs : inputs).push_back(index);
  }
};

Result<Arguments> ArgumentsOf(Bytes payload) {
  ONEPACK_ASSIGN_OR_RETURN(const PayloadHeader header, ParsePayloadHeader(payload));
  ONEPACK_ASSIGN_OR_RETURN(
      const Ref<AlignedCopy> copy,
      AlignedCopy::Of(payload.subspan(header.flatbuffer.offset, header.flatbuffer.size),
                      HeapAllocator()));
  ONEPACK_ASSIGN_OR_RETURN(const auto* graph, VerifyPayload(copy->bytes(), header));
  if (graph->num_externs() == 0 || graph->num_externs() > kMaxArguments) {
    return Status::Error(StatusCode::kUnsupported, "%u external values", graph->num_externs());
  }
  TensorPlan unknown;
  unknown.sizes = {4, 32};
  Arguments arguments;
  arguments.values.assign(graph->num_externs(), unknown);
  for (size_t i = 0; i < CountOf(graph->xvalues()); ++i) {
    arguments.Add(TensorOf(*graph->xvalues()->Get(static_cast<uint32_t>(i))));
  }
  return arguments;
}

Arguments TwoTensors() {
  TensorPlan tensor;
  tensor.sizes = {4, 32};
  return {{tensor, tensor}, {0}, {1}};
}

}  // namespace

std::vector<uint8_t> ProgramAroundPayload(Bytes payload) {
  auto known = ArgumentsOf(payload);
  const Arguments arguments = known.ok() ? std::move(known).value() : TwoTensors();
  ProgramWriter program;
  MethodPlan method;
  method.values = arguments.values;
  method.inputs = arguments.inputs;
  method.outputs = arguments.outputs;
  method.delegates = {DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(payload))};
  DelegateCallPlan call{0, {}};
  for (size_t i = 0; i < arguments.values.size(); ++i) {
    call.arguments.push_back(static_cast<int32_t>(i));
  }
  method.chains = {{call}};
  program.AddMethod(method);
  return program.Finish();
}

}  // namespace onepack
