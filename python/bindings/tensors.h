// Between arrays of Python's and tensors: NumPy, DLPack and the buffer protocol on one side, the
// runtime's layouts on the other.

#ifndef ONEPACK_PYTHON_BINDINGS_TENSORS_H_
#define ONEPACK_PYTHON_BINDINGS_TENSORS_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <vector>

#include "onepack/tensor.h"

namespace onepack::python {

// An array as a tensor of the element type and dim order that an input has. Its bytes are the
// array's own where they lie as the tensor's do, else a copy that does.
// Threads: made and destroyed with the GIL; the tensor may be read without.
class ArrayTensor {
 public:
  // Throws TypeError for what is no array on the CPU, kInvalidArgument for another element type,
  // rank or a size beyond the bounds.
  ArrayTensor(nanobind::handle object, const Tensor& wanted);
  ArrayTensor(const ArrayTensor&) = delete;
  ArrayTensor& operator=(const ArrayTensor&) = delete;

  Tensor& tensor() { return tensor_; }

 private:
  void Import(nanobind::handle object, ScalarType wanted);
  bool LiesAs(Span<const uint8_t> dim_order) const;
  std::unique_ptr<uint8_t[]> CopyAs(Span<const uint8_t> dim_order) const;

  nanobind::ndarray<nanobind::ro> array_;  // keeps the bytes
  ScalarType scalar_type_ = ScalarType::kFloat;
  std::vector<int32_t> sizes_;
  std::vector<uint8_t> dim_order_;
  std::unique_ptr<uint8_t[]> copied_;
  Tensor tensor_;
};

// numpy.dtype of the type, of ml_dtypes where NumPy has none; integers for quantized types.
nanobind::object NumpyTypeOf(ScalarType type);

struct FreeDeleter {
  void operator()(void* memory) const { free(memory); }
};
using OwnedBytes = std::unique_ptr<uint8_t, FreeDeleter>;

// Without the GIL, too. Throws std::bad_alloc.
OwnedBytes CopyBytesOf(const Tensor& tensor);

// A NumPy array of the tensor's sizes over bytes that lie as its own. The first takes them; the
// second is read-only, and keeps `owner`.
nanobind::object ArrayOf(const Tensor& tensor, OwnedBytes bytes);
nanobind::object ViewOf(const Tensor& tensor, nanobind::handle owner);

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_TENSORS_H_
