// Pictures of another size: resized, padded with what is there, or with channels spread out.

#include <cmath>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"
#include "kernels/spatial.h"

namespace onepack::kernels {
namespace {

// The last two dimensions of a resized tensor of rank 4.
struct Resize {
  int64_t from[2];
  int64_t to[2];
  double scale[2];  // how far one step in the output leads in the input
};

// Sizes given as numbers, or as factors.
Status ResolveResize(const Tensor& input, const Optional<IntList>& sizes,
                     const Optional<Span<const double>>& factors, Resize* resize) {
  bool fits = input.rank() == 4 && sizes.is_given != factors.is_given;
  fits = fits && (sizes.is_given ? sizes.value.size() == 2 : factors.value.size() == 2);
  for (size_t i = 0; fits && i < 2; ++i) {
    resize->from[i] = input.sizes()[2 + i];
    const double wanted = sizes.is_given
                              ? static_cast<double>(sizes.value[i])
                              : std::floor(static_cast<double>(resize->from[i]) * factors.value[i]);
    fits = wanted >= 1 && wanted <= INT32_MAX && resize->from[i] >= 1;
    if (!fits) break;
    resize->to[i] = static_cast<int64_t>(wanted);
    // A given factor counts as it is, rounding of the size aside.
    resize->scale[i] = factors.is_given && factors.value[i] > 0
                           ? 1 / factors.value[i]
                           : static_cast<double>(resize->from[i]) / wanted;
  }
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%s, sizes or factors of two dimensions",
                       LayoutText(input.layout()).c_str());
}

Status ResizeOutput(const Tensor& input, const Resize& resize, Tensor& out) {
  Strided sizes = StridedInput(input);
  sizes.sizes[2] = resize.to[0];
  sizes.sizes[3] = resize.to[1];
  return ResizeTo(sizes, out);
}

int64_t NearestIndex(int64_t out, double scale, int64_t size) {
  // In float, as PyTorch: where a pixel lies on the border, it decides.
  const float index = std::floor(static_cast<float>(out) * static_cast<float>(scale));
  // A scale may be anything: what is no number counts as the first.
  if (!(index > 0)) return 0;
  return index < static_cast<float>(size - 1) ? static_cast<int64_t>(index) : size - 1;
}

Status Nearest(const Tensor& input, const Resize& resize, Tensor& out) {
  ONEPACK_RETURN_IF_ERROR(ResizeOutput(input, resize, out));
  const Strided from = StridedInput(input);
  const Strided to = StridedOutput(out);
  if (to.count() == 0) return Status::Ok();
  for (int64_t y = 0; y < resize.to[0]; ++y) {
    for (int64_t x = 0; x < resize.to[1]; ++x) {
      Strided source = from;
      Strided target = to;
      source.Select(3, NearestIndex(x, resize.scale[1], resize.from[1]));
      source.Select(2, NearestIndex(y, resize.scale[0], resize.from[0]));
      target.Select(3, x);
      target.Select(2, y);
      CopyStrided(source, target);
    }
  }
  return Status::Ok();
}

// The two input pixels around an output pixel, and how much the second one counts.
struct Neighbours {
  int64_t first, second;
  float weight;
};

Neighbours NeighboursOf(int64_t out, const Resize& resize, size_t d, bool align_corners) {
  const int64_t size = resize.from[d];
  double at;
  if (align_corners) {
    at = resize.to[d] > 1 ? static_cast<double>(out) * static_cast<double>(size - 1) /
                                static_cast<double>(resize.to[d] - 1)
                          : 0;
  } else {
    at = (static_cast<double>(out) + 0.5) * resize.scale[d] - 0.5;
  }
  // A scale may be anything: what is no number counts as the first.
  if (!(at > 0)) at = 0;
  if (at > static_cast<double>(size - 1)) at = static_cast<double>(size - 1);
  const auto first = static_cast<int64_t>(at);
  const int64_t second = first + 1 < size ? first + 1 : first;
  const double weight = at - static_cast<double>(first);
  return {first, second, static_cast<float>(weight < 0 ? 0 : (weight > 1 ? 1 : weight))};
}

Status Bilinear(const Tensor& input, const Resize& resize, bool align_corners, Tensor& out) {
  ONEPACK_RETURN_IF_ERROR(ResizeOutput(input, resize, out));
  const Strided from = StridedInput(input);
  const Strided to = StridedOutput(out);
  ForEachPixel(to, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const Neighbours rows = NeighboursOf(y, resize, 0, align_corners);
    const Neighbours columns = NeighboursOf(x, resize, 1, align_corners);
    const auto pixel = [&](int64_t row, int64_t column) {
      return LoadElement<float>(from.type, from.data, Place(from, n, c, row, column));
    };
    const auto along = [&](int64_t row) {
      return pixel(row, columns.first) * (1 - columns.weight) +
             pixel(row, columns.second) * columns.weight;
    };
    StoreElement<float>(to.type, to.data, Place(to, n, c, y, x),
                        along(rows.first) * (1 - rows.weight) + along(rows.second) * rows.weight);
  });
  return Status::Ok();
}

