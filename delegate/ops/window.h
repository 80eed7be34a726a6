// A window that moves over the two inner dims of an image [batch, height, width, channels]: that of
// a convolution or a pooling.

#ifndef ONEPACK_DELEGATE_OPS_WINDOW_H_
#define ONEPACK_DELEGATE_OPS_WINDOW_H_

#include "delegate/graph/shape.h"
#include "onepack/result.h"

namespace onepack {

// In one direction.
struct WindowAxis {
  uint32_t size;
  uint32_t stride;
  uint32_t dilation;
  uint32_t padding_before;
  uint32_t padding_after;

  // How far the window reaches.
  size_t extent() const { return (size_t{size} - 1) * dilation + 1; }
};

struct Window {
  WindowAxis height;
  WindowAxis width;
};

// Checks the numbers of a window. kInvalidFile for a 0 or something huge.
Status CheckWindow(const Window& window);

// kInvalidFile unless it is an image that has elements (its batch may be 0) and `channels` of them
// at each point; SIZE_MAX for any.
Status CheckImage(const Shape& image, size_t channels);

// How often the window fits. kInvalidFile if it does not. REQUIRES: a checked window.
Result<size_t> PositionCount(const WindowAxis& axis, size_t input);

// Of the buffer with a pointer for each element of the window at each of its positions; UINT64_MAX
// for more than fits.
uint64_t IndirectionBytes(const Window& window, uint64_t rows, uint64_t columns);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_WINDOW_H_
