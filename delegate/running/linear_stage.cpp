#include "delegate/running/linear_stage.h"

#include <algorithm>

namespace onepack {

LinearStage::LinearStage(const Plan& plan, size_t number, Span<const PackedWeight> pins,
                         pthreadpool* threadpool)
    : number_(number), threadpool_(threadpool) {
  const Stage& stage = plan.stages[number];
  layers_.reserve(stage.linears.size());
  for (const Linear& linear : stage.linears) {
    const bool has_bias = plan.weights[linear.weight].bias.is_present();
    layers_.push_back({linear.node, has_bias, InputFor(linear.node), {}, nullptr});
  }
  PointTo(pins);
}

size_t LinearStage::InputFor(const LinearNode& node) {
  const LinearInput what = InputOf(node);
  const auto found = std::find_if(inputs_.begin(), inputs_.end(),
                                  [&](const Input& known) { return known.what == what; });
  const auto number = static_cast<size_t>(found - inputs_.begin());
  if (found == inputs_.end()) inputs_.emplace_back().what = what;
  return number;
}

bool LinearStage::Fits(Span<const PackedWeight> pins) const {
  return pins.size() == layers_.size() &&
         std::all_of(pins.begin(), pins.end(), [](const PackedWeight& pin) { return bool{pin}; });
}

void LinearStage::PointTo(Span<const PackedWeight> pins) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    layer.operands = OperandsOf(layer.node, layer.has_bias, pins[i]);
  }
}

Status LinearStage::Reshape(const ShapeInference& shapes, StageMemory& memory) {
  for (Input& input : inputs_) {
    const Shape& shape = shapes.shape(input.what.value_id);
    input.rows = shape.element_count() / shape.FromLast(0);
    if (!input.what.is_quantized) continue;
    input.piece = memory.Add(linear::QuantizedBytes(input.what.form, input.rows), number_, number_);
  }
  return Status::Ok();
}

Status LinearStage::SetUp(const Places& places, const StageMemory& memory) {
  for (Input& input : inputs_) {
    input.floats = reinterpret_cast<const float*>(places.at(input.what.value_id));
    if (input.what.is_quantized) input.quantized = memory[input.piece];
  }
  for (Layer& layer : layers_) {
    layer.output = reinterpret_cast<float*>(places.at(layer.node.output_id));
  }
  return Status::Ok();
}

// A linear may read what one before it in the stage writes: each input is quantized when it is
// needed first.
Status LinearStage::Run() {
  for (Input& input : inputs_) input.is_ready = !input.what.is_quantized;
  for (const Layer& layer : layers_) {
    Input& input = inputs_[layer.input];
    if (!input.is_ready) {
      linear::Quantize(input.what.form, input.floats, input.rows, input.quantized, threadpool_);
      input.is_ready = true;
    }
    Run(layer);
  }
  return Status::Ok();
}

void LinearStage::Run(const Layer& layer) const {
  const Input& input = inputs_[layer.input];
  const linear::Finish finish{layer.operands.bias, layer.node.min, layer.node.max};
  if (input.what.is_quantized) {
    linear::MultiplyQuantized(input.quantized, input.rows, layer.operands.weights,
                              layer.operands.sums, finish, layer.output, threadpool_);
  } else {
    linear::MultiplyFloats(input.floats, input.rows, layer.operands.weights, finish, layer.output,
                           threadpool_);
  }
}

}  // namespace onepack
