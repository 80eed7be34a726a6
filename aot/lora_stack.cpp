#include "aot/lora_stack.h"

#include <errno.h>
#include <stdio.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "aot/lora_stack_reference.h"
#include "aot/lora_stack_weights.h"
#include "aot/payload_writer.h"
#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"

namespace onepack {
namespace {

constexpr uint32_t kCallRows[] = {1, 4};
constexpr size_t kBinAlignment = 16;

Status WriteFile(const std::string& path, Bytes bytes) {
  FILE* file = fopen(path.c_str(), "wb");
  if (file == nullptr) return PosixError(path.c_str(), errno);
  const bool written = fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  const int error = errno;
  if (fclose(file) != 0 || !written) return PosixError(path.c_str(), written ? errno : error);
  return Status::Ok();
}

Bytes BytesOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string AdapterName(uint32_t adapter) { return "lora" + std::to_string(adapter); }

// Keys of matrices, each hashed once.
class Keys {
 public:
  const std::string& Of(const LoraMatrix& matrix) {
    std::string& key = keys_[matrix.seed];
    if (key.empty()) key = matrix.Key();
    return key;
  }

 private:
  std::map<uint64_t, std::string> keys_;
};

// The graph of one program: the base, or with an adapter.
class GraphWriter {
 public:
  GraphWriter(const LoraStackOptions& options, std::optional<uint32_t> adapter, Keys& keys)
      : options_(options), weights_(options), adapter_(adapter), keys_(keys) {}

  std::vector<uint8_t> Write() {
    uint32_t x = payload_.AddInput({options_.max_rows, options_.width});
    for (uint32_t block = 0; block < options_.blocks; ++block) x = AddBlock(block, x);
    return payload_.Finish();
  }

  // After Write: how many external inputs of the graph are the number 2.
  uint32_t factor_count() const { return factor_count_; }

 private:
  uint32_t AddBlock(uint32_t block, uint32_t x) {
    const uint32_t g = AddLayer(block, LoraLayer::kGate, x);
    const uint32_t sigmoid = Internal(options_.hidden);
    payload_.AddSigmoid(g, sigmoid);
    const uint32_t swish = Internal(options_.hidden);
    payload_.AddMultiply(g, sigmoid, swish);
    const uint32_t up = AddLinear(weights_.Base(block, LoraLayer::kUp), x);
    const uint32_t gated = Internal(options_.hidden);
    payload_.AddMultiply(swish, up, gated);
    const uint32_t down = AddLayer(block, LoraLayer::kDown, gated);
    const bool is_last = block + 1 == options_.blocks;
    const uint32_t sum = is_last ? payload_.AddOutput({options_.max_rows, options_.width})
                                 : Internal(options_.width);
    payload_.AddAdd(x, down, sum);
    return sum;
  }

  uint32_t AddLayer(uint32_t block, LoraLayer layer, uint32_t x) {
    const LoraMatrix base = weights_.Base(block, layer);
    const uint32_t y = AddLinear(base, x);
    if (!adapter_) return y;
    const uint32_t inner = AddLinear(weights_.Adapter(*adapter_, block, layer, LoraPart::kA), x);
    const uint32_t update =
        AddLinear(weights_.Adapter(*adapter_, block, layer, LoraPart::kB), inner);
    // As the exporter has it: the 2 is an input of the graph, which the program holds as a
    // constant.
    const uint32_t factor = payload_.AddInput({1});
    ++factor_count_;
    const uint32_t scaled = Internal(base.outputs);
    payload_.AddMultiply(update, factor, scaled);
    const uint32_t sum = Internal(base.outputs);
    payload_.AddAdd(y, scaled, sum);
    return sum;
  }

