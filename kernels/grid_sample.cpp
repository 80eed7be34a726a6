// Pictures read at the places that a grid names, between their pixels and outside them too.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"
#include "kernels/spatial.h"

namespace onepack::kernels {
namespace {

// Numbered as in PyTorch.
enum class Interpolation : uint8_t { kBilinear, kNearest, kBicubic };
enum class Padding : uint8_t { kZeros, kBorder, kReflection };

struct Sampling {
  Interpolation interpolation = Interpolation::kBilinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
};

// The pixels along one dimension that a place is made of. An index of -1: outside, where all is 0.
template <typename C>
struct Taps {
  size_t count = 0;
  int64_t index[4] = {};
  C weight[4] = {};

  void Add(int64_t at, C counts) {
    index[count] = at;
    weight[count++] = counts;
  }
};

// Pixels have a width of 1, and the first its centre at 0. The grid's -1 and 1 are the centres of
// the first and the last pixel with align_corners, and their outer borders without.
template <typename C>
C PlaceOf(C coordinate, int64_t size, bool align_corners) {
  const auto length = static_cast<C>(size);
  return align_corners ? (coordinate + 1) / 2 * (length - 1) : ((coordinate + 1) * length - 1) / 2;
}

// What is no number becomes the last pixel, as in PyTorch.
template <typename C>
C ClipToPixels(C place, int64_t size) {
  const auto last = static_cast<C>(size - 1);
  if (place <= 0) return 0;
  return place < last ? place : last;
}

// Back and forth between the centres of the outer pixels, or between their outer borders.
template <typename C>
C Reflect(C place, int64_t size, bool align_corners) {
  const C low = align_corners ? C{0} : C{-0.5};
  const C span = static_cast<C>(size) - (align_corners ? C{1} : C{0});
  if (span == 0) return 0;
  const C distance = std::fabs(place - low);
  const C rest = std::fmod(distance, span);
  const bool is_way_back = std::fmod(std::floor(distance / span), C{2}) != 0;
  return low + (is_way_back ? span - rest : rest);
}

template <typename C>
C PaddedPlace(C place, int64_t size, const Sampling& sampling) {
  if (sampling.padding == Padding::kZeros) return place;
  if (sampling.padding == Padding::kReflection) {
    place = Reflect(place, size, sampling.align_corners);
  }
  return ClipToPixels(place, size);
}

// A whole number as an index; one far outside where it is none, or too large.
template <typename C>
int64_t IndexOf(C whole) {
  constexpr C kMost = 0x1p30;
  return whole >= -kMost && whole <= kMost ? static_cast<int64_t>(whole) : -100;
}

// Where the pixel at an index comes from, or -1.
template <typename C>
int64_t PaddedIndex(int64_t index, int64_t size, const Sampling& sampling) {
  if (index >= 0 && index < size) return index;
  if (sampling.padding == Padding::kZeros) return -1;
  return static_cast<int64_t>(PaddedPlace(static_cast<C>(index), size, sampling));
}

// Cubic convolution with PyTorch's factor of -0.75, at a distance of up to 2 pixels.
template <typename C>
C CubicWeight(C distance) {
  constexpr C kFactor = -0.75;
  if (distance <= 1) {
    return ((kFactor + 2) * distance - (kFactor + 3)) * distance * distance + 1;
  }
  return ((kFactor * distance - 5 * kFactor) * distance + 8 * kFactor) * distance - 4 * kFactor;
}

template <typename C>
Taps<C> TapsAt(C coordinate, int64_t size, const Sampling& sampling) {
  C place = PlaceOf(coordinate, size, sampling.align_corners);
  Taps<C> taps;
  if (sampling.interpolation == Interpolation::kBicubic) {
    // Each of the pixels is padded, and the place is not.
    const C floor = std::floor(place);
    const C past = place - floor;
    const int64_t first = IndexOf(floor);
    for (int64_t i = -1; i <= 2; ++i) {
      taps.Add(PaddedIndex<C>(first + i, size, sampling),
               CubicWeight(std::fabs(past - static_cast<C>(i))));
    }
    return taps;
  }
  place = PaddedPlace(place, size, sampling);
  if (sampling.interpolation == Interpolation::kNearest) {
    taps.Add(PaddedIndex<C>(IndexOf(std::nearbyint(place)), size, sampling), C{1});
    return taps;
  }
  const C floor = std::floor(place);
  const int64_t first = IndexOf(floor);
  taps.Add(PaddedIndex<C>(first, size, sampling), floor + 1 - place);
  taps.Add(PaddedIndex<C>(first + 1, size, sampling), place - floor);
  return taps;
}

template <typename C>
C SampleOf(const Strided& from, int64_t batch, int64_t channel, const Taps<C>& rows,
           const Taps<C>& columns) {
  C sum = 0;
  for (size_t y = 0; y < rows.count; ++y) {
    if (rows.index[y] < 0) continue;
    C row = 0;
    for (size_t x = 0; x < columns.count; ++x) {
      if (columns.index[x] < 0) continue;
      row += columns.weight[x] *
             LoadElement<C>(from.type, from.data,
                            Place(from, batch, channel, rows.index[y], columns.index[x]));
    }
    sum += rows.weight[y] * row;
  }
  return sum;
}

// In float, as PyTorch, unless all is double: on the border between two pixels it decides.
template <typename C>
void Sample(const Strided& from, const Strided& grid, const Sampling& sampling, const Strided& to) {
  for (int64_t batch = 0; batch < to.sizes[0]; ++batch) {
    for (int64_t y = 0; y < to.sizes[2]; ++y) {
      for (int64_t x = 0; x < to.sizes[3]; ++x) {
        C at[2];  // x, y
        LoadElements<C>(grid.type, grid.data,
                        batch * grid.strides[0] + y * grid.strides[1] + x * grid.strides[2],
                        grid.strides[3], 2, at);
        const Taps<C> columns = TapsAt(at[0], from.sizes[3], sampling);
        const Taps<C> rows = TapsAt(at[1], from.sizes[2], sampling);
        for (int64_t channel = 0; channel < to.sizes[1]; ++channel) {
          StoreElement<C>(to.type, to.data, Place(to, batch, channel, y, x),
                          SampleOf(from, batch, channel, rows, columns));
        }
      }
    }
  }
}

// grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners, out): input
// [N, C, H, W], grid [N, H', W', 2], out [N, C, H', W']
Status GridSample(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const Tensor& grid = read.Input("grid");
  const int64_t interpolation = read.Int("interpolation_mode");
  const int64_t padding = read.Int("padding_mode");
  const bool align_corners = read.Bool("align_corners");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const bool fits = input.rank() == 4 && grid.rank() == 4 && input.sizes()[0] == grid.sizes()[0] &&
                    grid.sizes()[3] == 2 && input.sizes()[2] > 0 && input.sizes()[3] > 0 &&
                    IsFloatingPoint(input.scalar_type()) && IsFloatingPoint(grid.scalar_type());
  if (!fits) return Unfit("pictures and a grid of places expected", input, grid);
  if (interpolation < 0 || interpolation > 2 || padding < 0 || padding > 2) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "interpolation %lld and padding %lld, 0 to 2 expected",
                         static_cast<long long>(interpolation), static_cast<long long>(padding));
  }
  const Sampling sampling{static_cast<Interpolation>(interpolation), static_cast<Padding>(padding),
                          align_corners};
  Strided sizes = StridedInput(input);
  sizes.sizes[2] = grid.sizes()[1];
  sizes.sizes[3] = grid.sizes()[2];
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  const bool is_double = input.scalar_type() == ScalarType::kDouble;
  (is_double ? Sample<double> : Sample<float>)(StridedInput(input), StridedInput(grid), sampling,
                                               StridedOutput(out));
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::grid_sampler_2d.out", GridSample},
};

}  // namespace

OperatorRows GridSampleOperators() { return kRows; }

}  // namespace onepack::kernels
