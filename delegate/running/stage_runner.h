// One stage of a delegate (delegate/plan/stage.h), ready to run.
//
// Threads: one at a time.

#ifndef ONEPACK_DELEGATE_RUNNING_STAGE_RUNNER_H_
#define ONEPACK_DELEGATE_RUNNING_STAGE_RUNNER_H_

#include <stdint.h>

#include "base/value_map.h"
#include "delegate/plan/shape_inference.h"
#include "delegate/running/stage_memory.h"
#include "onepack/span.h"
#include "onepack/status.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {

// Where the values are that stages have in common: arguments, and those that cross.
using Places = ValueMap<uint8_t*>;

class StageRunner {
 public:
  virtual ~StageRunner() = default;

  // Whether it can be lent to others: it has packed no weight for one delegate alone.
  virtual bool is_shareable() const { return true; }

  // Whether it can compute with these pins, parallel to the weights of the stage: all are there,
  // and of the layout that it was made for.
  virtual bool Fits(Span<const PackedWeight> pins) const = 0;
  // From now on. They stay where they are until others are taken. REQUIRES: they fit. May throw
  // std::bad_alloc.
  virtual void PointTo(Span<const PackedWeight> pins) = 0;

  // Whether the shapes ask for another plan than it was created with. Each stage says so for
  // itself, because what threads cost and save is a matter of its own nodes: XNNPACK calls them for
  // each operator of a runtime or for none, and light stages must not pay for a heavy one beside
  // them. If one asks, all are created again, since a lane keeps whole runtimes; that packs
  // nothing. More rows never make a stage light again: so the plans of a method are those for few
  // rows, for many, and for the numbers between where some stages are light only. A lane keeps two
  // (Lane::Runtimes), and a method that goes back and forth between three pays with creating.
  virtual bool NeedsAnotherPlan(const ShapeInference& shapes) const {
    (void)shapes;
    return false;
  }
  // Takes the shapes of a call over, and asks for the memory that it needs while it runs. May throw
  // std::bad_alloc.
  virtual Status Reshape(const ShapeInference& shapes, StageMemory& memory) = 0;
  // What pointing to other pins left to be done, at the shapes that were taken last.
  virtual Status Refresh() { return Status::Ok(); }
  // Takes over where the values are. REQUIRES: the memory is allocated. May throw std::bad_alloc.
  virtual Status SetUp(const Places& places, const StageMemory& memory) = 0;
  // REQUIRES: it is set up for the shapes at hand.
  virtual Status Run() = 0;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_STAGE_RUNNER_H_
