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

constexpr size_t kTile = 64;  // keys at a time, for the running maximum
constexpr size_t kStep = 8;   // of these at a time, for all heads
constexpr size_t kRows = 16;  // query rows at a time
// Heads of types other than float are converted on the stack.
constexpr size_t kWidestConverted = 256;

size_t Smaller(size_t a, size_t b) { return a < b ? a : b; }
size_t Quotient(size_t a, size_t b) { return (a + b - 1) / b; }  // rounded up

struct Problem {
  AttentionInputs inputs;
  Strided query, key, value, output, mask;
  size_t tokens = 0, heads = 0, cached_heads = 0, width = 0;
  size_t keys = 0;  // that may count for any query
  // A task is all query rows of so many cached heads, or some rows of one.
  size_t heads_of_task = 0, head_blocks = 0;
  size_t rows_of_task = 0, row_blocks = 0;
  float scale = 1;
  const VectorLoops* loops = nullptr;

  size_t group() const { return heads / cached_heads; }
};

// The rows of a head: [batch, row, head, width].
class Head {
 public:
  Head(const Strided& tensor, size_t batch, size_t head)
      : tensor_(tensor),
        offset_(static_cast<int64_t>(batch) * tensor.strides[0] +
                static_cast<int64_t>(head) * tensor.strides[2]) {}

  int64_t OffsetOf(size_t row) const {
    return offset_ + static_cast<int64_t>(row) * tensor_.strides[1];
  }
  float* FloatsOf(size_t row) const {
    return reinterpret_cast<float*>(tensor_.data) + OffsetOf(row);
  }
  // `n` rows from `first` on as floats: where they are, or converted.
  FloatRows Load(size_t first, size_t n, float* converted) const {
    const auto width = static_cast<size_t>(tensor_.sizes[3]);
    if (tensor_.type == ScalarType::kFloat) {
      return {FloatsOf(first), static_cast<size_t>(tensor_.strides[1]), n, width};
    }
    for (size_t i = 0; i < n; ++i) {
      LoadElements<float>(tensor_.type, tensor_.data, OffsetOf(first + i), 1, width,
                          converted + i * width);
    }
    return {converted, width, n, width};
  }

 private:
  const Strided& tensor_;
  const int64_t offset_;
};

// The rows of one task, those of a cached head together; within these, row r is query r / group of
// head r % group within the group.
class RowBlock {
 public:
  RowBlock(const Problem& problem, size_t task)
      : problem_(problem),
        batch_(task / problem.row_blocks / problem.head_blocks),
        first_head_(task / problem.row_blocks % problem.head_blocks * problem.heads_of_task),
        first_row_(task % problem.row_blocks * problem.rows_of_task),
        heads_(Smaller(problem.heads_of_task, problem.cached_heads - first_head_)),
        rows_(Smaller(problem.rows_of_task, problem.tokens * problem.group() - first_row_)) {}

  void Run() {
    for (size_t r = 0; r < heads_ * rows_; ++r) StartRow(r);
    const size_t keys = KeysOf(rows_ - 1);  // the last row of a head sees the most
    for (size_t tile = 0; tile < keys; tile += kTile) RunTile(tile, Smaller(keys - tile, kTile));
    for (size_t r = 0; r < heads_ * rows_; ++r) FinishRow(r);
  }

 private:
  size_t CachedHeadOf(size_t r) const { return first_head_ + r / rows_; }
  size_t RowOf(size_t r) const { return first_row_ + r % rows_; }
  size_t TokenOf(size_t r) const { return RowOf(r) / problem_.group(); }
  size_t HeadOf(size_t r) const {
    return CachedHeadOf(r) * problem_.group() + RowOf(r) % problem_.group();
  }
  // How many keys a row may see.
  size_t KeysOf(size_t r) const {
    if (!problem_.inputs.is_causal) return problem_.keys;
    return Smaller(static_cast<size_t>(problem_.inputs.start) + TokenOf(r) + 1, problem_.keys);
  }

  void StartRow(size_t r) {
    queries_[r] = Head(problem_.query, batch_, HeadOf(r))
                      .Load(TokenOf(r), 1, converted_queries_ + r * kWidestConverted)
                      .first;
    // The output is the place to sum in, if it can be.
    sums_[r] = problem_.output.type == ScalarType::kFloat
                   ? Head(problem_.output, batch_, HeadOf(r)).FloatsOf(TokenOf(r))
                   : converted_sums_ + r * kWidestConverted;
    memset(sums_[r], 0, problem_.width * sizeof(float));
    maximums_[r] = -HUGE_VALF;
    weights_[r] = 0;
  }

  void RunTile(size_t first_key, size_t n) {
    for (size_t r = 0; r < heads_ * rows_; ++r) {
      const size_t keys = KeysOf(r);
      visible_[r] = keys > first_key ? Smaller(keys - first_key, n) : 0;
    }
    for (size_t step = 0; step < n; step += kStep) {
      for (size_t h = 0; h < heads_; ++h) Score(h, first_key, step, Smaller(n - step, kStep));
    }
    for (size_t r = 0; r < heads_ * rows_; ++r) WeighScores(r, first_key);
    for (size_t step = 0; step < n; step += kStep) {
      for (size_t h = 0; h < heads_; ++h) AddValues(h, first_key, step, Smaller(n - step, kStep));
    }
  }