  uint32_t AddLinear(const LoraMatrix& matrix, uint32_t x) {
    const uint32_t constant = payload_.AddNamedConstant(keys_.Of(matrix), matrix.size_bytes());
    const uint32_t filter = payload_.AddConstant({matrix.outputs, matrix.inputs}, constant);
    const uint32_t y = Internal(matrix.outputs);
    payload_.AddFullyConnected(x, filter, y);
    return y;
  }

  uint32_t Internal(uint32_t width) { return payload_.AddInternal({options_.max_rows, width}); }

  const LoraStackOptions& options_;
  const LoraWeights weights_;
  const std::optional<uint32_t> adapter_;
  Keys& keys_;
  PayloadWriter payload_;
  uint32_t factor_count_ = 0;
};

// Values: the constant 2s, then the input, then the output. The delegate takes input, 2s, output.
std::vector<uint8_t> WriteProgram(const LoraStackOptions& options, std::optional<uint32_t> adapter,
                                  Keys& keys) {
  ProgramWriter program;
  GraphWriter graph(options, adapter, keys);
  const std::vector<uint8_t> payload = graph.Write();
  const auto factors = static_cast<int32_t>(graph.factor_count());
  MethodPlan method;
  if (factors > 0) {
    const float two = 2.0f;
    TensorPlan factor;
    factor.data_buffer_idx =
        program.AddConstant({reinterpret_cast<const uint8_t*>(&two), sizeof(two)});
    method.values.assign(static_cast<size_t>(factors), factor);
  }
  TensorPlan rows;
  rows.sizes = {static_cast<int32_t>(options.max_rows), static_cast<int32_t>(options.width)};
  rows.is_dynamic = true;
  const int64_t size = int64_t{options.max_rows} * options.width * int64_t{sizeof(float)};
  const int64_t aligned_size = (size + 63) / 64 * 64;
  for (const int64_t offset : {aligned_size, int64_t{0}}) {
    rows.place = PlannedPlace{1, static_cast<uint64_t>(offset)};
    method.values.push_back(rows);
  }
  method.buffer_sizes = {0, 2 * aligned_size};
  method.inputs = {factors};
  method.outputs = {factors + 1};
  method.delegates = {DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(payload))};
  DelegateCallPlan call;
  call.arguments = {factors};
  for (int32_t i = 0; i < factors; ++i) call.arguments.push_back(i);
  call.arguments.push_back(factors + 1);
  method.chains = {{call}};
  program.AddMethod(method);
  return program.Finish();
}

Status WriteData(const std::string& path, const std::vector<LoraMatrix>& matrices, Keys& keys) {
  PtdWriter data;
  for (const LoraMatrix& matrix : matrices) {
    const DataBytes bytes =
        DataBytes::Produced(matrix.size_bytes(),
                            [matrix](const Append& append) { return matrix.ForEachPiece(append); });
    data.AddKey(keys.Of(matrix), data.AddSegment(bytes));
  }
  return data.ToFile(path);
}

std::vector<LoraMatrix> BaseMatrices(const LoraStackOptions& options) {
  const LoraWeights weights(options);
  std::vector<LoraMatrix> matrices;
  for (uint32_t block = 0; block < options.blocks; ++block) {
    for (const LoraLayer layer : {LoraLayer::kGate, LoraLayer::kUp, LoraLayer::kDown}) {
      matrices.push_back(weights.Base(block, layer));
    }
  }
  return matrices;
}

std::vector<LoraMatrix> AdapterMatrices(const LoraStackOptions& options, uint32_t adapter) {
  const LoraWeights weights(options);
  std::vector<LoraMatrix> matrices;
  for (uint32_t block = 0; block < options.blocks; ++block) {
    for (const LoraLayer layer : {LoraLayer::kGate, LoraLayer::kDown}) {
      for (const LoraPart part : {LoraPart::kA, LoraPart::kB}) {
        matrices.push_back(weights.Adapter(adapter, block, layer, part));
      }
    }
  }
  return matrices;
}

// NAME.json and NAME.bin.
class CaseWriter {
 public:
  CaseWriter(const std::string& name, const std::vector<std::string>& data) {
    json_ = {{"name", "lora_stack/" + name},
             {"program", name + ".pte"},
             {"data", data},
             {"method", "forward"},
             {"atol", 1e-3},
             {"rtol", 1e-3},
             {"calls", nlohmann::ordered_json::array()}};
  }

