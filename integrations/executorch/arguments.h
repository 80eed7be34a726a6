// The arguments of a delegate call, as our delegates take them: views of ExecuTorch's tensors.
//
// Threads: one at a time. May throw std::bad_alloc.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_ARGUMENTS_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_ARGUMENTS_H_

#include <stdint.h>

#include <array>
#include <deque>
#include <vector>

#include "integrations/executorch/executorch_api.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "onepack/tensor.h"
#include "onepack/value.h"

namespace onepack {

class Arguments {
 public:
  // Valid until the next call, and as long as ExecuTorch's values are. Nothing is copied.
  // Errors: kInvalidArgument for a tensor without memory.
  Result<Span<Value* const>> Take(et::Span<et::EValue*> values);

  // What was taken last was right.
  void Accept() {
    for (Argument& argument : arguments_) argument.Accept();
  }

 private:
  class Argument final : public TensorHome {
   public:
    Status Take(et::EValue* value);
    Status Resize(Span<const int32_t> sizes) override;
    void Accept() { accepted_ = bounds_; }
    Value* value() { return &value_; }

   private:
    executorch::aten::Tensor* tensor_ = nullptr;
    // The largest sizes that were seen, now and in calls that were accepted. Outputs begin with the
    // largest that they can have.
    std::array<int32_t, kMaxTensorRank> bounds_{};
    std::array<int32_t, kMaxTensorRank> accepted_{};
    Tensor view_;
    Value value_;
  };

  std::deque<Argument> arguments_;  // which stay where they are
  std::vector<Value*> values_;
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_ARGUMENTS_H_
