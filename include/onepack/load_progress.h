// How far the loading of a method's weights is, for applications that show it or want to stop it.

#ifndef ONEPACK_LOAD_PROGRESS_H_
#define ONEPACK_LOAD_PROGRESS_H_

#include <stdint.h>

#include <functional>

namespace onepack {

struct LoadProgress {
  const char* program;      // the program's file; valid during the call
  uint64_t served_bytes;    // of raw weights, packed now or found packed
  uint64_t expected_bytes;  // when all of the method's delegates are loaded
};

// Called after each weight, or slice of a large one, in the thread that loads. Returning false
// cancels the load: it fails with kCancelled and gives back what it took; throwing is the same. It
// may load other methods.
using ProgressCallback = std::function<bool(const LoadProgress&)>;

}  // namespace onepack

#endif  // ONEPACK_LOAD_PROGRESS_H_
