// Several tensors into one, one into several, and the same elements again.

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

// PyTorch lets a tensor of sizes [0] be joined with anything.
bool IsNothing(const Tensor& tensor) { return tensor.rank() == 1 && tensor.sizes()[0] == 0; }

// The sizes of the inputs one after the other along `dimension`.
Status JoinedView(const TensorList& inputs, size_t dimension, const Tensor& first, Strided* view) {
  *view = StridedInput(first);
  view->sizes[dimension] = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = inputs[i];
    if (IsNothing(input)) continue;
    bool fits = input.rank() == first.rank();
    for (size_t k = 0; fits && k < first.rank(); ++k) {
      fits = k == dimension || input.sizes()[k] == first.sizes()[k];
    }
    if (!fits) return Unfit("cannot be joined", first, input);
    view->sizes[dimension] += input.sizes()[dimension];
  }
  return Status::Ok();
}

Status Cat(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const TensorList inputs = read.Inputs("tensors");
  const int64_t dim = read.Int("dim");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (inputs.empty()) return Status::Error(StatusCode::kInvalidArgument, "nothing to join");
  size_t first = 0;
  while (first + 1 < inputs.size() && IsNothing(inputs[first])) ++first;
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, inputs[first].rank(), &dimension));
  if (inputs[first].rank() == 0) {
    return Status::Error(StatusCode::kInvalidArgument, "numbers cannot be joined");
  }
  Strided joined;
  ONEPACK_RETURN_IF_ERROR(JoinedView(inputs, dimension, inputs[first], &joined));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(joined, out));
  int64_t start = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (IsNothing(inputs[i])) continue;
    ONEPACK_RETURN_IF_ERROR(CheckConvertible(inputs[i], out));
    Strided part = StridedOutput(out);
    const int64_t length = inputs[i].sizes()[dimension];
    part.Narrow(dimension, start, length);
    CopyStrided(StridedInput(inputs[i]), part);
    start += length;
  }
  return Status::Ok();
}

Status Stack(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const TensorList inputs = read.Inputs("tensors");
  const int64_t dim = read.Int("dim");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (inputs.empty()) return Status::Error(StatusCode::kInvalidArgument, "nothing to stack");
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, inputs[0].rank() + 1, &dimension));
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (!SameSizes(inputs[i].sizes(), inputs[0].sizes())) {
      return Unfit("cannot be stacked", inputs[0], inputs[i]);
    }
  }
  Strided stacked = StridedInput(inputs[0]);
  stacked.Insert(dimension, static_cast<int64_t>(inputs.size()), 0);
  ONEPACK_RETURN_IF_ERROR(ResizeTo(stacked, out));
  for (size_t i = 0; i < inputs.size(); ++i) {
    ONEPACK_RETURN_IF_ERROR(CheckConvertible(inputs[i], out));
    Strided part = StridedOutput(out);
    part.Select(dimension, static_cast<int64_t>(i));
    CopyStrided(StridedInput(inputs[i]), part);
  }
  return Status::Ok();
}

// Writes `length` elements of each of the outputs, from `start` of the input on.
class Splitter {
 public:
  Splitter(const Tensor& self, size_t dimension, const TensorList& outputs)
      : self_(self), dimension_(dimension), outputs_(outputs) {}

  Status Take(size_t output, int64_t length) {
    Strided part = StridedInput(self_);
    if (length < 0 || length > part.sizes[dimension_] - start_) {
      return Status::Error(StatusCode::kInvalidArgument, "%lld elements at %lld of %lld",
                           static_cast<long long>(length), static_cast<long long>(start_),
                           static_cast<long long>(part.sizes[dimension_]));
    }
    part.Narrow(dimension_, start_, length);
    start_ += length;
    return WriteView(self_, part, outputs_[output]);
  }

 private:
  const Tensor& self_;
  const size_t dimension_;
  const TensorList outputs_;
  int64_t start_ = 0;
};

Status CheckOutputCount(const TensorList& outputs, int64_t expected) {
  if (static_cast<int64_t>(outputs.size()) == expected) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%zu outputs, %lld expected", outputs.size(),
                       static_cast<long long>(expected));
}

Status ResolveSplitDimension(int64_t dim, const Tensor& self, size_t* dimension) {
  ONEPACK_RETURN_IF_ERROR(ResolveDimension(dim, self.rank(), dimension));
  if (self.rank() > 0) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "a number cannot be split");
}

