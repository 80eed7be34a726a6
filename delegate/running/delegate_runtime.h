// The stages of a delegate, reshaped whenever the sizes of its inputs change, and lent to one
// delegate after another: all whose graphs are of one structure (Plan::structure) can use it.
//
// clang-format off
//   state     event                                 next
//   --------  ------------------------------------  -----------------------------------------------
//   planned   TakeInputs                            shapes are inferred
//   planned   Create                                inferred, or new
//   any below LendTo another delegate               its weights
//   any below TakeInputs, sizes as before           the same
//   any below TakeInputs, other sizes               inferred
//   any below TakeInputs, sizes of another pattern, inferred, and needs_another_plan
//             or for which threads are worth it in
//             a stage now, or no more
//   any below TakeInputs, sizes that do not fit     new; an error
//   any below TakeInputs, no output has an element  empty
//   empty     Run                                   resize outputs
//   inferred  Run                                   shaped: reshape, resize outputs, and so on
//   shaped    Run                                   set up, run
//   set up    Run                                   set up again if an argument's address changed;
//                                                   stages with other weights refreshed; run
//   any       reshape, set-up or run fails          broken, with all that shares its workspace
// clang-format on
//
// Ownership: keeps the constants that XNNPACK reads in place; not the workspace, and not the
//            weights, which the delegate that it is lent to has pinned.
// Threads:   one at a time.

#ifndef ONEPACK_DELEGATE_RUNNING_DELEGATE_RUNTIME_H_
#define ONEPACK_DELEGATE_RUNNING_DELEGATE_RUNTIME_H_

#include <stdint.h>

#include <memory>
#include <optional>
#include <vector>

#include "delegate/packing/packer.h"
#include "delegate/plan/plan.h"
#include "delegate/running/call_arguments.h"
#include "delegate/running/in_place_constants.h"
#include "delegate/running/stage_memory.h"
#include "delegate/running/stage_runner.h"
#include "delegate/running/xnn_stage.h"
#include "onepack/value.h"

namespace onepack {

class DelegateRuntime {
 public:
  // Numbers that tell delegates apart, also those that are gone.
  using UserId = uint64_t;

  // Of a plan, for `user`. Nothing is asked of XNNPACK before Create. May throw std::bad_alloc.
  DelegateRuntime(Plan plan, UserId user);

  // Creates the runtime; whether it computes on the pool depends on the shapes that were taken, or
  // else on the bounds. `pins` are those of the plan. Errors: XNNPACK's; those of reading raw
  // bytes. May throw std::bad_alloc.
  Status Create(const PinnedWeights& pins, const Surroundings& surroundings);

  // Whether it can be lent: it has packed no weight for one delegate alone, and reads no bytes that
  // may go with that one while another runs.
  bool is_shareable() const;
  UserId user() const { return user_; }
  // The delegate that it was created for, if it depends on its files, or has packed a weight for it
  // alone. REQUIRES: it is created.
  std::optional<UserId> owner() const;

  // It is to be deleted by the one that has its lane.
  void Condemn() { is_condemned_ = true; }
  bool is_condemned() const { return is_condemned_; }

  // For the runs from now on. False if it is not shareable, or a pin is missing or of another
  // layout.
  bool LendTo(UserId user, const PinnedWeights& pins);

  // For all below: of the delegate that it is lent to. May throw std::bad_alloc.
  Status TakeInputs(Span<Value* const> arguments);
  // Then this is of no use for what TakeInputs took: a new runtime is. REQUIRES: it is created.
  bool needs_another_plan() const { return needs_another_plan_; }
  // REQUIRES: TakeInputs of the same arguments succeeded and nothing since.
  Status Run(Span<Value* const> arguments);
  // Nothing in its workspace must run again.
  bool is_broken() const { return state_ == State::kBroken; }

 private:
  struct Range {
    size_t first;
    size_t count;
  };

  // How far it is with the sizes at hand.
  enum class State : uint8_t { kNew, kEmpty, kInferred, kShaped, kSetUp, kBroken };

  Span<const PackedWeight> PinsOf(size_t stage, const PinnedWeights& pins) const {
    return pins.pins().subspan(weights_[stage].first, weights_[stage].count);
  }
  Status CreateStages(const PinnedWeights& pins, const Surroundings& surroundings);
  Status InferShapes();
  bool HasNothingToCompute() const;
  Status Reshape();
  Status SetUp();
  Status RunStages();
  Status Broken(Status status);

  const UserId maker_;
  UserId user_;
  std::optional<Plan> plan_;                  // until Create
  const Ref<const AlignedCopy> graph_bytes_;  // shapes_ refers to them
  ShapeInference shapes_;
  CallArguments arguments_;
  const std::vector<Crossing> crossings_;
  std::vector<size_t> pieces_;  // of the crossings, in memory_
  StageMemory memory_;
  InPlaceConstants in_place_;  // outlives the stages, which hold addresses
  std::vector<std::unique_ptr<StageRunner>> stages_;
  std::vector<Range> weights_;           // of the stages, among the plan's
  std::optional<ShapePattern> pattern_;  // of the shapes that XNNPACK has planned for
  State state_ = State::kNew;
  bool needs_another_plan_ = false;
  bool is_condemned_ = false;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_DELEGATE_RUNTIME_H_
