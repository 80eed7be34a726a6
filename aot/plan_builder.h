// Builds a method call by call, and plans where its tensors live.
//
//     PlanBuilder plan("forward");
//     const int32_t x = plan.AddInput(ScalarType::kFloat, {8, 64}, true);
//     const int32_t y = plan.AddTensor(ScalarType::kFloat, {8, 64}, true);
//     plan.Call("aten::alias_copy", "out", {x, y, y});
//     MethodPlan method = plan.Finish({y});
//
// A tensor has memory from the first call that mentions it to the last; tensors whose times do not
// meet may share it.
//
// Ownership: owns everything. Threads: one at a time. Errors: none; it writes what it is told.

#ifndef ONEPACK_AOT_PLAN_BUILDER_H_
#define ONEPACK_AOT_PLAN_BUILDER_H_

#include <stdint.h>

#include <map>
#include <string>
#include <vector>

#include "aot/pte_writer.h"

namespace onepack {

class PlanBuilder {
 public:
  explicit PlanBuilder(std::string name) { method_.name = std::move(name); }

  // Each returns the value's index.
  // Of any type of a ValuePlan, which is made where it stays: of one that is moved there, g++ 12
  // warns of members that it has not.
  template <class Value>
  int32_t AddValue(Value value) {
    method_.values.emplace_back(std::move(value));
    return static_cast<int32_t>(method_.values.size() - 1);
  }
  int32_t AddInt(int64_t number) { return AddValue(number); }
  int32_t AddBool(bool truth) { return AddValue(truth); }
  int32_t AddDouble(double number) { return AddValue(number); }
  int32_t AddNone() { return AddValue(std::monostate()); }
  // Of Int values.
  int32_t AddIntList(const std::vector<int32_t>& values);
  // A tensor that the caller provides.
  int32_t AddInput(ScalarType type, std::vector<int32_t> sizes, bool is_dynamic);
  int32_t AddTensor(ScalarType type, std::vector<int32_t> sizes, bool is_dynamic);
  // The same bytes as `base` under other sizes.
  int32_t AddView(int32_t base, std::vector<int32_t> sizes, bool is_dynamic);
  // Zeros at first; keeps its bytes between calls of the method.
  int32_t AddState(ScalarType type, std::vector<int32_t> sizes);

  void Call(const std::string& name, const std::string& overload, std::vector<int32_t> arguments);
  // Arguments as the payload numbers its external values.
  void CallDelegate(uint32_t segment, std::vector<int32_t> arguments);

  // The method. The builder is used up.
  MethodPlan Finish(std::vector<int32_t> outputs);

 private:
  // Of a tensor, in numbers of calls.
  struct Lifetime {
    size_t first = 0;
    size_t last = 0;
    uint64_t size_bytes = 0;
    uint64_t offset = 0;
    bool is_used = false;
  };

  int32_t AddPlanned(ScalarType type, std::vector<int32_t> sizes, bool is_dynamic);
  void Touch(int32_t value);
  void TouchAll(const std::vector<int32_t>& arguments);
  uint64_t PlanMemory();

  MethodPlan method_;
  std::vector<InstructionPlan> calls_;
  std::map<std::pair<std::string, std::string>, int32_t> operators_;
  std::map<int32_t, Lifetime> lifetimes_;  // by the index of a planned tensor
  std::map<int32_t, int32_t> views_;       // from a view to its planned tensor
};

}  // namespace onepack

#endif  // ONEPACK_AOT_PLAN_BUILDER_H_
