// A stage of linears: what they read is quantized once for all that read it in the same form, then
// each runs over its weights as they are stored.
//
// Ownership: nothing; the weights are pinned by the delegate that it is lent to.
// Threads:   one at a time.

#ifndef ONEPACK_DELEGATE_RUNNING_LINEAR_STAGE_H_
#define ONEPACK_DELEGATE_RUNNING_LINEAR_STAGE_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "delegate/packing/stored_weight.h"
#include "delegate/plan/plan.h"
#include "delegate/running/stage_runner.h"
#include "linear/linear.h"

struct pthreadpool;

namespace onepack {

class LinearStage final : public StageRunner {
 public:
  // Stage number `number` of the plan. `pins` are those of the stage; `threadpool` null for none.
  // May throw std::bad_alloc.
  LinearStage(const Plan& plan, size_t number, Span<const PackedWeight> pins,
              pthreadpool* threadpool);

  bool Fits(Span<const PackedWeight> pins) const override;
  void PointTo(Span<const PackedWeight> pins) override;
  Status Reshape(const ShapeInference& shapes, StageMemory& memory) override;
  Status SetUp(const Places& places, const StageMemory& memory) override;
  Status Run() override;

 private:
  // Rows of floats, and, for integer weights, what they are quantized to.
  struct Input {
    LinearInput what;
    size_t rows = 0;
    size_t piece = 0;  // of the quantized ones, in the memory
    const float* floats = nullptr;
    uint8_t* quantized = nullptr;
    bool is_ready = false;  // in the run at hand
  };
  struct Layer {
    LinearNode node;
    bool has_bias;
    size_t input;  // its number
    LinearOperands operands;
    float* output = nullptr;
  };

  size_t InputFor(const LinearNode& node);
  void Run(const Layer& layer) const;

  const size_t number_;
  pthreadpool* const threadpool_;
  std::vector<Input> inputs_;
  std::vector<Layer> layers_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_LINEAR_STAGE_H_
