#include "aot/lora_stack_reference.h"

#include <math.h>

#include <algorithm>

namespace onepack {
namespace {

// Partial sums that do not depend on each other, which lets the compiler use vectors without being
// allowed to reorder floating-point sums.
float Dot(const float* a, const float* b, size_t size) {
  constexpr size_t kSums = 16;
  float sums[kSums] = {};
  size_t i = 0;
  for (; i + kSums <= size; i += kSums) {
    for (size_t k = 0; k < kSums; ++k) sums[k] += a[i + k] * b[i + k];
  }
  double sum = 0;
  for (; i < size; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  for (const float partial : sums) sum += static_cast<double>(partial);
  return static_cast<float>(sum);
}

// What is left of a row of numbers that were int8 for a while, with a scale and a zero point of
// their own: those that make 0 exact and lose nothing at the ends.
void QuantizeRow(Span<float> row) {
  const float low = std::min(0.0f, *std::min_element(row.begin(), row.end()));
  const float high = std::max(0.0f, *std::max_element(row.begin(), row.end()));
  if (low == high) return;
  const float steps = 255.0f / (high - low);
  const float from_low = -128.0f - low * steps;
  const float from_high = 127.0f - high * steps;
  // Of the two ends, the one that leaves the smaller error; they differ by rounding only.
  const bool is_low_better = (-128.0f + low * steps) + (127.0f + high * steps) > 0.0f;
  const float zero_point = rintf(std::clamp(is_low_better ? from_low : from_high, -128.0f, 127.0f));
  const float scale = 1.0f / steps;
  for (float& number : row) {
    const float quantized = std::clamp(rintf(number * steps) + zero_point, -128.0f, 127.0f);
    number = (quantized - zero_point) * scale;
  }
}

void QuantizeRows(LoraRows& rows) {
  for (size_t r = 0; r < rows.count(); ++r) {
    QuantizeRow({rows.numbers.data() + r * rows.width, rows.width});
  }
}

// y[p] = x[p] * matrix^T for every program p.
std::vector<LoraRows> ApplyAll(const LinearWeight& matrix, std::vector<LoraRows> inputs) {
  if (matrix.type != WeightType::kFloat32) {
    for (LoraRows& rows : inputs) QuantizeRows(rows);
  }
  std::vector<LoraRows> outputs(inputs.size());
  for (size_t p = 0; p < inputs.size(); ++p) {
    outputs[p].width = matrix.outputs;
    outputs[p].numbers.resize(inputs[p].count() * matrix.outputs);
  }
  std::vector<float> weights(matrix.inputs);
  for (uint32_t o = 0; o < matrix.outputs; ++o) {
    matrix.FillRow(o, weights.data());
    for (size_t p = 0; p < inputs.size(); ++p) {
      for (size_t r = 0; r < inputs[p].count(); ++r) {
        outputs[p].numbers[r * matrix.outputs + o] =
            Dot(weights.data(), inputs[p].row(r), matrix.inputs);
      }
    }
  }
  return outputs;
}

LoraRows Apply(const LinearWeight& matrix, const LoraRows& input) {
  return ApplyAll(matrix, {input})[0];
}

class Reference {
 public:
  explicit Reference(const LoraStackOptions& options) : options_(options), weights_(options) {}

  void ApplyBlock(uint32_t block, std::vector<LoraRows>& x) const {
    std::vector<LoraRows> gated = ApplyLayer(block, LoraLayer::kGate, x);
    const std::vector<LoraRows> up = ApplyAll(weights_.Base(block, LoraLayer::kUp), x);
    for (size_t p = 0; p < x.size(); ++p) {
      for (size_t i = 0; i < gated[p].numbers.size(); ++i) {
        const float g = gated[p].numbers[i];
        gated[p].numbers[i] = g / (1.0f + expf(-g)) * up[p].numbers[i];
      }
    }
    const std::vector<LoraRows> down = ApplyLayer(block, LoraLayer::kDown, gated);
    for (size_t p = 0; p < x.size(); ++p) {
      for (size_t i = 0; i < x[p].numbers.size(); ++i) x[p].numbers[i] += down[p].numbers[i];
    }
  }

 private:
  // A layer that the LoRA programs, all but the first, adapt.
  std::vector<LoraRows> ApplyLayer(uint32_t block, LoraLayer layer,
                                   const std::vector<LoraRows>& x) const {
    std::vector<LoraRows> y = ApplyAll(weights_.Base(block, layer), x);
    for (uint32_t adapter = 0; adapter < options_.adapters; ++adapter) {
      const LoraRows inner =
          Apply(weights_.Adapter(adapter, block, layer, LoraPart::kA), x[adapter + 1]);
      const LoraRows update = Apply(weights_.Adapter(adapter, block, layer, LoraPart::kB), inner);
      std::vector<float>& adapted = y[adapter + 1].numbers;
      for (size_t i = 0; i < adapted.size(); ++i) adapted[i] += 2.0f * update.numbers[i];
    }
    return y;
  }

  LoraStackOptions options_;
  LoraWeights weights_;
};

}  // namespace

std::vector<LoraRows> ComputeLoraStack(const LoraStackOptions& options, const LoraRows& input) {
  std::vector<LoraRows> x(options.adapters + 1, input);
  const Reference reference(options);
  for (uint32_t block = 0; block < options.blocks; ++block) reference.ApplyBlock(block, x);
  return x;
}

}  // namespace onepack
