#include "aot/lora_stack.h"

#include <optional>
#include <utility>
#include <vector>

#include "aot/case_writer.h"
#include "aot/lora_stack_reference.h"
#include "aot/lora_stack_weights.h"
#include "aot/preprocess.h"
#include "aot/pte_writer.h"
#include "aot/random_numbers.h"

namespace onepack {
namespace {

constexpr uint32_t kCallRows[] = {1, 4};
constexpr char kFoundation[] = "foundation";

std::string ProgramName(uint32_t program) {
  return program == 0 ? "base" : "lora" + std::to_string(program - 1);
}

// The graph of one program: the base, or with an adapter.
class StackGraph {
 public:
  StackGraph(const LoraStackOptions& options, std::optional<uint32_t> adapter, WeightBank& bank,
             PayloadWriter& payload)
      : options_(options),
        weights_(options),
        adapter_(adapter),
        payload_(payload),
        layers_(
            payload, bank,
            options.data == DataPlace::kPayload ? ConstantPlace::kPayload : ConstantPlace::kStore,
            {options.max_rows}) {}

  // Returns how many external inputs, besides the first, are the number 2.
  uint32_t Build() {
    uint32_t x = payload_.AddInput(layers_.Dims(options_.width));
    for (uint32_t block = 0; block < options_.blocks; ++block) x = AddBlock(block, x);
    return factor_count_;
  }

 private:
  uint32_t AddBlock(uint32_t block, uint32_t x) {
    const uint32_t g = AddLayer(block, LoraLayer::kGate, x);
    const uint32_t sigmoid = Internal(options_.hidden);
    payload_.AddSigmoid(g, sigmoid);
    const uint32_t swish = Internal(options_.hidden);
    payload_.AddMultiply(g, sigmoid, swish);
    const uint32_t up = layers_.Add(weights_.Base(block, LoraLayer::kUp), x);
    const uint32_t gated = Internal(options_.hidden);
    payload_.AddMultiply(swish, up, gated);
    const uint32_t down = AddLayer(block, LoraLayer::kDown, gated);
    const bool is_last = block + 1 == options_.blocks;
    const uint32_t sum =
        is_last ? payload_.AddOutput(layers_.Dims(options_.width)) : Internal(options_.width);
    payload_.AddAdd(x, down, sum);
    return sum;
  }

