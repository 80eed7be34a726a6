// The functions that rows of op_table.cpp are made of, one group for each family of nodes.

#ifndef ONEPACK_DELEGATE_OPS_FAMILIES_H_
#define ONEPACK_DELEGATE_OPS_FAMILIES_H_

#include "delegate/ops/op.h"

namespace onepack {

// unary.cpp: one input, one output of the same dims.
Operands UnaryOperands(const wire::xnnpack::XNode& node);
Status DefineUnary(const NodeContext& context, const wire::xnnpack::XNode& node);

// binary.cpp: two inputs that broadcast.
Operands BinaryOperands(const wire::xnnpack::XNode& node);
Status DefineBinary(const NodeContext& context, const wire::xnnpack::XNode& node);

// concatenate.cpp: two to five inputs, joined along an axis.
Operands ConcatenateOperands(const wire::xnnpack::XNode& node);
Status DefineConcatenate(const NodeContext& context, const wire::xnnpack::XNode& node);

// fully_connected.cpp
Operands FullyConnectedOperands(const wire::xnnpack::XNode& node);
std::optional<PackedUse> IdentifyFullyConnected(const NodeContext& context,
                                                const wire::xnnpack::XNode& node);
Status DefineFullyConnected(const NodeContext& context, const wire::xnnpack::XNode& node);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_OPS_FAMILIES_H_
