#include "schema/state_sharing.h"

#include <stdlib.h>

#include <string_view>

#include "schema/verify_program.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::program::DelegateCall;
using wire::program::EValue;
using wire::program::ExecutionPlan;
using wire::program::Instruction;
using wire::program::KernelCall;
using wire::program::Program;
using wire::program::Tensor;

using Indices = flatbuffers::Vector<int32_t>;

const EValue& ValueAt(const ExecutionPlan& plan, int64_t index) {
  return *plan.values()->Get(static_cast<uint32_t>(index));
}

// Null for a value that is no tensor in the buffer.
const Tensor* TensorInBuffer(const ExecutionPlan& plan, int64_t index) {
  const Tensor* tensor = ValueAt(plan, index).val_as_Tensor();
  const bool is_there = tensor != nullptr && tensor->allocation_info() != nullptr &&
                        tensor->allocation_info()->memory_id() == StateSharing::kBuffer;
  return is_there ? tensor : nullptr;
}

const Indices* ItemsOf(const EValue& value) {
  if (const auto* list = value.val_as_TensorList()) return list->items();
  if (const auto* list = value.val_as_OptionalTensorList()) return list->items();
  return nullptr;
}

// What the instructions of a method do with its values.
class ValueUses {
 public:
  static Result<ValueUses> Of(const ExecutionPlan& plan, const Allocator& allocator) {
    ValueUses uses(plan);
    ONEPACK_ASSIGN_OR_RETURN(uses.marks_,
                             Array<uint8_t>::Create(allocator, CountOf(plan.values())));
    uses.MarkAll();
    return uses;
  }

  // An instruction, the caller or a delegate reads or writes it.
  bool IsUsed(size_t value) const { return (marks_[value] & kUsed) != 0; }
  // The caller gives it, or an instruction writes all of it before it is read.
  bool IsMade(size_t value) const { return (marks_[value] & kMade) != 0; }

 private:
  static constexpr uint8_t kUsed = 1;
  static constexpr uint8_t kMade = 2;

  explicit ValueUses(const ExecutionPlan& plan) : plan_(plan) {}

  void MarkAll() {
    MarkEach(plan_.inputs(), kUsed | kMade);
    MarkEach(plan_.outputs(), kUsed);
    // Buffers stand in front of what the caller gives, and that in front of what is computed.
    for (size_t i = 0; i < CountOf(plan_.inputs()); ++i) {
      const int32_t index = plan_.inputs()->Get(static_cast<uint32_t>(i));
      if (index > last_input_) last_input_ = index;
    }
    for (size_t c = 0; c < CountOf(plan_.chains()); ++c) {
      const auto* instructions = plan_.chains()->Get(static_cast<uint32_t>(c))->instructions();
      for (size_t i = 0; i < CountOf(instructions); ++i) {
        MarkInstruction(*instructions->Get(static_cast<uint32_t>(i)));
      }
    }
    // Once for each list, however often it is an argument.
    for (size_t i = 0; i < marks_.size(); ++i) {
      if (marks_[i] != 0) MarkEach(ItemsOf(ValueAt(plan_, static_cast<int64_t>(i))), marks_[i]);
    }
  }

  void MarkEach(const Indices* indices, uint8_t marks) {
    for (size_t i = 0; i < CountOf(indices); ++i) {
      const int32_t index = indices->Get(static_cast<uint32_t>(i));
      if (index >= 0) Mark(index, marks);
    }
  }

  void Mark(int64_t index, uint8_t marks) { marks_[static_cast<size_t>(index)] |= marks; }

  void MarkInstruction(const Instruction& instruction) {
    if (const auto* call = instruction.instr_args_as_KernelCall()) {
      MarkEach(call->args(), kUsed);
      MarkResults(*call);
    } else if (const auto* delegate = instruction.instr_args_as_DelegateCall()) {
      MarkEach(delegate->args(), kUsed);
      MarkResults(*delegate);
    } else if (const auto* move = instruction.instr_args_as_MoveCall()) {
      Mark(move->move_from(), kUsed);
      Mark(move->move_to(), kUsed);
    }
  }

  void MarkMade(int64_t index) {
    if (index > last_input_) Mark(index, kMade);
  }

  // An out variant, which has an overload of some name, is given the places for its results last,
  // and then, as a rule, once more as what it returns: the one, or a list of them.
  void MarkResults(const KernelCall& call) {
    const auto* op = plan_.operators()->Get(static_cast<uint32_t>(call.op_index()));
    const std::string_view overload = TextOf(op->overload());
    const size_t count = CountOf(call.args());
    if (overload.empty() || overload == "default" || count < 2) return;
    const auto argument = [&](size_t i) { return call.args()->Get(static_cast<uint32_t>(i)); };
    const int32_t returned = argument(count - 1);
    const Indices* items = ItemsOf(ValueAt(plan_, returned));
    if (items == nullptr || argument(count - 2) == returned) {
      size_t first = 0;
      while (argument(first) != returned) ++first;
      // In front of that it is read.
      if (first > 0 && first + 2 >= count) MarkMade(returned);
      return;
    }
    const size_t results = CountOf(items);
    for (size_t i = 0; results + 1 < count && i < results; ++i) {
      const int32_t item = items->Get(static_cast<uint32_t>(i));
      if (argument(count - 1 - results + i) == item) MarkMade(item);
    }
  }

