// What a Python object holds until it is closed.
//
// Threads: used with the GIL. A call that releases it works on a copy of the reference, so another
//          thread may close the object meanwhile: what it holds goes when that call is done.

#ifndef ONEPACK_PYTHON_BINDINGS_CLOSABLE_H_
#define ONEPACK_PYTHON_BINDINGS_CLOSABLE_H_

#include <nanobind/nanobind.h>

#include <memory>
#include <utility>

#include "python/bindings/errors.h"

namespace onepack::python {

// What a call works on. Should it be closed meanwhile, the call drops it, and without the GIL: to
// unmap files and to wait for threads takes a while.
// Threads: made and destroyed with the GIL.
template <typename T>
class InUse {
 public:
  explicit InUse(std::shared_ptr<T> used) : used_(std::move(used)) {}
  ~InUse() {
    if (used_.use_count() != 1) return;
    const nanobind::gil_scoped_release release;
    used_.reset();
  }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

  T& operator*() const { return *used_; }
  T* operator->() const { return used_.get(); }
  const std::shared_ptr<T>& shared() const { return used_; }

 private:
  std::shared_ptr<T> used_;
};

// `Reference` is a Ref or a shared_ptr.
template <typename Reference>
class Closable {
 public:
  // `name` is a literal: what messages call the object.
  Closable(const char* name, Reference reference) : name_(name), reference_(std::move(reference)) {}
  Closable(Closable&& other) noexcept
      : name_(other.name_), reference_(std::exchange(other.reference_, Reference())) {}
  Closable& operator=(Closable&&) = delete;
  ~Closable() { Close(); }

  // Not null.
  Reference Get() const {
    if (!reference_) {
      throw StatusException(
          Status::Error(StatusCode::kFailedPrecondition, "this %s is closed", name_), {}, true);
    }
    return reference_;
  }

  bool is_closed() const { return !reference_; }

  // Does nothing the second time. Without the GIL, as InUse.
  void Close() {
    if (!reference_) return;
    Reference dropped = std::exchange(reference_, Reference());
    const nanobind::gil_scoped_release release;
    dropped = Reference();
  }

 private:
  const char* name_;
  Reference reference_;
};

// close(), closed and the `with` statement, for a class that has a member `handle`.
template <typename Class>
void BindClosing(Class& bound) {
  namespace nb = nanobind;
  using Self = typename Class::Type;
  bound
      .def(
          "close", [](Self& self) { self.handle.Close(); },
          "Gives back what this object holds; what other objects use of it stays. May be called "
          "again.")
      .def_prop_ro(
          "closed", [](const Self& self) { return self.handle.is_closed(); },
          "Whether close() was called.")
      .def(
          "__enter__", [](nb::handle self) { return nb::borrow(self); },
          nb::sig("def __enter__(self) -> typing_extensions.Self"))
      .def(
          "__exit__", [](Self& self, const nb::args&) { self.handle.Close(); },
          nb::sig("def __exit__(self, *_: object) -> None"));
}

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_CLOSABLE_H_
