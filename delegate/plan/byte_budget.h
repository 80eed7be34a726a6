// How many bytes of constants a graph may have packed, or copied: a budget for each. A small file
// could ask for the same weight in as many ways as it has nodes.
//
// Threads: one at a time.

#ifndef ONEPACK_DELEGATE_PLAN_BYTE_BUDGET_H_
#define ONEPACK_DELEGATE_PLAN_BYTE_BUDGET_H_

#include <stdint.h>

#include <unordered_set>

#include "base/checked_math.h"
#include "base/status.h"
#include "delegate/graph/payload.h"

namespace onepack {

class ByteBudget {
 public:
  explicit ByteBudget(const Payload& payload) {
    std::unordered_set<const DataSource*> sources;
    for (uint32_t i = 1; i < ConstantCount(payload.graph()); ++i) {
      const DataSource& source = payload.constant(i).source();
      // Of a few files: the sum fits.
      if (sources.insert(&source).second) left_ += source.size();
    }
    if (!CheckedMultiply(left_, kMaxTimesTaken, &left_)) left_ = UINT64_MAX;
  }

  // kInvalidFile when `what` takes more than is left.
  Status Take(uint64_t size, const char* what) {
    if (size > left_) {
      return Status::Error(
          StatusCode::kInvalidFile,
          "%s takes more than %llu times the bytes of the files with the constants", what,
          static_cast<unsigned long long>(kMaxTimesTaken));
    }
    left_ -= size;
    return Status::Ok();
  }

 private:
  // Of the bytes of the files that the constants come from, in the mean. Exporters need once.
  static constexpr uint64_t kMaxTimesTaken = 16;

  uint64_t left_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_BYTE_BUDGET_H_
