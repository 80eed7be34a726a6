#include "delegate/xnn/initialize.h"

#include <cpuinfo.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>

#include "base/fork_safe_mutex.h"
#include "delegate/xnn/handles.h"
#include "delegate/xnn/interface_check.h"

namespace onepack {
namespace {

#if (defined(__x86_64__) || defined(__i386__)) && XNN_EXTRA_QUANTIZATION_PARAMS < 15

// Only XNNPACK's look at the processor falls into its lifetime.
class InstructionsHidden {
 public:
  InstructionsHidden() : isa_(cpuinfo_isa) { cpuinfo_isa.gfni = cpuinfo_isa.avx512fp16 = false; }
  ~InstructionsHidden() { cpuinfo_isa = isa_; }
  InstructionsHidden(const InstructionsHidden&) = delete;
  InstructionsHidden& operator=(const InstructionsHidden&) = delete;

 private:
  const cpuinfo_x86_isa isa_;
};

struct OperatorDeleter {
  void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
};
using XnnOperator = std::unique_ptr<xnn_operator, OperatorDeleter>;

// Two rows of ones times a matrix of ones, with parameters behind the padding that no right kernel
// reads. Whether the kernels for AVX512-FP16 were chosen is not asked: what has it has GFNI, too.
Status CheckThatNoKernelReadsPastThePadding() {
  constexpr size_t kRows = 2, kInputs = 32, kOutputs = 16, kReadable = 32;
  constexpr float kExpected = kInputs;
  const uint16_t one_as_bfloat16 = 0x3F80;
  uint16_t scales[kOutputs];
  uint8_t weights[kOutputs * kInputs / 2];
  std::fill(std::begin(scales), std::end(scales), one_as_bfloat16);
  std::fill(std::begin(weights), std::end(weights), uint8_t{0x99});  // 9 - 8
  int8_t input[kRows * kInputs + XNN_EXTRA_BYTES];
  std::fill(std::begin(input), std::end(input), int8_t{1});
  xnn_quantization_params params[kReadable];
  for (size_t i = 0; i < kReadable; ++i) {
    const bool is_padding = i < kRows + XNN_EXTRA_QUANTIZATION_PARAMS;
    params[i] = {is_padding ? 0 : 1 << 20, 1.0f};
  }
  float output[kRows * kOutputs] = {};

  xnn_operator_t created = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_create_fully_connected_nc_qd8_f32_qb4w(kInputs, kOutputs, kInputs, kOutputs, kInputs, 8,
                                                 scales, weights, nullptr, -kExpected * 2,
                                                 kExpected * 2, 0, nullptr, nullptr, &created),
      "creating a fully connected operator");
  const XnnOperator op(created);
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_reshape_fully_connected_nc_qd8_f32_qb4w(op.get(), kRows, nullptr),
                              "reshaping it");
  ONEPACK_RETURN_IF_XNN_ERROR(
      xnn_setup_fully_connected_nc_qd8_f32_qb4w(op.get(), input, output, params), "setting it up");
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_run_operator(op.get(), nullptr), "running it");
  for (const float number : output) {
    if (number == kExpected) continue;
    return Status::Error(
        StatusCode::kFailedPrecondition,
        "XNNPACK was initialized before onepack's backend was created, and chose a kernel that is "
        "wrong on this processor (%g instead of %g): create the backend first",
        static_cast<double>(number), static_cast<double>(kExpected));
  }
  return Status::Ok();
}

Status InitializeOnce(const xnn_allocator* allocator) {
  if (!cpuinfo_initialize()) {
    return Status::Error(StatusCode::kUnsupported, "cpuinfo does not know this processor");
  }
  {
    const InstructionsHidden hidden;
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_initialize(allocator), "initializing XNNPACK");
  }
  ONEPACK_RETURN_IF_ERROR(CheckXnnpackInterface());
  return CheckThatNoKernelReadsPastThePadding();
}

#else

Status InitializeOnce(const xnn_allocator* allocator) {
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_initialize(allocator), "initializing XNNPACK");
  return CheckXnnpackInterface();
}

#endif

}  // namespace

Status InitializeXnnpack(const xnn_allocator* allocator) {
  static std::atomic<bool> is_done{false};
  static ForkSafeMutex mutex;
  if (is_done.load(std::memory_order_acquire)) return Status::Ok();
  const std::lock_guard<ForkSafeMutex> lock(mutex);
  if (is_done.load(std::memory_order_relaxed)) return Status::Ok();
  ONEPACK_RETURN_IF_ERROR(InitializeOnce(allocator));
  is_done.store(true, std::memory_order_release);
  return Status::Ok();
}

}  // namespace onepack
