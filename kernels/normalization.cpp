// Layer, group and batch normalization: (x - mean) * rstd * weight + bias over parts of a tensor.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

constexpr float kOne = 1;
constexpr float kZero = 0;

// A number in place of a tensor: the same for all elements.
Strided Constant(const float& value) {
  Strided constant;
  constant.type = ScalarType::kFloat;
  constant.data = reinterpret_cast<uint8_t*>(const_cast<float*>(&value));
  return constant;
}

struct Affine {
  const Tensor* weight;
  const Tensor* bias;
  Strided Weight() const { return weight != nullptr ? StridedInput(*weight) : Constant(kOne); }
  Strided Bias() const { return bias != nullptr ? StridedInput(*bias) : Constant(kZero); }
};

// visit(n, block sizes): rows of a loop in pieces of at most a block.
template <typename Visit>
void ForEachPiece(int64_t n, Visit visit) {
  for (int64_t start = 0; start < n; start += static_cast<int64_t>(kBlockSize)) {
    const int64_t left = n - start;
    visit(start, left < static_cast<int64_t>(kBlockSize) ? static_cast<size_t>(left) : kBlockSize);
  }
}

struct Moments {
  double mean = 0;
  double variance = 0;  // divided by the count
};

// In two passes: the variance of the differences from the mean cancels nothing.
Moments MomentsOf(const Strided& part) {
  Loop<1> loop = LoopOver<1>({&part});
  Simplify(loop);
  const auto sum = [&](auto of) {
    double total = 0;
    ForEachRow(loop, [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
      ForEachPiece(n, [&](int64_t start, size_t size) {
        double block[kBlockSize];
        LoadElements<double>(part.type, part.data, offsets[0] + start * strides[0], strides[0],
                             size, block);
        for (size_t i = 0; i < size; ++i) total += of(block[i]);
      });
    });
    return total;
  };
  const auto count = static_cast<double>(part.count());
  Moments moments;
  moments.mean = sum([](double x) { return x; }) / count;
  moments.variance = sum([&](double x) { return (x - moments.mean) * (x - moments.mean); }) / count;
  return moments;
}

// weight and bias have the dimensions of the part, with strides of 0 where they repeat.
void Normalize(const Strided& part, const Strided& out, const Strided& weight, const Strided& bias,
               double mean, double rstd) {
  Loop<4> loop = LoopOver<4>({&out, &part, &weight, &bias});
  Simplify(loop);
  ForEachRow(loop, [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
    ForEachPiece(n, [&](int64_t start, size_t size) {
      double x[kBlockSize];
      double w[kBlockSize];
      double b[kBlockSize];
      const auto load = [&](const Strided& from, size_t k, double* to) {
        LoadElements<double>(from.type, from.data, offsets[k] + start * strides[k], strides[k],
                             size, to);
      };
      load(part, 1, x);
      load(weight, 2, w);
      load(bias, 3, b);
      for (size_t i = 0; i < size; ++i) x[i] = (x[i] - mean) * rstd * w[i] + b[i];
      StoreElements<double>(out.type, out.data, offsets[0] + start * strides[0], strides[0], size,
                            x);
    });
  });
}

// The dimensions of `like`, with those from `first` on to `last` walked by `tensor`'s.
Strided Spread(const Strided& tensor, const Strided& like, size_t first, size_t count) {
  Strided spread = tensor;
  spread.rank = 0;
  for (size_t i = 0; i < like.rank; ++i) {
    const bool is_walked = i >= first && i < first + count && tensor.rank == count;
    spread.Append(like.sizes[i], is_walked ? tensor.strides[i - first] : 0);
  }
  return spread;
}

void StoreMoments(const Moments& moments, double rstd, int64_t index, Tensor& mean, Tensor& out) {
  StoreElement<double>(mean.scalar_type(), mean.mutable_data(), index, moments.mean);
  StoreElement<double>(out.scalar_type(), out.mutable_data(), index, rstd);
}

