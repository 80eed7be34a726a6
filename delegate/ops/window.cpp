#include "delegate/ops/window.h"

#include "base/checked_math.h"
#include "delegate/ops/checks.h"

namespace onepack {
namespace {

constexpr size_t kImageRank = 4;
// Kernels read this far past the last position.
constexpr uint64_t kExtraPointers = 64;

Status CheckAxis(const WindowAxis& axis) {
  ONEPACK_RETURN_IF_ERROR(CheckGeometry("window size", axis.size));
  ONEPACK_RETURN_IF_ERROR(CheckGeometry("stride", axis.stride));
  ONEPACK_RETURN_IF_ERROR(CheckGeometry("dilation", axis.dilation));
  ONEPACK_RETURN_IF_ERROR(CheckGeometry("padding", axis.padding_before, /*may_be_zero=*/true));
  return CheckGeometry("padding", axis.padding_after, /*may_be_zero=*/true);
}

}  // namespace

Status CheckWindow(const Window& window) {
  ONEPACK_RETURN_IF_ERROR(CheckAxis(window.height));
  ONEPACK_RETURN_IF_ERROR(CheckAxis(window.width));
  uint32_t size = 0;
  if (!CheckedMultiply(window.height.size, window.width.size, &size)) size = UINT32_MAX;
  return CheckGeometry("window size", size);
}

Status CheckImage(const Shape& image, size_t channels) {
  if (image.rank() == kImageRank && image[1] > 0 && image[2] > 0 && image[3] > 0 &&
      (channels == SIZE_MAX || image[3] == channels)) {
    return Status::Ok();
  }
  if (channels == SIZE_MAX) {
    return Status::Error(StatusCode::kInvalidFile, "an input %s, an image expected",
                         image.Text().c_str());
  }
  return Status::Error(StatusCode::kInvalidFile, "an input %s, an image of %zu channels expected",
                       image.Text().c_str(), channels);
}

Result<size_t> PositionCount(const WindowAxis& axis, size_t input) {
  size_t padded = 0;
  if (CheckedAdd(input, size_t{axis.padding_before} + axis.padding_after, &padded) &&
      padded >= axis.extent()) {
    return (padded - axis.extent()) / axis.stride + 1;
  }
  return Status::Error(StatusCode::kInvalidFile, "a window of %zu on a padded input of %zu",
                       axis.extent(), padded);
}

uint64_t IndirectionBytes(const Window& window, uint64_t rows, uint64_t columns) {
  uint64_t pointers = 0;
  uint64_t bytes = 0;
  const uint64_t elements = uint64_t{window.height.size} * window.width.size;
  const bool fits = CheckedMultiply<uint64_t>(rows, columns, &pointers) &&
                    CheckedAdd(pointers, kExtraPointers, &pointers) &&
                    CheckedMultiply(pointers, elements, &pointers) &&
                    CheckedMultiply<uint64_t>(pointers, sizeof(void*), &bytes);
  return fits ? bytes : UINT64_MAX;
}

}  // namespace onepack