// The input pixels that an output pixel is the mean of, weighted by their distance: a triangle as
// wide as two pixels of the coarser of the two grids.
struct Triangle {
  double centre;
  double narrowing;  // of distances
  int64_t begin, end;

  double WeightOf(int64_t index) const {
    const double distance = std::fabs((static_cast<double>(index) + 0.5 - centre) * narrowing);
    return distance < 1 ? 1 - distance : 0;
  }
};

Triangle TriangleAt(int64_t out, const Resize& resize, size_t d, bool align_corners) {
  double scale = resize.scale[d];
  if (align_corners) {  // one pixel alone is the first corner
    scale = resize.to[d] > 1
                ? static_cast<double>(resize.from[d] - 1) / static_cast<double>(resize.to[d] - 1)
                : 0;
  }
  const double reach = scale > 1 ? scale : 1;
  const double centre = scale * (static_cast<double>(out) + 0.5);
  const auto size = static_cast<double>(resize.from[d]);
  const double begin = std::fmin(std::fmax(std::trunc(centre - reach + 0.5), 0), size);
  const double end = std::fmin(std::fmax(std::trunc(centre + reach + 0.5), 0), size);
  return {centre, 1 / reach, static_cast<int64_t>(begin), static_cast<int64_t>(end)};
}

Status Antialiased(const Tensor& input, const Resize& resize, bool align_corners, Tensor& out) {
  ONEPACK_RETURN_IF_ERROR(ResizeOutput(input, resize, out));
  const Strided from = StridedInput(input);
  const Strided to = StridedOutput(out);
  ForEachPixel(to, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const Triangle rows = TriangleAt(y, resize, 0, align_corners);
    const Triangle columns = TriangleAt(x, resize, 1, align_corners);
    double sum = 0;
    double weight = 0;
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      for (int64_t column = columns.begin; column < columns.end; ++column) {
        const double w = rows.WeightOf(row) * columns.WeightOf(column);
        sum += w * LoadElement<double>(from.type, from.data, Place(from, n, c, row, column));
        weight += w;
      }
    }
    StoreElement<double>(to.type, to.data, Place(to, n, c, y, x), weight > 0 ? sum / weight : 0);
  });
  return Status::Ok();
}

// upsample_nearest2d(input, output_size?, scale_factors?, out)
Status NearestByList(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const Optional<IntList> sizes = read.OptionalInts("output_size");
  const Optional<Span<const double>> factors = read.OptionalDoubles("scale_factors");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Resize resize;
  ONEPACK_RETURN_IF_ERROR(ResolveResize(input, sizes, factors, &resize));
  return Nearest(input, resize, out);
}

// upsample_bilinear2d(input, output_size?, align_corners, scale_factors?, out)
Status BilinearByList(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const Optional<IntList> sizes = read.OptionalInts("output_size");
  const bool align_corners = read.Bool("align_corners");
  const Optional<Span<const double>> factors = read.OptionalDoubles("scale_factors");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Resize resize;
  ONEPACK_RETURN_IF_ERROR(ResolveResize(input, sizes, factors, &resize));
  return Bilinear(input, resize, align_corners, out);
}

// The overloads with sizes and two factors: upsample_nearest2d(self, output_size, scales_h?,
// scales_w?, out); bilinear with align_corners after the sizes.
enum class Interpolation : uint8_t { kNearest, kBilinear, kAntialiased };

template <Interpolation kInterpolation>
Status ResizeToSizes(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("self");
  const Optional<IntList> sizes{true, read.Ints("output_size")};
  const bool align_corners =
      kInterpolation != Interpolation::kNearest && read.Bool("align_corners");
  const Optional<double> factors[2] = {read.OptionalDouble("scales_h"),
                                       read.OptionalDouble("scales_w")};
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  Resize resize;
  ONEPACK_RETURN_IF_ERROR(ResolveResize(input, sizes, {}, &resize));
  for (size_t i = 0; i < 2; ++i) {
    if (factors[i].is_given && factors[i].value > 0) resize.scale[i] = 1 / factors[i].value;
  }
  if (kInterpolation == Interpolation::kNearest) return Nearest(input, resize, out);
  if (kInterpolation == Interpolation::kBilinear)
    return Bilinear(input, resize, align_corners, out);
  return Antialiased(input, resize, align_corners, out);
}

