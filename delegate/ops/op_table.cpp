#include <array>
#include <utility>

#include "delegate/ops/families.h"
#include "delegate/ops/op.h"

namespace onepack {
namespace {

using wire::xnnpack::XNodeUnion;

constexpr Op kOps[] = {
    // clang-format off
    // type                                    planning                operands                  infer                  weight                  check                   define
    {XNodeUnion::XNNAdd,                       Planning::kBroadcasts,  BinaryOperands,           InferBinary,           nullptr,                CheckBinary,            DefineBinary},
    {XNodeUnion::XNNDiv,                       Planning::kBroadcasts,  BinaryOperands,           InferBinary,           nullptr,                CheckBinary,            DefineBinary},
    {XNodeUnion::XNNMaximum,                   Planning::kBroadcasts,  BinaryOperands,           InferBinary,           nullptr,                CheckBinary,            DefineBinary},
    {XNodeUnion::XNNMinimum,                   Planning::kBroadcasts,  BinaryOperands,           InferBinary,           nullptr,                CheckBinary,            DefineBinary},
    {XNodeUnion::XNNMultiply,                  Planning::kBroadcasts,  BinaryOperands,           InferBinary,           nullptr,                CheckBinary,            DefineBinary},
    {XNodeUnion::XNNPReLU,                     Planning::kBroadcasts,  BinaryOperands,           InferBinary,           nullptr,                CheckBinary,            DefineBinary},
    {XNodeUnion::XNNSubtract,                  Planning::kBroadcasts,  BinaryOperands,           InferBinary,           nullptr,                CheckBinary,            DefineBinary},
    {XNodeUnion::XNNAbs,                       Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNCeiling,                   Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNClamp,                     Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNConvert,                   Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNCopy,                      Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNCos,                       Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNELU,                       Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNExp,                       Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNFloor,                     Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNGelu,                      Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNHardswish,                 Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNLeakyReLU,                 Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNLog,                       Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNNegate,                    Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNReciprocalSquareRoot,      Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNSigmoid,                   Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNSin,                       Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNSquare,                    Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNSquareRoot,                Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNTanh,                      Planning::kForAnyShape, UnaryOperands,            InferUnary,            nullptr,                CheckUnary,             DefineUnary},
    {XNodeUnion::XNNConcatenate2,              Planning::kForAnyShape, ConcatenateOperands,      InferConcatenate,      nullptr,                CheckConcatenate,       DefineConcatenate},
    {XNodeUnion::XNNConcatenate3,              Planning::kForAnyShape, ConcatenateOperands,      InferConcatenate,      nullptr,                CheckConcatenate,       DefineConcatenate},
    {XNodeUnion::XNNConcatenate4,              Planning::kForAnyShape, ConcatenateOperands,      InferConcatenate,      nullptr,                CheckConcatenate,       DefineConcatenate},
    {XNodeUnion::XNNConcatenate5,              Planning::kForAnyShape, ConcatenateOperands,      InferConcatenate,      nullptr,                CheckConcatenate,       DefineConcatenate},
    {XNodeUnion::XNNStaticTranspose,           Planning::kForAnyShape, TransposeOperands,        InferTranspose,        nullptr,                CheckTranspose,         DefineTranspose},
    {XNodeUnion::XNNStaticReshape,             Planning::kForAnyShape, ReshapeOperands,          InferReshape,          nullptr,                CheckReshape,           DefineReshape},
    {XNodeUnion::XNNStaticSlice,               Planning::kForAnyShape, SliceOperands,            InferSlice,            nullptr,                CheckSlice,             DefineSlice},
    {XNodeUnion::XNNStaticConstantPad,         Planning::kForAnyShape, PadOperands,              InferPad,              nullptr,                CheckPad,               DefinePad},
    {XNodeUnion::XNNAvgPooling2d,              Planning::kForOneShape, PoolingOperands,          InferPooling,          nullptr,                CheckAvgPooling,        DefinePooling},
    {XNodeUnion::XNNMaxPooling2d,              Planning::kForOneShape, PoolingOperands,          InferPooling,          nullptr,                CheckMaxPooling,        DefinePooling},
    {XNodeUnion::XNNArgMaxPooling2d,           Planning::kForOneShape, ArgMaxPoolingOperands,    InferArgMaxPooling,    nullptr,                CheckArgMaxPooling,     DefineArgMaxPooling},
    {XNodeUnion::XNNGlobalAvgPooling2d,        Planning::kForOneShape, GlobalAvgPoolingOperands, InferGlobalAvgPooling, nullptr,                CheckGlobalAvgPooling,  DefineGlobalAvgPooling},
    {XNodeUnion::XNNStaticResizeBilinear2D,    Planning::kForOneShape, ResizeOperands,           InferResize,           nullptr,                CheckResize,            DefineResize},
    {XNodeUnion::XNNSoftmax,                   Planning::kForAnyShape, SoftmaxOperands,          InferSoftmax,          nullptr,                CheckSoftmax,           DefineSoftmax},
    {XNodeUnion::XNNBatchMatrixMultiply,       Planning::kForAnyShape, ProductOperands,          InferProduct,          nullptr,                CheckProduct,           DefineProduct},
    {XNodeUnion::XNNScaledDotProductAttention, Planning::kForOneShape, AttentionOperands,        InferAttention,        nullptr,                CheckAttention,         DefineAttention},
    {XNodeUnion::XNNFullyConnected,            Planning::kForAnyShape, FullyConnectedOperands,   InferFullyConnected,   WeightOfFullyConnected, CheckFullyConnected,    DefineFullyConnected},
    {XNodeUnion::XNNConv2d,                    Planning::kForOneShape, ConvolutionOperands,      InferConvolution,      WeightOfConvolution,    CheckConvolution,       DefineConvolution},
    {XNodeUnion::XNNDepthwiseConv2d,           Planning::kForOneShape, ConvolutionOperands,      InferConvolution,      WeightOfConvolution,    CheckConvolution,       DefineConvolution},
    {XNodeUnion::XNNConvTranspose2d,           Planning::kForOneShape, ConvolutionOperands,      InferConvolution,      WeightOfConvolution,    CheckConvolution,       DefineConvolution},
    // clang-format on
};

constexpr size_t kTypeCount = static_cast<size_t>(XNodeUnion::MAX) + 1;

// Each node's row is asked for at every step of building a graph.
constexpr std::array<const Op*, kTypeCount> kOpsByType = [] {
  std::array<const Op*, kTypeCount> ops{};
  for (const Op& op : kOps) ops[static_cast<size_t>(op.type)] = &op;
  return ops;
}();

}  // namespace

const Op* FindOp(XNodeUnion type) {
  return static_cast<size_t>(type) < kTypeCount ? kOpsByType[static_cast<size_t>(type)] : nullptr;
}

const char* NodeTypeName(XNodeUnion type) {
  return type >= XNodeUnion::MIN && type <= XNodeUnion::MAX
             ? wire::xnnpack::EnumNameXNodeUnion(type)
             : "unknown";
}

Status WithNode(Status status, size_t index, const wire::xnnpack::XNode& node) {
  return std::move(status).WithContext("graph node %zu (%s)", index,
                                       NodeTypeName(node.xnode_union_type()));
}

}  // namespace onepack
