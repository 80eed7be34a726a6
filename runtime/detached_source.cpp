#include "runtime/detached_source.h"

#include <utility>

#include "base/printable.h"

namespace onepack {

Result<Ref<DetachedSource>> DetachedSource::Open(const Ref<DataSource>& file, Bytes bytes,
                                                 const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<AlignedCopy> copy, AlignedCopy::Of(bytes, allocator));
  ONEPACK_ASSIGN_OR_RETURN(const DetachedData data, ParseDetachedData(copy->bytes()));
  return MakeRef<DetachedSource>(allocator, Ref<DataSource>(file), std::move(copy), data);
}

Result<Buffer> DetachedSource::Load(const Segment& range) const {
  ONEPACK_RETURN_IF_ERROR(CheckRange(range));
  return Status::Error(
      StatusCode::kNotFound,
      "%s: %llu bytes that are wanted were detached from it: they are in the data file '%s', and "
      "packed in the packed file that was made with it, which is not given, does not have them or "
      "is not of this machine's layout",
      name(), static_cast<unsigned long long>(range.size), Printable(data_.where).c_str());
}

}  // namespace onepack
