#include "delegate/packing/raw_matrix.h"

#include <utility>

#include "delegate/graph/datatypes.h"
#include "delegate/graph/quantization.h"
#include "delegate/packing/source_call.h"
#include "delegate/xnn/slice_provider.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNode;
using wire::xnnpack::XNodeUnion;

bool IsAligned(const Buffer& buffer) {
  return reinterpret_cast<uintptr_t>(buffer.bytes.data()) % alignof(float) == 0;
}

// What is packed must depend on the weight alone: a statically quantized input's numbers go into
// it too, and into each kind of weight in another way.
bool IsPackedByChannel(const PackedUse& use, const LoneNode& alone) {
  const XNode& node = *alone.nodes.back();
  if (node.xnode_union_type() != XNodeUnion::XNNFullyConnected || use.widens_kernel ||
      use.widens_bias || use.reads_scales || use.packing != Packing::kLookedUp) {
    return false;
  }
  const auto& wire = *node.xnode_union_as_XNNFullyConnected();
  const XNNDatatype input = alone.values.at(wire.input1_id()).datatype();
  const XNNDatatype filter = alone.values.at(wire.filter_id()).datatype();
  return (wire.flags() & XNN_FLAG_TRANSPOSE_WEIGHTS) == 0 && use.kernel_id != use.bias_id &&
         (input == XNNDatatype::fp32 || input == XNNDatatype::qdint8) &&
         (filter == XNNDatatype::fp32 || filter == XNNDatatype::qcint8 ||
          filter == XNNDatatype::qcint4 || filter == XNNDatatype::qbint4);
}

Segment Within(const Segment& whole, size_t offset, size_t size) {
  return Segment{whole.offset + offset, size};
}

}  // namespace

std::optional<RawMatrix> RawMatrix::Open(const Payload& payload, const PackedUse& use,
                                         const LoneNode& node) {
  if (!IsPackedByChannel(use, node)) return std::nullopt;
  RawMatrix matrix(payload, use, node);
  if (!matrix.FindKernel() || !matrix.FindBias() || !matrix.FindScales()) return std::nullopt;
  return matrix;
}

bool RawMatrix::FindKernel() {
  const GraphValue& kernel = node_.values.at(use_.kernel_id);
  const Constant& constant = payload_.constant(kernel.constant_index());
  if (kernel.rank() != 2 || !constant.source().is_mapped()) return false;
  auto loaded = constant.Load();
  if (!loaded.ok() || !IsAligned(*loaded)) return false;
  auto size = ConstantSizeBytes(kernel.tensor());
  if (!size.ok() || loaded->bytes.size() != *size) return false;
  kernel_ = std::move(loaded).value();
  channels_ = kernel.dim(0);
  row_bytes_ = *size / channels_;
  return row_bytes_ * channels_ == *size;
}

bool RawMatrix::FindBias() {
  if (use_.bias_id == XNN_INVALID_VALUE_ID) return true;
  const GraphValue& bias = node_.values.at(use_.bias_id);
  auto loaded = payload_.constant(bias.constant_index()).Load();
  if (bias.rank() == 0 || !loaded.ok() || !IsAligned(*loaded)) return false;
  bias_ = std::move(loaded).value();
  return bias.datatype() == XNNDatatype::fp32 && bias_.bytes.size() == channels_ * sizeof(float);
}

// Scales in a file are left for XNNPACK to check, slice by slice, and are not all in memory then.
bool RawMatrix::FindScales() {
  const auto* quantized =
      node_.values.at(use_.kernel_id).wire->xvalue_union_as_XNNQuantizedTensorValue();
  if (quantized == nullptr) return true;
  const auto find = [&](auto ref, size_t per_channel) {
    const size_t count = channels_ * per_channel;
    auto found = ref.buffer_index != 0 ? onepack::FindScales(payload_, ref, count, storage_)
                                       : LoadScales(payload_, ref, count, storage_);
    if (!found.ok()) return false;
    scales_ = reinterpret_cast<const uint8_t*>(*found);
    scale_bytes_ = per_channel * sizeof(**found);
    if (ref.buffer_index != 0) scale_constant_ = &payload_.constant(ref.buffer_index);
    return true;
  };
  if (const auto* channel = quantized->quant_params_as_PerChannelQuant()) {
    return find(ScalesOf(*channel), 1);
  }
  const auto* group = quantized->quant_params_as_PerChannelGroupQuant();
  if (group == nullptr) return false;
  const size_t inputs = node_.values.at(use_.kernel_id).dim(1);
  return find(ScalesOf(*group), inputs / static_cast<size_t>(group->group_size()));
}

std::optional<RawMatrix::Packed> RawMatrix::Pack(Channels run, Span<uint8_t> target,
                                                 xnn_workspace_t workspace) const {
  const ChannelSlice kernel_slice{
      /*dim=*/0, run.count, scales_ != nullptr ? scales_ + run.first * scale_bytes_ : nullptr};
  ChannelSlice bias_slice{/*dim=*/0, run.count};
  LoneNode alone = node_;
  GraphValue& kernel = alone.values.at(use_.kernel_id);
  kernel.slice = &kernel_slice;
  kernel.data = kernel_.bytes.data() + run.first * row_bytes_;
  if (use_.bias_id != XNN_INVALID_VALUE_ID) {
    GraphValue& bias = alone.values.at(use_.bias_id);
    bias_slice.dim = bias.rank() - 1;
    bias.slice = &bias_slice;
    bias.data = bias_.bytes.data() + run.first * sizeof(float);
  }
  SliceProvider provider(target);
  const Status status = PackAlone(payload_, alone, provider.handle(), workspace);
  if (!status.ok() || !provider.is_packed()) return std::nullopt;
  return Packed{provider.seed(), provider.size()};
}

void RawMatrix::Prefetch() const {
  const SourceCall call;
  const Constant& kernel = payload_.constant(node_.values.at(use_.kernel_id).constant_index());
  kernel.source().Prefetch(kernel.segment());
  if (scale_constant_ != nullptr) {
    scale_constant_->source().Prefetch(scale_constant_->segment());
  }
}

void RawMatrix::Discard(Channels run) const {
  const SourceCall call;
  const Constant& kernel = payload_.constant(node_.values.at(use_.kernel_id).constant_index());
  kernel.source().Discard(Within(kernel.segment(), run.first * row_bytes_, run.count * row_bytes_));
  if (scale_constant_ != nullptr) {
    scale_constant_->source().Discard(
        Within(scale_constant_->segment(), run.first * scale_bytes_, run.count * scale_bytes_));
  }
}

void RawMatrix::DiscardAll() const {
  Discard({0, channels_});
  if (use_.bias_id == XNN_INVALID_VALUE_ID) return;
  const Constant& bias = payload_.constant(node_.values.at(use_.bias_id).constant_index());
  bias.source().Discard(bias.segment());
}

}  // namespace onepack
