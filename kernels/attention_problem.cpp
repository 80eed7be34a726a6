#include "kernels/attention_problem.h"

#include <math.h>

#include "base/rounding.h"
#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/result.h"

namespace onepack::kernels {
namespace {

size_t Smaller(size_t a, size_t b) { return a < b ? a : b; }

bool IsQuantized(ScalarType type) { return type == ScalarType::kChar || type == ScalarType::kByte; }

Status CheckType(const Tensor& tensor, bool may_be_quantized) {
  const ScalarType type = tensor.scalar_type();
  const bool is_float = IsFloatingPoint(type) && type != ScalarType::kDouble;
  if (is_float || (may_be_quantized && IsQuantized(type))) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "attention over %s",
                       LayoutText(tensor.layout()).c_str());
}

// The dimensions of tokens and heads in their places.
void Arrange(size_t token_dimension, Strided& strided) {
  if (token_dimension == 1) return;
  std::swap(strided.sizes[1], strided.sizes[2]);
  std::swap(strided.strides[1], strided.strides[2]);
}

Status PrepareOperand(const Tensor& tensor, const Dequantization& dequantization,
                      size_t token_dimension, AttentionOperand* operand) {
  ONEPACK_RETURN_IF_ERROR(CheckType(tensor, /*may_be_quantized=*/true));
  if (tensor.rank() != 4) return Unfit("rank 4 expected", tensor, tensor);
  operand->elements = StridedInput(tensor);
  operand->is_quantized = IsQuantized(tensor.scalar_type());
  if (operand->is_quantized) {
    const Tensor* const scales = dequantization.scales;
    const Tensor* const zero_points = dequantization.zero_points;
    if (scales == nullptr || zero_points == nullptr) {
      return Status::Error(StatusCode::kInvalidArgument, "%s without scales and zero points",
                           LayoutText(tensor.layout()).c_str());
    }
    if (!IsFloatingPoint(scales->scalar_type()) || !IsIntegral(zero_points->scalar_type())) {
      return Unfit("real scales and whole zero points expected", *scales, *zero_points);
    }
    ONEPACK_RETURN_IF_ERROR(BroadcastTo(*scales, operand->elements, &operand->scales));
    ONEPACK_RETURN_IF_ERROR(BroadcastTo(*zero_points, operand->elements, &operand->zero_points));
    Arrange(token_dimension, operand->scales);
    Arrange(token_dimension, operand->zero_points);
  }
  Arrange(token_dimension, operand->elements);
  return Status::Ok();
}

Status CheckSizes(const AttentionInputs& inputs, const AttentionProblem& problem) {
  const int64_t* const query = problem.query.elements.sizes;
  const int64_t* const key = problem.key.elements.sizes;
  if (!SameSizes(inputs.key->sizes(), inputs.value->sizes())) {
    return Unfit("keys and values of the same sizes expected", *inputs.key, *inputs.value);
  }
  const bool fits =
      query[0] == key[0] && query[3] == key[3] && key[2] > 0 && query[2] % key[2] == 0;
  return fits ? Status::Ok() : Unfit("queries and keys do not fit", *inputs.query, *inputs.key);
}

// The elements of a row must lie side by side.
Status CheckRows(const AttentionProblem& problem) {
  for (const Strided* tensor :
       {&problem.query.elements, &problem.key.elements, &problem.value.elements, &problem.output}) {
    if (tensor->strides[3] != 1 && tensor->sizes[3] != 1) {
      return Status::Error(StatusCode::kUnsupported, "heads whose elements are not side by side");
    }
  }
  return Status::Ok();
}

Status CheckWidth(const AttentionInputs& inputs, AttentionProblem* problem) {
  problem->most_rows = kAttentionRows;
  problem->most_keys = kAttentionStep;
  bool is_converted = false;
  for (const Strided* tensor : {&problem->query.elements, &problem->key.elements,
                                &problem->value.elements, &problem->output}) {
    is_converted |= tensor->type != ScalarType::kFloat;
  }
  if (!is_converted || problem->width == 0) return Status::Ok();
  problem->most_rows = Smaller(kAttentionRows, kConvertedQueries / problem->width);
  problem->most_keys = Smaller(kAttentionStep, kConvertedKeys / problem->width);
  if (problem->most_rows > 0 && problem->most_keys > 0) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "attention over %s, at most %zu wide",
                       LayoutText(inputs.key->layout()).c_str(), kConvertedKeys);
}

