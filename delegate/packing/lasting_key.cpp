#include "delegate/packing/lasting_key.h"

#include <algorithm>
#include <optional>

#include "base/sha256.h"
#include "delegate/ops/op.h"
#include "delegate/ops/weights.h"
#include "delegate/packing/source_call.h"
#include "delegate/xnn/layout_tag.h"

namespace onepack {
namespace {

// Hashed at a time: what was hashed is let go of before the next is read.
constexpr uint64_t kStep = uint64_t{4} << 20;

Result<Digest> HashBytes(const Constant& constant) {
  const SourceCall call;
  const DataSource& source = constant.source();
  source.Prefetch(constant.segment());
  Sha256Hasher hasher;
  for (uint64_t done = 0; done < constant.size();) {
    const Segment step{constant.segment().offset + done, std::min(kStep, constant.size() - done)};
    {
      ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, source.LoadWhole(step));
      hasher.Add(buffer.bytes);
    }
    source.Discard(step);
    done += step.size;
  }
  ONEPACK_ASSIGN_OR_RETURN(const auto hash, hasher.Finish());
  return Digest{hash};
}

class Hashes {
 public:
  Hashes(const Plan& plan, PackedWeightCache& cache) : plan_(plan), cache_(cache) {}

  Result<Digest> HashOf(uint32_t constant_index) const {
    const Constant& constant = plan_.payload().constant(constant_index);
    Content& content = *plan_.contents->content(constant_index);
    if (const uint8_t* known = constant.source().FindHash(constant.segment())) {
      const Digest hash = Digest::Of(known);
      cache_.contents().Record(content, hash);
      return hash;
    }
    const DataIdentity& identity = constant.source().identity();
    const bool is_lasting = identity.IsLasting();
    const Segment& segment = constant.segment();
    const Digest range = DataRange(identity, segment.offset, segment.size).digest();
    PackedFile& file = *cache_.file();
    std::optional<Digest> on_record;
    if (is_lasting) on_record = file.FindHash(range);
    std::optional<Digest> hash = on_record ? on_record : cache_.contents().HashOf(content);
    if (!hash) {
      ONEPACK_ASSIGN_OR_RETURN(hash, HashBytes(constant));
      file.CountHashed(segment.size);
    }
    cache_.contents().Record(content, *hash);
    if (is_lasting && !on_record) file.AddHash(range, *hash);
    return *hash;
  }

  // The operand's value, but for its scales, which are named by their hash. Where they stand in the
  // graph, their identity is that of their bytes already.
  Result<GraphValue> ValueOf(const WeightOperand& operand) const {
    GraphValue value = plan_.values.at(operand.value_id);
    if (operand.scale_index != 0) {
      ONEPACK_ASSIGN_OR_RETURN(value.quant_params.scales, HashOf(operand.scale_index));
    }
    return value;
  }

 private:
  const Plan& plan_;
  PackedWeightCache& cache_;
};

// Of what the node reads and writes besides its weight. A plan that was checked has none, which is
// why its consumer's digest is the same in all processes (CheckTypes of ops/weights.h).
bool HaveScales(const Plan& plan, const Weight& weight) {
  const Operands operands = OperandsOf(*plan.graph().xnodes()->Get(weight.node));
  const auto has_scales = [&](uint32_t id) {
    return plan.values.at(id).quant_params.scales != Digest();
  };
  const Operands::Ids inputs = operands.NotPacked();
  return std::any_of(inputs.begin(), inputs.end(), has_scales) ||
         std::any_of(operands.outputs.begin(), operands.outputs.end(), has_scales);
}

}  // namespace

Result<PackKey> LastingKeyOf(const Plan& plan, const Weight& weight, PackedWeightCache& cache) {
  if (HaveScales(plan, weight)) {
    return Status::Error(
        StatusCode::kInternal,
        "node %u: scales that are not part of its weight would be named in a packed "
        "file by a number of this process",
        weight.node);
  }
  const Hashes hashes(plan, cache);
  PackKey key{weight.identity, LayoutFingerprint()};
  ONEPACK_ASSIGN_OR_RETURN(key.weight.kernel, hashes.HashOf(weight.kernel.constant_index));
  ONEPACK_ASSIGN_OR_RETURN(const GraphValue kernel, hashes.ValueOf(weight.kernel));
  std::optional<GraphValue> bias;
  if (weight.bias.is_present()) {
    ONEPACK_ASSIGN_OR_RETURN(key.weight.bias, hashes.HashOf(weight.bias.constant_index));
    ONEPACK_ASSIGN_OR_RETURN(bias, hashes.ValueOf(weight.bias));
  }
  key.weight.quantization = QuantizationOf(kernel, bias ? &*bias : nullptr);
  return key;
}

}  // namespace onepack
