// Makes a fork of a method: copies of its values, and of where they are, over a fork of its memory.
//
// Nothing is looked up or verified again: what was loaded is copied, and what points into the
// method is made to point to the same place of the fork.
//
// One object for one fork, while the method does not run. On failure the half-made fork is dropped
// by its owner.

#ifndef ONEPACK_RUNTIME_METHOD_FORK_H_
#define ONEPACK_RUNTIME_METHOD_FORK_H_

#include "onepack/method.h"

namespace onepack {

class MethodFork {
 public:
  MethodFork(const Method& from, Method& to) : from_(from), to_(to) {}

  // `shared_state`: null if the method shares none.
  Status Make(const Ref<SharedState>& shared_state);

 private:
  Status CopyArrays();
  void MoveTensors();
  void MoveValues();
  void MoveSteps();
  Status ForkDelegates();
  Status ForkDelegatesOf(size_t session);

  template <typename T>
  Status Copy(Array<T> Method::* array);
  // Where `pointer` into an array of the method points in the fork's; null, and what points
  // elsewhere, as an operator may have made it do, stays.
  template <typename T, typename Item>
  T* Moved(T* pointer, Array<Item> Method::* array) const;
  template <typename T>
  T* MovedData(T* data) const;
  Value MovedValue(const Value& value) const;

  const Method& from_;
  Method& to_;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_METHOD_FORK_H_
