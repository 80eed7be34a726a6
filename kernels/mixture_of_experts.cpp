// A feed-forward layer of which each token takes some experts, with packed weights.

#include <math.h>

#include "kernels/arguments.h"
#include "kernels/operator_families.h"
#include "kernels/packed_linear.h"
#include "kernels/strided.h"
#include "kernels/vector_loops.h"
#include "onepack/array.h"

namespace onepack::kernels {
namespace {

// Tokens are taken in portions whose intermediate numbers need no more, if one token does not.
constexpr size_t kMostNumbers = size_t{1} << 20;

enum class Scores : uint8_t { kSigmoid, kSoftmax };

struct Layer {
  const float* x = nullptr;      // [tokens, dim]
  const float* gate = nullptr;   // [experts, dim]
  const float* bias = nullptr;   // [experts], or null
  const Tensor* up = nullptr;    // packed, of each expert: dim to 2 * hidden, values and gates
  const Tensor* down = nullptr;  // the same: hidden to dim
  size_t tokens = 0, dim = 0, hidden = 0, experts = 0, chosen = 0;
  size_t group_size = 0, bits = 0;
  Scores scores = Scores::kSigmoid;
  float route_scale = 1;
  float* out = nullptr;  // [tokens, dim]
  const VectorLoops* loops = nullptr;

