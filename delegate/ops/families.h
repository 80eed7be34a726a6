// The functions that rows of op_table.cpp are made of, one group for each family of nodes.

#ifndef ONEPACK_DELEGATE_OPS_FAMILIES_H_
#define ONEPACK_DELEGATE_OPS_FAMILIES_H_

#include "delegate/ops/op.h"

namespace onepack {

// unary.cpp: one input, one output of the same shape.
Operands UnaryOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferUnary(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckUnary(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineUnary(const NodeDefinition& definition, const wire::xnnpack::XNode& node);

// binary.cpp: two inputs that broadcast.
Operands BinaryOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferBinary(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckBinary(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineBinary(const NodeDefinition& definition, const wire::xnnpack::XNode& node);

// concatenate.cpp: two to five inputs, joined along an axis.
Operands ConcatenateOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferConcatenate(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckConcatenate(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineConcatenate(const NodeDefinition& definition, const wire::xnnpack::XNode& node);

// shape_ops.cpp: elements at other places.
Operands TransposeOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferTranspose(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckTranspose(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineTranspose(const NodeDefinition& definition, const wire::xnnpack::XNode& node);
Operands ReshapeOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferReshape(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckReshape(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineReshape(const NodeDefinition& definition, const wire::xnnpack::XNode& node);
Operands SliceOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferSlice(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckSlice(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineSlice(const NodeDefinition& definition, const wire::xnnpack::XNode& node);
Operands PadOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferPad(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckPad(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefinePad(const NodeDefinition& definition, const wire::xnnpack::XNode& node);

// pooling.cpp
Operands PoolingOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferPooling(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckMaxPooling(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefinePooling(const NodeDefinition& definition, const wire::xnnpack::XNode& node);
Status CheckAvgPooling(const NodeValues& values, const wire::xnnpack::XNode& node);
Operands ArgMaxPoolingOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferArgMaxPooling(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckArgMaxPooling(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineArgMaxPooling(const NodeDefinition& definition, const wire::xnnpack::XNode& node);
Operands GlobalAvgPoolingOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferGlobalAvgPooling(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckGlobalAvgPooling(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineGlobalAvgPooling(const NodeDefinition& definition, const wire::xnnpack::XNode& node);

// resize.cpp
Operands ResizeOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferResize(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckResize(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineResize(const NodeDefinition& definition, const wire::xnnpack::XNode& node);

// attention.cpp: softmax, the product of two computed matrices, attention.
Operands SoftmaxOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferSoftmax(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckSoftmax(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineSoftmax(const NodeDefinition& definition, const wire::xnnpack::XNode& node);
Operands ProductOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferProduct(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckProduct(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineProduct(const NodeDefinition& definition, const wire::xnnpack::XNode& node);
Operands AttentionOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferAttention(const Shapes& shapes, const wire::xnnpack::XNode& node);
Status CheckAttention(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineAttention(const NodeDefinition& definition, const wire::xnnpack::XNode& node);

// fully_connected.cpp
Operands FullyConnectedOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferFullyConnected(const Shapes& shapes, const wire::xnnpack::XNode& node);
std::optional<Weight> WeightOfFullyConnected(const NodeValues& values,
                                             const wire::xnnpack::XNode& node);
Status CheckFullyConnected(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineFullyConnected(const NodeDefinition& definition, const wire::xnnpack::XNode& node);

// convolution.cpp: plain, depthwise, transposed.
Operands ConvolutionOperands(const wire::xnnpack::XNode& node);
Result<Inference> InferConvolution(const Shapes& shapes, const wire::xnnpack::XNode& node);
std::optional<Weight> WeightOfConvolution(const NodeValues& values,
                                          const wire::xnnpack::XNode& node);
Status CheckConvolution(const NodeValues& values, const wire::xnnpack::XNode& node);
Status DefineConvolution(const NodeDefinition& definition, const wire::xnnpack::XNode& node);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_FAMILIES_H_
