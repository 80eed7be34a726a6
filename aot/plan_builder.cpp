#include "aot/plan_builder.h"

#include <algorithm>
#include <utility>

#include "base/rounding.h"

namespace onepack {
namespace {

constexpr uint64_t kTensorAlignment = 16;

uint64_t SizeBytes(ScalarType type, const std::vector<int32_t>& sizes) {
  uint64_t size = ElementSize(type);
  for (const int32_t dim : sizes) size *= static_cast<uint64_t>(dim);
  return size;
}

TensorPlan Tensor(ScalarType type, std::vector<int32_t> sizes, bool is_dynamic) {
  TensorPlan tensor;
  tensor.scalar_type = type;
  tensor.sizes = std::move(sizes);
  tensor.is_dynamic = is_dynamic;
  return tensor;
}

}  // namespace

int32_t PlanBuilder::AddIntList(const std::vector<int32_t>& values) {
  return AddValue(IntListPlan{{values.begin(), values.end()}});
}

int32_t PlanBuilder::AddInput(ScalarType type, std::vector<int32_t> sizes, bool is_dynamic) {
  const int32_t value = AddValue(Tensor(type, std::move(sizes), is_dynamic));
  method_.inputs.push_back(value);
  return value;
}

int32_t PlanBuilder::AddPlanned(ScalarType type, std::vector<int32_t> sizes, bool is_dynamic) {
  Lifetime lifetime;
  lifetime.size_bytes = SizeBytes(type, sizes);
  const int32_t value = AddValue(Tensor(type, std::move(sizes), is_dynamic));
  lifetimes_[value] = lifetime;
  return value;
}

int32_t PlanBuilder::AddTensor(ScalarType type, std::vector<int32_t> sizes, bool is_dynamic) {
  return AddPlanned(type, std::move(sizes), is_dynamic);
}

int32_t PlanBuilder::AddView(int32_t base, std::vector<int32_t> sizes, bool is_dynamic) {
  const ScalarType type =
      std::get<TensorPlan>(method_.values[static_cast<size_t>(base)]).scalar_type;
  const int32_t value = AddValue(Tensor(type, std::move(sizes), is_dynamic));
  const auto outer = views_.find(base);
  views_[value] = outer == views_.end() ? base : outer->second;
  return value;
}

int32_t PlanBuilder::AddState(ScalarType type, std::vector<int32_t> sizes) {
  const int32_t value = AddPlanned(type, std::move(sizes), false);
  Lifetime& lifetime = lifetimes_[value];
  lifetime.is_used = true;
  lifetime.last = SIZE_MAX;
  return value;
}

void PlanBuilder::Touch(int32_t value) {
  const auto view = views_.find(value);
  const auto planned = lifetimes_.find(view == views_.end() ? value : view->second);
  if (planned == lifetimes_.end()) return;
  Lifetime& lifetime = planned->second;
  if (!lifetime.is_used) lifetime.first = calls_.size();
  lifetime.is_used = true;
  lifetime.last = std::max(lifetime.last, calls_.size());
}

void PlanBuilder::TouchAll(const std::vector<int32_t>& arguments) {
  for (const int32_t argument : arguments) {
    Touch(argument);
    const auto& value = method_.values[static_cast<size_t>(argument)];
    if (const auto* list = std::get_if<TensorListPlan>(&value)) {
      for (const int32_t item : list->items) Touch(item);
    }
  }
}

void PlanBuilder::Call(const std::string& name, const std::string& overload,
                       std::vector<int32_t> arguments) {
  const auto [op, is_new] =
      operators_.try_emplace({name, overload}, static_cast<int32_t>(operators_.size()));
  if (is_new) method_.operators.push_back({name, overload});
  TouchAll(arguments);
  calls_.push_back(KernelCallPlan{op->second, std::move(arguments)});
}

void PlanBuilder::CallDelegate(uint32_t segment, std::vector<int32_t> arguments) {
  method_.delegates.push_back(DelegatePlan::InSegment("XnnpackBackend", segment));
  TouchAll(arguments);
  calls_.push_back(
      DelegateCallPlan{static_cast<int32_t>(method_.delegates.size() - 1), std::move(arguments)});
}

// The largest first, each at the lowest place that is free for all of its time. Returns the size of
// all.
uint64_t PlanBuilder::PlanMemory() {
  std::vector<Lifetime*> order;
  for (auto& [value, lifetime] : lifetimes_) order.push_back(&lifetime);
  std::stable_sort(order.begin(), order.end(), [](const Lifetime* a, const Lifetime* b) {
    return a->size_bytes > b->size_bytes;
  });
  uint64_t end = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    std::vector<const Lifetime*> others;  // that are placed and live at the same time
    for (size_t j = 0; j < i; ++j) {
      if (order[j]->first <= order[i]->last && order[i]->first <= order[j]->last) {
        others.push_back(order[j]);
      }
    }
    std::sort(others.begin(), others.end(),
              [](const Lifetime* a, const Lifetime* b) { return a->offset < b->offset; });
    uint64_t offset = 0;
    for (const Lifetime* other : others) {
      if (offset + order[i]->size_bytes <= other->offset) break;
      offset =
          std::max<uint64_t>(offset, RoundUp(other->offset + other->size_bytes, kTensorAlignment));
    }
    order[i]->offset = offset;
    end = std::max(end, offset + order[i]->size_bytes);
  }
  return end;
}

MethodPlan PlanBuilder::Finish(std::vector<int32_t> outputs) {
  TouchAll(outputs);
  const uint64_t size = PlanMemory();
  if (size > 0) method_.buffer_sizes = {0, static_cast<int64_t>(size)};
  for (const auto& [value, lifetime] : lifetimes_) {
    std::get<TensorPlan>(method_.values[static_cast<size_t>(value)]).place =
        PlannedPlace{1, lifetime.offset};
  }
  for (const auto& [view, base] : views_) {
    std::get<TensorPlan>(method_.values[static_cast<size_t>(view)]).place =
        PlannedPlace{1, lifetimes_[base].offset};
  }
  method_.outputs = std::move(outputs);
  method_.chains = {std::move(calls_)};
  return std::move(method_);
}

}  // namespace onepack
