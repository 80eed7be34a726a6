// Operators with which programs prepare images for a vision encoder.

#include "kernels/arguments.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

// tile_crop(input, tile_size, out): [channels, height, width] as [tiles, channels, size, size], the
// tiles row by row.
Status TileCrop(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  const Tensor& input = read.Input("input");
  const int64_t size = read.Int("tile_size");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  const bool fits = input.rank() == 3 && size >= 1 && input.sizes()[1] % size == 0 &&
                    input.sizes()[2] % size == 0;
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument, "tiles of %lld in %s",
                         static_cast<long long>(size), LayoutText(input.layout()).c_str());
  }
  const Strided image = StridedInput(input);
  const int64_t rows = image.sizes[1] / size;
  const int64_t columns = image.sizes[2] / size;
  Strided sizes = image;
  sizes.rank = 0;
  for (const int64_t dimension : {rows * columns, image.sizes[0], size, size}) {
    sizes.Append(dimension, 0);
  }
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  // Both as [rows, columns, channels, size, size].
  Strided from = image;
  from.rank = 0;
  from.Append(rows, rows > 1 ? image.strides[1] * size : 0);
  from.Append(columns, columns > 1 ? image.strides[2] * size : 0);
  for (size_t i = 0; i < 3; ++i) from.Append(i == 0 ? image.sizes[0] : size, image.strides[i]);
  Strided to = StridedOutput(out);
  const int64_t tile_stride = to.strides[0];
  to.sizes[0] = columns;
  to.Insert(0, rows, columns * tile_stride);
  CopyStrided(from, to);
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    {"preprocess::tile_crop.out", TileCrop},
};

}  // namespace

OperatorRows PreprocessOperators() { return kRows; }

}  // namespace onepack::kernels
