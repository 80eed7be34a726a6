#include "llm/position_addressing.h"

#include <string>
#include <unordered_map>

#include "base/printable.h"
#include "program_generated.h"
#include "runtime/program_contents.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::program::ExecutionPlan;
using wire::program::Instruction;
using wire::program::InstructionArguments;
using wire::program::KernelCall;

template <size_t N>
bool IsOneOf(std::string_view name, const std::string_view (&names)[N]) {
  for (const std::string_view one : names) {
    if (name == one) return true;
  }
  return false;
}

// Operators that give the elements of their first argument in the same order.
bool IsReshape(std::string_view op) {
  static constexpr std::string_view kNames[] = {"aten::_to_copy",
                                                "aten::_unsafe_view",
                                                "aten::alias_copy",
                                                "aten::clone",
                                                "aten::squeeze_copy",
                                                "aten::unsqueeze_copy",
                                                "aten::view_copy",
                                                "executorch_prim::et_view",
                                                "dim_order_ops::_clone_dim_order",
                                                "dim_order_ops::_to_dim_order_copy"};
  return IsOneOf(op, kNames);
}

// Operators that give some elements of their first argument.
bool IsSelection(std::string_view op) {
  static constexpr std::string_view kNames[] = {"aten::_local_scalar_dense", "aten::expand_copy",
                                                "aten::scalar_tensor", "aten::select_copy",
                                                "aten::slice_copy"};
  return IsReshape(op) || IsOneOf(op, kNames);
}

// Operators that change no argument but their output, which is the last.
bool IsPure(std::string_view op) {
  static constexpr std::string_view kNamespaces[] = {"aten", "dim_order_ops", "executorch_prim",
                                                     "quantized_decomposed"};
  static constexpr std::string_view kOthers[] = {
      "llama::custom_sdpa", "llama::custom_quantized_sdpa", "llama::fast_hadamard_transform"};
  if (op.back() == '_') return false;
  return IsOneOf(op.substr(0, op.find("::")), kNamespaces) || IsOneOf(op, kOthers);
}

class Analysis {
 public:
  Analysis(const ExecutionPlan& plan, int32_t position) : plan_(plan), position_(position) {}

  Status Run() {
    ONEPACK_RETURN_IF_ERROR(CheckDelegates());
    for (const auto* chain : *plan_.chains()) {
      for (uint32_t i = 0; i < CountOf(chain->instructions()); ++i) {
        Status status = Look(*chain->instructions()->Get(i));
        if (!status.ok()) return std::move(status).WithContext("instruction %u", i);
      }
    }
    return Status::Ok();
  }

 private:
  static Status Not(std::string_view what, const char* why) {
    return Status::Error(StatusCode::kUnsupported, "%s: %s", Printable(what).c_str(), why);
  }

  // XNNPACK keeps no state between runs; other backends may.
  Status CheckDelegates() const {
    for (uint32_t i = 0; i < CountOf(plan_.delegates()); ++i) {
      const std::string_view id = TextOf(plan_.delegates()->Get(i)->id());
      if (id != "XnnpackBackend") return Not(id, "a delegate that may have state of its own");
    }
    return Status::Ok();
  }

  std::string_view NameOf(const KernelCall& call) const {
    return TextOf(plan_.operators()->Get(static_cast<uint32_t>(call.op_index()))->name());
  }

  // -1 where there is no such argument: no value has that index.
  static int32_t Argument(const KernelCall& call, uint32_t index) {
    return index < CountOf(call.args()) ? call.args()->Get(index) : -1;
  }

  Status Look(const Instruction& instruction) {
    switch (instruction.instr_args_type()) {
      case InstructionArguments::KernelCall:
        return LookAtCall(*instruction.instr_args_as_KernelCall());
      case InstructionArguments::JumpFalseCall:
      case InstructionArguments::MoveCall:
        return Not("a branch", "what is written is not known before it runs");
      default:
        return Status::Ok();
    }
  }

  Status LookAtCall(const KernelCall& call) {
    const std::string_view op = NameOf(call);
    bool passes = false;
    if (op == "llama::update_cache") {
      passes = IsPosition(Argument(call, 2));
    } else if (op == "llama::sdpa_with_kv_cache") {
      passes = IsPosition(Argument(call, 5));
    } else if (op == "aten::index_put_") {
      passes = PutsAtPositions(call);
    } else if (op == "aten::copy_") {
      passes = IsUpdateOf(Argument(call, 1), Origin(Argument(call, 0), IsReshape), kDeepest);
    } else if (IsPure(op)) {
      const auto count = static_cast<uint32_t>(CountOf(call.args()));
      if (count > 0) makers_[Argument(call, count - 1)] = &call;
      return Status::Ok();
    }
    return passes ? Status::Ok() : Not(op, "state that is not addressed by position");
  }

