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

struct Dim {
  size_t size;
  int64_t step;  // in bytes
};

template <size_t kItem>
void CopyItems(uint8_t* to, const uint8_t* from, const Dim& row) {
  for (size_t i = 0; i < row.size; ++i, from += row.step) memcpy(to + i * kItem, from, kItem);
}

// To where they lie one after the other.
void CopyRow(uint8_t* to, const uint8_t* from, const Dim& row, size_t item) {
  if (row.step == static_cast<int64_t>(item)) {
    memcpy(to, from, row.size * item);
    return;
  }
  switch (item) {
    case 1:
      return CopyItems<1>(to, from, row);
    case 2:
      return CopyItems<2>(to, from, row);
    case 4:
      return CopyItems<4>(to, from, row);
    case 8:
      return CopyItems<8>(to, from, row);
    default:  // the widest type of kTypes
      return CopyItems<16>(to, from, row);
  }
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
  // Before anything is copied: an array of few bytes may have any shape.
  for (size_t i = 0; i < array_.ndim(); ++i) {
    const auto most = static_cast<size_t>(wanted.bounds()[i]);
    if (array_.shape(i) > most) {
      throw StatusException(
          Status::Error(StatusCode::kInvalidArgument,
                        "an array whose dimension %zu is %zu, where %s%zu is expected", i,
                        array_.shape(i), wanted.is_dynamic() ? "at most " : "", most));
    }
    sizes_.push_back(static_cast<int32_t>(array_.shape(i)));
  }
  // Tensors are views of what may be written; an input is only read.
  auto* data = static_cast<uint8_t*>(const_cast<void*>(static_cast<const void*>(array_.data())));
  if (!LiesAs(dim_order_)) {
    copied_ = CopyAs(dim_order_);
    data = copied_.get();
  }
  tensor_ = ValueOrThrow(Tensor::Over({scalar_type_, sizes_, dim_order_}, {data, array_.nbytes()}));
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

std::unique_ptr<uint8_t[]> ArrayTensor::CopyAs(Span<const uint8_t> dim_order) const {
  const auto item = static_cast<int64_t>(array_.itemsize());
  // Outer dims first; two that are stepped through as one become one.
  std::vector<Dim> dims;
  for (const uint8_t dim : dim_order) {
    const Dim inner{array_.shape(dim), array_.stride(dim) * item};
    if (inner.size == 1) continue;
    if (!dims.empty() && dims.back().step == inner.step * static_cast<int64_t>(inner.size)) {
      dims.back() = {dims.back().size * inner.size, inner.step};
    } else {
      dims.push_back(inner);
    }
  }
  if (dims.empty()) dims.push_back({1, item});
  const Dim row = dims.back();
  dims.pop_back();

  const size_t size = array_.nbytes();
  const size_t row_bytes = row.size * array_.itemsize();
  std::unique_ptr<uint8_t[]> bytes(new uint8_t[size]);
  std::vector<size_t> index(dims.size());
  const auto* source = static_cast<const uint8_t*>(static_cast<const void*>(array_.data()));
  const nb::gil_scoped_release release;
  for (size_t done = 0; done < size; done += row_bytes) {
    CopyRow(bytes.get() + done, source, row, array_.itemsize());
    for (size_t i = dims.size(); i-- > 0;) {
      source += dims[i].step;
      if (++index[i] < dims[i].size) break;
      source -= dims[i].step * static_cast<int64_t>(dims[i].size);
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
