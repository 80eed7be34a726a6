#include "aot/language_model_program.h"

#include <limits>
#include <utility>

namespace onepack {
namespace {

constexpr float kEpsilon = 1e-6f;
// What the exporter calls float32 in arguments.
constexpr int64_t kFloatType = 6;

DataBytes BytesOf(const std::vector<float>& numbers) {
  return DataBytes::Copied(
      {reinterpret_cast<const uint8_t*>(numbers.data()), numbers.size() * sizeof(float)});
}

}  // namespace

// A graph in the making, with the arguments of its delegate call in the order of its external ids.
class LanguageModelProgram::Partition {
 public:
  Partition(LanguageModelProgram& model, std::vector<uint32_t> rows)
      : model_(model),
        layers_(graph_, model.bank_,
                model.options_.data == DataPlace::kPayload ? ConstantPlace::kPayload
                                                           : ConstantPlace::kStore,
                std::move(rows)) {}

  // Its destructor calls the delegate.
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;
  ~Partition() {
    model_.plan_.CallDelegate(static_cast<uint32_t>(model_.graphs_.size()), std::move(arguments_));
    model_.graphs_.push_back(std::move(graph_));
  }

  uint32_t Input(int32_t value, const std::vector<uint32_t>& dims) {
    arguments_.push_back(value);
    return graph_.AddInput(dims);
  }
  uint32_t Input(int32_t value, uint32_t width) { return Input(value, layers_.Dims(width)); }
  uint32_t Output(int32_t value, uint32_t width) {
    arguments_.push_back(value);
    return graph_.AddOutput(layers_.Dims(width));
  }
  uint32_t Internal(uint32_t width) { return graph_.AddInternal(layers_.Dims(width)); }

  void Square(uint32_t x, uint32_t y) { graph_.AddMultiply(x, x, y); }

  // x / sqrt(mean + epsilon) * norm, to `y`.
  void Normalize(uint32_t mean, uint32_t epsilon, uint32_t x, uint32_t norm, uint32_t width,
                 uint32_t y) {
    const uint32_t sum = Internal(1);
    graph_.AddAdd(mean, epsilon, sum);
    const uint32_t root = Internal(1);
    graph_.AddUnary(wire::xnnpack::XNodeUnion::XNNReciprocalSquareRoot, sum, root);
    const uint32_t scaled = Internal(width);
    graph_.AddMultiply(x, root, scaled);
    graph_.AddMultiply(scaled, norm, y);
  }

  // A projection of attention, with its adapter, if there is one: y + factor * b(a(x)), to `y`.
  void AddAdapted(uint32_t layer, ModelLinear linear, uint32_t x, uint32_t factor, uint32_t y) {
    const LinearWeight weight = model_.weights_.Linear(layer, linear);
    if (!model_.adapter_) return layers_.AddTo(weight, x, y);
    const auto part = [&](AdapterPart which) {
      return model_.weights_.Adapter(*model_.adapter_, layer, linear, which);
    };
    const uint32_t base = layers_.Add(weight, x);
    const uint32_t update =
        layers_.Add(part(AdapterPart::kB), layers_.Add(part(AdapterPart::kA), x));
    const uint32_t scaled = Internal(weight.outputs);
    graph_.AddMultiply(update, factor, scaled);
    graph_.AddAdd(base, scaled, y);
  }

  PayloadWriter& graph() { return graph_; }
  LinearLayers& layers() { return layers_; }

