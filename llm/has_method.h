// Whether a program has a method of a name.

#ifndef ONEPACK_LLM_HAS_METHOD_H_
#define ONEPACK_LLM_HAS_METHOD_H_

#include <string_view>

#include "onepack/program.h"

namespace onepack {

inline bool HasMethod(const Program& program, std::string_view name) {
  for (size_t i = 0; i < program.method_count(); ++i) {
    if (program.method_name(i) == name) return true;
  }
  return false;
}

}  // namespace onepack

#endif  // ONEPACK_LLM_HAS_METHOD_H_
