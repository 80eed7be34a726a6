#include "linear/float_product.h"

#include <pthreadpool.h>

// Once for each target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linear/float_product.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// After it.
#include "hwy/highway.h"
#include "linear/float_panels-inl.h"
#include "linear/long_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onepack::linear::HWY_NAMESPACE {

template <class Weight>
void MultiplyPartBy(const FloatProduct& product, const FloatPart& part) {
  if (!product.takes_panels) return MultiplyLongRows<Weight>(product, part);
  if (product.weights->inputs <= kMaxShortRow) {
    return MultiplyShortRows<Weight>(product, part);
  }
  MultiplyPanels<Weight>(product, part);
}

void MultiplyPart(const FloatProduct& product, const FloatPart& part) {
  switch (product.weights->type) {
    case WeightType::kFloat32:
      return MultiplyPartBy<Float32Weight>(product, part);
    case WeightType::kFloat16:
      return MultiplyPartBy<Float16Weight>(product, part);
    case WeightType::kBfloat16:
      return MultiplyPartBy<Bfloat16Weight>(product, part);
    default:
      return;  // not floats: excluded by what is required
  }
}

}  // namespace onepack::linear::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onepack::linear {
namespace {

HWY_EXPORT(MultiplyPart);

// Below that, waking a thread takes longer than what it would do.
constexpr size_t kMinProductsOfTask = size_t{1} << 17;
// So that a thread that was late has less to do than the others.
constexpr size_t kTasksOfThread = 4;

void RunTask(void* context, size_t first_row, size_t first_output, size_t rows, size_t outputs) {
  const auto& product = *static_cast<const FloatProduct*>(context);
  HWY_DYNAMIC_DISPATCH(MultiplyPart)(product, {first_row, rows, first_output, outputs});
}

}  // namespace

void MultiplyFloats(const float* x, size_t rows, const Weights& weights, const Finish& finish,
                    float* y, pthreadpool* pool) {
  if (rows == 0 || weights.outputs == 0) return;
  // Of all rows, however many are in a part: threads change no sum.
  const bool takes_panels = weights.inputs <= kMaxFewInputs || rows > kMaxFewRows;
  FloatProduct product{x, &weights, &finish, y, takes_panels};
  const size_t threads = pthreadpool_get_threads_count(pool);
  const size_t products = rows * weights.outputs * weights.inputs;
  const size_t tasks = HWY_MIN(threads * kTasksOfThread, products / kMinProductsOfTask);
  size_t task_rows = rows;
  size_t task_outputs = weights.outputs;
  if (threads == 1 || tasks < 2) {
    pool = nullptr;
  } else {
    const size_t step = takes_panels ? kFloatPanelOutputs : kLongRowOutputs;
    task_outputs = RoundUp(DivideUp(weights.outputs, tasks), step);
    // Too few outputs for all threads: rows of activations are shared out, too.
    const size_t row_tasks = DivideUp(threads, DivideUp(weights.outputs, task_outputs));
    task_rows = DivideUp(rows, HWY_MIN(row_tasks, rows));
    // Each part transposes all its weights.
    if (takes_panels) task_rows = HWY_MIN(rows, HWY_MAX(task_rows, kPanelTileRows));
  }
  // Numbers too small for a full mantissa are zeros, as XNNPACK has them in all its operators.
  // Without a pool too: the flag is the calling thread's then.
  pthreadpool_parallelize_2d_tile_2d(pool, RunTask, &product, rows, weights.outputs, task_rows,
                                     task_outputs, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
}

}  // namespace onepack::linear
#endif  // HWY_ONCE
