#include "kernels/result.h"

#include "base/checked_math.h"
#include "kernels/arguments.h"
#include "kernels/element.h"

namespace onepack::kernels {

// Below this, copying costs less than telling a delegate that its input has moved.
constexpr size_t kSmallestViewBytes = size_t{16} * 1024;

bool IsWorthAView(const Tensor& out) { return out.size_bytes() >= kSmallestViewBytes; }

Status ResizeTo(const Strided& view, Tensor& out) {
  int32_t sizes[kMaxTensorRank];
  bool fits = view.rank <= kMaxTensorRank;
  for (size_t i = 0; fits && i < view.rank; ++i) {
    fits = view.sizes[i] >= 0 && view.sizes[i] <= INT32_MAX;
    sizes[i] = static_cast<int32_t>(view.sizes[i]);
  }
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "a result of rank %zu, or of sizes past 2^31", view.rank);
  }
  return out.Resize({sizes, view.rank});
}

Status CheckConvertible(const Tensor& from, const Tensor& to) {
  const auto is_number = [](ScalarType type) { return HasNumbers(type) || IsComplex(type); };
  if (from.scalar_type() == to.scalar_type() ||
      (is_number(from.scalar_type()) && is_number(to.scalar_type()))) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kUnsupported, "%s as %s", LayoutText(from.layout()).c_str(),
                       ScalarTypeName(to.scalar_type()));
}

Status WriteView(const Tensor& source, const Strided& view, Tensor& out) {
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(source, out));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(view, out));
  const Strided to = StridedOutput(out);
  bool is_in_place =
      source.is_constant() && source.scalar_type() == out.scalar_type() && IsWorthAView(out);
  for (size_t i = 0; is_in_place && i < view.rank; ++i) {
    is_in_place = view.sizes[i] == 1 || view.strides[i] == to.strides[i];
  }
  if (is_in_place) {
    return out.ViewOf(source, static_cast<size_t>(view.offset) * ElementSize(view.type));
  }
  CopyStrided(view, to);
  return Status::Ok();
}

Status CopyReshaped(const Tensor& source, Tensor& out) {
  Strided from = StridedInput(source);
  Strided to = StridedOutput(out);
  if (from.count() != to.count()) return Unfit("another number of elements", source, out);
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(source, out));
  // The one that is contiguous can be seen with the sizes of the other.
  const bool is_to_contiguous = IsContiguous(to);
  if (!is_to_contiguous && !IsContiguous(from)) return Unfit("a view in this order", source, out);
  Strided& changed = is_to_contiguous ? to : from;
  const Strided& other = is_to_contiguous ? from : to;
  changed.rank = other.rank;
  int64_t stride = 1;
  for (size_t i = other.rank; i-- > 0;) {
    changed.sizes[i] = other.sizes[i];
    changed.strides[i] = stride;
    stride *= other.sizes[i];
  }
  CopyStrided(from, to);
  return Status::Ok();
}

SliceRange ResolveSlice(const int64_t* start, const int64_t* end, int64_t step, int64_t size) {
  const auto clamp = [size](int64_t index) {
    if (index < 0) index += size;
    return index < 0 ? 0 : (index > size ? size : index);
  };
  const int64_t first = start == nullptr ? 0 : clamp(*start);
  const int64_t last = end == nullptr ? size : clamp(*end);
  return {first, last > first ? (last - first - 1) / step + 1 : 0};
}

Status BroadcastTo(const Tensor& tensor, const Strided& like, Strided* view) {
  *view = StridedInput(tensor);
  bool fits = view->rank <= like.rank;
  while (fits && view->rank < like.rank) view->Insert(0, 1, 0);
  for (size_t i = 0; fits && i < like.rank; ++i) {
    if (view->sizes[i] == like.sizes[i]) continue;
    fits = view->sizes[i] == 1;
    view->sizes[i] = like.sizes[i];
    view->strides[i] = 0;
  }
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%s does not fit what is to be replaced",
                       LayoutText(tensor.layout()).c_str());
}

Status CheckRepeats(const Strided& sizes, const Tensor& a, const Tensor& b) {
  int64_t most = kMostRepeats;
  for (const Tensor* tensor : {&a, &b}) {
    const int64_t count = CountOf(tensor->sizes());
    if (count > most) most = count;
  }
  int64_t count = 1;
  bool fits = true;
  for (size_t i = 0; i < sizes.rank; ++i) {
    if (sizes.sizes[i] == 0) return Status::Ok();
    fits = fits && CheckedMultiply(count, sizes.sizes[i], &count) && count <= most;
  }
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "%s and %s repeated to more than %lld elements",
                       LayoutText(a.layout()).c_str(), LayoutText(b.layout()).c_str(),
                       static_cast<long long>(most));
}

}  // namespace onepack::kernels