  const KernelCall* MakerOf(int32_t value) const {
    const auto found = makers_.find(value);
    return found == makers_.end() ? nullptr : found->second;
  }

  // What a value was made of by such operators only.
  int32_t Origin(int32_t value, bool (*is_followed)(std::string_view op)) const {
    for (int depth = 0; depth < kDeepest; ++depth) {
      const KernelCall* maker = MakerOf(value);
      if (maker == nullptr || !is_followed(NameOf(*maker))) break;
      value = Argument(*maker, 0);
    }
    return value;
  }

  // Whether `value` is `state` with other contents at some positions.
  bool IsUpdateOf(int32_t value, int32_t state, int depth) const {
    value = Origin(value, IsReshape);
    if (value == state) return true;
    const KernelCall* maker = MakerOf(value);
    if (maker == nullptr || depth == 0) return false;
    const std::string_view op = NameOf(*maker);
    bool is_placed = false;
    if (op == "aten::index_put") is_placed = PutsAtPositions(*maker);
    if (op == "aten::index_copy") is_placed = IsPosition(Argument(*maker, 2));
    if (op == "aten::slice_scatter") is_placed = IsPosition(Argument(*maker, 3));
    return is_placed && IsUpdateOf(Argument(*maker, 0), state, depth - 1);
  }

  // index_put(tensor, indices, values, accumulate): with an index for one dimension or more, and in
  // the place of what was there.
  bool PutsAtPositions(const KernelCall& call) const {
    const int32_t list = Argument(call, 1);
    const auto* items = list < 0 ? nullptr : ItemsOf(static_cast<uint32_t>(list));
    if (!IsFalse(Argument(call, 3))) return false;
    size_t count = 0;
    for (uint32_t i = 0; i < CountOf(items); ++i) {
      const int32_t item = items->Get(i);
      if (item < 0 || IsNull(static_cast<uint32_t>(item))) continue;
      if (!IsPosition(item)) return false;
      ++count;
    }
    return count > 0;
  }

  const flatbuffers::Vector<int32_t>* ItemsOf(uint32_t list) const {
    const auto* value = plan_.values()->Get(list);
    if (const auto* tensors = value->val_as_TensorList()) return tensors->items();
    if (const auto* tensors = value->val_as_OptionalTensorList()) return tensors->items();
    return nullptr;
  }

  bool IsNull(uint32_t value) const {
    return plan_.values()->Get(value)->val_type() == wire::program::KernelTypes::Null;
  }

  bool IsFalse(int32_t value) const {
    if (value < 0) return false;
    const auto* truth = plan_.values()->Get(static_cast<uint32_t>(value))->val_as_Bool();
    return truth != nullptr && !truth->bool_val();
  }

  bool IsPosition(int32_t value, int depth = kDeepestSum) const {
    value = Origin(value, IsSelection);
    if (value == position_) return true;
    const KernelCall* maker = MakerOf(value);
    if (maker == nullptr || depth == 0) return false;
    const std::string_view op = NameOf(*maker);
    if (op == "aten::arange") {  // from the position on
      return CountOf(maker->args()) > 3 && IsPosition(Argument(*maker, 0), depth - 1);
    }
    if (op != "aten::add") return false;
    const int32_t a = Argument(*maker, 0);
    const int32_t b = Argument(*maker, 1);
    return (IsCount(a) && IsPosition(b, depth - 1)) || (IsCount(b) && IsPosition(a, depth - 1));
  }

  // 0, 1, 2, ...
  bool IsCount(int32_t value) const {
    const KernelCall* maker = MakerOf(Origin(value, IsSelection));
    return maker != nullptr && NameOf(*maker) == "aten::arange";
  }

  // No exporter needs as many; a damaged program must neither exhaust the stack nor loop without
  // end.
  static constexpr int kDeepest = 64;
  static constexpr int kDeepestSum = 8;

  const ExecutionPlan& plan_;
  const int32_t position_;
  // The call that made a value last.
  std::unordered_map<int32_t, const KernelCall*> makers_;
};

}  // namespace

Status CheckPositionAddressed(const Program& program, std::string_view method,
                              size_t position_input) {
  ONEPACK_ASSIGN_OR_RETURN(const ExecutionPlan* plan, ProgramContents(program).FindMethod(method));
  const int32_t position = plan->inputs()->Get(static_cast<uint32_t>(position_input));
  Status status = Analysis(*plan, position).Run();
  if (status.ok()) return status;
  return std::move(status).WithContext("%s: method '%s'", program.name(),
                                       Printable(method).c_str());
}

}  // namespace onepack
