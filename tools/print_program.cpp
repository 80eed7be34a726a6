#include "tools/print_program.h"

#include <stdio.h>

#include <map>

#include "base/printable.h"
#include "program_generated.h"
#include "runtime/program_contents.h"
#include "schema/state_sharing.h"
#include "schema/verify_program.h"
#include "schema/verify_text.h"
#include "tools/format.h"
#include "tools/payload_summary.h"

namespace onepack {
namespace {

using wire::program::ExecutionPlan;
using wire::program::KernelTypes;

std::string Quoted(std::string_view text) { return Printable(text).c_str(); }

// "tensor float32 [64, 64] at most", "int 5".
std::string DescribeValue(const wire::program::EValue& value) {
  if (const auto* tensor = value.val_as_Tensor()) {
    const bool is_static = tensor->shape_dynamism() == wire::program::TensorShapeDynamism::STATIC;
    return std::string("tensor ") + LayoutText(LayoutOf(*tensor)).c_str() +
           (is_static ? "" : " at most");
  }
  if (const auto* number = value.val_as_Int()) return "int " + std::to_string(number->int_val());
  if (const auto* truth = value.val_as_Bool()) {
    return truth->bool_val() ? "bool true" : "bool false";
  }
  if (const auto* number = value.val_as_Double()) {
    return "double " + std::to_string(number->double_val());
  }
  if (value.val_type() == KernelTypes::NONE) return "none";
  return wire::program::EnumNameKernelTypes(value.val_type());
}

void PrintValues(const char* title, const flatbuffers::Vector<int32_t>* indices,
                 const ExecutionPlan& plan) {
  printf("    %s\n", CountOf(indices) == 0 ? (std::string(title) + ": none").c_str() : title);
  for (size_t i = 0; i < CountOf(indices); ++i) {
    const auto index = static_cast<uint32_t>(indices->Get(static_cast<uint32_t>(i)));
    printf("      %zu  %s\n", i, DescribeValue(*plan.values()->Get(index)).c_str());
  }
}

// How often each operator and each delegate stands in the instructions.
struct CallCounts {
  std::map<std::string, size_t> operators;
  std::map<int32_t, size_t> delegates;
};

void CountCall(const wire::program::Instruction& instruction, const ExecutionPlan& plan,
               CallCounts& counts) {
  if (const auto* call = instruction.instr_args_as_DelegateCall()) {
    ++counts.delegates[call->delegate_index()];
  } else if (const auto* kernel = instruction.instr_args_as_KernelCall()) {
    const auto* op = plan.operators()->Get(static_cast<uint32_t>(kernel->op_index()));
    const std::string overload = Quoted(TextOf(op->overload()));
    ++counts.operators[Quoted(TextOf(op->name())) + (overload.empty() ? "" : "." + overload)];
  }
}

CallCounts CountCalls(const ExecutionPlan& plan) {
  CallCounts counts;
  for (size_t c = 0; c < CountOf(plan.chains()); ++c) {
    const auto* instructions = plan.chains()->Get(static_cast<uint32_t>(c))->instructions();
    for (size_t i = 0; i < CountOf(instructions); ++i) {
      CountCall(*instructions->Get(static_cast<uint32_t>(i)), plan, counts);
    }
  }
  return counts;
}

void PrintOperators(const CallCounts& counts) {
  printf("    operators outside the delegates%s\n", counts.operators.empty() ? ": none" : "");
  TextTable table(6);
  for (const auto& [name, count] : counts.operators) {
    table.AddRow({name, FormatCount(count, "call", "calls")});
  }
  printf("%s", table.ToString().c_str());
}

void PrintPayload(const PayloadSummary& summary) {
  std::string nodes;
  for (const auto& [type, count] : summary.nodes) {
    nodes += (nodes.empty() ? "" : ", ") + std::to_string(count) + " " + type;
  }
  printf("         nodes      %s\n", nodes.empty() ? "none" : nodes.c_str());
  printf("         constants  %zu by key, %zu in the payload\n", summary.keys.size(),
         summary.inline_constants);
  const LinearSummary& linears = summary.linears;
  if (linears.in_place + linears.packed == 0) return;
  printf("         linears    %zu in place (%s), %zu packed (%s)\n", linears.in_place,
         FormatBytes(linears.in_place_bytes).c_str(), linears.packed,
         FormatBytes(linears.packed_bytes).c_str());
}

Status PrintDelegate(const Program& program, const ExecutionPlan& plan, uint32_t index,
                     size_t calls) {
  const auto* delegate = plan.delegates()->Get(index);
  const bool is_inline = delegate->processed()->location() == wire::program::DataLocation::INLINE;
  ONEPACK_ASSIGN_OR_RETURN(
      const ProgramContents::PayloadBytes payload,
      ProgramContents(program).LoadPayload(is_inline, delegate->processed()->index()));
  printf("      %u  %s  payload %s, %s\n", index, Quoted(TextOf(delegate->id())).c_str(),
         FormatBytes(payload.buffer.bytes.size()).c_str(),
         FormatCount(calls, "call", "calls").c_str());
  if (TextOf(delegate->id()) != kXnnpackBackendId) return Status::Ok();
  ONEPACK_ASSIGN_OR_RETURN(const PayloadSummary summary, SummarizePayload(payload.buffer.bytes));
  PrintPayload(summary);
  return Status::Ok();
}

Status PrintDelegates(const Program& program, const ExecutionPlan& plan, const CallCounts& counts) {
  printf("    delegates%s\n", CountOf(plan.delegates()) == 0 ? ": none" : "");
  for (size_t i = 0; i < CountOf(plan.delegates()); ++i) {
    const auto called = counts.delegates.find(static_cast<int32_t>(i));
    ONEPACK_RETURN_IF_ERROR(PrintDelegate(program, plan, static_cast<uint32_t>(i),
                                          called == counts.delegates.end() ? 0 : called->second));
  }
  return Status::Ok();
}

// Tensors outside the delegates whose bytes are there before the first run.
void PrintConstants(const ExecutionPlan& plan) {
  size_t own = 0;
  size_t by_key = 0;
  size_t state = 0;
  for (size_t i = 0; i < CountOf(plan.values()); ++i) {
    const auto* tensor = plan.values()->Get(static_cast<uint32_t>(i))->val_as_Tensor();
    if (tensor == nullptr) continue;
    if (IsExternal(*tensor)) {
      ++by_key;
    } else if (tensor->data_buffer_idx() != 0) {
      ++(tensor->allocation_info() != nullptr ? state : own);
    }
  }
  printf("    constants outside the delegates: %zu by key, %zu in the program\n", by_key, own);
  if (state > 0) printf("    state with initial values: %zu tensors\n", state);
}

void PrintPlannedMemory(const ExecutionPlan& plan) {
  uint64_t total = 0;
  std::string sizes;
  // Entry 0 is reserved.
  for (size_t i = 1; i < CountOf(plan.non_const_buffer_sizes()); ++i) {
    const auto size =
        static_cast<uint64_t>(plan.non_const_buffer_sizes()->Get(static_cast<uint32_t>(i)));
    total += size;
    sizes += (sizes.empty() ? "" : " + ") + FormatBytes(size);
  }
  const bool is_sum = CountOf(plan.non_const_buffer_sizes()) > 2;
  printf("    planned memory: %s%s\n", FormatBytes(total).c_str(),
         is_sum ? (" = " + sizes).c_str() : "");
}

// The other methods that a method has state together with.
void PrintSharing(const Program& program, const StateSharing& sharing, size_t index) {
  if (!sharing.Shares(index)) return;
  std::string others;
  for (size_t i = 0; i < program.method_count(); ++i) {
    if (i == index || !sharing.Shares(i)) continue;
    others += (others.empty() ? "'" : ", '") + Quoted(program.method_name(i)) + "'";
  }
  printf("    shares state with %s\n", others.c_str());
}

Status PrintMethod(const Program& program, const StateSharing& sharing, size_t index) {
  const auto* plan =
      ProgramContents(program).wire().execution_plan()->Get(static_cast<uint32_t>(index));
  printf("  method '%s'\n", Quoted(program.method_name(index)).c_str());
  PrintValues("inputs", plan->inputs(), *plan);
  PrintValues("outputs", plan->outputs(), *plan);
  const CallCounts counts = CountCalls(*plan);
  PrintOperators(counts);
  ONEPACK_RETURN_IF_ERROR(PrintDelegates(program, *plan, counts));
  PrintConstants(*plan);
  PrintPlannedMemory(*plan);
  PrintSharing(program, sharing, index);
  return Status::Ok();
}

}  // namespace

Status PrintProgram(const InspectedFile& file) {
  const Program& program = *file.program;
  printf("%s: %s, %s\n", file.path.c_str(), file.bundle ? "bundled program" : "program",
         FormatBytes(file.size_bytes).c_str());
  ONEPACK_ASSIGN_OR_RETURN(const StateSharing sharing,
                           StateSharing::Of(ProgramContents(program).wire(), HeapAllocator()));
  for (size_t i = 0; i < program.method_count(); ++i) {
    ONEPACK_RETURN_IF_ERROR(PrintMethod(program, sharing, i));
  }
  size_t own = 0;
  for (const std::string& key : file.keys) {
    if (file.named_data && file.named_data->Find(key) != nullptr) ++own;
  }
  printf("  refers to %s: %zu in the program, %zu in data files\n",
         FormatCount(file.keys.size(), "key", "keys").c_str(), own, file.keys.size() - own);
  if (file.named_data && !file.named_data->entries().empty()) PrintNamedData(*file.named_data);
  return Status::Ok();
}

void PrintNamedData(const NamedDataMap& named_data) {
  TextTable table(4);
  for (const NamedData& entry : named_data.entries()) {
    table.AddRow({Quoted(entry.key), FormatBytes(entry.segment.size),
                  std::string(entry.is_tensor ? LayoutText(entry.layout).c_str() : "opaque") +
                      (!entry.source->has_bytes() ? ", detached" : "")});
  }
  printf("  holds %s\n%s", FormatCount(named_data.entries().size(), "key", "keys").c_str(),
         table.ToString().c_str());
}

}  // namespace onepack
