// Between Python objects and the values that methods read and write.

#ifndef ONEPACK_PYTHON_BINDINGS_VALUES_H_
#define ONEPACK_PYTHON_BINDINGS_VALUES_H_

#include <nanobind/nanobind.h>

#include <deque>
#include <string>

#include "onepack/value.h"
#include "python/bindings/tensors.h"

namespace onepack::python {

// The arguments of one run.
// Threads: made and destroyed with the GIL; the values may be read without.
class Arguments {
 public:
  Arguments() = default;
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // `object` as what `wanted`, an input, is. It lives as long as this.
  Value Add(nanobind::handle object, const Value& wanted);

 private:
  // At addresses that stay.
  std::deque<ArrayTensor> tensors_;
  std::deque<std::string> strings_;
};

// The outputs of one run: as arrays of their own, or as views that keep `owner`.
class OutputCopies {
 public:
  // Without the GIL, too.
  void Add(const Value& output);
  // Of all that was added, one after the other.
  nanobind::object Next(const Value& output);

 private:
  std::deque<OwnedBytes> tensors_;
};
nanobind::object ViewOf(const Value& output, nanobind::handle owner);

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_VALUES_H_