  void AddCall(const LoraRows& input, const LoraRows& output, size_t first, size_t count) {
    nlohmann::ordered_json call;
    call["inputs"] = {AddRows(input, first, count)};
    call["outputs"] = {AddRows(output, first, count)};
    json_["calls"].push_back(std::move(call));
  }

  Status Write(const std::string& stem) const {
    ONEPACK_RETURN_IF_ERROR(WriteFile(stem + ".bin", bytes_));
    return WriteFile(stem + ".json", BytesOf(json_.dump(1)));
  }

 private:
  nlohmann::ordered_json AddRows(const LoraRows& rows, size_t first, size_t count) {
    bytes_.resize((bytes_.size() + kBinAlignment - 1) / kBinAlignment * kBinAlignment);
    const size_t offset = bytes_.size();
    const size_t size = count * rows.width * sizeof(float);
    const auto* begin = reinterpret_cast<const uint8_t*>(rows.row(first));
    bytes_.insert(bytes_.end(), begin, begin + size);
    return {{"dtype", "float32"},
            {"sizes", {count, rows.width}},
            {"dim_order", {0, 1}},
            {"offset", offset},
            {"nbytes", size}};
  }

  nlohmann::ordered_json json_;
  std::vector<uint8_t> bytes_;
};

Status WriteCases(const std::string& folder, const LoraStackOptions& options) {
  size_t row_count = 0;
  for (const uint32_t rows : kCallRows) row_count += rows;
  LoraRows input{options.width, std::vector<float>(row_count * options.width)};
  FillUniform(options.seed + 42, 1.0f, input.numbers);
  const std::vector<LoraRows> outputs = ComputeLoraStack(options, input);
  for (uint32_t program = 0; program < outputs.size(); ++program) {
    const bool is_base = program == 0;
    const std::string name = is_base ? "base" : AdapterName(program - 1);
    std::vector<std::string> data = {"foundation.ptd"};
    if (!is_base) data.push_back(name + ".ptd");
    CaseWriter recorded(name, data);
    size_t first = 0;
    for (const uint32_t rows : kCallRows) {
      recorded.AddCall(input, outputs[program], first, rows);
      first += rows;
    }
    ONEPACK_RETURN_IF_ERROR(recorded.Write(folder + "/" + name));
  }
  return Status::Ok();
}

Status CheckOptions(const LoraStackOptions& options) {
  if (options.width > 0 && options.hidden > 0 && options.blocks > 0 && options.rank > 0 &&
      options.max_rows >= 4) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidArgument,
                       "width, hidden, blocks and rank are at least 1 and max_rows at least 4");
}

}  // namespace

Status WriteLoraStack(const std::string& folder, const LoraStackOptions& options) {
  ONEPACK_RETURN_IF_ERROR(CheckOptions(options));
  Keys keys;
  ONEPACK_RETURN_IF_ERROR(WriteData(folder + "/foundation.ptd", BaseMatrices(options), keys));
  ONEPACK_RETURN_IF_ERROR(
      WriteFile(folder + "/base.pte", WriteProgram(options, std::nullopt, keys)));
  for (uint32_t adapter = 0; adapter < options.adapters; ++adapter) {
    const std::string stem = folder + "/" + AdapterName(adapter);
    ONEPACK_RETURN_IF_ERROR(WriteData(stem + ".ptd", AdapterMatrices(options, adapter), keys));
    ONEPACK_RETURN_IF_ERROR(WriteFile(stem + ".pte", WriteProgram(options, adapter, keys)));
  }
  return WriteCases(folder, options);
}

}  // namespace onepack
