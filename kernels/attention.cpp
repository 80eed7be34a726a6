#include "kernels/attention.h"

#include <math.h>
#include <string.h>

#include "kernels/attention_problem.h"
#include "kernels/element.h"

namespace onepack::kernels {
namespace {

size_t Smaller(size_t a, size_t b) { return a < b ? a : b; }

// How many elements the row of a head is behind the first.
int64_t OffsetOf(const Strided& tensor, size_t batch, size_t row, size_t head) {
  return static_cast<int64_t>(batch) * tensor.strides[0] +
         static_cast<int64_t>(row) * tensor.strides[1] +
         static_cast<int64_t>(head) * tensor.strides[2];
}

float* FloatsOf(const Strided& tensor, size_t batch, size_t row, size_t head) {
  return reinterpret_cast<float*>(tensor.data) + OffsetOf(tensor, batch, row, head);
}

// The rows of a head.
class Head {
 public:
  Head(const AttentionProblem& problem, const AttentionOperand& operand, size_t batch, size_t head)
      : loops_(*problem.loops),
        operand_(operand),
        width_(problem.width),
        batch_(batch),
        head_(head) {}

  // `n` rows from `first` on as floats: where they are, or converted.
  FloatRows Load(size_t first, size_t n, float* converted) const {
    const Strided& elements = operand_.elements;
    if (elements.type == ScalarType::kFloat) {
      return {FloatsOf(elements, batch_, first, head_), static_cast<size_t>(elements.strides[1]), n,
              width_};
    }
    for (size_t i = 0; i < n; ++i) Convert(first + i, converted + i * width_);
    return {converted, width_, n, width_};
  }

 private:
  void Convert(size_t row, float* to) const {
    const Strided& elements = operand_.elements;
    const int64_t offset = OffsetOf(elements, batch_, row, head_);
    if (operand_.is_quantized && elements.type == ScalarType::kChar && HasOnePairForEachRow()) {
      loops_.dequantize(reinterpret_cast<const int8_t*>(elements.data) + offset, width_,
                        ParameterAt(operand_.scales, row, 0),
                        ParameterAt(operand_.zero_points, row, 0), to);
      return;
    }
    LoadElements<float>(elements.type, elements.data, offset, 1, width_, to);
    for (size_t i = 0; operand_.is_quantized && i < width_; ++i) {
      to[i] = (to[i] - ParameterAt(operand_.zero_points, row, i)) *
              ParameterAt(operand_.scales, row, i);
    }
  }

  bool HasOnePairForEachRow() const {
    return operand_.scales.strides[3] == 0 && operand_.zero_points.strides[3] == 0;
  }

  float ParameterAt(const Strided& parameters, size_t row, size_t channel) const {
    return LoadElement<float>(parameters.type, parameters.data,
                              OffsetOf(parameters, batch_, row, head_) +
                                  static_cast<int64_t>(channel) * parameters.strides[3]);
  }

  const VectorLoops& loops_;
  const AttentionOperand& operand_;
  const size_t width_;
  const size_t batch_;
  const size_t head_;
};

// The rows of one task, those of a cached head together; within these, row r is query r / group of
// head r % group within the group.
class RowBlock {
 public:
  RowBlock(const AttentionProblem& problem, size_t task)
      : problem_(problem),
        batch_(task / problem.row_blocks / problem.head_blocks),
        first_head_(task / problem.row_blocks % problem.head_blocks * problem.heads_of_task),
        first_row_(task % problem.row_blocks * problem.rows_of_task),
        heads_(Smaller(problem.heads_of_task, problem.cached_heads - first_head_)),
        rows_(Smaller(problem.rows_of_task, problem.tokens * problem.group() - first_row_)) {}

  void Run() {
    for (size_t r = 0; r < heads_ * rows_; ++r) StartRow(r);
    const size_t keys = KeysOf(rows_ - 1);  // the last row of a head sees the most
    for (size_t tile = 0; tile < keys; tile += kAttentionTile) {
      RunTile(tile, Smaller(keys - tile, kAttentionTile));
    }
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
    if (!problem_.is_causal) return problem_.keys;
    return Smaller(problem_.start + TokenOf(r) + 1, problem_.keys);
  }

