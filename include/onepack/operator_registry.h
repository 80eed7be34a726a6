// The operators that a program calls outside its delegates, by name.
//
// Ownership: the application owns the table and what `context` points to; both outlive every method
//            loaded with them, and every fork of it (Method::Fork).
// Threads:   read only after it is filled; a function may be called from any thread, for one method
//            at a time. Forks of a method are methods with the same contexts: what a context points
//            to is used by all of them, in parallel, and is no part of the state that is forked.

#ifndef ONEPACK_OPERATOR_REGISTRY_H_
#define ONEPACK_OPERATOR_REGISTRY_H_

#include <string_view>

#include "onepack/span.h"
#include "onepack/status.h"
#include "onepack/value.h"

namespace onepack {

// `arguments` are those of the call: inputs first, then the outputs to write ("out" variants).
using OperatorFunction = Status (*)(void* context, Span<Value* const> arguments);

struct Operator {
  std::string_view name;  // "aten::add.out": name and overload as in the program
  OperatorFunction function = nullptr;
  void* context = nullptr;
};

class OperatorRegistry {
 public:
  OperatorRegistry() = default;
  explicit OperatorRegistry(Span<const Operator> operators) : operators_(operators) {}

  // Null when there is none. `overload` may be empty. The first entry of a name counts.
  const Operator* Find(std::string_view name, std::string_view overload) const {
    for (const Operator& op : operators_) {
      if (overload.empty() ? op.name == name : IsJoined(op.name, name, overload)) return &op;
    }
    return nullptr;
  }

 private:
  // full == name + "." + overload
  static bool IsJoined(std::string_view full, std::string_view name, std::string_view overload) {
    if (full.size() != name.size() + 1 + overload.size()) return false;
    return std::string_view(full.data(), name.size()) == name && full[name.size()] == '.' &&
           std::string_view(full.data() + name.size() + 1, overload.size()) == overload;
  }

  Span<const Operator> operators_;
};

}  // namespace onepack

#endif  // ONEPACK_OPERATOR_REGISTRY_H_