 private:
  LanguageModelProgram& model_;
  PayloadWriter graph_;
  LinearLayers layers_;
  std::vector<int32_t> arguments_;
};

LanguageModelProgram::LanguageModelProgram(const LanguageModelOptions& options,
                                           std::optional<uint32_t> adapter, WeightBank& bank,
                                           NamedDataStore* tensors, const std::string& tag)
    : options_(options),
      weights_(options),
      adapter_(adapter),
      bank_(bank),
      tensors_(tensors),
      tag_(tag),
      plan_("forward") {}

int32_t LanguageModelProgram::Int(int64_t number) {
  const auto [place, is_new] = ints_.try_emplace(number, -1);
  if (is_new) place->second = plan_.AddInt(number);
  return place->second;
}

int32_t LanguageModelProgram::None() {
  if (none_ < 0) none_ = plan_.AddNone();
  return none_;
}

int32_t LanguageModelProgram::Planned(std::vector<int32_t> sizes) {
  return plan_.AddTensor(ScalarType::kFloat, std::move(sizes), true);
}

std::vector<int32_t> LanguageModelProgram::Rows(uint32_t width) const {
  return {1, static_cast<int32_t>(options_.chunk), static_cast<int32_t>(width)};
}

std::vector<int32_t> LanguageModelProgram::HeadRows(uint32_t heads, uint32_t width) const {
  return {1, static_cast<int32_t>(options_.chunk), static_cast<int32_t>(heads),
          static_cast<int32_t>(width)};
}

int32_t LanguageModelProgram::Scalar(float number) {
  TensorPlan tensor;
  tensor.data_buffer_idx = program_.AddConstant(BytesOf({number}));
  return plan_.AddValue(std::move(tensor));
}

Result<int32_t> LanguageModelProgram::Outside(const std::string& key, const DataBytes& bytes,
                                              ScalarType type, std::vector<int32_t> sizes) {
  TensorPlan tensor;
  tensor.scalar_type = type;
  tensor.sizes = sizes;
  if (tensors_ == nullptr) {
    tensor.data_buffer_idx = program_.AddConstant(bytes);
  } else {
    NamedDataOptions options;
    options.tag = tag_;
    options.layout = PtdTensorLayout{type, std::move(sizes), {}};
    ONEPACK_RETURN_IF_ERROR(tensors_->Add(key, bytes, options));
    tensor.external_key = key;
  }
  return plan_.AddValue(std::move(tensor));
}

Result<int32_t> LanguageModelProgram::OutsideFloats(const std::string& key,
                                                    const std::vector<float>& numbers) {
  return Outside(key, BytesOf(numbers), ScalarType::kFloat, {static_cast<int32_t>(numbers.size())});
}

// The position as a number, and the rows of the rotary tables for the tokens from there on.
Status LanguageModelProgram::AddPositions() {
  tokens_ = plan_.AddInput(ScalarType::kLong, {1, static_cast<int32_t>(options_.chunk)}, true);
  const int32_t input_position = plan_.AddInput(ScalarType::kLong, {1}, false);
  count_ = plan_.AddInt(0);
  plan_.Call("aten::sym_size", "int", {tokens_, Int(1), count_});
  const int32_t selected = plan_.AddTensor(ScalarType::kLong, {}, false);
  plan_.Call("aten::select_copy", "int_out", {input_position, Int(0), Int(0), selected, selected});
  position_ = plan_.AddInt(0);
  plan_.Call("aten::_local_scalar_dense", "", {selected, position_});
  ONEPACK_ASSIGN_OR_RETURN(cosines_, AddRotaryRows("rope.freqs_cos", false));
  ONEPACK_ASSIGN_OR_RETURN(sines_, AddRotaryRows("rope.freqs_sin", true));
  return Status::Ok();
}

Result<int32_t> LanguageModelProgram::AddRotaryRows(const char* key, bool is_sine) {
  const uint64_t size = uint64_t{options_.context} * options_.head_dim * sizeof(float);
  const DataBytes bytes = DataBytes::Produced(
      size, [weights = weights_, rows = options_.context, is_sine](const Append& append) {
        for (uint32_t row = 0; row < rows; ++row) {
          const std::vector<float> numbers = weights.RotaryRow(row, is_sine);
          ONEPACK_RETURN_IF_ERROR(append(
              {reinterpret_cast<const uint8_t*>(numbers.data()), numbers.size() * sizeof(float)}));
        }
        return Status::Ok();
      });
  const auto width = static_cast<int32_t>(options_.head_dim);
  ONEPACK_ASSIGN_OR_RETURN(
      const int32_t table,
      Outside(key, bytes, ScalarType::kFloat, {static_cast<int32_t>(options_.context), width}));
  const int32_t end = plan_.AddInt(0);
  plan_.Call("executorch_prim::add", "Scalar", {position_, count_, end});
  const auto chunk = static_cast<int32_t>(options_.chunk);
  const int32_t rows = Planned({chunk, width});
  plan_.Call("aten::slice_copy", "Tensor_out", {table, Int(0), position_, end, Int(1), rows, rows});
  const int32_t unsqueezed = Planned({chunk, 1, width});
  plan_.Call("aten::unsqueeze_copy", "out", {rows, Int(1), unsqueezed, unsqueezed});
  return unsqueezed;
}

Result<int32_t> LanguageModelProgram::AddEmbedding() {
  const LinearWeight weight = weights_.Embedding();
  const WeightBank::Files& files = bank_.Of(weight);
  const auto rows = static_cast<int32_t>(weight.outputs);
  const auto width = static_cast<int32_t>(weight.inputs);
  const bool is_int8 = weight.type == WeightType::kInt8;
  ONEPACK_ASSIGN_OR_RETURN(
      const int32_t table,
      Outside("tok_embeddings.weight", files.data, is_int8 ? ScalarType::kChar : ScalarType::kFloat,
              {rows, width}));
  const int32_t x = Planned(Rows(options_.dim));
  if (!is_int8) {
    const int32_t no = plan_.AddBool(false);
    plan_.Call("aten::embedding", "out", {table, tokens_, Int(-1), no, no, x, x});
    return x;
  }
  ONEPACK_ASSIGN_OR_RETURN(const int32_t scales, Outside("tok_embeddings.scales", files.scales,
                                                         ScalarType::kFloat, {rows}));
  plan_.Call("quantized_decomposed::embedding_byte", "dtype_out",
             {table, scales, None(), Int(-128), Int(127), tokens_, Int(kFloatType), x, x});
  return x;
}

// Over the last dimension.
int32_t LanguageModelProgram::AddMean(int32_t squares, std::vector<int32_t> sizes) {
  const bool is_dynamic = sizes.size() > 2;
  sizes.back() = 1;
  const int32_t mean = plan_.AddTensor(ScalarType::kFloat, std::move(sizes), is_dynamic);
  plan_.Call("aten::mean", "out",
             {squares, plan_.AddIntList({Int(-1)}), plan_.AddBool(true), None(), mean, mean});
  return mean;
}

int32_t LanguageModelProgram::AddView(int32_t tensor, const std::vector<int32_t>& shape,
                                      std::vector<int32_t> sizes) {
  const int32_t view = plan_.AddView(tensor, std::move(sizes), true);
  plan_.Call("executorch_prim::et_view", "default", {tensor, plan_.AddIntList(shape), view});
  return view;
}

Status LanguageModelProgram::AddQueriesKeysValues(uint32_t layer, int32_t* queries, int32_t* keys,
                                                  int32_t* values) {
  const std::string prefix = "layers." + std::to_string(layer) + ".";
  ONEPACK_ASSIGN_OR_RETURN(
      const int32_t norm,
      OutsideFloats(prefix + "attention_norm.weight", weights_.Norm(layer, ModelNorm::kAttention)));
  const int32_t mean = AddMean(squares_, Rows(options_.dim));
  const uint32_t query_width = options_.heads * options_.head_dim;
  const uint32_t key_width = options_.kv_heads * options_.head_dim;
  *queries = Planned(Rows(query_width));
  *keys = Planned(Rows(key_width));
  *values = Planned(Rows(key_width));
  Partition part(*this, {1, options_.chunk});
  const uint32_t mean_in = part.Input(mean, 1);
  const uint32_t epsilon_in = part.Input(epsilon_, std::vector<uint32_t>{1});
  const uint32_t x_in = part.Input(x_, options_.dim);
  const uint32_t norm_in = part.Input(norm, std::vector<uint32_t>{options_.dim});
  const uint32_t factor_in = adapter_ ? part.Input(factor_, std::vector<uint32_t>{1}) : 0;
  const uint32_t h = part.Internal(options_.dim);
  part.Normalize(mean_in, epsilon_in, x_in, norm_in, options_.dim, h);
  part.AddAdapted(layer, ModelLinear::kQuery, h, factor_in, part.Output(*queries, query_width));
  part.AddAdapted(layer, ModelLinear::kKey, h, factor_in, part.Output(*keys, key_width));
  part.AddAdapted(layer, ModelLinear::kValue, h, factor_in, part.Output(*values, key_width));
  return Status::Ok();
}

Status LanguageModelProgram::AddHeadNorms(uint32_t layer, Heads& queries, Heads& keys) {
  const std::string prefix = "layers." + std::to_string(layer) + ".attention.";
  ONEPACK_ASSIGN_OR_RETURN(queries.norm, OutsideFloats(prefix + "q_norm_fn.weight",
                                                       weights_.Norm(layer, ModelNorm::kQuery)));
  ONEPACK_ASSIGN_OR_RETURN(
      keys.norm, OutsideFloats(prefix + "k_norm_fn.weight", weights_.Norm(layer, ModelNorm::kKey)));
  for (Heads* heads : {&queries, &keys}) {
    const std::vector<int32_t> sizes = HeadRows(heads->count, options_.head_dim);
    const int32_t squares = Planned(sizes);
    {
      Partition part(*this, {1, options_.chunk, heads->count});
      const uint32_t in = part.Input(heads->values, options_.head_dim);
      part.Square(in, part.Output(squares, options_.head_dim));
    }
    const int32_t mean = AddMean(squares, sizes);
    const int32_t normalized = Planned(sizes);
    {
      Partition part(*this, {1, options_.chunk, heads->count});
      const uint32_t mean_in = part.Input(mean, 1);
      const uint32_t epsilon_in = part.Input(epsilon_, std::vector<uint32_t>{1});
      const uint32_t in = part.Input(heads->values, options_.head_dim);
      const uint32_t norm_in = part.Input(heads->norm, std::vector<uint32_t>{options_.head_dim});
      part.Normalize(mean_in, epsilon_in, in, norm_in, options_.head_dim,
                     part.Output(normalized, options_.head_dim));
    }
    heads->values = normalized;
  }
  return Status::Ok();
}

int32_t LanguageModelProgram::AddHalf(int32_t tensor, uint32_t heads, bool is_second) {
  const uint32_t half = options_.head_dim / 2;
  const int32_t out = Planned(HeadRows(heads, half));
  const int32_t begin = Int(is_second ? half : 0);
  const int32_t end = Int(is_second ? std::numeric_limits<int64_t>::max() : half);
  plan_.Call("aten::slice_copy", "Tensor_out", {tensor, Int(3), begin, end, Int(1), out, out});
  return out;
}

// heads * cos + (-second half, first half) * sin.
void LanguageModelProgram::AddRotation(Heads& queries, Heads& keys) {
  const uint32_t half = options_.head_dim / 2;
  for (Heads* heads : {&queries, &keys}) {
    const std::vector<int32_t> sizes = HeadRows(heads->count, options_.head_dim);
    const int32_t copy = Planned(sizes);
    plan_.Call("aten::alias_copy", "out", {heads->values, copy, copy});
    const int32_t first = AddHalf(copy, heads->count, false);
    const int32_t second = AddHalf(copy, heads->count, true);
    const int32_t rotated = Planned(sizes);
    {
      Partition part(*this, {1, options_.chunk, heads->count});
      const std::vector<uint32_t> table = {options_.chunk, 1, options_.head_dim};
      const uint32_t whole_in = part.Input(copy, options_.head_dim);
      const uint32_t cosines_in = part.Input(cosines_, table);
      const uint32_t second_in = part.Input(second, half);
      const uint32_t first_in = part.Input(first, half);
      const uint32_t sines_in = part.Input(sines_, table);
      PayloadWriter& graph = part.graph();
      const uint32_t direct = part.Internal(options_.head_dim);
      graph.AddMultiply(whole_in, cosines_in, direct);
      const uint32_t negated = part.Internal(half);
      graph.AddUnary(wire::xnnpack::XNodeUnion::XNNNegate, second_in, negated);
      const uint32_t swapped = part.Internal(options_.head_dim);
      graph.AddConcatenate2(3, negated, first_in, swapped);
      const uint32_t turned = part.Internal(options_.head_dim);
      graph.AddMultiply(swapped, sines_in, turned);
      graph.AddAdd(direct, turned, part.Output(rotated, options_.head_dim));
    }
    heads->values = rotated;
  }
}

// Of the rotated part of each head with the rest, of which these models have none: as the exporter
// leaves it.
int32_t LanguageModelProgram::AddConcatenation(const Heads& heads) {
  const int32_t out = Planned(HeadRows(heads.count, options_.head_dim));
  plan_.Call("aten::cat", "out",
             {plan_.AddValue(TensorListPlan{{heads.values}}), Int(-1), out, out});
  return out;
}

int32_t LanguageModelProgram::AddAttention(const Heads& queries, const Heads& keys,
                                           int32_t values) {
  const int32_t query = AddConcatenation(queries);
  const int32_t key = AddConcatenation(keys);
  const std::vector<int32_t> cache_sizes = {1, static_cast<int32_t>(options_.context),
                                            static_cast<int32_t>(options_.kv_heads),
                                            static_cast<int32_t>(options_.head_dim)};
  int32_t caches[2];
  const int32_t updates[2] = {key, values};
  for (size_t i = 0; i < 2; ++i) {
    caches[i] = plan_.AddState(ScalarType::kFloat, cache_sizes);
    const int32_t ignored = plan_.AddTensor(ScalarType::kFloat, {1}, false);
    plan_.Call("llama::update_cache", "out", {updates[i], caches[i], position_, ignored, ignored});
  }
  const int32_t out = Planned(HeadRows(options_.heads, options_.head_dim));
  plan_.Call("llama::custom_sdpa", "out",
             {query, caches[0], caches[1], position_, None(), plan_.AddDouble(0.0),
              plan_.AddBool(true), None(), out, out});
  const uint32_t width = options_.heads * options_.head_dim;
  return AddView(out, {Int(1), count_, Int(width)}, Rows(width));
}

void LanguageModelProgram::AddOutputProjection(uint32_t layer, int32_t attended) {
  const int32_t sum = Planned(Rows(options_.dim));
  const int32_t squares = Planned(Rows(options_.dim));
  Partition part(*this, {1, options_.chunk});
  const uint32_t in = part.Input(attended, options_.heads * options_.head_dim);
  const uint32_t x_in = part.Input(x_, options_.dim);
  const uint32_t factor_in = adapter_ ? part.Input(factor_, std::vector<uint32_t>{1}) : 0;
  const uint32_t projected = part.Internal(options_.dim);
  part.AddAdapted(layer, ModelLinear::kOutput, in, factor_in, projected);
  const uint32_t sum_out = part.Output(sum, options_.dim);
  part.graph().AddAdd(x_in, projected, sum_out);
  part.Square(sum_out, part.Output(squares, options_.dim));
  x_ = sum;
  squares_ = squares;
}

Status LanguageModelProgram::AddFfn(uint32_t layer) {
  ONEPACK_ASSIGN_OR_RETURN(const int32_t norm,
                           OutsideFloats("layers." + std::to_string(layer) + ".ffn_norm.weight",
                                         weights_.Norm(layer, ModelNorm::kFfn)));
  const int32_t mean = AddMean(squares_, Rows(options_.dim));
  const int32_t sum = Planned(Rows(options_.dim));
  const bool is_last = layer + 1 == options_.layers;
  const int32_t squares = is_last ? -1 : Planned(Rows(options_.dim));
  Partition part(*this, {1, options_.chunk});
  const uint32_t mean_in = part.Input(mean, 1);
  const uint32_t epsilon_in = part.Input(epsilon_, std::vector<uint32_t>{1});
  const uint32_t x_in = part.Input(x_, options_.dim);
  const uint32_t norm_in = part.Input(norm, std::vector<uint32_t>{options_.dim});
  const uint32_t h = part.Internal(options_.dim);
  part.Normalize(mean_in, epsilon_in, x_in, norm_in, options_.dim, h);
  const uint32_t gate = part.layers().Add(weights_.Linear(layer, ModelLinear::kGate), h);
  const uint32_t up = part.layers().Add(weights_.Linear(layer, ModelLinear::kUp), h);
  const uint32_t sigmoid = part.Internal(options_.ffn);
  part.graph().AddSigmoid(gate, sigmoid);
  const uint32_t swish = part.Internal(options_.ffn);
  part.graph().AddMultiply(gate, sigmoid, swish);
  const uint32_t gated = part.Internal(options_.ffn);
  part.graph().AddMultiply(swish, up, gated);
  const uint32_t down = part.layers().Add(weights_.Linear(layer, ModelLinear::kDown), gated);
  const uint32_t sum_out = part.Output(sum, options_.dim);
  part.graph().AddAdd(x_in, down, sum_out);
  if (!is_last) part.Square(sum_out, part.Output(squares, options_.dim));
  x_ = sum;
  squares_ = squares;
  return Status::Ok();
}

Status LanguageModelProgram::AddLayer(uint32_t layer) {
  int32_t flat[3];
  ONEPACK_RETURN_IF_ERROR(AddQueriesKeysValues(layer, &flat[0], &flat[1], &flat[2]));
  const auto split = [&](int32_t tensor, uint32_t heads) {
    return AddView(tensor, {Int(1), count_, Int(heads), Int(options_.head_dim)},
                   HeadRows(heads, options_.head_dim));
  };
  Heads queries = {split(flat[0], options_.heads), options_.heads, -1};
  Heads keys = {split(flat[1], options_.kv_heads), options_.kv_heads, -1};
  const int32_t values = split(flat[2], options_.kv_heads);
  if (options_.has_query_key_norms) ONEPACK_RETURN_IF_ERROR(AddHeadNorms(layer, queries, keys));
  AddRotation(queries, keys);
  AddOutputProjection(layer, AddAttention(queries, keys, values));
  return AddFfn(layer);
}

// Of the last token only.
Result<int32_t> LanguageModelProgram::AddHead() {
  const std::vector<int32_t> sizes = {1, static_cast<int32_t>(options_.dim)};
  const auto add_row = [&](uint32_t width) {
    return plan_.AddTensor(ScalarType::kFloat, {1, static_cast<int32_t>(width)}, false);
  };
  const int32_t last = add_row(options_.dim);
  plan_.Call("aten::select_copy", "int_out", {x_, Int(1), Int(-1), last, last});
  const int32_t squares = add_row(options_.dim);
  {
    Partition part(*this, {1});
    const uint32_t in = part.Input(last, options_.dim);
    part.Square(in, part.Output(squares, options_.dim));
  }
  ONEPACK_ASSIGN_OR_RETURN(const int32_t norm, OutsideFloats("norm.weight", weights_.FinalNorm()));
  const int32_t mean = AddMean(squares, sizes);
  const int32_t logits = add_row(options_.vocabulary);
  Partition part(*this, {1});
  const uint32_t mean_in = part.Input(mean, 1);
  const uint32_t epsilon_in = part.Input(epsilon_, std::vector<uint32_t>{1});
  const uint32_t in = part.Input(last, options_.dim);
  const uint32_t norm_in = part.Input(norm, std::vector<uint32_t>{options_.dim});
  const uint32_t h = part.Internal(options_.dim);
  part.Normalize(mean_in, epsilon_in, in, norm_in, options_.dim, h);
  part.layers().AddTo(weights_.Head(), h, part.Output(logits, options_.vocabulary));
  return logits;
}

// What callers ask before they generate.
void LanguageModelProgram::Finish(int32_t logits) {
  program_.AddMethod(plan_.Finish({logits}));
  const std::pair<const char*, ValuePlan> facts[] = {
      {"get_max_seq_len", int64_t{options_.context}},
      {"get_max_context_len", int64_t{options_.context}},
      {"get_n_layers", int64_t{options_.layers}},
      {"get_vocab_size", int64_t{options_.vocabulary}},
      {"use_kv_cache", true},
      {"use_sdpa_with_kv_cache", true},
      {"enable_dynamic_shape", true},
      {"get_bos_id", int64_t{1}},
      {"get_eos_ids", int64_t{2}}};
  for (const auto& [name, value] : facts) {
    MethodPlan method;
    method.name = name;
    method.values = {value};
    method.outputs = {0};
    method.chains.resize(1);
    program_.AddMethod(std::move(method));
  }
}

Status LanguageModelProgram::Build() {
  epsilon_ = Scalar(kEpsilon);
  if (adapter_) factor_ = Scalar(options_.adapter_factor);
  ONEPACK_RETURN_IF_ERROR(AddPositions());
  ONEPACK_ASSIGN_OR_RETURN(x_, AddEmbedding());
  squares_ = Planned(Rows(options_.dim));
  {
    Partition part(*this, {1, options_.chunk});
    const uint32_t in = part.Input(x_, options_.dim);
    part.Square(in, part.Output(squares_, options_.dim));
  }
  for (uint32_t layer = 0; layer < options_.layers; ++layer) {
    ONEPACK_RETURN_IF_ERROR(AddLayer(layer));
  }
  ONEPACK_ASSIGN_OR_RETURN(const int32_t logits, AddHead());
  Finish(logits);
  return Status::Ok();
}

}  // namespace onepack