// Positions say which keys count, unless a mask alone does.
Status CheckPositions(const AttentionInputs& inputs, AttentionProblem* problem) {
  problem->is_causal = inputs.is_causal;
  if (!inputs.is_causal && inputs.mask != nullptr) return Status::Ok();
  const int64_t context = problem->key.elements.sizes[1];
  const int64_t tokens = problem->query.elements.sizes[1];
  if (inputs.start < 0 || inputs.start > context || tokens > context - inputs.start) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "%lld tokens at position %lld of a context of %lld",
                         static_cast<long long>(tokens), static_cast<long long>(inputs.start),
                         static_cast<long long>(context));
  }
  problem->start = static_cast<size_t>(inputs.start);
  problem->keys = problem->start + problem->tokens;
  return Status::Ok();
}

// [tokens, keys], possibly behind dimensions of 1: over the whole context, or up to the last query.
Status CheckMask(const AttentionInputs& inputs, AttentionProblem* problem) {
  if (inputs.mask == nullptr) return Status::Ok();
  problem->has_mask = true;
  problem->mask = StridedInput(*inputs.mask);
  Strided& mask = problem->mask;
  while (mask.rank > 2 && mask.sizes[0] == 1) mask.Remove(0);
  const int64_t context = problem->key.elements.sizes[1];
  const int64_t tokens = problem->query.elements.sizes[1];
  const bool fits =
      mask.rank == 2 && mask.sizes[0] == tokens &&
      (mask.sizes[1] == context ||
       (mask.sizes[1] < context && mask.sizes[1] - tokens == inputs.start && inputs.start >= 0)) &&
      (IsFloatingPoint(mask.type) || mask.type == ScalarType::kBool);
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument, "a mask of %s, [%lld, %lld] expected",
                         LayoutText(inputs.mask->layout()).c_str(), static_cast<long long>(tokens),
                         static_cast<long long>(context));
  }
  problem->keys = static_cast<size_t>(mask.sizes[1]);
  return Status::Ok();
}

}  // namespace

Status PrepareAttention(const AttentionInputs& inputs, Tensor& out, AttentionProblem* problem) {
  const size_t dimension = inputs.token_dimension;
  ONEPACK_RETURN_IF_ERROR(
      PrepareOperand(*inputs.query, inputs.query_dequantization, dimension, &problem->query));
  ONEPACK_RETURN_IF_ERROR(
      PrepareOperand(*inputs.key, inputs.key_dequantization, dimension, &problem->key));
  ONEPACK_RETURN_IF_ERROR(
      PrepareOperand(*inputs.value, inputs.value_dequantization, dimension, &problem->value));
  ONEPACK_RETURN_IF_ERROR(CheckType(out, /*may_be_quantized=*/false));
  ONEPACK_RETURN_IF_ERROR(CheckSizes(inputs, *problem));
  const int64_t* const sizes = problem->query.elements.sizes;
  problem->tokens = static_cast<size_t>(sizes[1]);
  problem->heads = static_cast<size_t>(sizes[2]);
  problem->width = static_cast<size_t>(sizes[3]);
  problem->cached_heads = static_cast<size_t>(problem->key.elements.sizes[2]);
  problem->scale = static_cast<float>(
      inputs.scale != 0 ? inputs.scale : 1 / sqrt(static_cast<double>(problem->width)));
  problem->loops = &VectorLoopsOfThisMachine();
  ONEPACK_RETURN_IF_ERROR(CheckPositions(inputs, problem));
  ONEPACK_RETURN_IF_ERROR(CheckMask(inputs, problem));
  ONEPACK_RETURN_IF_ERROR(out.Resize(inputs.query->sizes()));
  problem->output = StridedOutput(out);
  Arrange(dimension, problem->output);
  ONEPACK_RETURN_IF_ERROR(CheckWidth(inputs, problem));
  return CheckRows(*problem);
}

// Neighbouring heads of a position lie side by side in the cache: reading them together is reading
// memory in its order. But there should be a task for each thread.
void DivideIntoTasks(size_t threads, AttentionProblem* problem) {
  const size_t rows = problem->tokens * problem->group();
  problem->rows_of_task = Smaller(rows, problem->most_rows);
  problem->row_blocks = DivideUp(rows, problem->most_rows);
  problem->heads_of_task =
      Smaller(problem->most_rows / problem->rows_of_task, DivideUp(problem->cached_heads, threads));
  problem->head_blocks = DivideUp(problem->cached_heads, problem->heads_of_task);
}

}  // namespace onepack::kernels
