// Loads a method: turns a verified execution plan into values, memory and steps.
//
// One object for one load. On failure the half-built method is dropped by its owner, and with it
// all it took.

#ifndef ONEPACK_RUNTIME_METHOD_BUILDER_H_
#define ONEPACK_RUNTIME_METHOD_BUILDER_H_

#include "onepack/method.h"
#include "program_generated.h"
#include "runtime/method_scope.h"
#include "schema/verify_text.h"

namespace onepack {

class MethodBuilder {
 public:
  MethodBuilder(const Program& program, const wire::program::ExecutionPlan& plan,
                const MethodOptions& options, Method& method)
      : program_(program),
        plan_(plan),
        options_(options),
        allocator_(options.allocator),
        named_data_(program.named_data(), options.named_data, options.allocator),
        method_(method) {}

  // In this order: each step uses what the ones before it made.
  Status Build();

 private:
  // method_builder.cpp
  Status CreateValues();
  Value CreateValue(const wire::program::EValue& value);
  Value CreateList(ValueKind kind, size_t size);
  Status CreateInputsAndOutputs();
  Status ResolveOperators();
  Status LoadDelegates();
  Status LoadDelegatesOf(size_t backend, Array<DelegateRequest>& requests,
                         const Array<size_t>& backends);
  Status FindBackend(std::string_view name, size_t* index) const;
  Status CreateCompileSpecs();
  Status CreateRequest(const wire::program::BackendDelegate& delegate, DelegateRequest* request);
  Status CheckPayloadSize(uint64_t size);
  Status CreateSteps();
  bool CanChangeConditions() const;
  Method::Step CreateStep(const wire::program::Instruction& instruction, size_t chain_start);

  // method_memory.cpp
  Status CreateTensors();
  Status LoadConstants();
  Status CheckCopiedBytes(const wire::program::Tensor& wire);
  Status LoadConstant(const wire::program::Tensor& wire, size_t index);
  Result<Buffer> FindExternal(const wire::program::Tensor& wire);
  Status FindSharedState();
  bool IsShared(const wire::program::Tensor& wire) const;
  Status PlanMemory();
  Status CreateMemory(size_t size);
  Status PlaceTensors();

  Value* ValueAt(int64_t index) { return &method_.values_[static_cast<size_t>(index)]; }
  template <typename T>
  Status CreateArray(size_t size, Array<T>* array) {
    ONEPACK_ASSIGN_OR_RETURN(*array, Array<T>::Create(allocator_, size));
    return Status::Ok();
  }

  const Program& program_;
  const wire::program::ExecutionPlan& plan_;
  const MethodOptions& options_;
  const Allocator allocator_;
  MethodScope named_data_;
  Method& method_;

  // Parallel to method_.tensors_, in the order of the tensors among the values.
  Array<const wire::program::Tensor*> wire_tensors_;
  Array<Buffer> constants_;  // empty where the tensor has none
  Array<size_t> starts_;     // in the method's memory, or the shared one; of those that have room

  Array<CompileSpec> compile_specs_;  // of all delegates

  // Resolved from the options.
  uint64_t max_planned_bytes_ = 0;

  // What grows when a file refers to the same bytes again and again; see sharing_budget.h.
  uint64_t payload_bytes_ = 0;
  uint64_t copied_bytes_ = 0;
  uint64_t largest_source_ = 0;

  // How much of the method's flat arrays is given out already.
  size_t tensors_used_ = 0;
  size_t list_items_used_ = 0;
  size_t bools_used_ = 0;
  size_t doubles_used_ = 0;
  size_t arguments_used_ = 0;
  size_t compile_specs_used_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_METHOD_BUILDER_H_