// native_layer_norm(input, normalized_shape, weight?, bias?, eps, out, mean, rstd)
Status LayerNorm(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const IntList shape = read.Ints("normalized_shape");
  const Tensor* weight = read.OptionalInput("weight");
  const Tensor* bias = read.OptionalInput("bias");
  const double eps = read.Double("eps");
  Tensor& out = read.Output("out0");
  Tensor& mean = read.Output("out1");
  Tensor& rstd = read.Output("out2");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  bool fits = !shape.empty() && shape.size() <= input.rank();
  const size_t outer = fits ? input.rank() - shape.size() : 0;
  Strided statistics;
  for (size_t i = 0; fits && i < input.rank(); ++i) {
    statistics.Append(i < outer ? input.sizes()[i] : 1, 0);
    if (i >= outer) fits = shape[i - outer] == input.sizes()[i];
  }
  const auto is_shape = [&](const Tensor* tensor) {
    return tensor == nullptr ||
           SameSizes(tensor->sizes(), input.sizes().subspan(outer, shape.size()));
  };
  if (!fits || !is_shape(weight) || !is_shape(bias)) {
    return Status::Error(StatusCode::kInvalidArgument, "normalizing the last %zu dimensions of %s",
                         shape.size(), LayoutText(input.layout()).c_str());
  }
  ONEPACK_RETURN_IF_ERROR(out.Resize(input.sizes()));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(statistics, mean));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(statistics, rstd));
  const Strided from = StridedInput(input);
  const Strided to = StridedOutput(out);
  if (from.count() == 0) return Status::Ok();
  // The outer dimensions one by one, the normalized ones as a part.
  Strided rows[2] = {to, from};
  Strided parts[2] = {to, from};
  for (size_t k = 0; k < 2; ++k) {
    rows[k].rank = outer;
    parts[k].rank = 0;
    const Strided& whole = k == 0 ? to : from;
    for (size_t i = outer; i < whole.rank; ++i) parts[k].Append(whole.sizes[i], whole.strides[i]);
  }
  const Affine affine{weight, bias};
  const Strided scale = Spread(affine.Weight(), parts[0], 0, shape.size());
  const Strided shift = Spread(affine.Bias(), parts[0], 0, shape.size());
  int64_t row = 0;
  ForEachRow(LoopOver<2>({&rows[0], &rows[1]}),
             [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
               for (int64_t i = 0; i < n; ++i) {
                 parts[0].offset = offsets[0] + i * strides[0];
                 parts[1].offset = offsets[1] + i * strides[1];
                 const Moments moments = MomentsOf(parts[1]);
                 const double factor = 1 / std::sqrt(moments.variance + eps);
                 Normalize(parts[1], parts[0], scale, shift, moments.mean, factor);
                 StoreMoments(moments, factor, row++, mean, rstd);
               }
             });
  return Status::Ok();
}

bool IsOfChannels(const Tensor* tensor, int64_t channels) {
  return tensor == nullptr || (tensor->rank() == 1 && tensor->sizes()[0] == channels);
}

// native_group_norm(input, weight?, bias?, N, C, HxW, group, eps, out, mean, rstd)
Status GroupNorm(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const Affine affine{read.OptionalInput("weight"), read.OptionalInput("bias")};
  for (int i = 0; i < 3; ++i) read.Skip();  // the input's sizes again
  const int64_t groups = read.Int("group");
  const double eps = read.Double("eps");
  Tensor& out = read.Output("out0");
  Tensor& mean = read.Output("out1");
  Tensor& rstd = read.Output("out2");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const int64_t channels = input.rank() >= 2 ? input.sizes()[1] : 0;
  if (input.rank() < 2 || groups < 1 || channels % groups != 0 ||
      !IsOfChannels(affine.weight, channels) || !IsOfChannels(affine.bias, channels)) {
    return Status::Error(StatusCode::kInvalidArgument, "%lld groups of the channels of %s",
                         static_cast<long long>(groups), LayoutText(input.layout()).c_str());
  }
  Strided statistics;
  statistics.Append(input.sizes()[0], 0);
  statistics.Append(groups, 0);
  ONEPACK_RETURN_IF_ERROR(out.Resize(input.sizes()));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(statistics, mean));
  ONEPACK_RETURN_IF_ERROR(ResizeTo(statistics, rstd));
  if (CountOf(input.sizes()) == 0) return Status::Ok();
  const int64_t of_group = channels / groups;
  for (int64_t batch = 0; batch < input.sizes()[0]; ++batch) {
    for (int64_t group = 0; group < groups; ++group) {
      Strided from = StridedInput(input);
      Strided to = StridedOutput(out);
      for (Strided* part : {&from, &to}) {
        part->Narrow(1, group * of_group, of_group);
        part->Select(0, batch);
      }
      Strided weight = affine.Weight();
      Strided bias = affine.Bias();
      if (weight.rank == 1) weight.Narrow(0, group * of_group, of_group);
      if (bias.rank == 1) bias.Narrow(0, group * of_group, of_group);
      const Moments moments = MomentsOf(from);
      const double factor = 1 / std::sqrt(moments.variance + eps);
      Normalize(from, to, Spread(weight, from, 0, 1), Spread(bias, from, 0, 1), moments.mean,
                factor);
      StoreMoments(moments, factor, batch * groups + group, mean, rstd);
    }
  }
  return Status::Ok();
}

