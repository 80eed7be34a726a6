#include "kernels/attention.h"

#include <math.h>
#include <string.h>

#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/strided.h"
#include "kernels/vector_loops.h"

namespace onepack::kernels {
namespace {

constexpr size_t kTile = 64;  // keys at a time
constexpr size_t kRows = 16;  // query rows at a time
// Heads of types other than float are converted on the stack.
constexpr size_t kWidestConverted = 256;

struct Problem {
  AttentionInputs inputs;
  Strided query, key, value, output, mask;
  size_t tokens = 0, heads = 0, cached_heads = 0, width = 0;
  size_t keys = 0;        // that may count for any query
  size_t row_blocks = 0;  // of one cached head
  float scale = 1;
  const VectorLoops* loops = nullptr;

  size_t group() const { return heads / cached_heads; }
};

// Rows of a head as floats: where they are, or converted.
class FloatRows {
 public:
  FloatRows(const Strided& tensor, size_t width) : tensor_(tensor), width_(width) {}

  // `n` rows of dimension 1 from `first` on.
  const float* Load(size_t batch, size_t first, size_t head, size_t n, float* converted) {
    const int64_t offset = OffsetOf(batch, first, head);
    if (tensor_.type == ScalarType::kFloat) {
      return reinterpret_cast<const float*>(tensor_.data) + offset;
    }
    for (size_t i = 0; i < n; ++i) {
      LoadElements<float>(tensor_.type, tensor_.data,
                          offset + static_cast<int64_t>(i) * tensor_.strides[1], 1, width_,
                          converted + i * width_);
    }
    return converted;
  }
  size_t distance() const {
    return tensor_.type == ScalarType::kFloat ? static_cast<size_t>(tensor_.strides[1]) : width_;
  }
  int64_t OffsetOf(size_t batch, size_t row, size_t head) const {
    return static_cast<int64_t>(batch) * tensor_.strides[0] +
           static_cast<int64_t>(row) * tensor_.strides[1] +
           static_cast<int64_t>(head) * tensor_.strides[2];
  }

 private:
  const Strided& tensor_;
  const size_t width_;
};

// Some query rows of one cached head. Row r is query r / group of head r % group within the group.
class RowBlock {
 public:
  RowBlock(const Problem& problem, size_t task)
      : problem_(problem),
        batch_(task / problem.row_blocks / problem.cached_heads),
        cached_head_(task / problem.row_blocks % problem.cached_heads),
        first_row_(task % problem.row_blocks * kRows) {
    const size_t rows = problem.tokens * problem.group();
    rows_ = rows - first_row_ < kRows ? rows - first_row_ : kRows;
  }

  void Run() {
    for (size_t r = 0; r < rows_; ++r) StartRow(r);
    const size_t keys = KeysOf(rows_ - 1);  // the last row sees the most
    for (size_t tile = 0; tile < keys; tile += kTile) {
      RunTile(tile, keys - tile < kTile ? keys - tile : kTile);
    }
    for (size_t r = 0; r < rows_; ++r) FinishRow(r);
  }

 private:
  struct Row {
    const float* query = nullptr;
    float* sums = nullptr;  // of weighted values
    float maximum = -HUGE_VALF;
    float weight = 0;  // sum of the exponentials
  };

  size_t TokenOf(size_t r) const { return (first_row_ + r) / problem_.group(); }
  size_t HeadOf(size_t r) const {
    return cached_head_ * problem_.group() + (first_row_ + r) % problem_.group();
  }
  // How many keys a row may see.
  size_t KeysOf(size_t r) const {
    if (!problem_.inputs.is_causal) return problem_.keys;
    const size_t seen = static_cast<size_t>(problem_.inputs.start) + TokenOf(r) + 1;
    return seen < problem_.keys ? seen : problem_.keys;
  }
  int64_t OutputOffset(size_t r) const {
    return FloatRows(problem_.output, problem_.width).OffsetOf(batch_, TokenOf(r), HeadOf(r));
  }

  void StartRow(size_t r) {
    Row& row = rows_of_block_[r];
    row.query = FloatRows(problem_.query, problem_.width)
                    .Load(batch_, TokenOf(r), HeadOf(r), 1, queries_ + r * kWidestConverted);
    // The output is the place to sum in, if it can be.
    row.sums = problem_.output.type == ScalarType::kFloat
                   ? reinterpret_cast<float*>(problem_.output.data) + OutputOffset(r)
                   : sums_ + r * kWidestConverted;
    memset(row.sums, 0, problem_.width * sizeof(float));
  }

