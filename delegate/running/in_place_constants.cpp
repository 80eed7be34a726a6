#include "delegate/running/in_place_constants.h"

#include <string.h>

#include <utility>

#include "base/mapping.h"
#include "delegate/packing/raw_weight.h"

namespace onepack {
namespace {

// Up to so many bytes are copied, so that others who use the runtime later do not depend on the
// file that they came from.
constexpr size_t kMaxCopied = 16384;

}  // namespace

Result<const void*> InPlaceConstants::Place(const Payload& payload, uint32_t index) {
  const auto known = places_.find(index);
  if (known != places_.end()) return known->second;
  ONEPACK_ASSIGN_OR_RETURN(const void* place, Find(payload, index));
  places_.emplace(index, place);
  return place;
}

Result<const void*> InPlaceConstants::Find(const Payload& payload, uint32_t index) {
  const Constant& constant = payload.constant(index);
  ONEPACK_ASSIGN_OR_RETURN(Buffer buffer, constant.Load());
  if (IsAligned(buffer.bytes.data()) && buffer.readable_padding >= Mapping::kReadablePadding &&
      buffer.bytes.size() > kMaxCopied) {
    in_files_.push_back(std::move(buffer));
    keeps_all_ &= constant.source().keeps_bytes();
    return static_cast<const void*>(in_files_.back().bytes.data());
  }
  if (!budget_) budget_.emplace(payload);
  ONEPACK_RETURN_IF_ERROR(budget_->Take(buffer.bytes.size(), "copying all constants"));
  std::vector<uint8_t>& copy =
      copies_.emplace_back(buffer.bytes.size() + Mapping::kReadablePadding);
  memcpy(copy.data(), buffer.bytes.data(), buffer.bytes.size());
  return static_cast<const void*>(copy.data());
}

}  // namespace onepack