// Channel by channel, with given moments or, where there are none, those of the input.
Status NormalizeChannels(const Tensor& input, const Affine& affine, const Tensor* running_mean,
                         const Tensor* running_var, double eps, Tensor& out, Tensor* mean,
                         Tensor* rstd) {
  const int64_t channels = input.rank() >= 2 ? input.sizes()[1] : 0;
  const bool fits = input.rank() >= 2 && IsOfChannels(affine.weight, channels) &&
                    IsOfChannels(affine.bias, channels) && IsOfChannels(running_mean, channels) &&
                    IsOfChannels(running_var, channels);
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument, "parameters for the channels of %s expected",
                         LayoutText(input.layout()).c_str());
  }
  ONEPACK_RETURN_IF_ERROR(out.Resize(input.sizes()));
  if (CountOf(input.sizes()) == 0) return Status::Ok();
  const auto parameter = [](const Tensor* tensor, int64_t channel, double otherwise) {
    return tensor == nullptr ? otherwise
                             : LoadElement<double>(tensor->scalar_type(), tensor->data(), channel);
  };
  for (int64_t channel = 0; channel < channels; ++channel) {
    Strided from = StridedInput(input);
    Strided to = StridedOutput(out);
    from.Select(1, channel);
    to.Select(1, channel);
    const Moments moments = running_mean != nullptr ? Moments{parameter(running_mean, channel, 0),
                                                              parameter(running_var, channel, 1)}
                                                    : MomentsOf(from);
    const auto weight = static_cast<float>(parameter(affine.weight, channel, 1));
    const auto bias = static_cast<float>(parameter(affine.bias, channel, 0));
    const double factor = 1 / std::sqrt(moments.variance + eps);
    Normalize(from, to, Spread(Constant(weight), from, 0, 1), Spread(Constant(bias), from, 0, 1),
              moments.mean, factor);
    if (mean != nullptr) StoreMoments(moments, factor, channel, *mean, *rstd);
  }
  return Status::Ok();
}

// _native_batch_norm_legit_no_training(input, weight?, bias?, running_mean, running_var, momentum,
// eps, out, mean, rstd): the last two are empty. _native_batch_norm_legit has a bool, whether it
// trains, before the momentum.
template <bool kMayTrain>
Status BatchNorm(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const Affine affine{read.OptionalInput("weight"), read.OptionalInput("bias")};
  const Tensor& running_mean = read.Input("running_mean");
  const Tensor& running_var = read.Input("running_var");
  const bool is_training = kMayTrain && read.Bool("training");
  read.Skip();
  const double eps = read.Double("eps");
  Tensor& out = read.Output("out0");
  Tensor& mean = read.Output("out1");
  Tensor& rstd = read.Output("out2");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (is_training) {
    return Status::Error(StatusCode::kUnsupported, "batch normalization that trains");
  }
  const int32_t none = 0;
  ONEPACK_RETURN_IF_ERROR(mean.Resize({&none, 1}));
  ONEPACK_RETURN_IF_ERROR(rstd.Resize({&none, 1}));
  return NormalizeChannels(input, affine, &running_mean, &running_var, eps, out, nullptr, nullptr);
}

// _native_batch_norm_legit.no_stats(input, weight?, bias?, training, momentum, eps, out, save_mean,
// save_invstd): what instance normalization becomes.
Status BatchNormWithoutStatistics(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const Affine affine{read.OptionalInput("weight"), read.OptionalInput("bias")};
  for (int i = 0; i < 2; ++i) read.Skip();
  const double eps = read.Double("eps");
  Tensor& out = read.Output("out");
  Tensor& mean = read.Output("save_mean");
  Tensor& rstd = read.Output("save_invstd");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  if (input.rank() < 2) return Unfit("rank 2 at least expected", input, out);
  const int32_t channels = input.sizes()[1];
  ONEPACK_RETURN_IF_ERROR(mean.Resize({&channels, 1}));
  ONEPACK_RETURN_IF_ERROR(rstd.Resize({&channels, 1}));
  return NormalizeChannels(input, affine, nullptr, nullptr, eps, out, &mean, &rstd);
}

constexpr OperatorRow kRows[] = {
    {"aten::_native_batch_norm_legit.no_stats_out", BatchNormWithoutStatistics},
    {"aten::_native_batch_norm_legit.out", BatchNorm<true>},
    {"aten::_native_batch_norm_legit_no_training.out", BatchNorm<false>},
    {"aten::native_group_norm.out", GroupNorm},
    {"aten::native_layer_norm.out", LayerNorm},
};

}  // namespace

OperatorRows NormalizationOperators() { return kRows; }

}  // namespace onepack::kernels
