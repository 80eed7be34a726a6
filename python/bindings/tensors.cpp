#include "python/bindings/tensors.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <stdlib.h>
#include <string.h>

#include <new>
#include <string>
#include <utility>

#include "python/bindings/errors.h"

namespace nb = nanobind;

namespace onepack::python {
namespace {

using nb::dlpack::dtype_code;

struct TypePair {
  ScalarType type;
  dtype_code code;
  uint8_t bits;
  bool is_ml_dtype = false;  // NumPy needs ml_dtypes for it
};

// The first of a DLPack type is what an array of it is; what follows are other names for its bytes.
constexpr TypePair kTypes[] = {
    {ScalarType::kFloat, dtype_code::Float, 32},
    {ScalarType::kLong, dtype_code::Int, 64},
    {ScalarType::kInt, dtype_code::Int, 32},
    {ScalarType::kByte, dtype_code::UInt, 8},
    {ScalarType::kChar, dtype_code::Int, 8},
    {ScalarType::kShort, dtype_code::Int, 16},
    {ScalarType::kHalf, dtype_code::Float, 16},
    {ScalarType::kDouble, dtype_code::Float, 64},
    {ScalarType::kComplexFloat, dtype_code::Complex, 64},
    {ScalarType::kComplexDouble, dtype_code::Complex, 128},
    {ScalarType::kBool, dtype_code::Bool, 8},
    {ScalarType::kBFloat16, dtype_code::Bfloat, 16, true},
    {ScalarType::kFloat8E5M2, dtype_code::Float8_E5M2, 8, true},
    {ScalarType::kFloat8E4M3FN, dtype_code::Float8_E4M3FN, 8, true},
    {ScalarType::kFloat8E5M2FNUZ, dtype_code::Float8_E5M2FNUZ, 8, true},
    {ScalarType::kFloat8E4M3FNUZ, dtype_code::Float8_E4M3FNUZ, 8, true},
    {ScalarType::kUInt16, dtype_code::UInt, 16},
    {ScalarType::kUInt32, dtype_code::UInt, 32},
    {ScalarType::kUInt64, dtype_code::UInt, 64},
    {ScalarType::kQInt8, dtype_code::Int, 8},
    {ScalarType::kQUInt8, dtype_code::UInt, 8},
    {ScalarType::kQInt32, dtype_code::Int, 32},
    {ScalarType::kQUInt4x2, dtype_code::UInt, 8},
    {ScalarType::kQUInt2x4, dtype_code::UInt, 8},
    {ScalarType::kBits16, dtype_code::UInt, 16},
};

const TypePair& PairOf(ScalarType type) {
  for (const TypePair& pair : kTypes) {
    if (pair.type == type) return pair;
  }
  throw StatusException(
      Status::Error(StatusCode::kUnsupported, "NumPy has no type for %s", ScalarTypeName(type)));
}

bool IsOf(const nb::dlpack::dtype& type, const TypePair& pair) {
  return type.code == static_cast<uint8_t>(pair.code) && type.bits == pair.bits && type.lanes == 1;
}

// `wanted` where the bytes are such, else the type that the array says. False for one that no
// tensor has.
bool TypeOf(const nb::dlpack::dtype& type, ScalarType wanted, ScalarType* found) {
  bool is_known = false;
  for (const TypePair& pair : kTypes) {
    if (!IsOf(type, pair)) continue;
    if (!is_known || pair.type == wanted) *found = pair.type;
    is_known = true;
  }
  return is_known;
}

nb::module_ ArraysModule() { return nb::module_::import_("onepack._arrays"); }

[[noreturn]] void RefuseType(const char* found, ScalarType wanted) {
  throw StatusException(Status::Error(StatusCode::kInvalidArgument,
                                      "an array of %s, where %s is expected", found,
                                      ScalarTypeName(wanted)));
}

// In elements, of a tensor that lies in its dim order.
std::vector<int64_t> StridesOf(Span<const int32_t> sizes, Span<const uint8_t> dim_order) {
  std::vector<int64_t> strides(sizes.size());
  int64_t stride = 1;
  for (size_t i = dim_order.size(); i-- > 0;) {
    strides[dim_order[i]] = stride;
    stride *= sizes[dim_order[i]];
  }
  return strides;
}

// Types of ml_dtypes go out as unsigned integers: NumPy takes no others over a buffer.
nb::dlpack::dtype TypeToNumpy(const TypePair& pair) {
  const dtype_code code = pair.is_ml_dtype ? dtype_code::UInt : pair.code;
  return {static_cast<uint8_t>(code), pair.bits, 1};
}

template <typename Array, typename Data>
nb::object MakeArray(const Tensor& tensor, Data* data, nb::handle owner) {
  const TypePair& pair = PairOf(tensor.scalar_type());
  const Span<const int32_t> sizes = tensor.sizes();
  const std::vector<size_t> shape(sizes.begin(), sizes.end());
  const std::vector<int64_t> strides = StridesOf(sizes, tensor.dim_order());
  const Array array(data, shape.size(), shape.data(), owner, strides.data(), TypeToNumpy(pair));
  nb::object object = nb::cast(array, nb::rv_policy::reference);
  if (!pair.is_ml_dtype) return object;
  return object.attr("view")(NumpyTypeOf(pair.type));
}

}  // namespace

ArrayTensor::ArrayTensor(nb::handle object, const Tensor& wanted)
    : dim_order_(wanted.dim_order().begin(), wanted.dim_order().end()) {
  Import(object, wanted.scalar_type());
  if (scalar_type_ != wanted.scalar_type()) {
    RefuseType(ScalarTypeName(scalar_type_), wanted.scalar_type());
  }
  if (array_.ndim() != wanted.rank()) {
    throw StatusException(Status::Error(StatusCode::kInvalidArgument,
                                        "an array of %zu dimensions, where %zu are expected",
                                        array_.ndim(), wanted.rank()));
  }
  for (size_t i = 0; i < array_.ndim(); ++i) {
    if (array_.shape(i) > INT32_MAX) {
      throw StatusException(Status::Error(StatusCode::kInvalidArgument,
                                          "an array with a dimension of %zu", array_.shape(i)));
    }
    sizes_.push_back(static_cast<int32_t>(array_.shape(i)));
  }
  // Tensors are views of what may be written; an input is only read.
  auto* data = static_cast<uint8_t*>(const_cast<void*>(static_cast<const void*>(array_.data())));
  size_t size = array_.nbytes();
  if (!LiesAs(dim_order_)) {
    copied_ = CopyAs(dim_order_);
    data = copied_.data();
    size = copied_.size();
  }
  tensor_ = ValueOrThrow(Tensor::Over({scalar_type_, sizes_, dim_order_}, {data, size}));
}

void ArrayTensor::Import(nb::handle object, ScalarType wanted) {
  if (nb::try_cast(object, array_, false)) {
    if (array_.device_type() != nb::device::cpu::value) {
      throw nb::type_error("an array in the memory of another device; move it to the CPU first");
    }
    if (TypeOf(array_.dtype(), wanted, &scalar_type_)) return;
    RefuseType("another element type", wanted);
  }
  // Not the usual way: types that NumPy shows to nobody, lists, numbers.
  const auto [array, name] = nb::cast<std::pair<nb::object, std::string>>(
      ArraysModule().attr("standard")(object, NumpyTypeOf(wanted)));
  if (!nb::try_cast(array, array_, false)) throw nb::type_error("an array of numbers is expected");
  const bool is_known = name.empty() ? TypeOf(array_.dtype(), wanted, &scalar_type_)
                                     : ParseScalarType(name, &scalar_type_);
  if (!is_known) RefuseType(name.empty() ? "another element type" : name.c_str(), wanted);
}

bool ArrayTensor::LiesAs(Span<const uint8_t> dim_order) const {
  if (array_.size() == 0) return true;
  int64_t stride = 1;
  for (size_t i = dim_order.size(); i-- > 0;) {
    const size_t dim = dim_order[i];
    if (array_.shape(dim) == 1) continue;  // nothing steps along it
    if (array_.stride(dim) != stride) return false;
    stride *= static_cast<int64_t>(array_.shape(dim));
  }
  return true;
}

std::vector<uint8_t> ArrayTensor::CopyAs(Span<const uint8_t> dim_order) const {
  const size_t item = array_.itemsize();
  std::vector<uint8_t> bytes(array_.nbytes());
  std::vector<size_t> index(dim_order.size());
  const auto* source = static_cast<const uint8_t*>(static_cast<const void*>(array_.data()));
  int64_t at = 0;  // in elements
  for (size_t done = 0; done < bytes.size(); done += item) {
    memcpy(bytes.data() + done, source + at * static_cast<int64_t>(item), item);
    for (size_t i = dim_order.size(); i-- > 0;) {
      const size_t dim = dim_order[i];
      at += array_.stride(dim);
      if (++index[i] < array_.shape(dim)) break;
      at -= array_.stride(dim) * static_cast<int64_t>(array_.shape(dim));
      index[i] = 0;
    }
  }
  return bytes;
}

nb::object NumpyTypeOf(ScalarType type) {
  const TypePair& pair = PairOf(type);
  // Names of quantized types are those of integers here.
  const char* name = ScalarTypeName(type);
  for (const TypePair& known : kTypes) {
    if (known.code == pair.code && known.bits == pair.bits) {
      name = ScalarTypeName(known.type);
      break;
    }
  }
  return ArraysModule().attr("dtype_of")(name);
}

OwnedBytes CopyBytesOf(const Tensor& tensor) {
  const size_t size = tensor.size_bytes();
  void* memory = nullptr;
  // A cache line: NumPy's own arrays are aligned less.
  if (posix_memalign(&memory, 64, size == 0 ? 1 : size) != 0) throw std::bad_alloc();
  if (size > 0) memcpy(memory, tensor.data(), size);
  return OwnedBytes(static_cast<uint8_t*>(memory));
}

nb::object ArrayOf(const Tensor& tensor, OwnedBytes bytes) {
  uint8_t* data = bytes.get();
  const nb::capsule owner(data, [](void* memory) noexcept { free(memory); });
  static_cast<void>(bytes.release());
  return MakeArray<nb::ndarray<nb::numpy>>(tensor, data, owner);
}

nb::object ViewOf(const Tensor& tensor, nb::handle owner) {
  return MakeArray<nb::ndarray<nb::numpy, nb::ro>>(tensor, tensor.data(), owner);
}

}  // namespace onepack::python