  void RunTile(size_t first_key, size_t n) {
    FloatRows keys(problem_.key, problem_.width);
    FloatRows values(problem_.value, problem_.width);
    const float* key = keys.Load(batch_, first_key, cached_head_, n, keys_);
    const float* value = values.Load(batch_, first_key, cached_head_, n, values_);
    for (size_t r = 0; r < rows_; ++r) {
      const size_t seen = KeysOf(r);
      if (seen <= first_key) continue;
      const size_t visible = seen - first_key < n ? seen - first_key : n;
      float scores[kTile];
      problem_.loops->dot_products(rows_of_block_[r].query, problem_.width, key, keys.distance(),
                                   visible, problem_.scale, scores);
      if (problem_.inputs.mask != nullptr) ApplyMask(TokenOf(r), first_key, visible, scores);
      AddScores(rows_of_block_[r], scores, visible, value, values.distance());
    }
  }

  void ApplyMask(size_t token, size_t first_key, size_t n, float* scores) const {
    const Strided& mask = problem_.mask;
    float addends[kTile];
    LoadElements<float>(mask.type, mask.data,
                        static_cast<int64_t>(token) * mask.strides[0] +
                            static_cast<int64_t>(first_key) * mask.strides[1],
                        mask.strides[1], n, addends);
    for (size_t i = 0; i < n; ++i) {
      if (mask.type != ScalarType::kBool) {
        scores[i] += addends[i];
      } else if (addends[i] == 0) {
        scores[i] = -HUGE_VALF;
      }
    }
  }

  void AddScores(Row& row, float* scores, size_t n, const float* values, size_t distance) const {
    float maximum = row.maximum;
    for (size_t i = 0; i < n; ++i) maximum = scores[i] > maximum ? scores[i] : maximum;
    if (maximum == -HUGE_VALF) {  // all masked, or not numbers
      for (size_t i = 0; i < n; ++i) row.weight = isnan(scores[i]) ? NAN : row.weight;
      return;
    }
    if (maximum > row.maximum) {
      // What was summed so far was relative to another maximum.
      const float correction = row.weight == 0 ? 0 : expf(row.maximum - maximum);
      row.weight *= correction;
      for (size_t i = 0; i < problem_.width; ++i) row.sums[i] *= correction;
      row.maximum = maximum;
    }
    row.weight += problem_.loops->exponentials(scores, n, maximum);
    problem_.loops->add_weighted_rows(scores, n, values, distance, problem_.width, row.sums);
  }

  void FinishRow(size_t r) {
    const Row& row = rows_of_block_[r];
    const float factor = row.weight == 0 ? 0 : 1 / row.weight;  // a NaN stays one
    for (size_t i = 0; i < problem_.width; ++i) row.sums[i] *= factor;
    if (problem_.output.type == ScalarType::kFloat) return;
    StoreElements<float>(problem_.output.type, problem_.output.data, OutputOffset(r), 1,
                         problem_.width, row.sums);
  }

  const Problem& problem_;
  const size_t batch_;
  const size_t cached_head_;
  const size_t first_row_;
  size_t rows_ = 0;
  Row rows_of_block_[kRows];
  // For types other than float.
  float queries_[kRows * kWidestConverted];
  float sums_[kRows * kWidestConverted];
  float keys_[kTile * kWidestConverted];
  float values_[kTile * kWidestConverted];
};

void RunTask(void* problem, size_t task) {
  RowBlock(*static_cast<const Problem*>(problem), task).Run();
}

// The last dimension's elements must lie side by side.
bool IsHeadLayout(const Strided& tensor) { return tensor.strides[3] == 1 || tensor.sizes[3] == 1; }

Status CheckSizes(const AttentionInputs& inputs) {
  const Tensor& query = *inputs.query;
  const Tensor& key = *inputs.key;
  if (query.rank() != 4 || key.rank() != 4 || !SameSizes(key.sizes(), inputs.value->sizes())) {
    return Unfit("keys and values of rank 4 and the same sizes expected", key, *inputs.value);
  }
  const bool fits = query.sizes()[0] == key.sizes()[0] && query.sizes()[3] == key.sizes()[3] &&
                    key.sizes()[2] > 0 && query.sizes()[2] % key.sizes()[2] == 0;
  if (!fits) return Unfit("queries and keys do not fit", query, key);
  const int64_t context = key.sizes()[1];
  if (inputs.start < 0 || inputs.start > context || query.sizes()[1] > context - inputs.start) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "%d tokens at position %lld of a context of %lld", query.sizes()[1],
                         static_cast<long long>(inputs.start), static_cast<long long>(context));
  }
  return Status::Ok();
}

