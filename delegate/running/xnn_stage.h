// A stage that XNNPACK runs: a runtime over the packed weights of whichever delegate it is lent to.
//
// Ownership: keeps neither the workspace nor the packed weights, nor the constants that XNNPACK
//            reads in place.
// Threads:   one at a time.

#ifndef ONEPACK_DELEGATE_RUNNING_XNN_STAGE_H_
#define ONEPACK_DELEGATE_RUNNING_XNN_STAGE_H_

#include <stddef.h>

#include <memory>
#include <optional>
#include <vector>

#include "delegate/plan/plan.h"
#include "delegate/running/graph_definition.h"
#include "delegate/running/stage_runner.h"
#include "delegate/xnn/handles.h"
#include "delegate/xnn/ones.h"
#include "delegate/xnn/weight_table.h"

struct pthreadpool;

namespace onepack {

// What runtimes are created with.
struct Surroundings {
  std::shared_ptr<PackedWeightCache> cache;  // counts what is packed for a runtime alone
  xnn_workspace_t workspace;                 // that is in no other use
  pthreadpool* threadpool;                   // null for none
  OnesStore& ones;                           // until the runtime is created
};

class XnnStage final : public StageRunner {
 public:
  // Stage number `number` of the plan. Whether it computes on the pool depends on `shapes`. `pins`
  // are those of the stage; `in_place` outlives it. Errors: XNNPACK's; those of reading raw bytes.
  // May throw std::bad_alloc.
  static Result<std::unique_ptr<XnnStage>> Create(const Plan& plan, size_t number,
                                                  const ShapeInference& shapes,
                                                  Span<const PackedWeight> pins,
                                                  InPlaceConstants& in_place,
                                                  const Surroundings& surroundings);

  bool is_shareable() const override { return weights_->is_shared(); }
  bool Fits(Span<const PackedWeight> pins) const override { return weights_->Fits(pins); }
  void PointTo(Span<const PackedWeight> pins) override;
  bool NeedsAnotherPlan(const ShapeInference& shapes) const override;
  Status Reshape(const ShapeInference& shapes, StageMemory& memory) override;
  Status Refresh() override;
  Status SetUp(const Places& places, const StageMemory& memory) override;
  Status Run() override;

 private:
  struct External {
    uint32_t value_id;
    size_t element_bytes;
    bool is_written;
    bool is_unread;    // its memory is the stage's
    bool is_index;     // XNNPACK does not know its shape
    size_t piece = 0;  // of an unread one, in the memory
  };

  XnnStage(const Plan& plan, size_t number);

  Status CreateOnce(const Plan& plan, Span<const PackedWeight> pins, Span<const size_t> needed_raw,
                    InPlaceConstants& in_place, const Surroundings& surroundings);
  bool WantsThreads(const ShapeInference& shapes) const;
  Status CheckOutputShapes(const ShapeInference& shapes) const;

  const size_t number_;
  const std::vector<uint32_t> nodes_;
  std::vector<External> externals_;       // by external id
  std::unique_ptr<WeightTable> weights_;  // outlives the runtime, which holds its address
  XnnRuntime runtime_;
  pthreadpool* threadpool_ = nullptr;  // that it could compute on
  bool uses_threads_ = false;
  bool has_weights_ = false;
  bool is_stale_ = false;  // points to other weights than it was reshaped with
  bool is_set_up_ = false;
  std::vector<xnn_external_value> places_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_XNN_STAGE_H_
