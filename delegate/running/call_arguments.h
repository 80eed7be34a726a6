// The arguments of a delegate call, matched with the values of the graph: their shapes, and where
// their bytes are.
//
// Threads: one at a time. May throw std::bad_alloc.

#ifndef ONEPACK_DELEGATE_RUNNING_CALL_ARGUMENTS_H_
#define ONEPACK_DELEGATE_RUNNING_CALL_ARGUMENTS_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "delegate/graph/shape.h"
#include "delegate/plan/plan.h"
#include "onepack/span.h"
#include "onepack/status.h"
#include "onepack/value.h"

namespace onepack {

class CallArguments {
 public:
  // What an argument was at the last call, and the value it belongs to.
  struct Binding {
    ExternalValue external;
    Shape shape;
    bool is_known = false;  // `shape` is that of the last call
    void* data = nullptr;
    size_t size_bytes = 0;
    ScalarType type{};
    // What XNNPACK writes instead of an output that overlaps another argument, or that is of int64:
    // XNNPACK computes 32 bits. Empty for others.
    std::vector<uint8_t> stand_in;

    void* place() { return stand_in.empty() ? data : stand_in.data(); }
  };

  CallArguments(const std::vector<ExternalValue>& externals, uint32_t count);

  // kMismatch for arguments that are not of the graph's datatypes and ranks, or exceed its bounds.
  Status Check(Span<Value* const> arguments) const;
  // For all below: of arguments that were checked.
  // Takes over the inputs' shapes; true if any changed.
  bool UpdateInputShapes(Span<Value* const> arguments);
  // Resizes the output tensors to the shapes of the bindings.
  Status ResizeOutputs(Span<Value* const> arguments) const;
  // Takes over the places of all arguments; true if any changed, and then stand-ins are needed
  // once more.
  bool UpdatePlaces(Span<Value* const> arguments);
  void ChooseStandIns();
  void CopyStandIns() const;

  std::vector<Binding>& bindings() { return bindings_; }
  const std::vector<Binding>& bindings() const { return bindings_; }

 private:
  Status CheckOutputSizes(Span<Value* const> arguments) const;

  const uint32_t count_;
  std::vector<Binding> bindings_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_RUNNING_CALL_ARGUMENTS_H_
