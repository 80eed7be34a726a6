// Rows of a table whose numbers are quantized, with a scale for each row or for each group in it.

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

struct Table {
  const Tensor* weight = nullptr;
  const Tensor* scales = nullptr;
  const Tensor* zero_points = nullptr;  // null: all 0
  int64_t rows = 0;
  int64_t width = 0;   // numbers in a row
  int64_t groups = 1;  // in a row
  int bits = 8;
};

// Number `index` of a row, as in the file: the first of a byte of 4-bit numbers is its upper half,
// the first of four 2-bit numbers its lowest quarter. Both are stored with their lowest value as 0.
int64_t NumberAt(const Table& table, int64_t row, int64_t index) {
  if (table.bits == 8) {
    return LoadElement<int64_t>(table.weight->scalar_type(), table.weight->data(),
                                row * table.width + index);
  }
  const int64_t per_byte = 8 / table.bits;
  const uint8_t byte = table.weight->data()[row * (table.width / per_byte) + index / per_byte];
  if (table.bits == 4) return static_cast<int64_t>(index % 2 == 0 ? byte >> 4 : byte & 15) - 8;
  return static_cast<int64_t>(byte >> (2 * (index % 4)) & 3) - 2;
}

Status CheckTable(Table* table, const Tensor& indices) {
  const Tensor& weight = *table->weight;
  const Tensor& scales = *table->scales;
  const ScalarType type = weight.scalar_type();
  const bool is_byte = type == ScalarType::kByte || (type == ScalarType::kChar && table->bits == 8);
  const bool fits = weight.rank() == 2 && is_byte && IsContiguous(StridedInput(weight)) &&
                    (scales.rank() == 1 || scales.rank() == 2) &&
                    scales.sizes()[0] == weight.sizes()[0] && IsFloatingPoint(scales.scalar_type());
  if (!fits) return Unfit("a table of bytes, and scales for its rows expected", weight, scales);
  table->rows = weight.sizes()[0];
  table->width = static_cast<int64_t>(weight.sizes()[1]) * (8 / table->bits);
  table->groups = scales.rank() == 2 ? scales.sizes()[1] : 1;
  if (table->groups == 0 || table->width % table->groups != 0) {
    return Unfit("groups of equal length expected", weight, scales);
  }
  if (table->zero_points != nullptr && !SameSizes(table->zero_points->sizes(), scales.sizes())) {
    return Unfit("a zero point for each scale expected", *table->zero_points, scales);
  }
  if (indices.scalar_type() == ScalarType::kLong || indices.scalar_type() == ScalarType::kInt) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidArgument, "indices of %s",
                       LayoutText(indices.layout()).c_str());
}

void WriteRow(const Table& table, int64_t row, const Strided& to, int64_t offset, int64_t stride) {
  const int64_t group_size = table.width / table.groups;
  float block[kBlockSize];
  for (int64_t group = 0; group < table.groups; ++group) {
    const int64_t parameter = row * table.groups + group;
    const float scale =
        LoadElement<float>(table.scales->scalar_type(), table.scales->data(), parameter);
    const float zero_point = table.zero_points == nullptr
                                 ? 0
                                 : LoadElement<float>(table.zero_points->scalar_type(),
                                                      table.zero_points->data(), parameter);
    for (int64_t start = 0; start < group_size; start += static_cast<int64_t>(kBlockSize)) {
      const int64_t left = group_size - start;
      const size_t n =
          left < static_cast<int64_t>(kBlockSize) ? static_cast<size_t>(left) : kBlockSize;
      const int64_t first = group * group_size + start;
      for (size_t i = 0; i < n; ++i) {
        const int64_t number = NumberAt(table, row, first + static_cast<int64_t>(i));
        block[i] = (static_cast<float>(number) - zero_point) * scale;
      }
      StoreElements<float>(to.type, to.data, offset + first * stride, stride, n, block);
    }
  }
}

Status LookUp(const Table& table, const Tensor& indices, Tensor& out) {
  Strided sizes = StridedInput(indices);
  if (sizes.rank == kMaxTensorRank) return Unfit("rank too high", *table.weight, indices);
  sizes.Append(table.width, 0);
  ONEPACK_RETURN_IF_ERROR(ResizeTo(sizes, out));
  const Strided to = StridedOutput(out);
  Strided at = StridedInput(indices);
  Strided places = to;
  places.rank = at.rank;
  const int64_t stride = to.strides[at.rank];
  Status status;
  ForEachRow(
      LoopOver<2>({&places, &at}), [&](const int64_t* offsets, const int64_t* strides, int64_t n) {
        for (int64_t i = 0; i < n && status.ok(); ++i) {
          const auto row = LoadElement<int64_t>(at.type, at.data, offsets[1] + i * strides[1]);
          if (row < 0 || row >= table.rows) {
            status = Status::Error(StatusCode::kInvalidArgument, "index %lld, below %lld expected",
                                   static_cast<long long>(row), static_cast<long long>(table.rows));
            return;
          }
          WriteRow(table, row, to, offsets[0] + i * strides[0], stride);
        }
      });
  return status;
}

// embedding_byte(weight, scales, zero_points?, quant_min, quant_max, indices, dtype?, out)
template <int kBits, bool kHasType>
Status Embedding(void* /*context*/, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  Table table;
  table.bits = kBits;
  table.weight = &read.Input("weight");
  table.scales = &read.Input("weight_scales");
  table.zero_points = read.OptionalInput("weight_zero_points");
  read.Int("weight_quant_min");
  read.Int("weight_quant_max");
  const Tensor& indices = read.Input("indices");
  if (kHasType) read.Skip();  // that of out
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckTable(&table, indices));
  return LookUp(table, indices, out);
}

constexpr OperatorRow kRows[] = {
    {"quantized_decomposed::embedding_2bit.dtype_out", Embedding<2, true>},
    {"quantized_decomposed::embedding_2bit.out", Embedding<2, false>},
    {"quantized_decomposed::embedding_4bit.dtype_out", Embedding<4, true>},
    {"quantized_decomposed::embedding_4bit.out", Embedding<4, false>},
    {"quantized_decomposed::embedding_byte.dtype_out", Embedding<8, true>},
    {"quantized_decomposed::embedding_byte.out", Embedding<8, false>},
};

}  // namespace

OperatorRows QuantizedEmbeddingOperators() { return kRows; }

}  // namespace onepack::kernels
