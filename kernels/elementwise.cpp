#include "kernels/elementwise.h"

#include <string.h>

#include <type_traits>

#include "kernels/strided.h"

namespace onepack::kernels {
namespace {

constexpr size_t kOperands = 1 + kMaxOperands;  // the output first

template <typename C>
constexpr ScalarType kTypeOf = std::is_same_v<C, float>     ? ScalarType::kFloat
                               : std::is_same_v<C, double>  ? ScalarType::kDouble
                               : std::is_same_v<C, Complex> ? ScalarType::kComplexDouble
                                                            : ScalarType::kLong;

// Strides of an input over the output's dimensions: 0 where it is repeated.
void BroadcastStrides(const Tensor& tensor, size_t rank, int64_t* strides) {
  const Strided strided = StridedInput(tensor);
  for (size_t i = 0; i < rank; ++i) strides[i] = 0;
  for (size_t i = 0; i < strided.rank; ++i) {
    if (strided.sizes[i] != 1) strides[rank - strided.rank + i] = strided.strides[i];
  }
}

Loop<kOperands> CreateLoop(Span<const Operand> inputs, const Strided& out) {
  Loop<kOperands> loop;
  loop.rank = out.rank;
  for (size_t i = 0; i < out.rank; ++i) {
    loop.sizes[i] = out.sizes[i];
    loop.strides[0][i] = out.strides[i];
  }
  for (size_t k = 0; k < inputs.size(); ++k) {
    if (inputs[k].tensor != nullptr) {
      BroadcastStrides(*inputs[k].tensor, out.rank, loop.strides[k + 1]);
    }
  }
  Simplify(loop);
  return loop;
}

// Runs one operator over blocks of C.
template <typename C>
class BlockRunner {
 public:
  BlockRunner(Span<const Operand> inputs, const Strided& out, BlockFunction<C> function,
              const void* parameters)
      : inputs_(inputs), out_(out), function_(function), parameters_(parameters) {
    for (size_t k = 0; k < inputs.size(); ++k) {
      if (inputs[k].tensor == nullptr) FillBlock(k, NumberAs<C>(inputs[k].number));
    }
  }

  void RunRow(const int64_t* offsets, const int64_t* strides, int64_t n) {
    for (int64_t start = 0; start < n && ok_; start += static_cast<int64_t>(kBlockSize)) {
      const int64_t left = n - start;
      const size_t size =
          left < static_cast<int64_t>(kBlockSize) ? static_cast<size_t>(left) : kBlockSize;
      int64_t at[kOperands];
      for (size_t k = 0; k < kOperands; ++k) at[k] = offsets[k] + start * strides[k];
      RunBlock(at, strides, size);
    }
  }

  bool ok() const { return ok_; }

 private:
  void FillBlock(size_t k, C value) {
    for (C& element : blocks_[k]) element = value;
  }

  // The elements where they are, if they need no conversion, or in a block of ours.
  const C* LoadBlock(size_t k, int64_t offset, int64_t stride, size_t size) {
    const Tensor* tensor = inputs_[k].tensor;
    if (tensor == nullptr) return blocks_[k];
    if (stride == 1 && tensor->scalar_type() == kTypeOf<C>) {
      return reinterpret_cast<const C*>(tensor->data()) + offset;
    }
    if (stride == 0) {
      const C value = LoadElement<C>(tensor->scalar_type(), tensor->data(), offset);
      for (size_t i = 0; i < size; ++i) blocks_[k][i] = value;
    } else {
      LoadElements<C>(tensor->scalar_type(), tensor->data(), offset, stride, size, blocks_[k]);
    }
    return blocks_[k];
  }

  void RunBlock(const int64_t* offsets, const int64_t* strides, size_t size) {
    const C* loaded[kMaxOperands] = {};
    for (size_t k = 0; k < inputs_.size(); ++k) {
      loaded[k] = LoadBlock(k, offsets[k + 1], strides[k + 1], size);
    }
    C* results = result_;
    const bool in_place = strides[0] == 1 && out_.type == kTypeOf<C>;
    if (in_place) results = reinterpret_cast<C*>(out_.data) + offsets[0];
    ok_ = function_(parameters_, loaded, results, size);
    if (!ok_) return;  // not all results were computed
    if (!in_place) StoreElements<C>(out_.type, out_.data, offsets[0], strides[0], size, results);
  }

