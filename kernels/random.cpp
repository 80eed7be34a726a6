// Tensors of random numbers.
//
// Number i of a stream is a function of i and the seed (SplitMix64: Steele, Lea, Flood, 2014), so
// that a call only takes the next numbers, and methods on several threads share a stream without a
// lock.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;

class Draws {
 public:
  // Takes `count` numbers.
  Draws(const OperatorContext& context, uint64_t count)
      : state_(context.random_seed +
               kStep * context.random_taken.fetch_add(count, std::memory_order_relaxed)) {}

  uint64_t Next() {
    uint64_t bits = state_ += kStep;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
    return bits ^ (bits >> 31);
  }
  // A multiple of 2^-digits, from 0 on and below 1.
  double NextBelowOne(int digits) {
    return std::ldexp(static_cast<double>(Next() >> (64 - digits)), -digits);
  }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  uint64_t state_;
};

// How many digits numbers below 1 have in a type: with more, the largest would be rounded to 1.
int DigitsOf(ScalarType type) {
  switch (type) {
    case ScalarType::kDouble:
      return 53;
    case ScalarType::kFloat:
      return 24;
    case ScalarType::kHalf:
      return 11;
    default:
      return 8;  // bfloat16
  }
}

struct Uniform {
  static constexpr uint64_t kDrawsEach = 1;
  int digits;
  double Next(Draws& draws) const { return draws.NextBelowOne(digits); }
};

// Of mean 0 and variance 1, by Box and Muller.
struct Normal {
  static constexpr uint64_t kDrawsEach = 2;
  double Next(Draws& draws) const {
    const double radius = std::sqrt(-2 * std::log(1 - draws.NextBelowOne(53)));  // the log of no 0
    return radius * std::cos(kTwoPi * draws.NextBelowOne(53));
  }
};

// From `low` on. The range is at most 2^64 - 1, and one number as likely as another but for 2^-64
// of it.
struct Integers {
  static constexpr uint64_t kDrawsEach = 1;
  int64_t low;
  uint64_t range;
  int64_t Next(Draws& draws) const {
    __extension__ using Wide = unsigned __int128;
    const auto offset = static_cast<uint64_t>((static_cast<Wide>(draws.Next()) * range) >> 64);
    return static_cast<int64_t>(static_cast<uint64_t>(low) + offset);
  }
};

// In the order of the elements in memory.
template <typename C, typename Distribution>
void Fill(void* context, const Distribution& distribution, Tensor& out) {
  const int64_t count = CountOf(out.sizes());
  Draws draws(ContextOf(context), static_cast<uint64_t>(count) * Distribution::kDrawsEach);
  for (int64_t i = 0; i < count; ++i) {
    StoreElement<C>(out.scalar_type(), out.mutable_data(), i, distribution.Next(draws));
  }
}

Status ResizeToList(const IntList& sizes, Tensor& out) {
  Strided view;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (i == kMaxTensorRank) return Status::Error(StatusCode::kInvalidArgument, "rank too high");
    view.Append(sizes[i], 0);
  }
  return ResizeTo(view, out);
}

// op(size, out), or op(self, memory_format?, out) like a tensor: sets the sizes of out.
template <bool kIsLike>
Status ReadSizes(ArgumentReader& read, Tensor** out) {
  const Tensor* self = kIsLike ? &read.Input("self") : nullptr;
  const IntList sizes = kIsLike ? IntList() : read.Ints("size");
  read.SkipToTensor();
  *out = &read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return kIsLike ? (*out)->Resize(self->sizes()) : ResizeToList(sizes, **out);
}

Status CheckFloatingPoint(const Tensor& out) {
  if (IsFloatingPoint(out.scalar_type())) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "random numbers of %s",
                       LayoutText(out.layout()).c_str());
}

template <bool kIsLike>
Status Rand(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  Tensor* out;
  ONEPACK_RETURN_IF_ERROR(ReadSizes<kIsLike>(read, &out));
  ONEPACK_RETURN_IF_ERROR(CheckFloatingPoint(*out));
  Fill<double>(context, Uniform{DigitsOf(out->scalar_type())}, *out);
  return Status::Ok();
}

template <bool kIsLike>
Status Randn(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  Tensor* out;
  ONEPACK_RETURN_IF_ERROR(ReadSizes<kIsLike>(read, &out));
  ONEPACK_RETURN_IF_ERROR(CheckFloatingPoint(*out));
  Fill<double>(context, Normal{}, *out);
  return Status::Ok();
}

// randint(high, size, out), randint(low, high, size, out): from low on, below high.
template <bool kHasLow>
Status Randint(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const int64_t low = kHasLow ? read.Int("low") : 0;
  const int64_t high = read.Int("high");
  Tensor* out;
  ONEPACK_RETURN_IF_ERROR(ReadSizes<false>(read, &out));
  if (low >= high) {
    return Status::Error(StatusCode::kInvalidArgument, "no integer from %lld on is below %lld",
                         static_cast<long long>(low), static_cast<long long>(high));
  }
  Fill<int64_t>(context, Integers{low, static_cast<uint64_t>(high) - static_cast<uint64_t>(low)},
                *out);
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::rand.out", Rand<false>},          {"aten::rand_like.out", Rand<true>},
    {"aten::randint.low_out", Randint<true>}, {"aten::randint.out", Randint<false>},
    {"aten::randn.out", Randn<false>},        {"aten::randn_like.out", Randn<true>},
};

}  // namespace

OperatorRows RandomOperators() { return kRows; }

}  // namespace onepack::kernels
