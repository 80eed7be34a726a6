#include "aot/payload_writer.h"

#include <assert.h>

#include <utility>

#include "aot/payload_file.h"
#include "base/rounding.h"

namespace onepack {
namespace {

namespace wire_xnn = wire::xnnpack;

// Of each constant in the constant region.
constexpr size_t kConstantAlignment = 16;

flatbuffers::Offset<wire_xnn::Buffer> CreateBuffer(flatbuffers::FlatBufferBuilder& builder,
                                                   const std::vector<uint8_t>& bytes) {
  builder.ForceVectorAlignment(bytes.size(), 1, kConstantAlignment);
  return wire_xnn::CreateBuffer(builder, builder.CreateVector(bytes));
}

std::vector<uint8_t> BytesOf(const DataBytes& data) {
  auto bytes = data.ToVector();
  assert(bytes.ok());
  return bytes.ok() ? std::move(bytes).value() : std::vector<uint8_t>();
}

}  // namespace

uint32_t PayloadWriter::AddNamedConstant(std::string key, uint64_t size_bytes) {
  PayloadConstant constant;
  constant.key = std::move(key);
  constants_.push_back({std::move(constant), size_bytes, Constant::Kind::kNamed});
  return static_cast<uint32_t>(constants_.size());
}

uint32_t PayloadWriter::AddData(PayloadConstant constant) {
  const uint64_t size_bytes = constant.data.size_bytes();
  constants_.push_back({std::move(constant), size_bytes, Constant::Kind::kData});
  return static_cast<uint32_t>(constants_.size());
}

uint32_t PayloadWriter::AddOwnConstant(const DataBytes& bytes) {
  PayloadConstant constant;
  constant.data = bytes;
  constants_.push_back({std::move(constant), bytes.size_bytes(), Constant::Kind::kOwn});
  return static_cast<uint32_t>(constants_.size());
}

Status PayloadWriter::NameData(const std::function<Status(PayloadConstant& constant)>& name) {
  for (Constant& constant : constants_) {
    if (constant.kind != Constant::Kind::kData) continue;
    ONEPACK_RETURN_IF_ERROR(name(constant.constant));
  }
  return Status::Ok();
}

// The value is the next one to be added.
void PayloadWriter::MarkAsBorder(PayloadTensor& tensor, bool is_output) {
  tensor.external_id = external_count_++;
  tensor.flags = is_output ? kExternalOutput : kExternalInput;
  (is_output ? output_ids_ : input_ids_).push_back(static_cast<uint32_t>(values_.size()));
}

uint32_t PayloadWriter::AddInput(const std::vector<uint32_t>& dims) {
  PayloadTensor tensor;
  tensor.dims = dims;
  return AddBorder(tensor, /*is_output=*/false);
}

uint32_t PayloadWriter::AddOutput(const std::vector<uint32_t>& dims) {
  PayloadTensor tensor;
  tensor.dims = dims;
  return AddBorder(tensor, /*is_output=*/true);
}

uint32_t PayloadWriter::AddBorder(PayloadTensor tensor, bool is_output) {
  MarkAsBorder(tensor, is_output);
  return AddTensor(tensor);
}

uint32_t PayloadWriter::AddQuantizedBorder(PayloadTensor tensor, bool is_output,
                                           wire_xnn::XNNQuantParams kind,
                                           flatbuffers::Offset<void> params) {
  MarkAsBorder(tensor, is_output);
  return AddQuantized(tensor, kind, params);
}

uint32_t PayloadWriter::AddInternal(const std::vector<uint32_t>& dims) {
  return AddConstant(dims, 0);
}

uint32_t PayloadWriter::AddConstant(const std::vector<uint32_t>& dims, uint32_t constant) {
  PayloadTensor tensor;
  tensor.dims = dims;
  tensor.constant = constant;
  return AddTensor(tensor);
}

uint32_t PayloadWriter::AddDynamicInt8(const std::vector<uint32_t>& dims,
                                       int32_t num_nonbatch_dims) {
  PayloadTensor tensor;
  tensor.datatype = wire_xnn::XNNDatatype::qdint8;
  tensor.dims = dims;
  return AddQuantized(tensor, wire_xnn::XNNQuantParams::PerTokenDynamicQuant,
                      wire_xnn::CreatePerTokenDynamicQuant(builder_, num_nonbatch_dims).Union());
}

uint32_t PayloadWriter::AddPerChannelInt8(const std::vector<uint32_t>& dims, uint32_t constant,
                                          const PayloadScales& scales, int32_t channel_dim) {
  PayloadTensor tensor;
  tensor.datatype = wire_xnn::XNNDatatype::qcint8;
  tensor.dims = dims;
  tensor.constant = constant;
  const auto inline_scales = builder_.CreateVector(scales.inline_scales);
  const auto params = wire_xnn::CreatePerChannelQuant(builder_, inline_scales, channel_dim,
                                                      scales.constant, scales.count);
  return AddQuantized(tensor, wire_xnn::XNNQuantParams::PerChannelQuant, params.Union());
}

uint32_t PayloadWriter::AddBlockwiseInt4(const std::vector<uint32_t>& dims, uint32_t constant,
                                         const PayloadScales& scales, int32_t group_size) {
  PayloadTensor tensor;
  tensor.datatype = wire_xnn::XNNDatatype::qbint4;
  tensor.dims = dims;
  tensor.constant = constant;
  const auto inline_scales = builder_.CreateVector(scales.inline_scales);
  const auto params =
      wire_xnn::CreatePerChannelGroupQuant(builder_, inline_scales, /*channel_dim=*/0, group_size,
                                           /*scale_bf16=*/0, scales.constant, scales.count);
  return AddQuantized(tensor, wire_xnn::XNNQuantParams::PerChannelGroupQuant, params.Union());
}

flatbuffers::Offset<wire_xnn::XNNTensorValue> PayloadWriter::CreateTensor(
    const PayloadTensor& tensor, uint32_t id) {
  const auto dims = builder_.CreateVector(tensor.dims);
  return wire_xnn::CreateXNNTensorValue(
      builder_, tensor.datatype, static_cast<uint32_t>(tensor.dims.size()), dims, tensor.constant,
      tensor.external_id, tensor.flags, id, tensor.dq_datatype);
}

uint32_t PayloadWriter::AddTensor(const PayloadTensor& tensor) {
  const auto id = static_cast<uint32_t>(values_.size());
  return AddValue(wire_xnn::XValueUnion::XNNTensorValue, CreateTensor(tensor, id).Union());
}

uint32_t PayloadWriter::AddQuantized(const PayloadTensor& tensor, wire_xnn::XNNQuantParams kind,
                                     flatbuffers::Offset<void> params) {
  const auto id = static_cast<uint32_t>(values_.size());
  const auto inner = CreateTensor(tensor, id);
  return AddValue(wire_xnn::XValueUnion::XNNQuantizedTensorValue,
                  wire_xnn::CreateXNNQuantizedTensorValue(builder_, inner, kind, params).Union());
}

uint32_t PayloadWriter::AddValue(wire_xnn::XValueUnion kind, flatbuffers::Offset<void> value) {
  values_.push_back(wire_xnn::CreateXValue(builder_, kind, value));
  return static_cast<uint32_t>(values_.size() - 1);
}

void PayloadWriter::AddFullyConnected(uint32_t input, uint32_t filter, uint32_t output,
                                      uint32_t bias, uint32_t flags, OutputRange range) {
  const auto node = wire_xnn::CreateXNNFullyConnected(builder_, input, filter, bias, output, flags);
  AddNode(Kind::XNNFullyConnected, node.Union(), range);
}

void PayloadWriter::AddBinary(Kind kind, uint32_t a, uint32_t b, uint32_t output,
                              OutputRange range) {
  AddNode(kind, wire_xnn::CreateXNNNode2x1(builder_, a, b, output).Union(), range);
}

void PayloadWriter::AddUnary(Kind kind, uint32_t input, uint32_t output, OutputRange range) {
  AddNode(kind, wire_xnn::CreateXNNNode1x1(builder_, input, output).Union(), range);
}

void PayloadWriter::AddConcatenate2(uint32_t axis, uint32_t a, uint32_t b, uint32_t output) {
  const auto node = wire_xnn::CreateXNNCat(builder_, axis, a, b, kNoValue, kNoValue, output,
                                           /*flags=*/0, kNoValue);
  AddNode(Kind::XNNConcatenate2, node.Union());
}

void PayloadWriter::AddNode(Kind kind, flatbuffers::Offset<void> node, OutputRange range) {
  flatbuffers::Offset<wire_xnn::OutputMinMax> min_max;
  if (range) min_max = wire_xnn::CreateOutputMinMax(builder_, range->first, range->second);
  const auto debug_handle = static_cast<uint32_t>(nodes_.size() + 1);
  nodes_.push_back(wire_xnn::CreateXNode(builder_, kind, node, debug_handle, min_max));
}

bool PayloadWriter::UsesConstantBuffer() const {
  if (options_.has_header && !options_.uses_constant_buffer) return false;
  for (const Constant& constant : constants_) {
    if (constant.kind != Constant::Kind::kOwn) return false;
  }
  return true;
}

// Also collects in `region` what the graph says is in the constant region.
flatbuffers::Offset<wire_xnn::XNNGraph> PayloadWriter::CreateGraph(std::vector<uint8_t>* region) {
  std::vector<flatbuffers::Offset<wire_xnn::Buffer>> buffers;
  std::vector<flatbuffers::Offset<wire_xnn::ConstantDataOffset>> offsets;
  if (UsesConstantBuffer()) {
    buffers.push_back(CreateBuffer(builder_, {}));
    for (const Constant& constant : constants_) {
      buffers.push_back(CreateBuffer(builder_, BytesOf(constant.constant.data)));
    }
  } else {
    offsets.push_back(wire_xnn::CreateConstantDataOffsetDirect(builder_, 0, 0, ""));
    for (const Constant& constant : constants_) {
      uint64_t offset = UINT64_MAX;
      if (constant.kind == Constant::Kind::kOwn) {
        region->resize(RoundUp(region->size(), kConstantAlignment));
        offset = region->size();
        const std::vector<uint8_t> bytes = BytesOf(constant.constant.data);
        region->insert(region->end(), bytes.begin(), bytes.end());
      }
      // ExecuTorch looks for a key that is there, also for an empty one.
      const bool is_own = constant.kind == Constant::Kind::kOwn;
      offsets.push_back(wire_xnn::CreateConstantDataOffsetDirect(
          builder_, offset, constant.size_bytes, is_own ? nullptr : constant.constant.key.c_str()));
    }
  }
  return wire_xnn::CreateXNNGraphDirect(builder_, "0", &nodes_, &values_, external_count_,
                                        &input_ids_, &output_ids_, &buffers,
                                        /*mem_buffer_sizes=*/nullptr, &offsets);
}

std::vector<uint8_t> PayloadWriter::Finish() {
  std::vector<uint8_t> region;
  builder_.Finish(CreateGraph(&region), options_.identifier);
  const Bytes graph = builder_.GetBufferSpan();
  if (!options_.has_header) return {graph.begin(), graph.end()};

  std::vector<uint8_t> payload = PayloadFront(graph, region.size());
  payload.insert(payload.end(), region.begin(), region.end());
  return payload;
}

}  // namespace onepack
