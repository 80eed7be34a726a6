#include "delegate/running/in_place_constants.h"

#include <string.h>

#include <utility>

#include "base/mapping.h"

namespace onepack {
namespace {

// Up to so many bytes are copied, so that others who use the runtime later do not depend on the
// file that they came from.
constexpr size_t kMaxCopied = 16384;

}  // namespace

Result<const void*> InPlaceConstants::Place(const Constant& constant, ByteBudget& budget) {
  ONEPACK_ASSIGN_OR_RETURN(Buffer buffer, constant.Load());
  const bool is_aligned = reinterpret_cast<uintptr_t>(buffer.bytes.data()) % alignof(float) == 0;
  if (is_aligned && buffer.readable_padding >= Mapping::kReadablePadding &&
      buffer.bytes.size() > kMaxCopied) {
    in_files_.push_back(std::move(buffer));
    return static_cast<const void*>(in_files_.back().bytes.data());
  }
  ONEPACK_RETURN_IF_ERROR(budget.Take(buffer.bytes.size(), "copying all constants"));
  std::vector<uint8_t>& copy =
      copies_.emplace_back(buffer.bytes.size() + Mapping::kReadablePadding);
  memcpy(copy.data(), buffer.bytes.data(), buffer.bytes.size());
  return static_cast<const void*>(copy.data());
}

}  // namespace onepack
