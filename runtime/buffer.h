// A view of bytes together with what keeps them alive.

#ifndef ONEPACK_RUNTIME_BUFFER_H_
#define ONEPACK_RUNTIME_BUFFER_H_

#include <utility>

#include "base/ref.h"
#include "base/span.h"

namespace onepack {

struct Buffer {
  Bytes bytes;
  // How many bytes after the last one can be read without a fault; what they hold means nothing.
  size_t readable_padding = 0;
  Ref<const RefCounted> owner;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_BUFFER_H_
