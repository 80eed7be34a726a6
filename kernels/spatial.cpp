#include "kernels/spatial.h"

namespace onepack::kernels {

Status ReadSpatial(const IntList& given, size_t count, const char* name, int64_t lowest,
                   int64_t otherwise, int64_t (&values)[kMaxSpatial]) {
  if (!given.empty() && given.size() != 1 && given.size() != count) {
    return Status::Error(StatusCode::kInvalidArgument, "%s has %zu numbers for %zu dimensions",
                         name, given.size(), count);
  }
  for (int64_t& value : values) value = otherwise;
  for (size_t i = 0; i < count && !given.empty(); ++i) {
    const int64_t value = given[given.size() == 1 ? 0 : i];
    if (value < lowest || value > INT32_MAX) {
      return Status::Error(StatusCode::kInvalidArgument, "%s is %lld, at least %lld expected", name,
                           static_cast<long long>(value), static_cast<long long>(lowest));
    }
    values[kMaxSpatial - count + i] = value;
  }
  return Status::Ok();
}

Strided WithThreeSpatial(Strided tensor) {
  while (tensor.rank < 2 + kMaxSpatial) tensor.Insert(2, 1, 0);
  return tensor;
}

}  // namespace onepack::kernels