  const Span<const Operand> inputs_;
  const Strided& out_;
  const BlockFunction<C> function_;
  const void* const parameters_;
  bool ok_ = true;
  C blocks_[kMaxOperands][kBlockSize];
  C result_[kBlockSize];
};

template <typename C>
Status RunLoop(Span<const Operand> inputs, BlockFunction<C> function, const void* parameters,
               Tensor& out) {
  if (function == nullptr) {
    return Status::Error(StatusCode::kUnsupported, "not defined in %s", ScalarTypeName(kTypeOf<C>));
  }
  const Strided strided = StridedOutput(out);
  BlockRunner<C> runner(inputs, strided, function, parameters);
  ForEachRow(CreateLoop(inputs, strided), [&](const int64_t* offsets, const int64_t* strides,
                                              int64_t n) { runner.RunRow(offsets, strides, n); });
  if (runner.ok()) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "an integer is divided by zero");
}

Status ResizeToBroadcast(Span<const Operand> inputs, Tensor& out) {
  int32_t sizes[kMaxTensorRank] = {};
  size_t rank = 0;
  for (const Operand& input : inputs) {
    if (input.tensor == nullptr) continue;
    ONEPACK_RETURN_IF_ERROR(BroadcastSizes({sizes, rank}, input.tensor->sizes(), sizes, &rank));
  }
  return out.Resize({sizes, rank});
}

// 0: number, 1: tensor of rank 0, 2: tensor.
int RankOf(const Operand& operand) {
  if (operand.tensor == nullptr) return 0;
  return operand.tensor->rank() == 0 ? 1 : 2;
}

ScalarType TypeOf(const Operand& operand) {
  if (operand.tensor != nullptr) return operand.tensor->scalar_type();
  // A number is only a kind: it takes the width of the tensors, or PyTorch's default.
  return operand.number.type == ScalarType::kDouble ? ScalarType::kFloat : operand.number.type;
}

int KindOf(ScalarType type) {
  if (type == ScalarType::kBool) return 0;
  if (IsComplex(type)) return 3;
  return IsFloatingPoint(type) ? 2 : 1;
}

}  // namespace

ScalarType ResultType(Span<const Operand> operands) {
  ScalarType result = ScalarType::kBool;
  int kind = -1;
  for (int rank = 2; rank >= 0; --rank) {
    // The operands of one rank among themselves, then against those that count more.
    ScalarType type = ScalarType::kBool;
    bool any = false;
    for (const Operand& operand : operands) {
      if (RankOf(operand) != rank) continue;
      type = any ? PromoteTypes(type, TypeOf(operand)) : TypeOf(operand);
      any = true;
    }
    if (any && KindOf(type) > kind) {
      result = type;
      kind = KindOf(type);
    }
  }
  return result;
}

Status BroadcastSizes(Span<const int32_t> a, Span<const int32_t> b, int32_t* sizes, size_t* rank) {
  int32_t result[kMaxTensorRank] = {};
  const size_t longer = a.size() > b.size() ? a.size() : b.size();
  for (size_t i = 0; i < longer; ++i) {
    const int32_t of_a = i + a.size() < longer ? 1 : a[i + a.size() - longer];
    const int32_t of_b = i + b.size() < longer ? 1 : b[i + b.size() - longer];
    if (of_a != of_b && of_a != 1 && of_b != 1) {
      return Status::Error(StatusCode::kInvalidArgument,
                           "sizes %d and %d of dimension %zu do not broadcast together", of_a, of_b,
                           i);
    }
    result[i] = of_a == 1 ? of_b : of_a;
  }
  memcpy(sizes, result, longer * sizeof(int32_t));
  *rank = longer;
  return Status::Ok();
}

Status RunElementwise(Span<const Operand> inputs, ScalarType type, const BlockFunctions& functions,
                      const void* parameters, Tensor& out) {
  ONEPACK_RETURN_IF_ERROR(ResizeToBroadcast(inputs, out));
  switch (ComputeTypeOf(type)) {
    case Compute::kFloat:
      return RunLoop<float>(inputs, functions.in_float, parameters, out);
    case Compute::kDouble:
      return RunLoop<double>(inputs, functions.in_double, parameters, out);
    case Compute::kLong:
      return RunLoop<int64_t>(inputs, functions.in_long, parameters, out);
    case Compute::kComplex:
      return RunLoop<Complex>(inputs, functions.in_complex, parameters, out);
  }
  return Status::Ok();
}

}  // namespace onepack::kernels
