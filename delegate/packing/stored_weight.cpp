#include "delegate/packing/stored_weight.h"

#include <string.h>

#include <memory>
#include <utility>

#include "delegate/packing/source_call.h"

namespace onepack {
namespace {

// What keeps the bytes of an entry.
struct Owner {
  Ref<const DataSource> source;        // of the kernel
  Ref<const DataSource> scale_source;  // null where there are none
  Buffer kernel;
  Buffer scales;

  ~Owner() {
    const SourceCall call;
    kernel = Buffer();
    scales = Buffer();
    source = Ref<const DataSource>();
    scale_source = Ref<const DataSource>();
  }
};

size_t ScaleBytes(const GraphValue& kernel) {
  size_t bytes = 0;
  VisitScales(kernel, [&](const auto& scales, size_t count) {
    bytes = count * sizeof(*scales.inline_scales.data());
  });
  return bytes;
}

}  // namespace

Result<StoredWeight> StoredWeight::Read(const Plan& plan, const Weight& weight, bool is_prefetched,
                                        ContentRegistry* registry) {
  const SourceCall call;
  StoredWeight stored;
  const Payload& payload = plan.payload();
  const GraphValue& kernel = plan.values.at(weight.kernel.value_id);
  stored.weights_ = LinearNodeOf({plan.values}, *plan.graph().xnodes()->Get(weight.node))->weights;
  stored.constant_ = &payload.constant(weight.kernel.constant_index);
  if (is_prefetched || linear::IsInteger(stored.weights_.type)) {
    stored.constant_->source().Prefetch(stored.constant_->segment());
  }
  ONEPACK_ASSIGN_OR_RETURN(stored.kernel_, stored.constant_->Load());
  stored.weights_.values = stored.kernel_.bytes.data();
  if (registry != nullptr) {
    registry->Record(*plan.contents->content(weight.kernel.constant_index), stored.kernel_.bytes);
  }
  auto scales = ScalesFor(payload, kernel, stored.scale_storage_);
  if (!scales.ok()) {
    return scales.TakeStatus().WithContext("graph value %u", weight.kernel.value_id);
  }
  stored.weights_.scales = static_cast<const uint8_t*>(*scales);
  if (weight.kernel.scale_index != 0) {
    stored.scale_constant_ = &payload.constant(weight.kernel.scale_index);
  }
  if (!stored.scale_storage_.loaded.empty()) {
    stored.scales_ = std::move(stored.scale_storage_.loaded.back());
  } else if (stored.scale_constant_ != nullptr) {  // not aligned: a copy was checked
    ONEPACK_ASSIGN_OR_RETURN(stored.scales_, stored.scale_constant_->Load());
  } else {
    stored.graph_scales_ = {stored.weights_.scales, ScaleBytes(kernel)};
  }
  if (!weight.bias.is_present()) return stored;
  ONEPACK_RETURN_IF_ERROR(stored.bias_.Read(plan, weight.bias, registry));
  stored.bias_bytes_ = stored.weights_.outputs * sizeof(float);
  return stored;
}

size_t StoredWeight::computed_bytes() const {
  const size_t sums =
      linear::IsInteger(weights_.type) ? weights_.outputs * sizeof(float) : size_t{0};
  return sums + bias_bytes_ + graph_scales_.size();
}

void StoredWeight::Compute(uint8_t* memory) const {
  if (linear::IsInteger(weights_.type)) {
    linear::WeightSums(weights_, 0, weights_.outputs, reinterpret_cast<float*>(memory));
    memory += weights_.outputs * sizeof(float);
  }
  if (bias_bytes_ > 0) memcpy(memory, bias_.shown().data, bias_bytes_);
  if (graph_scales_.empty()) return;
  memcpy(memory + bias_bytes_, graph_scales_.data(), graph_scales_.size());
}

StoredBytes StoredWeight::Release() && {
  auto owner = std::make_shared<Owner>();
  owner->source = Ref<const DataSource>::Share(&constant_->source());
  if (scale_constant_ != nullptr) {
    owner->scale_source = Ref<const DataSource>::Share(&scale_constant_->source());
  }
  owner->kernel = std::move(kernel_);
  owner->scales = std::move(scales_);
  StoredBytes bytes;
  bytes.kernel = owner->kernel.bytes;
  bytes.scales = owner->scales.bytes;
  if (!constant_->source().is_mapped()) bytes.copied += bytes.kernel.size();
  if (scale_constant_ != nullptr && !scale_constant_->source().is_mapped()) {
    bytes.copied += bytes.scales.size();
  }
  bytes.owner = std::move(owner);
  return bytes;
}

LinearOperands OperandsOf(const LinearNode& node, bool has_bias, const PackedWeight& pin) {
  const StoredBytes& stored = pin.stored();
  const uint8_t* computed = pin.bytes().data();
  LinearOperands operands;
  operands.weights = node.weights;
  operands.weights.values = stored.kernel.data();
  if (linear::IsInteger(node.weights.type)) {
    operands.sums = reinterpret_cast<const float*>(computed);
    computed += node.weights.outputs * sizeof(float);
  }
  if (has_bias) {
    operands.bias = reinterpret_cast<const float*>(computed);
    computed += node.weights.outputs * sizeof(float);
  }
  operands.weights.scales = stored.scales.empty() ? computed : stored.scales.data();
  return operands;
}

// Bytes that a reference to their source keeps are used by all programs, whichever source they were
// found in first. Memory of the application's goes when the application has closed what it had
// opened over it, whoever else still runs: so an entry over it is for programs over the same source
// alone, whose address is in the key. No other source has that address meanwhile, because the
// entry, and each plan that asks for it, has a reference to it.
Digest LayoutAsStored(const Plan& plan, const Weight& weight) {
  static const Digest layout = DigestBuilder("as stored").Finish();
  const Payload& payload = plan.payload();
  const DataSource& kernel = payload.constant(weight.kernel.constant_index).source();
  const uint32_t scale_index = weight.kernel.scale_index;
  const DataSource* scales = scale_index == 0 ? nullptr : &payload.constant(scale_index).source();
  if (kernel.keeps_bytes() && (scales == nullptr || scales->keeps_bytes())) return layout;
  return DigestBuilder("as stored in")
      .Add(reinterpret_cast<uintptr_t>(&kernel))
      .Add(reinterpret_cast<uintptr_t>(scales))
      .Finish();
}

Status UnchangedFiles::Check(const PackedWeight& pin) {
  const auto& owner = *static_cast<const Owner*>(pin.stored().owner.get());
  const auto check = [](const DataSource* source, const DataSource*& last) {
    return source == nullptr || source == std::exchange(last, source) ? Status::Ok()
                                                                      : source->CheckUnchanged();
  };
  ONEPACK_RETURN_IF_ERROR(check(owner.source.get(), kernel_source_));
  return check(owner.scale_source.get(), scale_source_);
}

}  // namespace onepack
