#include "python/bindings/buffer_source.h"

#include <memory>
#include <string>
#include <utility>

#include "python/bindings/errors.h"

namespace nb = nanobind;

namespace onepack::python {
namespace {

// A buffer of Python's, released with the GIL from whichever thread drops it.
class PythonBuffer {
 public:
  explicit PythonBuffer(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_C_CONTIGUOUS) != 0) throw nb::python_error();
  }
  PythonBuffer(const PythonBuffer&) = delete;
  PythonBuffer& operator=(const PythonBuffer&) = delete;
  ~PythonBuffer() {
    if (!nb::is_alive()) return;  // the interpreter is gone, and the object with it
    const nb::gil_scoped_acquire acquire;
    PyBuffer_Release(&view_);
  }

  Bytes bytes() const {
    return {static_cast<const uint8_t*>(view_.buf), static_cast<size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

class BufferSource final : public DataSource {
 public:
  // Throws nothing: what MakeRef has allocated would leak.
  BufferSource(std::unique_ptr<const PythonBuffer> buffer, std::string name) noexcept
      : name_(std::move(name)), buffer_(std::move(buffer)) {}

  const char* name() const override { return name_.c_str(); }
  uint64_t size() const override { return buffer_->bytes().size(); }
  bool is_mapped() const override { return true; }

  Result<Buffer> Load(const Segment& range) const override {
    return LoadFrom(buffer_->bytes(), range);
  }

 private:
  const std::string name_;
  const std::unique_ptr<const PythonBuffer> buffer_;
};

}  // namespace

Ref<DataSource> OpenBuffer(nb::handle object, const char* name) {
  auto buffer = std::make_unique<const PythonBuffer>(object);
  return ValueOrThrow(MakeRef<BufferSource>(HeapAllocator(), std::move(buffer), std::string(name)));
}

}  // namespace onepack::python
