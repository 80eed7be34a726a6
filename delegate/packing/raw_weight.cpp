#include "delegate/packing/raw_weight.h"

#include <string.h>

#include <type_traits>
#include <utility>

#include "base/checked_math.h"
#include "base/small_floats.h"
#include "delegate/graph/quantization.h"
#include "delegate/packing/source_call.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;

// From 16 bits to 32, from 4 to 8.
constexpr size_t kWidening = 2;

// What stands for zero in 4 bits.
constexpr int kInt4Zero = 8;

// Rows begin at a whole byte each.
void WidenInt4(Bytes from, size_t row_length, uint8_t* to) {
  const size_t bytes_each = row_length / 2 + row_length % 2;
  size_t end = 0;
  for (size_t row = 0; row < from.size() / bytes_each; ++row) {
    for (size_t i = 0; i < row_length; ++i) {
      const int both = from[row * bytes_each + i / 2];
      const int number = i % 2 == 0 ? both & 15 : both >> 4;
      to[end++] = static_cast<uint8_t>(number - kInt4Zero);
    }
  }
}

void WidenFloats(XNNDatatype datatype, Bytes from, uint8_t* to) {
  for (size_t i = 0; i + sizeof(uint16_t) <= from.size(); i += sizeof(uint16_t)) {
    uint16_t bits;
    memcpy(&bits, from.data() + i, sizeof(bits));
    const float wide = datatype == XNNDatatype::bf16 ? FloatOfBfloat16(bits) : FloatOfFloat16(bits);
    memcpy(to + kWidening * i, &wide, sizeof(wide));
  }
}

// fp16 and bf16 become fp32, 4-bit integers 8-bit ones. `raw` are the bytes of `value`, and may lie
// in the second half of the output, which has kWidening times as many: no byte is written before
// those that stand there were read.
void Widen(const GraphValue& value, Bytes raw, uint8_t* to) {
  const XNNDatatype datatype = value.tensor().datatype();
  if (datatype == XNNDatatype::qcint4) {
    WidenInt4(raw, value.rank() > 0 ? value.dim(value.rank() - 1) : 1, to);
  } else {
    WidenFloats(datatype, raw, to);
  }
}

}  // namespace

Result<const void*> ScalesFor(const Payload& payload, const GraphValue& value,
                              ScaleStorage& storage) {
  Status status;
  const void* shown = nullptr;
  VisitScales(value, [&](const auto& scales, size_t count) {
    auto loaded = LoadScales(payload, scales, count, storage);
    if (loaded.ok()) {
      shown = *loaded;
    } else {
      status = loaded.TakeStatus();
    }
  });
  ONEPACK_RETURN_IF_ERROR(std::move(status));
  return shown;
}

const void* OnesFor(const GraphValue& value, OnesStore& ones) {
  const void* shown = nullptr;
  VisitScales(value, [&](const auto& scales, size_t count) {
    using Scale = std::remove_const_t<std::remove_pointer_t<decltype(scales.inline_scales.data())>>;
    shown = ones.Get<Scale>(count);
  });
  return shown;
}

RawConstant::RawConstant(RawConstant&& other) noexcept
    : constant_(std::exchange(other.constant_, nullptr)),
      scales_(std::exchange(other.scales_, nullptr)),
      mapped_(std::move(other.mapped_)),
      copy_(std::move(other.copy_)),
      scale_storage_(std::move(other.scale_storage_)),
      shown_(std::exchange(other.shown_, ShownConstant())) {}

RawConstant::~RawConstant() {
  const SourceCall call;
  if (constant_ != nullptr) constant_->Discard();
  if (scales_ != nullptr) scales_->Discard();
}

Status RawConstant::Read(const Plan& plan, const WeightOperand& operand,
                         ContentRegistry* registry) {
  const GraphValue& value = plan.values.at(operand.value_id);
  const SourceCall call;
  Status status = ReadScales(plan.payload(), value, operand.scale_index);
  if (status.ok()) status = ReadBytes(*plan.contents, value, operand, registry);
  if (status.ok()) return status;
  return std::move(status).WithContext("graph value %u", operand.value_id);
}

Status RawConstant::ReadScales(const Payload& payload, const GraphValue& value,
                               uint32_t scale_index) {
  if (scale_index != 0) scales_ = &payload.constant(scale_index);
  ONEPACK_ASSIGN_OR_RETURN(shown_.scales, ScalesFor(payload, value, scale_storage_));
  return Status::Ok();
}

Status RawConstant::ReadBytes(const PayloadContents& contents, const GraphValue& value,
                              const WeightOperand& operand, ContentRegistry* registry) {
  constant_ = &contents.payload().constant(operand.constant_index);
  const DataSource& source = constant_->source();
  const bool is_widened = operand.datatype != value.tensor().datatype();
  source.Prefetch(constant_->segment());
  Bytes bytes;
  if (source.is_mapped()) {
    ONEPACK_ASSIGN_OR_RETURN(mapped_, constant_->Load());
    bytes = mapped_.bytes;
  }
  const bool is_shown_as_it_is = source.is_mapped() && IsAligned(bytes.data()) && !is_widened;
  if (!is_shown_as_it_is) {
    size_t size = constant_->size();
    if (is_widened && !CheckedMultiply(size, kWidening, &size)) size = SIZE_MAX;
    ONEPACK_ASSIGN_OR_RETURN(copy_, Mapping::OfZeros(size));
    // At its end, so that widening can begin at its beginning.
    uint8_t* raw = copy_.data() + size - constant_->size();
    ONEPACK_RETURN_IF_ERROR(source.Read(constant_->segment(), raw));
    bytes = {raw, static_cast<size_t>(constant_->size())};
  }
  if (registry != nullptr) registry->Record(*contents.content(operand.constant_index), bytes);
  if (is_widened) Widen(value, bytes, copy_.data());
  shown_.data = is_shown_as_it_is ? bytes.data() : copy_.data();
  return Status::Ok();
}

Result<RawWeight> RawWeight::Read(const Plan& plan, const Weight& weight,
                                  ContentRegistry* registry) {
  RawWeight raw;
  ONEPACK_RETURN_IF_ERROR(raw.kernel_.Read(plan, weight.kernel, registry));
  if (!weight.bias.is_present()) return raw;
  ONEPACK_RETURN_IF_ERROR(raw.bias_.Read(plan, weight.bias, registry));
  return raw;
}

}  // namespace onepack