Status CheckTypes(const AttentionInputs& inputs, const Tensor& out) {
  const Tensor* const tensors[] = {inputs.query, inputs.key, inputs.value, &out};
  for (const Tensor* tensor : tensors) {
    const bool is_float = tensor->scalar_type() == ScalarType::kFloat;
    const bool is_narrow = IsFloatingPoint(tensor->scalar_type()) &&
                           tensor->scalar_type() != ScalarType::kDouble &&
                           inputs.query->sizes()[3] <= static_cast<int32_t>(kWidestConverted);
    if (is_float || is_narrow) continue;
    return Status::Error(StatusCode::kUnsupported, "attention over %s",
                         LayoutText(tensor->layout()).c_str());
  }
  return Status::Ok();
}

// [tokens, keys], possibly behind dimensions of 1: over the whole context, or up to the last query.
Status CheckMask(const AttentionInputs& inputs, Problem* problem) {
  if (inputs.mask == nullptr) return Status::Ok();
  problem->mask = StridedInput(*inputs.mask);
  while (problem->mask.rank > 2 && problem->mask.sizes[0] == 1) problem->mask.Remove(0);
  const Strided& mask = problem->mask;
  const auto context = static_cast<int64_t>(inputs.key->sizes()[1]);
  const bool fits =
      mask.rank == 2 && mask.sizes[0] == inputs.query->sizes()[1] &&
      (mask.sizes[1] == context || mask.sizes[1] == inputs.start + inputs.query->sizes()[1]) &&
      (IsFloatingPoint(mask.type) || mask.type == ScalarType::kBool);
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument, "a mask of %s, [%d, %lld] expected",
                         LayoutText(inputs.mask->layout()).c_str(), inputs.query->sizes()[1],
                         static_cast<long long>(context));
  }
  problem->keys = static_cast<size_t>(mask.sizes[1]);
  return Status::Ok();
}

Status Prepare(const AttentionInputs& inputs, Tensor& out, Problem* problem) {
  ONEPACK_RETURN_IF_ERROR(CheckSizes(inputs));
  ONEPACK_RETURN_IF_ERROR(CheckTypes(inputs, out));
  ONEPACK_RETURN_IF_ERROR(out.Resize(inputs.query->sizes()));
  problem->inputs = inputs;
  problem->query = StridedInput(*inputs.query);
  problem->key = StridedInput(*inputs.key);
  problem->value = StridedInput(*inputs.value);
  problem->output = StridedOutput(out);
  for (const Strided* tensor :
       {&problem->query, &problem->key, &problem->value, &problem->output}) {
    if (!IsHeadLayout(*tensor)) {
      return Status::Error(StatusCode::kUnsupported, "heads whose elements are not side by side");
    }
  }
  problem->tokens = static_cast<size_t>(problem->query.sizes[1]);
  problem->heads = static_cast<size_t>(problem->query.sizes[2]);
  problem->cached_heads = static_cast<size_t>(problem->key.sizes[2]);
  problem->width = static_cast<size_t>(problem->query.sizes[3]);
  problem->keys = static_cast<size_t>(inputs.start) + problem->tokens;
  problem->row_blocks = (problem->tokens * problem->group() + kRows - 1) / kRows;
  problem->scale = static_cast<float>(
      inputs.scale != 0 ? inputs.scale : 1 / sqrt(static_cast<double>(problem->width)));
  problem->loops = &VectorLoopsOfThisMachine();
  return CheckMask(inputs, problem);
}

// custom_sdpa(query, key, value, start_pos, attn_mask?, dropout_p, is_causal, scale?, out)
Status CustomSdpa(void* context, Span<Value* const> arguments) {
  ArgumentReader read(arguments);
  AttentionInputs inputs;
  inputs.query = &read.Input("query");
  inputs.key = &read.Input("key");
  inputs.value = &read.Input("value");
  inputs.start = read.Int("start_pos");
  inputs.mask = read.OptionalInput("attn_mask");
  read.Double("dropout_p");
  inputs.is_causal = read.Bool("is_causal");
  inputs.scale = read.OptionalDouble("scale").value;
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  return Attend(inputs, ContextOf(context).threadpool(), out);
}

constexpr OperatorRow kOperatorRows[] = {
    {"llama::custom_sdpa.out", CustomSdpa},
};

}  // namespace

Status Attend(const AttentionInputs& inputs, pthreadpool_t threadpool, Tensor& out) {
  Problem problem;
  ONEPACK_RETURN_IF_ERROR(Prepare(inputs, out, &problem));
  const size_t tasks =
      static_cast<size_t>(problem.query.sizes[0]) * problem.cached_heads * problem.row_blocks;
  if (problem.width == 0) return Status::Ok();
  pthreadpool_parallelize_1d(threadpool, RunTask, &problem, tasks, 0);
  return Status::Ok();
}

OperatorRows AttentionOperators() { return kOperatorRows; }

}  // namespace onepack::kernels
