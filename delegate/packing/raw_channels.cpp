#include "delegate/packing/raw_channels.h"

#include <utility>

#include "delegate/graph/quantization.h"
#include "delegate/packing/raw_weight.h"
#include "delegate/packing/source_call.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNodeUnion;

// Whether XNNPACK is given the constant as it is.
bool IsAsStored(const Plan& plan, const WeightOperand& operand) {
  return !operand.is_present() ||
         plan.values.at(operand.value_id).tensor().datatype() == operand.datatype;
}

// What is packed must depend on the weight alone: a statically quantized input's numbers go into
// it too, and into each kind of weight in another way.
bool IsPackedByChannel(const Plan& plan, const Weight& weight) {
  const auto& node = *plan.graph().xnodes()->Get(weight.node);
  if (node.xnode_union_type() != XNodeUnion::XNNFullyConnected || weight.reads_scales ||
      !IsAsStored(plan, weight.kernel) || !IsAsStored(plan, weight.bias) ||
      weight.packing != Packing::kLookedUp) {
    return false;
  }
  const auto& wire = *node.xnode_union_as_XNNFullyConnected();
  const XNNDatatype input = plan.values.at(wire.input1_id()).datatype();
  const XNNDatatype filter = weight.kernel.datatype;
  return (wire.flags() & XNN_FLAG_TRANSPOSE_WEIGHTS) == 0 &&
         weight.kernel.value_id != weight.bias.value_id &&
         (input == XNNDatatype::fp32 || input == XNNDatatype::qdint8) &&
         (filter == XNNDatatype::fp32 || filter == XNNDatatype::qcint8 ||
          filter == XNNDatatype::qcint4 || filter == XNNDatatype::qbint4);
}

Segment Within(const Segment& whole, size_t offset, size_t size) {
  return Segment{whole.offset + offset, size};
}

// A part of a packed weight, or scratch memory.
class FixedMemory final : public PackingMemory {
 public:
  explicit FixedMemory(Span<uint8_t> target) : target_(target) {}
  uint8_t* Reserve(size_t size) override {
    return size <= target_.size() ? target_.data() : nullptr;
  }

 private:
  const Span<uint8_t> target_;
};

}  // namespace

std::optional<RawChannels> RawChannels::Open(const Plan& plan, const Weight& weight,
                                             const NodePacker& node_packer) {
  if (!IsPackedByChannel(plan, weight)) return std::nullopt;
  RawChannels channels(plan, weight, node_packer);
  if (!channels.FindKernel() || !channels.FindBias() || !channels.FindScales()) return std::nullopt;
  return channels;
}

bool RawChannels::FindKernel() {
  const GraphValue& kernel = kernel_value();
  const Constant& constant = kernel_constant();
  if (kernel.rank() != 2 || !constant.source().is_mapped()) return false;
  auto loaded = constant.Load();
  if (!loaded.ok() || !IsAligned(loaded->bytes.data())) return false;
  auto size = ConstantSizeBytes(kernel.tensor());
  if (!size.ok() || loaded->bytes.size() != *size) return false;
  kernel_ = std::move(loaded).value();
  count_ = kernel.dim(0);
  row_bytes_ = *size / count_;
  return row_bytes_ * count_ == *size;
}

bool RawChannels::FindBias() {
  if (!weight_.bias.is_present()) return true;
  const GraphValue& bias = plan_.values.at(weight_.bias.value_id);
  auto loaded = plan_.payload().constant(weight_.bias.constant_index).Load();
  if (bias.rank() == 0 || !loaded.ok() || !IsAligned(loaded->bytes.data())) return false;
  bias_ = std::move(loaded).value();
  return bias.datatype() == XNNDatatype::fp32 && bias_.bytes.size() == count_ * sizeof(float);
}

// Scales in a file are left for XNNPACK to check, slice by slice, and are not all in memory then.
bool RawChannels::FindScales() {
  const Payload& payload = plan_.payload();
  bool has_found = true;
  VisitScales(kernel_value(), [&](const auto& scales, size_t count) {
    const bool is_in_file = scales.buffer_index != 0;
    auto found = is_in_file ? onepack::FindScales(payload, scales, count, storage_)
                            : LoadScales(payload, scales, count, storage_);
    has_found = found.ok();
    if (!has_found) return;
    scales_ = reinterpret_cast<const uint8_t*>(*found);
    scale_bytes_ = count / count_ * sizeof(**found);
    if (is_in_file) scale_constant_ = &payload.constant(scales.buffer_index);
  });
  return has_found;
}

std::optional<NodePacker::Packed> RawChannels::Pack(Run run, Span<uint8_t> target) const {
  ShownWeight shown;
  shown.channels = run.count;
  shown.kernel.data = kernel_.bytes.data() + run.first * row_bytes_;
  if (scales_ != nullptr) shown.kernel.scales = scales_ + run.first * scale_bytes_;
  if (!bias_.bytes.empty()) shown.bias.data = bias_.bytes.data() + run.first * sizeof(float);
  FixedMemory memory(target);
  auto packed = node_packer_.Pack(plan_, weight_, shown, memory);
  return packed.ok() ? std::make_optional(*packed) : std::nullopt;
}

void RawChannels::Prefetch() const {
  const SourceCall call;
  kernel_constant().source().Prefetch(kernel_constant().segment());
  if (scale_constant_ != nullptr) scale_constant_->source().Prefetch(scale_constant_->segment());
}

void RawChannels::Discard(Run run) const {
  const SourceCall call;
  kernel_constant().source().Discard(
      Within(kernel_constant().segment(), run.first * row_bytes_, run.count * row_bytes_));
  if (scale_constant_ != nullptr) {
    scale_constant_->source().Discard(
        Within(scale_constant_->segment(), run.first * scale_bytes_, run.count * scale_bytes_));
  }
}

void RawChannels::DiscardAll() const {
  Discard({0, count_});
  if (!weight_.bias.is_present()) return;
  const SourceCall call;
  plan_.payload().constant(weight_.bias.constant_index).Discard();
}

}  // namespace onepack
