// The operators, one table for each family. Each table is at the end of its family's file.

#ifndef ONEPACK_KERNELS_OPERATOR_FAMILIES_H_
#define ONEPACK_KERNELS_OPERATOR_FAMILIES_H_

#include <string_view>

#include "kernels/operator_context.h"
#include "onepack/operator_registry.h"

namespace onepack::kernels {

struct OperatorRow {
  std::string_view name;
  OperatorFunction function;
};
using OperatorRows = Span<const OperatorRow>;

OperatorRows AttentionOperators();
OperatorRows BinaryOperators();
OperatorRows ChooseQuantizationOperators();
OperatorRows ComplexPartOperators();
OperatorRows ConvolutionOperators();
OperatorRows CopyOperators();
OperatorRows DistanceOperators();
OperatorRows FillOperators();
OperatorRows FourierOperators();
OperatorRows GradientOperators();
OperatorRows GridSampleOperators();
OperatorRows GatedDeltaRuleOperators();
OperatorRows HadamardOperators();
OperatorRows IndexOperators();
OperatorRows JoinOperators();
OperatorRows KeyValueCacheOperators();
OperatorRows LaneOperators();
OperatorRows MaskOperators();
OperatorRows MatmulOperators();
OperatorRows MixedProductOperators();
OperatorRows MixtureOfExpertsOperators();
OperatorRows NormalizationOperators();
OperatorRows PoolingOperators();
OperatorRows PreprocessOperators();
OperatorRows QuantizeOperators();
OperatorRows QuantizedEmbeddingOperators();
OperatorRows RandomOperators();
OperatorRows ReduceOperators();
OperatorRows ResampleOperators();
OperatorRows ScalarOperators();
OperatorRows ScatterOperators();
OperatorRows SortOperators();
OperatorRows TernaryOperators();
OperatorRows UnaryOperators();
OperatorRows ViewOperators();

// What `context` of every row points to.
inline const OperatorContext& ContextOf(void* context) {
  return *static_cast<const OperatorContext*>(context);
}

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_OPERATOR_FAMILIES_H_
