// A view of bytes together with what keeps them alive.

#ifndef ONEPACK_BUFFER_H_
#define ONEPACK_BUFFER_H_

#include <utility>

#include "onepack/ref.h"
#include "onepack/span.h"

namespace onepack {

struct Buffer {
  Bytes bytes;
  // How many bytes after the last one can be read without a fault; what they hold means nothing.
  size_t readable_padding = 0;
  Ref<const RefCounted> owner;
};

}  // namespace onepack

#endif  // ONEPACK_BUFFER_H_
