#include "runtime/method_fork.h"

#include <stddef.h>
#include <stdint.h>

#include "runtime/planned_memory.h"

namespace onepack {

Status MethodFork::Make(const Ref<SharedState>& shared_state) {
  to_.program_ = from_.program_;
  to_.name_ = from_.name_;
  to_.max_instructions_per_run_ = from_.max_instructions_per_run_;
  to_.allocator_ = from_.allocator_;
  to_.shared_state_ = shared_state;
  ONEPACK_RETURN_IF_ERROR(CopyArrays());
  ONEPACK_RETURN_IF_ERROR(ForkDelegates());
  ONEPACK_ASSIGN_OR_RETURN(to_.memory_, from_.memory_->Fork(to_.allocator_));
  MoveTensors();
  MoveValues();
  MoveSteps();
  return Status::Ok();
}

template <typename T>
Status MethodFork::Copy(Array<T> Method::* array) {
  ONEPACK_ASSIGN_OR_RETURN(to_.*array, Array<T>::CopyOf(to_.allocator_, from_.*array));
  return Status::Ok();
}

Status MethodFork::CopyArrays() {
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::values_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::tensors_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::sizes_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::list_items_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::bools_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::doubles_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::arguments_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::inputs_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::outputs_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::operators_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::steps_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::constant_owners_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::delegate_sessions_));
  ONEPACK_RETURN_IF_ERROR(Copy(&Method::uses_data_));
  ONEPACK_ASSIGN_OR_RETURN(to_.input_is_set_,
                           Array<bool>::Create(to_.allocator_, from_.inputs_.size()));
  return Status::Ok();
}

template <typename T, typename Item>
T* MethodFork::Moved(T* pointer, Array<Item> Method::* array) const {
  const Array<Item>& items = from_.*array;
  const size_t offset =
      reinterpret_cast<uintptr_t>(pointer) - reinterpret_cast<uintptr_t>(items.data());
  if (offset >= items.size() * sizeof(Item)) return pointer;
  return (to_.*array).data() + offset / sizeof(Item);
}

// A constant that is used in place stays where it is.
template <typename T>
T* MethodFork::MovedData(T* data) const {
  T* moved = to_.memory_->Moved(data, *from_.memory_);
  if (moved != data || !to_.shared_state_) return moved;
  return to_.SharedMemory()->Moved(data, *from_.SharedMemory());
}

void MethodFork::MoveTensors() {
  for (Tensor& tensor : to_.tensors_) {
    tensor.sizes_ = Moved(tensor.sizes_, &Method::sizes_);
    tensor.data_ = MovedData(tensor.data_);
    if (tensor.is_view_) tensor.view_ = MovedData(tensor.view_);
  }
}

Value MethodFork::MovedValue(const Value& value) const {
  switch (value.kind()) {
    case ValueKind::kTensor:
      if (value.has_no_tensor()) return value;
      return Value::OfTensor(Moved(&value.tensor(), &Method::tensors_));
    case ValueKind::kIntList:
    case ValueKind::kTensorList:
    case ValueKind::kOptionalTensorList:
      return Value::OfList(value.kind(),
                           {Moved(value.list().data(), &Method::list_items_), value.list().size()});
    case ValueKind::kBoolList:
      return Value::OfBoolList(
          {Moved(value.bool_list().data(), &Method::bools_), value.bool_list().size()});
    case ValueKind::kDoubleList:
      return Value::OfDoubleList(
          {Moved(value.double_list().data(), &Method::doubles_), value.double_list().size()});
    default:
      return value;
  }
}

void MethodFork::MoveValues() {
  for (Value& value : to_.values_) value = MovedValue(value);
  for (Array<Value*> Method::* pointers :
       {&Method::list_items_, &Method::arguments_, &Method::inputs_, &Method::outputs_}) {
    for (Value*& value : to_.*pointers) value = Moved(value, &Method::values_);
  }
}

void MethodFork::MoveSteps() {
  for (Method::Step& step : to_.steps_) {
    step.arguments = {Moved(step.arguments.data(), &Method::arguments_), step.arguments.size()};
  }
}

Status MethodFork::ForkDelegates() {
  ONEPACK_ASSIGN_OR_RETURN(
      to_.sessions_, Array<Ref<BackendSession>>::Create(to_.allocator_, from_.sessions_.size()));
  ONEPACK_ASSIGN_OR_RETURN(to_.delegates_,
                           Array<Ref<Delegate>>::Create(to_.allocator_, from_.delegates_.size()));
  for (size_t i = 0; i < from_.sessions_.size(); ++i) {
    if (from_.sessions_[i]) ONEPACK_RETURN_IF_ERROR(ForkDelegatesOf(i));
  }
  return Status::Ok();
}

Status MethodFork::ForkDelegatesOf(size_t session) {
  size_t count = 0;
  for (const size_t other : from_.delegate_sessions_) count += other == session ? 1 : 0;
  ONEPACK_ASSIGN_OR_RETURN(auto own, Array<Ref<Delegate>>::Create(to_.allocator_, count));
  ONEPACK_ASSIGN_OR_RETURN(auto forks, Array<Ref<Delegate>>::Create(to_.allocator_, count));
  size_t next = 0;
  for (size_t i = 0; i < from_.delegates_.size(); ++i) {
    if (from_.delegate_sessions_[i] == session) own[next++] = from_.delegates_[i];
  }
  ONEPACK_ASSIGN_OR_RETURN(to_.sessions_[session], from_.sessions_[session]->Fork(
                                                       {own.data(), count}, {forks.data(), count}));
  next = 0;
  for (size_t i = 0; i < to_.delegates_.size(); ++i) {
    if (to_.delegate_sessions_[i] == session) to_.delegates_[i] = std::move(forks[next++]);
  }
  return Status::Ok();
}

}  // namespace onepack