  PackedLinear::Shape up_shape() const { return {2 * hidden, dim, group_size, bits}; }
  PackedLinear::Shape down_shape() const { return {dim, hidden, group_size, bits}; }
};

float Sigmoid(float x) {
  const float e = expf(-fabsf(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

Bytes PackedOf(const Tensor& packed, size_t expert) {
  const auto size = static_cast<size_t>(packed.sizes()[1]);
  return {packed.data() + expert * size, size};
}

// Which experts some tokens take, and with which weights. A pair is a token and one of its experts.
struct Routes {
  Array<float> scores;     // of one token
  Array<float> selectors;  // what the choice goes by
  Array<float> weights;    // of each pair
  Array<uint32_t> experts;
  Array<uint32_t> pairs;  // those of the first expert, then those of the second, ...
  Array<uint32_t> ends;   // of each expert's

  static Result<Routes> Create(const Layer& layer, size_t tokens, const Allocator& allocator) {
    Routes routes;
    const size_t pairs = tokens * layer.chosen;
    ONEPACK_ASSIGN_OR_RETURN(routes.scores, Array<float>::Create(allocator, layer.experts));
    ONEPACK_ASSIGN_OR_RETURN(routes.selectors, Array<float>::Create(allocator, layer.experts));
    ONEPACK_ASSIGN_OR_RETURN(routes.weights, Array<float>::Create(allocator, pairs));
    ONEPACK_ASSIGN_OR_RETURN(routes.experts, Array<uint32_t>::Create(allocator, pairs));
    ONEPACK_ASSIGN_OR_RETURN(routes.pairs, Array<uint32_t>::Create(allocator, pairs));
    ONEPACK_ASSIGN_OR_RETURN(routes.ends, Array<uint32_t>::Create(allocator, layer.experts));
    return routes;
  }

  void Find(const Layer& layer, size_t first_token, size_t tokens) {
    for (size_t t = 0; t < tokens; ++t) Choose(layer, first_token + t, t * layer.chosen);
    for (uint32_t& end : ends) end = 0;
    const size_t count = tokens * layer.chosen;
    for (size_t p = 0; p < count; ++p) ++ends[experts[p]];
    for (size_t e = 1; e < layer.experts; ++e) ends[e] += ends[e - 1];
    // From behind, so that each expert's are in their order; the ends become beginnings.
    for (size_t p = count; p-- > 0;) pairs[--ends[experts[p]]] = static_cast<uint32_t>(p);
    for (size_t e = 0; e < layer.experts; ++e) {
      ends[e] = e + 1 < layer.experts ? ends[e + 1] : static_cast<uint32_t>(count);
    }
  }

  size_t BeginOf(size_t expert) const { return expert == 0 ? 0 : ends[expert - 1]; }

 private:
  void Choose(const Layer& layer, size_t token, size_t first_pair) {
    const float* const x = layer.x + token * layer.dim;
    float* const results = scores.data();
    layer.loops->dot_products(&x, 1, {layer.gate, layer.dim, layer.experts, layer.dim}, 1,
                              &results);
    for (size_t e = 0; e < layer.experts; ++e) {
      if (layer.scores == Scores::kSigmoid) scores[e] = Sigmoid(scores[e]);
      selectors[e] = scores[e] + (layer.bias != nullptr ? layer.bias[e] : 0);
      if (isnan(selectors[e])) selectors[e] = -HUGE_VALF;  // last
    }
    for (size_t k = 0; k < layer.chosen; ++k) {
      const size_t best = TakeBest();
      experts[first_pair + k] = static_cast<uint32_t>(best);
      weights[first_pair + k] = scores[best];
    }
    Normalize(layer, {weights.data() + first_pair, layer.chosen});
  }

  // The first of the greatest that were not taken before: those become NaNs.
  size_t TakeBest() {
    size_t best = 0;
    for (size_t e = 1; e < selectors.size(); ++e) {
      if (isnan(selectors[best]) || selectors[e] > selectors[best]) best = e;
    }
    selectors[best] = NAN;
    return best;
  }

  static void Normalize(const Layer& layer, Span<float> weights) {
    float sum = 0;
    if (layer.scores == Scores::kSoftmax) {
      const float maximum = layer.loops->maximum(weights.data(), weights.size());
      for (float& weight : weights) sum += weight = expf(weight - maximum);
      for (float& weight : weights) weight /= sum;
      return;
    }
    constexpr float kSmallest = 0x1p-126F;  // that is not denormal
    for (const float weight : weights) sum += weight;
    for (float& weight : weights) weight *= layer.route_scale / (sum < kSmallest ? kSmallest : sum);
  }
};

// One linear layer of all experts, for the pairs of each.
struct ExpertProducts {
  const Layer* layer = nullptr;
  const Routes* routes = nullptr;
  const Tensor* packed = nullptr;
  PackedLinear::Shape shape;
  const float* inputs = nullptr;
  size_t input_distance = 0;
  size_t pairs_of_input = 1;  // that share one, one after the other
  float* outputs = nullptr;   // one for each pair, zeros before
  size_t output_distance = 0;
  size_t blocks = 0;

  // A block of outputs of an expert.
  static void Run(void* context, size_t task) {
    const ExpertProducts& products = *static_cast<const ExpertProducts*>(context);
    const size_t expert = task / products.blocks;
    const size_t begin = products.routes->BeginOf(expert);
    const size_t end = products.routes->ends[expert];
    if (begin == end) return;
    PackedLinear weights;
    const Bytes bytes = PackedOf(*products.packed, expert);
    // Was opened before; only where the output lies over the weights is there anything to find.
    if (!PackedLinear::Open(bytes, products.shape, &weights).ok()) return;
    products.RunBlock(weights, task % products.blocks, begin, end);
  }

  void RunBlock(const PackedLinear& weights_of_expert, size_t block, size_t begin,
                size_t end) const {
    constexpr size_t kOutputs = PackedLinear::kOutputs;
    const size_t left = shape.outputs - block * kOutputs;
    const size_t n = left < kOutputs ? left : kOutputs;
    float weights[kOutputs][PackedLinear::kMostInputs];
    size_t count;
    for (size_t first = 0; first < shape.inputs; first += count) {
      count = weights_of_expert.Unpack(block, first, weights);
      for (size_t i = begin; i < end; ++i) {
        const size_t pair = routes->pairs[i];
        const float* const x = inputs + pair / pairs_of_input * input_distance + first;
        float sums[kOutputs] = {};
        float* const results = sums;
        layer->loops->dot_products(&x, 1, {weights[0], PackedLinear::kMostInputs, n, count}, 1,
                                   &results);
        float* const to = outputs + pair * output_distance + block * kOutputs;
        for (size_t k = 0; k < n; ++k) to[k] += sums[k];
      }
    }
  }
};

// Room for the intermediate numbers of some tokens, and their computation.
class Portion {
 public:
  static Result<Portion> Create(const Layer& layer, size_t tokens, const Allocator& allocator) {
    Portion portion;
    const size_t pairs = tokens * layer.chosen;
    ONEPACK_ASSIGN_OR_RETURN(portion.routes_, Routes::Create(layer, tokens, allocator));
    ONEPACK_ASSIGN_OR_RETURN(portion.hidden_,
                             Array<float>::Create(allocator, pairs * 2 * layer.hidden));
    ONEPACK_ASSIGN_OR_RETURN(portion.results_, Array<float>::Create(allocator, pairs * layer.dim));
    return portion;
  }

  Status Run(const Layer& layer, size_t first_token, size_t tokens, pthreadpool_t threadpool) {
    const size_t pairs = tokens * layer.chosen;
    const size_t hidden = layer.hidden;
    routes_.Find(layer, first_token, tokens);
    ONEPACK_RETURN_IF_ERROR(CheckWeights(layer));
    for (float& number : hidden_) number = 0;
    for (float& number : results_) number = 0;
    Multiply(layer, *layer.up, layer.up_shape(), layer.x + first_token * layer.dim, layer.dim,
             layer.chosen, hidden_.data(), 2 * hidden, threadpool);
    for (size_t p = 0; p < pairs; ++p) {
      float* const values = hidden_.data() + p * 2 * hidden;
      for (size_t i = 0; i < hidden; ++i) values[i] *= Sigmoid(values[i]) * values[hidden + i];
    }
    Multiply(layer, *layer.down, layer.down_shape(), hidden_.data(), 2 * hidden, 1, results_.data(),
             layer.dim, threadpool);
    for (size_t t = 0; t < tokens; ++t) {
      float* const out = layer.out + (first_token + t) * layer.dim;
      for (size_t i = 0; i < layer.dim; ++i) out[i] = 0;
      for (size_t p = t * layer.chosen; p < (t + 1) * layer.chosen; ++p) {
        layer.loops->scale_and_add(out, layer.dim, 1, results_.data() + p * layer.dim,
                                   routes_.weights[p]);
      }
    }
    return Status::Ok();
  }

 private:
  // Of the experts that were chosen: nothing else of the file is touched.
  Status CheckWeights(const Layer& layer) const {
    PackedLinear packed;
    for (size_t e = 0; e < layer.experts; ++e) {
      if (routes_.BeginOf(e) == routes_.ends[e]) continue;
      ONEPACK_RETURN_IF_ERROR(
          PackedLinear::Open(PackedOf(*layer.up, e), layer.up_shape(), &packed));
      ONEPACK_RETURN_IF_ERROR(
          PackedLinear::Open(PackedOf(*layer.down, e), layer.down_shape(), &packed));
    }
    return Status::Ok();
  }

  void Multiply(const Layer& layer, const Tensor& packed, const PackedLinear::Shape& shape,
                const float* inputs, size_t input_distance, size_t pairs_of_input, float* outputs,
                size_t output_distance, pthreadpool_t threadpool) const {
    ExpertProducts products{&layer,          &routes_,
                            &packed,         shape,
                            inputs,          input_distance,
                            pairs_of_input,  outputs,
                            output_distance, PackedLinear::BlocksOf(shape.outputs)};
    pthreadpool_parallelize_1d(threadpool, ExpertProducts::Run, &products,
                               layer.experts * products.blocks, 0);
  }

  Routes routes_;
  Array<float> hidden_;   // 2 * hidden of each pair
  Array<float> results_;  // dim of each pair
};

struct Arguments {
  const Tensor* x;
  const Tensor* gate;
  const Tensor* bias;
  const Tensor* up;
  const Tensor* down;
  int64_t chosen, experts, hidden, dim, group_size, bits;
  std::string_view scores;
  double route_scale;
};

bool IsMatrix(const Tensor& tensor, ScalarType type, int64_t rows, int64_t columns) {
  return tensor.scalar_type() == type && tensor.rank() == 2 && tensor.sizes()[0] == rows &&
         tensor.sizes()[1] == columns && IsContiguous(StridedInput(tensor));
}

Status CheckTensors(const Arguments& a) {
  constexpr ScalarType kFloat = ScalarType::kFloat;
  if (a.x->rank() != 2 || !IsMatrix(*a.x, kFloat, a.x->sizes()[0], a.dim) ||
      !IsMatrix(*a.gate, kFloat, a.experts, a.dim)) {
    return Unfit("rows of dim floats, and as many for each expert, expected", *a.x, *a.gate);
  }
  const int64_t biases = CountOf(a.bias->sizes());
  if (biases > 0 && (a.bias->scalar_type() != kFloat || biases != a.experts)) {
    return Unfit("a float for each expert expected", *a.bias, *a.gate);
  }
  for (const Tensor* packed : {a.up, a.down}) {
    if (packed->rank() != 2 ||
        !IsMatrix(*packed, ScalarType::kByte, a.experts, packed->sizes()[1])) {
      return Unfit("bytes for each expert expected", *packed, *a.gate);
    }
  }
  return Status::Ok();
}

Status CheckNumbers(const Arguments& a) {
  const bool fits = a.chosen > 0 && a.chosen <= a.experts && a.hidden > 0 && a.dim > 0 &&
                    a.hidden <= INT32_MAX && a.group_size > 0 && a.bits > 0;
  if (!fits) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "%lld of %lld experts, %lld hidden, %lld wide, groups of %lld",
                         static_cast<long long>(a.chosen), static_cast<long long>(a.experts),
                         static_cast<long long>(a.hidden), static_cast<long long>(a.dim),
                         static_cast<long long>(a.group_size));
  }
  const bool has_bias = CountOf(a.bias->sizes()) > 0;
  if (a.scores == "sigmoid" || (a.scores == "softmax" && !has_bias)) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "score_func '%.*s' with%s a bias",
                       static_cast<int>(a.scores.size()), a.scores.data(), has_bias ? "" : "out");
}

// REQUIRES: the checks above.
Layer LayerOf(const Arguments& a, Tensor& out) {
  Layer layer;
  layer.x = reinterpret_cast<const float*>(a.x->data());
  layer.gate = reinterpret_cast<const float*>(a.gate->data());
  if (CountOf(a.bias->sizes()) > 0) layer.bias = reinterpret_cast<const float*>(a.bias->data());
  layer.up = a.up;
  layer.down = a.down;
  layer.tokens = static_cast<size_t>(a.x->sizes()[0]);
  layer.dim = static_cast<size_t>(a.dim);
  layer.hidden = static_cast<size_t>(a.hidden);
  layer.experts = static_cast<size_t>(a.experts);
  layer.chosen = static_cast<size_t>(a.chosen);
  layer.group_size = static_cast<size_t>(a.group_size);
  layer.bits = static_cast<size_t>(a.bits);
  layer.scores = a.scores == "sigmoid" ? Scores::kSigmoid : Scores::kSoftmax;
  layer.route_scale = static_cast<float>(a.route_scale);
  layer.out = reinterpret_cast<float*>(out.mutable_data());
  layer.loops = &VectorLoopsOfThisMachine();
  return layer;
}

Status RunLayer(const Layer& layer, const OperatorContext& context) {
  if (layer.tokens == 0) return Status::Ok();
  const size_t of_token = layer.chosen * (2 * layer.hidden + layer.dim);
  size_t tokens = of_token < kMostNumbers ? kMostNumbers / of_token : 1;
  if (tokens > layer.tokens) tokens = layer.tokens;
  Portion portion;
  ONEPACK_ASSIGN_OR_RETURN(portion, Portion::Create(layer, tokens, context.allocator));
  for (size_t first = 0; first < layer.tokens; first += tokens) {
    const size_t left = layer.tokens - first;
    ONEPACK_RETURN_IF_ERROR(
        portion.Run(layer, first, left < tokens ? left : tokens, context.threadpool()));
  }
  return Status::Ok();
}

// quantized_moe_ffn(x, gate_weight, expert_bias, packed_w13, packed_w2, num_activated_experts,
// num_experts, hidden_dim, dim, group_size, weight_nbit, score_func, route_scale, out)
Status QuantizedMoeFfn(void* context, Span<Value* const> values) {
  ArgumentReader read(values);
  Arguments a{};
  a.x = &read.Input("x");
  a.gate = &read.Input("gate_weight");
  a.bias = &read.Input("expert_bias");
  a.up = &read.Input("packed_w13");
  a.down = &read.Input("packed_w2");
  a.chosen = read.Int("num_activated_experts");
  a.experts = read.Int("num_experts");
  a.hidden = read.Int("hidden_dim");
  a.dim = read.Int("dim");
  a.group_size = read.Int("group_size");
  a.bits = read.Int("weight_nbit");
  a.scores = read.OptionalText("score_func");
  a.route_scale = read.Double("route_scale");
  Tensor& out = read.Output("out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckNumbers(a));
  ONEPACK_RETURN_IF_ERROR(CheckTensors(a));
  ONEPACK_RETURN_IF_ERROR(out.Resize(a.x->sizes()));
  if (!IsMatrix(out, ScalarType::kFloat, out.sizes()[0], a.dim)) {
    return Unfit("rows of floats expected", out, *a.x);
  }
  const Layer layer = LayerOf(a, out);
  // Sizes that the weights do not have are no reason to ask for memory.
  ONEPACK_RETURN_IF_ERROR(PackedLinear::CheckShape(PackedOf(*a.up, 0).size(), layer.up_shape()));
  ONEPACK_RETURN_IF_ERROR(
      PackedLinear::CheckShape(PackedOf(*a.down, 0).size(), layer.down_shape()));
  return RunLayer(layer, ContextOf(context));
}

constexpr OperatorRow kRows[] = {
    {"llama::quantized_moe_ffn.out", QuantizedMoeFfn},
};

}  // namespace

OperatorRows MixtureOfExpertsOperators() { return kRows; }

}  // namespace onepack::kernels
