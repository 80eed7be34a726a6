#include "onepack/cpu_operators.h"

#include <unistd.h>

#include "kernels/operator_context.h"
#include "kernels/operator_families.h"

namespace onepack {
namespace {

using kernels::OperatorRow;
using kernels::OperatorRows;

constexpr OperatorRows (*kFamilies[])() = {kernels::AttentionOperators,
                                           kernels::BinaryOperators,
                                           kernels::ChooseQuantizationOperators,
                                           kernels::ComplexPartOperators,
                                           kernels::ConvolutionOperators,
                                           kernels::CopyOperators,
                                           kernels::DistanceOperators,
                                           kernels::FillOperators,
                                           kernels::FourierOperators,
                                           kernels::GradientOperators,
                                           kernels::GridSampleOperators,
                                           kernels::GatedDeltaRuleOperators,
                                           kernels::HadamardOperators,
                                           kernels::IndexOperators,
                                           kernels::JoinOperators,
                                           kernels::KeyValueCacheOperators,
                                           kernels::LaneOperators,
                                           kernels::MaskOperators,
                                           kernels::MatmulOperators,
                                           kernels::MixedProductOperators,
                                           kernels::MixtureOfExpertsOperators,
                                           kernels::NormalizationOperators,
                                           kernels::PoolingOperators,
                                           kernels::PreprocessOperators,
                                           kernels::QuantizeOperators,
                                           kernels::QuantizedEmbeddingOperators,
                                           kernels::RandomOperators,
                                           kernels::ReduceOperators,
                                           kernels::ResampleOperators,
                                           kernels::ScalarOperators,
                                           kernels::ScatterOperators,
                                           kernels::SortOperators,
                                           kernels::TernaryOperators,
                                           kernels::UnaryOperators,
                                           kernels::ViewOperators};

}  // namespace

pthreadpool_t kernels::OperatorContext::threadpool() const {
  return threads != nullptr && getpid() == process ? threads : nullptr;
}

CpuOperators::CpuOperators() = default;
CpuOperators::CpuOperators(CpuOperators&& other) noexcept = default;
CpuOperators& CpuOperators::operator=(CpuOperators&& other) noexcept = default;
CpuOperators::~CpuOperators() = default;

Result<CpuOperators> CpuOperators::Create(const CpuOperatorOptions& options) {
  size_t count = options.additional.size();
  for (const auto family : kFamilies) count += family().size();
  CpuOperators created;
  ONEPACK_ASSIGN_OR_RETURN(created.context_,
                           Array<kernels::OperatorContext>::Create(options.allocator, 1));
  ONEPACK_ASSIGN_OR_RETURN(created.operators_, Array<Operator>::Create(options.allocator, count));
  kernels::OperatorContext& context = created.context_[0];
  context.threads = options.threadpool;
  context.allocator = options.allocator;
  context.process = getpid();
  context.random_seed = options.random_seed;
  size_t next = 0;
  for (const Operator& op : options.additional) created.operators_[next++] = op;
  for (const auto family : kFamilies) {
    for (const OperatorRow& row : family()) {
      created.operators_[next++] = {row.name, row.function, created.context_.data()};
    }
  }
  return created;
}

}  // namespace onepack