  void StartRow(size_t r) {
    // Rows of floats may be more, and wider, than there is room to convert.
    float* const converted = problem_.query.elements.type == ScalarType::kFloat
                                 ? nullptr
                                 : converted_queries_ + r * problem_.width;
    queries_[r] =
        Head(problem_, problem_.query, batch_, HeadOf(r)).Load(TokenOf(r), 1, converted).first;
    // The output is the place to sum in, if it can be.
    sums_[r] = problem_.output.type == ScalarType::kFloat
                   ? FloatsOf(problem_.output, batch_, TokenOf(r), HeadOf(r))
                   : converted_sums_ + r * problem_.width;
    memset(sums_[r], 0, problem_.width * sizeof(float));
    maximums_[r] = -HUGE_VALF;
    weights_[r] = 0;
  }

  void RunTile(size_t first_key, size_t n) {
    for (size_t r = 0; r < heads_ * rows_; ++r) {
      const size_t keys = KeysOf(r);
      visible_[r] = keys > first_key ? Smaller(keys - first_key, n) : 0;
    }
    for (size_t step = 0; step < n; step += problem_.most_keys) {
      for (size_t h = 0; h < heads_; ++h)
        Score(h, first_key, step, Smaller(n - step, problem_.most_keys));
    }
    for (size_t r = 0; r < heads_ * rows_; ++r) WeighScores(r, first_key);
    for (size_t step = 0; step < n; step += problem_.most_keys) {
      for (size_t h = 0; h < heads_; ++h)
        AddValues(h, first_key, step, Smaller(n - step, problem_.most_keys));
    }
  }

  // The scores of the tile's keys from `step` on, for the rows of a head.
  void Score(size_t head, size_t first_key, size_t step, size_t n) {
    size_t r = head * rows_;
    const size_t end = r + rows_;
    while (r < end && visible_[r] <= step) ++r;
    float* results[kAttentionRows];
    for (size_t i = r; i < end; ++i) results[i - r] = scores_[i] + step;
    const FloatRows keys = Head(problem_, problem_.key, batch_, first_head_ + head)
                               .Load(first_key + step, n, converted_);
    problem_.loops->dot_products(queries_ + r, end - r, keys, problem_.scale, results);
  }

  // Makes the row's scores of the tile weights of the values.
  void WeighScores(size_t r, size_t first_key) {
    float* scores = scores_[r];
    const size_t n = visible_[r];
    if (problem_.has_mask) ApplyMask(TokenOf(r), first_key, n, scores);
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
    float addends[kAttentionTile];
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
    FloatRows values = Head(problem_, problem_.value, batch_, first_head_ + head)
                           .Load(first_key + step, n, converted_);
    const size_t end = (head + 1) * rows_;
    for (size_t r = head * rows_; r < end;) {
      const float* weights[kAttentionRows];
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
                         OffsetOf(problem_.output, batch_, TokenOf(r), HeadOf(r)), 1,
                         problem_.width, sums_[r]);
  }

  const AttentionProblem& problem_;
  const size_t batch_;
  const size_t first_head_;  // of the cached ones
  const size_t first_row_;   // of each of these
  const size_t heads_;
  const size_t rows_;  // of each head
  const float* queries_[kAttentionRows];
  float* sums_[kAttentionRows];  // of weighted values
  float maximums_[kAttentionRows];
  float weights_[kAttentionRows];  // sums of the exponentials
  // Of the current tile.
  size_t visible_[kAttentionRows];  // how many of its keys count
  float scores_[kAttentionRows][kAttentionTile];
  // For types other than float.
  float converted_queries_[kConvertedQueries];
  float converted_sums_[kConvertedQueries];
  float converted_[kConvertedKeys];  // keys or values
};

void RunTask(void* problem, size_t task) {
  RowBlock(*static_cast<const AttentionProblem*>(problem), task).Run();
}

}  // namespace

Status Attend(const AttentionInputs& inputs, pthreadpool_t threadpool, Tensor& out) {
  AttentionProblem problem;
  ONEPACK_RETURN_IF_ERROR(PrepareAttention(inputs, out, &problem));
  if (out.size_bytes() == 0) return Status::Ok();
  DivideIntoTasks(pthreadpool_get_threads_count(threadpool), &problem);
  pthreadpool_parallelize_1d(threadpool, RunTask, &problem, problem.tasks(), 0);
  return Status::Ok();
}

}  // namespace onepack::kernels
