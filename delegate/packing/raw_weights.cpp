#include "delegate/packing/raw_weights.h"

#include <string.h>

#include <algorithm>
#include <utility>

#include "base/checked_math.h"
#include "base/small_floats.h"
#include "delegate/packing/source_call.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;

// Of every element that is packed here.
constexpr size_t kRawAlignment = alignof(float);

// From 16 bits to 32, from 4 to 8.
constexpr size_t kWidening = 2;

// What stands for zero in 4 bits.
constexpr int kInt4Zero = 8;

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

}  // namespace

Result<const void*> RawWeights::Place(const Payload& payload, uint32_t constant_index,
                                      const Widening& widening) {
  const auto known = by_index_.find({constant_index, widening});
  if (known != by_index_.end()) return known->second;
  Placed placed;
  placed.widening = widening;
  placed.constant = &payload.constant(constant_index);
  placed.content = payload.content(constant_index);
  const void* address = nullptr;
  if (widening.from != XNNDatatype::invalid) {
    size_t size = 0;
    if (!CheckedMultiply<size_t>(placed.constant->size(), kWidening, &size)) size = SIZE_MAX;
    ONEPACK_ASSIGN_OR_RETURN(placed.reserved, Mapping::OfZeros(size));
    address = placed.reserved.data();
  } else if (placed.constant->source().is_mapped()) {
    ONEPACK_ASSIGN_OR_RETURN(placed.mapped, placed.constant->Load());
    address = placed.mapped.bytes.data();
  }
  if (address == nullptr || reinterpret_cast<uintptr_t>(address) % kRawAlignment != 0) {
    ONEPACK_ASSIGN_OR_RETURN(placed.reserved, Mapping::OfZeros(placed.constant->size()));
    address = placed.reserved.data();
  }
  // Two constants may be one segment of one mapped file: one address then, which is as good.
  by_address_.try_emplace(address, std::move(placed));
  by_index_.emplace(std::make_pair(constant_index, widening), address);
  return address;
}

void RawWeights::AddUse(const void* kernel, const void* bias, uint32_t scale_index,
                        bool is_expected_hit, const Payload& payload) {
  for (const void* address : {kernel, bias}) {
    if (Placed* placed = Find(address)) ++placed->uses;
  }
  Placed* placed = Find(kernel);
  if (placed == nullptr) return;
  placed->is_expected_hit |= is_expected_hit;
  if (scale_index != 0) placed->scales.push_back(&payload.constant(scale_index));
}

Status RawWeights::BeforePacking(const void* kernel, const void* bias) {
  for (const void* address : {kernel, bias}) {
    Placed* placed = Find(address);
    if (placed == nullptr) continue;
    if (placed->is_expected_hit) {
      Status status =
          Status::Error(StatusCode::kInternal, "%s: expected in the cache, and not there",
                        placed->constant->place().c_str());
      was_surprised_ = true;  // only now: without memory for the message it is another failure
      return status;
    }
    const std::lock_guard<std::mutex> lock(MutexOf(*placed));
    ONEPACK_RETURN_IF_ERROR(Fill(*placed));
  }
  return Status::Ok();
}

Status RawWeights::AfterServing(const void* kernel, const void* bias) {
  uint64_t served = 0;
  for (const void* address : {kernel, bias}) {
    Placed* placed = Find(address);
    if (placed == nullptr) continue;
    served += placed->constant->size();
    const std::lock_guard<std::mutex> lock(MutexOf(*placed));
    if (placed->uses > 0) --placed->uses;
    if (placed->uses == 0 && placed->is_read) LetGo(*placed);
  }
  return Report(served);
}

Status RawWeights::Report(uint64_t served) {
  served_bytes_ += served;
  if (!on_served_) return Status::Ok();
  if (reported_bytes_ == 0) return on_served_(served);
  const uint64_t known = std::min(served, reported_bytes_);
  reported_bytes_ -= known;
  return known < served ? on_served_(served - known) : Status::Ok();
}

RawWeights::Placed* RawWeights::Find(const void* address) {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : &found->second;
}

std::mutex& RawWeights::MutexOf(const Placed& placed) {
  return mutexes_[reinterpret_cast<uintptr_t>(&placed) / sizeof(Placed) % mutexes_.size()];
}

Status RawWeights::Fill(Placed& placed) {
  if (placed.is_read) return Status::Ok();
  const SourceCall call;
  Bytes bytes = placed.mapped.bytes;
  placed.constant->source().Prefetch(placed.constant->segment());
  if (placed.reserved.data() != nullptr) {
    // At its end, so that widening can begin at its beginning.
    const size_t size = placed.constant->size();
    uint8_t* raw = placed.reserved.data() + placed.reserved.size() - size;
    ONEPACK_RETURN_IF_ERROR(placed.constant->source().Read(placed.constant->segment(), raw));
    bytes = {raw, size};
  }
  placed.is_read = true;
  if (registry_ != nullptr) registry_->Record(*placed.content, bytes);
  // It may overlap what it is made of: no byte is written before those that stand there were read.
  if (placed.widening.from == XNNDatatype::qcint4) {
    WidenInt4(bytes, placed.widening.row_length, placed.reserved.data());
  } else if (placed.widening.from != XNNDatatype::invalid) {
    WidenFloats(placed.widening.from, bytes, placed.reserved.data());
  }
  return Status::Ok();
}

// Should XNNPACK ask for it once more after all, it is read once more.
void RawWeights::LetGo(Placed& placed) {
  placed.is_read = false;
  const SourceCall call;
  if (placed.reserved.data() != nullptr) {
    placed.reserved.Discard(0, placed.reserved.size());
  }
  placed.constant->source().Discard(placed.constant->segment());
  for (const Constant* scales : placed.scales) scales->source().Discard(scales->segment());
}

}  // namespace onepack
