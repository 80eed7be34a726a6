// How the functions of this folder keep their promise to throw nothing: memory that is exhausted
// becomes a Status.

#ifndef ONEPACK_LLM_NO_THROW_H_
#define ONEPACK_LLM_NO_THROW_H_

#include <new>

#include "onepack/status.h"

namespace onepack {

// `function` returns a Status or a Result.
template <typename Function>
auto NoThrow(Function function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return Status::Error(StatusCode::kResourceExhausted, "out of memory");
  }
}

}  // namespace onepack

#endif  // ONEPACK_LLM_NO_THROW_H_
