// Constants that XNNPACK reads where they are, for as long as the stages of a delegate live. Each
// has one place, whatever number of stages reads it, and however often a stage is defined.
//
// Ownership: keeps their files, and copies of some; not memory of the application's (keeps_all).
// Threads:   one at a time.

#ifndef ONEPACK_DELEGATE_RUNNING_IN_PLACE_CONSTANTS_H_
#define ONEPACK_DELEGATE_RUNNING_IN_PLACE_CONSTANTS_H_

#include <stdint.h>

#include <optional>
#include <unordered_map>
#include <vector>

#include "delegate/graph/payload.h"
#include "delegate/plan/payload_contents.h"
#include "onepack/buffer.h"
#include "onepack/result.h"

namespace onepack {

class InPlaceConstants {
 public:
  // Where constant number `index` is: in its file, or in a copy where that is small, unaligned, or
  // too near its end. Errors: kInvalidFile where all copies together take too much; those of
  // reading. May throw std::bad_alloc. REQUIRES: the same payload at each call.
  Result<const void*> Place(const Payload& payload, uint32_t index);

  // Whether any of them is in its file.
  bool depend_on_files() const { return !in_files_.empty(); }
  // False where one is in bytes that its source does not keep (DataSource::keeps_bytes). They stay
  // for as long as the delegate with the payload does, and no run of another may read them.
  bool keeps_all() const { return keeps_all_; }

 private:
  Result<const void*> Find(const Payload& payload, uint32_t index);

  std::unordered_map<uint32_t, const void*> places_;  // by index
  std::optional<ByteBudget> budget_;                  // of copies, once there is one
  std::vector<Buffer> in_files_;
  bool keeps_all_ = true;
  std::vector<std::vector<uint8_t>> copies_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_IN_PLACE_CONSTANTS_H_