  uint32_t AddLayer(uint32_t block, LoraLayer layer, uint32_t x) {
    const LinearWeight base = weights_.Base(block, layer);
    const uint32_t y = layers_.Add(base, x);
    if (!adapter_) return y;
    const uint32_t inner = layers_.Add(weights_.Adapter(*adapter_, block, layer, LoraPart::kA), x);
    const uint32_t update =
        layers_.Add(weights_.Adapter(*adapter_, block, layer, LoraPart::kB), inner);
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

  uint32_t Internal(uint32_t width) { return payload_.AddInternal(layers_.Dims(width)); }

  const LoraStackOptions& options_;
  const LoraWeights weights_;
  const std::optional<uint32_t> adapter_;
  PayloadWriter& payload_;
  LinearLayers layers_;
  uint32_t factor_count_ = 0;
};

// Values: the constant 2s, then the input, then the output. The delegate takes input, 2s, output.
MethodPlan PlanMethod(const LoraStackOptions& options, uint32_t factor_count,
                      ProgramWriter& program) {
  const auto factors = static_cast<int32_t>(factor_count);
  MethodPlan method;
  if (factors > 0) {
    const float two = 2.0f;
    TensorPlan factor;
    factor.data_buffer_idx =
        program.AddConstant(Bytes(reinterpret_cast<const uint8_t*>(&two), sizeof(two)));
    method.values.assign(factor_count, factor);
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
  DelegateCallPlan call;
  call.arguments = {factors};
  for (int32_t i = 0; i < factors; ++i) call.arguments.push_back(i);
  call.arguments.push_back(factors + 1);
  method.chains = {{call}};
  return method;
}

class StackWriter {
 public:
  StackWriter(const std::string& folder, const LoraStackOptions& options, OutputFiles& files)
      : folder_(folder),
        options_(options),
        files_(files),
        bank_(WatchOfWeights(options.data, options.watch)) {}

  Status Write() {
    std::vector<ProgramGraphs> programs;
    for (uint32_t p = 0; p <= options_.adapters; ++p) {
      programs.push_back(Graphs(p));
      if (options_.data == DataPlace::kDataFiles) continue;
      // Alone, so that nothing is shared.
      ONEPACK_RETURN_IF_ERROR(WritePrograms(std::exchange(programs, {}), p));
    }
    if (options_.data != DataPlace::kDataFiles) return Status::Ok();
    return WritePrograms(std::move(programs), 0);
  }

 private:
  ProgramGraphs Graphs(uint32_t p) {
    ProgramGraphs program;
    program.name = ProgramName(p);
    if (options_.data == DataPlace::kDataFiles) program.tag = p == 0 ? kFoundation : program.name;
    program.methods.resize(1);
    program.methods[0].partitions.resize(1);
    const std::optional<uint32_t> adapter = p == 0 ? std::nullopt : std::optional(p - 1);
    StackGraph graph(options_, adapter, bank_, program.methods[0].partitions[0]);
    factor_counts_.push_back(graph.Build());
    return program;
  }

  // Data first: a program gets its name only after what it needs.
  Status WritePrograms(std::vector<ProgramGraphs> graphs, size_t first) {
    if (options_.watch) ONEPACK_RETURN_IF_ERROR(options_.watch(0));
    ONEPACK_ASSIGN_OR_RETURN(const Preprocessed all, Preprocess(std::move(graphs), kFoundation));
    for (const std::string& tag : all.store.Tags()) {
      const PtdWriter writer = all.store.DataFile(tag);
      ONEPACK_RETURN_IF_ERROR(WriteInto(folder_, tag + ".ptd", writer, files_));
    }
    for (size_t p = 0; p < all.programs.size(); ++p) {
      const PreprocessedProgram& preprocessed = all.programs[p];
      ProgramWriter program;
      MethodPlan method = PlanMethod(options_, factor_counts_[first + p], program);
      method.delegates = {DelegatePlan::InSegment(
          "XnnpackBackend", program.AddSegment(preprocessed.methods[0].payloads[0]))};
      program.AddMethod(std::move(method));
      preprocessed.own_data.AddOwnData(program);
      ONEPACK_RETURN_IF_ERROR(WriteInto(folder_, preprocessed.name + ".pte", program, files_));
    }
    return Status::Ok();
  }

  const std::string& folder_;
  const LoraStackOptions& options_;
  OutputFiles& files_;
  WeightBank bank_;
  std::vector<uint32_t> factor_counts_;  // of each program
};

std::vector<std::string> DataFilesOf(const LoraStackOptions& options, uint32_t program) {
  if (options.data != DataPlace::kDataFiles) return {};
  std::vector<std::string> data = {std::string(kFoundation) + ".ptd"};
  if (program > 0) data.push_back(ProgramName(program) + ".ptd");
  return data;
}

CaseTensor Rows(const LoraRows& rows, size_t first, size_t count) {
  CaseTensor tensor;
  tensor.sizes = {static_cast<int32_t>(count), static_cast<int32_t>(rows.width)};
  tensor.bytes = {reinterpret_cast<const uint8_t*>(rows.row(first)),
                  count * rows.width * sizeof(float)};
  return tensor;
}

Status CheckOptions(const LoraStackOptions& options) {
  if (options.width == 0 || options.hidden == 0 || options.blocks == 0 || options.rank == 0 ||
      options.max_rows < 4) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "width, hidden, blocks and rank are at least 1 and max_rows at least 4");
  }
  if (options.weights != WeightType::kInt4) return Status::Ok();
  const uint32_t group = options.group;
  if (group >= 32 && group % 32 == 0 && options.width % group == 0 && options.hidden % group == 0) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidArgument,
                       "width and hidden are multiples of the group, and that one of 32");
}

Status WriteCases(const std::string& folder, const LoraStackOptions& options, OutputFiles& files) {
  size_t row_count = 0;
  for (const uint32_t rows : kCallRows) row_count += rows;
  LoraRows input{options.width, std::vector<float>(row_count * options.width)};
  FillUniform(options.seed + 42, 1.0f, input.numbers);
  const std::vector<LoraRows> outputs = ComputeLoraStack(options, input);
  for (uint32_t program = 0; program < outputs.size(); ++program) {
    CaseFiles described;
    described.family = "lora_stack";
    described.name = ProgramName(program);
    described.program = described.name + ".pte";
    described.data = DataFilesOf(options, program);
    // A number that lies between two int8 may be rounded either way.
    if (options.weights != WeightType::kFloat32) described.tolerance = 1e-2;
    CaseWriter recorded(std::move(described));
    size_t first = 0;
    for (const uint32_t rows : kCallRows) {
      recorded.AddCall({Rows(input, first, rows)}, {Rows(outputs[program], first, rows)});
      first += rows;
    }
    ONEPACK_RETURN_IF_ERROR(recorded.Write(folder, files));
  }
  return Status::Ok();
}

}  // namespace

uint64_t FoundationSizeBytes(const LoraStackOptions& options) {
  const LoraWeights weights(options);
  uint64_t size = 0;
  for (const LoraLayer layer : {LoraLayer::kGate, LoraLayer::kUp, LoraLayer::kDown}) {
    const LinearWeight weight = weights.Base(0, layer);
    size += weight.size_bytes() + weight.scale_bytes();
  }
  return size * options.blocks;
}

Status WriteLoraStackPrograms(const std::string& folder, const LoraStackOptions& options) {
  ONEPACK_RETURN_IF_ERROR(CheckOptions(options));
  OutputFiles files(options.existing);
  ONEPACK_RETURN_IF_ERROR(StackWriter(folder, options, files).Write());
  return files.Commit();
}

Status WriteLoraStackCases(const std::string& folder, const LoraStackOptions& options) {
  OutputFiles files(options.existing);
  ONEPACK_RETURN_IF_ERROR(WriteCases(folder, options, files));
  return files.Commit();
}

Status WriteLoraStack(const std::string& folder, const LoraStackOptions& options) {
  ONEPACK_RETURN_IF_ERROR(CheckOptions(options));
  OutputFiles files(options.existing);
  ONEPACK_RETURN_IF_ERROR(StackWriter(folder, options, files).Write());
  ONEPACK_RETURN_IF_ERROR(WriteCases(folder, options, files));
  return files.Commit();
}

}  // namespace onepack