  // Inputs first, then outputs; the file does not say how many. There is one at least.
  void MarkResults(const DelegateCall& call) {
    const size_t count = CountOf(call.args());
    if (count > 0) MarkMade(call.args()->Get(static_cast<uint32_t>(count - 1)));
  }

  const ExecutionPlan& plan_;
  Array<uint8_t> marks_;
  int32_t last_input_ = -1;
};

// Whether what is used of the buffer is there before the method runs.
bool HoldsOnlyState(const ExecutionPlan& plan, const ValueUses& uses) {
  for (size_t i = 0; i < CountOf(plan.values()); ++i) {
    if (TensorInBuffer(plan, static_cast<int64_t>(i)) != nullptr && uses.IsUsed(i) &&
        uses.IsMade(i)) {
      return false;
    }
  }
  return true;
}

int CompareTensors(const void* a, const void* b) {
  const auto& first = *static_cast<const SharedTensor*>(a);
  const auto& second = *static_cast<const SharedTensor*>(b);
  if (first.offset != second.offset) return first.offset < second.offset ? -1 : 1;
  if (first.method != second.method) return first.method < second.method ? -1 : 1;
  return 0;
}

}  // namespace

bool StateSharing::MayShare(const ExecutionPlan& plan) {
  return CountOf(plan.non_const_buffer_sizes()) > kBuffer &&
         plan.non_const_buffer_sizes()->Get(kBuffer) > 0;
}

Result<StateSharing> StateSharing::Of(const Program& program, const Allocator& allocator) {
  StateSharing sharing;
  const auto& plans = *program.execution_plan();
  size_t methods = 0;
  for (uint32_t i = 0; i < plans.size(); ++i) methods += MayShare(*plans.Get(i)) ? 1 : 0;
  if (methods < 2) return sharing;
  ONEPACK_RETURN_IF_ERROR(sharing.Collect(program, allocator));
  if (sharing.IsConsistent()) {
    ONEPACK_ASSIGN_OR_RETURN(sharing.shares_, Array<bool>::Create(allocator, plans.size()));
    sharing.FindMethods(program);
  } else {
    sharing.tensor_count_ = 0;
  }
  return sharing;
}

// The state that any method uses in the buffer, by its offset.
Status StateSharing::Collect(const Program& program, const Allocator& allocator) {
  const auto& plans = *program.execution_plan();
  size_t values = 0;
  for (uint32_t m = 0; m < plans.size(); ++m) {
    if (!MayShare(*plans.Get(m))) continue;
    for (size_t i = 0; i < CountOf(plans.Get(m)->values()); ++i) {
      values += TensorInBuffer(*plans.Get(m), static_cast<int64_t>(i)) != nullptr ? 1 : 0;
    }
  }
  ONEPACK_ASSIGN_OR_RETURN(tensors_, Array<SharedTensor>::Create(allocator, values));
  for (uint32_t m = 0; m < plans.size(); ++m) {
    const ExecutionPlan& plan = *plans.Get(m);
    if (!MayShare(plan)) continue;
    ONEPACK_ASSIGN_OR_RETURN(const ValueUses uses, ValueUses::Of(plan, allocator));
    if (!HoldsOnlyState(plan, uses)) continue;
    for (size_t i = 0; i < CountOf(plan.values()); ++i) {
      const Tensor* tensor = TensorInBuffer(plan, static_cast<int64_t>(i));
      if (tensor == nullptr || !uses.IsUsed(i)) continue;
      ONEPACK_ASSIGN_OR_RETURN(const size_t size, VerifiedSizeBytes(LayoutOf(*tensor)));
      if (size == 0) continue;
      tensors_[tensor_count_++] = {tensor, m, PlannedOffset(*tensor->allocation_info()), size};
    }
  }
  if (tensor_count_ > 0)
    qsort(tensors_.data(), tensor_count_, sizeof(SharedTensor), CompareTensors);
  return Status::Ok();
}

// One place, one buffer. Its sizes may be others in another method: views have no memory of their
// own.
bool StateSharing::IsConsistent() const {
  for (size_t i = 1; i < tensor_count_; ++i) {
    const SharedTensor& a = tensors_[i - 1];
    const SharedTensor& b = tensors_[i];
    if (b.offset - a.offset >= a.size_bytes) continue;
    if (a.offset != b.offset || a.size_bytes != b.size_bytes ||
        a.wire->scalar_type() != b.wire->scalar_type()) {
      return false;
    }
  }
  return true;
}

void StateSharing::FindMethods(const Program& program) {
  for (size_t i = 1; i < tensor_count_; ++i) {
    const SharedTensor& a = tensors_[i - 1];
    const SharedTensor& b = tensors_[i];
    if (a.offset == b.offset && a.method != b.method) shares_[a.method] = shares_[b.method] = true;
  }
  size_t kept = 0;
  for (size_t i = 0; i < tensor_count_; ++i) {
    if (shares_[tensors_[i].method]) tensors_[kept++] = tensors_[i];
  }
  tensor_count_ = kept;
  for (size_t m = 0; m < shares_.size(); ++m) {
    if (!shares_[m]) continue;
    const auto* plan = program.execution_plan()->Get(static_cast<uint32_t>(m));
    const auto size = static_cast<size_t>(plan->non_const_buffer_sizes()->Get(kBuffer));
    if (size > size_bytes_) size_bytes_ = size;
  }
}

}  // namespace onepack