// split_copy(self, split_size, dim, out): the last part may be shorter.
Status Split(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const int64_t length = read.Int("split_size");
  const int64_t dim = read.Int("dim");
  const TensorList outputs = read.Outputs("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveSplitDimension(dim, self, &dimension));
  const int64_t size = self.sizes()[dimension];
  if (length < 0 || (length == 0 && size > 0)) {
    return Status::Error(StatusCode::kInvalidArgument, "parts of %lld of %lld elements",
                         static_cast<long long>(length), static_cast<long long>(size));
  }
  const int64_t parts = size == 0 ? 1 : (size - 1) / length + 1;
  ONEPACK_RETURN_IF_ERROR(CheckOutputCount(outputs, parts));
  Splitter splitter(self, dimension, outputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const int64_t left = size - static_cast<int64_t>(i) * length;
    ONEPACK_RETURN_IF_ERROR(splitter.Take(i, left < length ? left : length));
  }
  return Status::Ok();
}

Status SplitWithSizes(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const IntList lengths = read.Ints("split_sizes");
  const int64_t dim = read.Int("dim");
  const TensorList outputs = read.Outputs("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveSplitDimension(dim, self, &dimension));
  ONEPACK_RETURN_IF_ERROR(CheckOutputCount(outputs, static_cast<int64_t>(lengths.size())));
  Splitter splitter(self, dimension, outputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    ONEPACK_RETURN_IF_ERROR(splitter.Take(i, lengths[i]));
  }
  return Status::Ok();
}

Status Unbind(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const int64_t dim = read.Int("dim");
  const TensorList outputs = read.Outputs("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  size_t dimension;
  ONEPACK_RETURN_IF_ERROR(ResolveSplitDimension(dim, self, &dimension));
  ONEPACK_RETURN_IF_ERROR(CheckOutputCount(outputs, self.sizes()[dimension]));
  for (size_t i = 0; i < outputs.size(); ++i) {
    Strided part = StridedInput(self);
    part.Select(dimension, static_cast<int64_t>(i));
    ONEPACK_RETURN_IF_ERROR(WriteView(self, part, outputs[i]));
  }
  return Status::Ok();
}

// repeat(self, repeats): each dimension of the output is the repetitions around the elements.
Status Repeat(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const IntList repeats = read.Ints("repeats");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (repeats.size() < self.rank() || repeats.size() > kMaxTensorRank) {
    return Status::Error(StatusCode::kInvalidArgument, "%zu repeats of %s", repeats.size(),
                         LayoutText(self.layout()).c_str());
  }
  Strided sizes = StridedInput(self);
  while (sizes.rank < repeats.size()) sizes.Insert(0, 1, 0);
  Strided repeated = sizes;
  for (size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] < 0 || repeats[i] > INT32_MAX) {
      return Status::Error(StatusCode::kInvalidArgument, "%lld repeats",
                           static_cast<long long>(repeats[i]));
    }
    repeated.sizes[i] = sizes.sizes[i] * repeats[i];
  }
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(self, out));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(repeated, out));
  const Strided whole = StridedOutput(out);
  Strided from = sizes;
  Strided to = whole;
  from.rank = 0;
  to.rank = 0;
  for (size_t i = 0; i < whole.rank; ++i) {
    from.Append(repeats[i], 0);
    from.Append(sizes.sizes[i], sizes.strides[i]);
    to.Append(repeats[i], whole.strides[i] * sizes.sizes[i]);
    to.Append(sizes.sizes[i], whole.strides[i]);
  }
  CopyStrided(from, to);
  return Status::Ok();
}

// roll(self, shifts, dims). Without dims the elements are rolled as one row.
Status Roll(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments, Elements::kAny);
  const Tensor& self = read.Input("self");
  const IntList shifts = read.Ints("shifts");
  const IntList dims = read.Ints("dims");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const bool is_flat = dims.empty() && shifts.size() == 1;
  if (!is_flat && (dims.size() != shifts.size() || dims.size() > kMaxTensorRank)) {
    return Status::Error(StatusCode::kInvalidArgument, "%zu shifts of %zu dimensions",
                         shifts.size(), dims.size());
  }
  ONEPACK_RETURN_IF_ERROR(CheckConvertible(self, out));
  ONEPACK_RETURN_IF_ERROR(out.Resize(self.sizes()));
  Strided from = StridedInput(self);
  Strided to = StridedOutput(out);
  if (from.count() == 0) return Status::Ok();
  size_t dimensions[kMaxTensorRank] = {};
  if (is_flat) {
    if (!IsContiguous(from) || !IsContiguous(to)) return Unfit("a roll in this order", self, out);
    const int64_t count = from.count();
    from.rank = to.rank = 0;
    from.Append(count, 1);
    to.Append(count, 1);
  }
  bool is_rolled[kMaxTensorRank] = {};
  for (size_t i = 0; i < dims.size(); ++i) {
    ONEPACK_RETURN_IF_ERROR(ResolveDimension(dims[i], self.rank(), &dimensions[i]));
    if (self.rank() == 0 || is_rolled[dimensions[i]]) {
      return Status::Error(StatusCode::kInvalidArgument, "dimension %zu is rolled twice",
                           dimensions[i]);
    }
    is_rolled[dimensions[i]] = true;
  }
  // Every element moves once: both parts of each dimension, in all combinations.
  for (uint64_t half = 0; half < uint64_t{1} << shifts.size(); ++half) {
    Strided source = from;
    Strided target = to;
    for (size_t i = 0; i < shifts.size(); ++i) {
      const int64_t size = from.sizes[dimensions[i]];
      const int64_t shift = (shifts[i] % size + size) % size;
      const bool is_second = (half >> i & 1) != 0;
      source.Narrow(dimensions[i], is_second ? size - shift : 0, is_second ? shift : size - shift);
      target.Narrow(dimensions[i], is_second ? 0 : shift, is_second ? shift : size - shift);
    }
    CopyStrided(source, target);
  }
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::cat.out", Cat},
    {"aten::repeat.out", Repeat},
    {"aten::roll.out", Roll},
    {"aten::split_copy.Tensor_out", Split},
    {"aten::split_with_sizes_copy.out", SplitWithSizes},
    {"aten::stack.out", Stack},
    {"aten::unbind_copy.int_out", Unbind},
};

}  // namespace

OperatorRows JoinOperators() { return kRows; }

}  // namespace onepack::kernels
