// Constants that XNNPACK reads where they are, for as long as a runtime lives.

#ifndef ONEPACK_DELEGATE_RUNNING_IN_PLACE_CONSTANTS_H_
#define ONEPACK_DELEGATE_RUNNING_IN_PLACE_CONSTANTS_H_

#include <stdint.h>

#include <vector>

#include "base/result.h"
#include "delegate/plan/byte_budget.h"
#include "runtime/buffer.h"

namespace onepack {

class InPlaceConstants {
 public:
  // Where a constant is: in its file, or in a copy where that is small, unaligned, or too near its
  // end. Takes copies from the budget. Errors: kInvalidFile where all copies together take too
  // much; those of reading. May throw std::bad_alloc.
  Result<const void*> Place(const Constant& constant, ByteBudget& budget);

  // Whether any of them is in its file.
  bool depend_on_files() const { return !in_files_.empty(); }

 private:
  std::vector<Buffer> in_files_;
  std::vector<std::vector<uint8_t>> copies_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_IN_PLACE_CONSTANTS_H_