// pixel_shuffle(self, r): channels become r x r pixels; pixel_unshuffle: the other way round.
template <bool kIsShuffle>
Status PixelShuffle(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const int64_t factor = read.Int("upscale_factor");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const size_t rank = self.rank();
  const int64_t square = factor >= 1 && factor <= INT16_MAX ? factor * factor : 0;
  bool fits = rank >= 3 && square > 0;
  fits = fits && (kIsShuffle ? self.sizes()[rank - 3] % square == 0
                             : self.sizes()[rank - 2] % factor == 0 &&
                                   self.sizes()[rank - 1] % factor == 0);
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument, "pixels of %s by %lld",
                         LayoutText(self.layout()).c_str(), static_cast<long long>(factor));
  }
  Strided sizes = StridedInput(self);
  sizes.sizes[rank - 3] =
      kIsShuffle ? sizes.sizes[rank - 3] / square : sizes.sizes[rank - 3] * square;
  for (size_t i = rank - 2; i < rank; ++i) {
    sizes.sizes[i] = kIsShuffle ? sizes.sizes[i] * factor : sizes.sizes[i] / factor;
  }
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  const Strided from = StridedInput(self);
  const Strided to = StridedOutput(out);
  const Strided& deep = kIsShuffle ? from : to;  // many channels
  const Strided& wide = kIsShuffle ? to : from;  // many pixels
  // Both as [..., channels, factor, factor, height, width].
  Strided of_deep = deep;
  Strided of_wide = wide;
  of_deep.rank = of_wide.rank = rank - 3;
  const auto append = [&](int64_t size, int64_t deep_stride, int64_t wide_stride) {
    of_deep.Append(size, deep_stride);
    of_wide.Append(size, wide_stride);
  };
  append(wide.sizes[rank - 3], deep.strides[rank - 3] * square, wide.strides[rank - 3]);
  append(factor, deep.strides[rank - 3] * factor, wide.strides[rank - 2]);
  append(factor, deep.strides[rank - 3], wide.strides[rank - 1]);
  append(deep.sizes[rank - 2], deep.strides[rank - 2], wide.strides[rank - 2] * factor);
  append(deep.sizes[rank - 1], deep.strides[rank - 1], wide.strides[rank - 1] * factor);
  CopyStrided(kIsShuffle ? of_deep : of_wide, kIsShuffle ? of_wide : of_deep);
  return Status::Ok();
}

// Where a padded index comes from.
int64_t PaddedIndex(bool is_reflection, int64_t index, int64_t size) {
  if (!is_reflection) return index < 0 ? 0 : (index >= size ? size - 1 : index);
  if (index < 0) index = -index;
  return index >= size ? 2 * (size - 1) - index : index;
}

// Copies one padded dimension after the other of `to`: what is left of the dimensions is copied at
// once.
void CopyPadded(bool is_reflection, const Strided& from, const Strided& to, size_t dimension,
                const int64_t* before) {
  if (dimension == from.rank) return CopyStrided(from, to);
  for (int64_t i = 0; i < to.sizes[dimension]; ++i) {
    Strided source = from;
    Strided target = to;
    const int64_t size = from.sizes[dimension];
    source.Narrow(dimension, PaddedIndex(is_reflection, i - before[0], size), 1);
    target.Narrow(dimension, i, 1);
    CopyPadded(is_reflection, source, target, dimension + 1, before + 1);
  }
}

// reflection_pad1d(self, padding), replication_pad3d, ...: pairs of before and after, from the last
// dimension on.
template <bool kIsReflection, size_t kDimensions>
Status Pad(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& self = read.Input("self");
  const IntList padding = read.Ints("padding");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  bool fits = padding.size() == 2 * kDimensions && self.rank() > kDimensions;
  Strided sizes = StridedInput(self);
  int64_t before[kDimensions];
  for (size_t i = 0; fits && i < kDimensions; ++i) {
    int64_t& size = sizes.sizes[self.rank() - 1 - i];
    const int64_t most = kIsReflection ? size - 1 : INT32_MAX;
    for (size_t side = 0; fits && side < 2; ++side) {
      fits = padding[2 * i + side] >= 0 && padding[2 * i + side] <= most;
    }
    if (!fits || size == 0) return Unfit("no such padding", self, out);
    before[kDimensions - 1 - i] = padding[2 * i];
    size += padding[2 * i] + padding[2 * i + 1];
  }
  if (!fits) return Unfit("no such padding", self, out);
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  if (CountOf(out.sizes()) == 0) return Status::Ok();
  CopyPadded(kIsReflection, StridedInput(self), StridedOutput(out), self.rank() - kDimensions,
             before);
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"aten::_upsample_bilinear2d_aa.out", ResizeToSizes<Interpolation::kAntialiased>},
    {"aten::pixel_shuffle.out", PixelShuffle<true>},
    {"aten::pixel_unshuffle.out", PixelShuffle<false>},
    {"aten::reflection_pad1d.out", Pad<true, 1>},
    {"aten::reflection_pad2d.out", Pad<true, 2>},
    {"aten::reflection_pad3d.out", Pad<true, 3>},
    {"aten::replication_pad1d.out", Pad<false, 1>},
    {"aten::replication_pad2d.out", Pad<false, 2>},
    {"aten::replication_pad3d.out", Pad<false, 3>},
    {"aten::upsample_bilinear2d.out", ResizeToSizes<Interpolation::kBilinear>},
    {"aten::upsample_bilinear2d.vec_out", BilinearByList},
    {"aten::upsample_nearest2d.out", ResizeToSizes<Interpolation::kNearest>},
    {"aten::upsample_nearest2d.vec_out", NearestByList},
};

}  // namespace

OperatorRows ResampleOperators() { return kRows; }

}  // namespace onepack::kernels