  // The scores of the tile's keys from `step` on, for the rows of a head.
  void Score(size_t head, size_t first_key, size_t step, size_t n) {
    size_t r = head * rows_;
    const size_t end = r + rows_;
    while (r < end && visible_[r] <= step) ++r;
    float* results[kRows];
    for (size_t i = r; i < end; ++i) results[i - r] = scores_[i] + step;
    const FloatRows keys =
        Head(problem_.key, batch_, first_head_ + head).Load(first_key + step, n, converted_);
    problem_.loops->dot_products(queries_ + r, end - r, keys, problem_.scale, results);
  }

  // Makes the row's scores of the tile weights of the values.
  void WeighScores(size_t r, size_t first_key) {
    float* scores = scores_[r];
    const size_t n = visible_[r];
    if (problem_.inputs.mask != nullptr) ApplyMask(TokenOf(r), first_key, n, scores);
    const float of_tile = problem_.loops->maximum(scores, n);
    const float maximum = of_tile > maximums_[r] ? of_tile : maximums_[r];
    if (maximum == -HUGE_VALF) {  // all masked, or not numbers
      for (size_t i = 0; i < n; ++i) weights_[r] = isnan(scores[i]) ? NAN : weights_[r];
      visible_[r] = 0;
      return;
    }
    if (maximum > maximums_[r]) {
      // What was summed so far was relative to another maximum.
      const float correction = weights_[r] == 0 ? 0 : expf(maximums_[r] - maximum);
      weights_[r] *= correction;
      for (size_t i = 0; i < problem_.width; ++i) sums_[r][i] *= correction;
      maximums_[r] = maximum;
    }
    weights_[r] += problem_.loops->exponentials(scores, n, maximum);
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

  // Adds the tile's values from `step` on, for the rows of a head.
  void AddValues(size_t head, size_t first_key, size_t step, size_t n) {
    FloatRows values =
        Head(problem_.value, batch_, first_head_ + head).Load(first_key + step, n, converted_);
    const size_t end = (head + 1) * rows_;
    for (size_t r = head * rows_; r < end;) {
      const float* weights[kRows];
      const size_t first = r;
      const size_t visible = Smaller(visible_[r], step + n);
      // Rows that see as many go together.
      for (; r < end && Smaller(visible_[r], step + n) == visible; ++r) {
        weights[r - first] = scores_[r] + step;
      }
      if (visible <= step) continue;
      values.count = visible - step;
      problem_.loops->add_weighted_rows(weights, r - first, values, sums_ + first);
    }
  }

  void FinishRow(size_t r) {
    const float factor = weights_[r] == 0 ? 0 : 1 / weights_[r];  // a NaN stays one
    for (size_t i = 0; i < problem_.width; ++i) sums_[r][i] *= factor;
    if (problem_.output.type == ScalarType::kFloat) return;
    StoreElements<float>(problem_.output.type, problem_.output.data,
                         Head(problem_.output, batch_, HeadOf(r)).OffsetOf(TokenOf(r)), 1,
                         problem_.width, sums_[r]);
  }

  const Problem& problem_;
  const size_t batch_;
  const size_t first_head_;  // of the cached ones
  const size_t first_row_;   // of each of these
  const size_t heads_;
  const size_t rows_;  // of each head
  const float* queries_[kRows];
  float* sums_[kRows];  // of weighted values
  float maximums_[kRows];
  float weights_[kRows];  // sums of the exponentials
  // Of the current tile.
  size_t visible_[kRows];  // how many of its keys count
  float scores_[kRows][kTile];
  // For types other than float.
  float converted_queries_[kRows * kWidestConverted];
  float converted_sums_[kRows * kWidestConverted];
  float converted_[kStep * kWidestConverted];  // keys or values
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
  problem->scale = static_cast<float>(
      inputs.scale != 0 ? inputs.scale : 1 / sqrt(static_cast<double>(problem->width)));
  problem->loops = &VectorLoopsOfThisMachine();
  return CheckMask(inputs, problem);
}

// Neighbouring heads of a position lie side by side in the cache: reading them together is reading
// memory in its order. But there should be a task for each thread.
void DivideIntoTasks(size_t threads, Problem* problem) {
  const size_t rows = problem->tokens * problem->group();
  problem->rows_of_task = Smaller(rows, kRows);
  problem->row_blocks = Quotient(rows, kRows);
  problem->heads_of_task =
      Smaller(kRows / problem->rows_of_task, Quotient(problem->cached_heads, threads));
  problem->head_blocks = Quotient(problem->cached_heads, problem->heads_of_task);
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
  if (out.size_bytes() == 0) return Status::Ok();
  DivideIntoTasks(pthreadpool_get_threads_count(threadpool), &problem);
  const size_t batches = static_cast<size_t>(problem.query.sizes[0]);
  const size_t tasks = batches * problem.head_blocks * problem.row_blocks;
  pthreadpool_parallelize_1d(threadpool, RunTask, &problem, tasks, 0);
  return Status::Ok();
}

OperatorRows AttentionOperators() { return kOperatorRows; }

}  // namespace onepack::kernels
