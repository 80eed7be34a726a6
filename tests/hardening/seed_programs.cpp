#include "tests/hardening/seed_programs.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"
#include "tests/hardening/program_features.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tools/recorded_case.h"

namespace onepack {
namespace {

// Of all delegates, so that a payload fits any of their programs.
constexpr uint32_t kRows = 4;
constexpr uint32_t kInputs = 32;
constexpr uint32_t kOutputs = 4;

constexpr char kPlainKey[] = "plain";
const std::vector<float> kNumbers = {1, 2, 3, 4};

TensorPlan Planned(std::vector<int32_t> sizes, uint64_t offset) {
  TensorPlan tensor;
  tensor.sizes = std::move(sizes);
  tensor.place = PlannedPlace{1, offset};
  return tensor;
}

TensorPlan Constant(uint32_t index) {
  TensorPlan tensor;
  tensor.sizes = {2, 2};
  tensor.data_buffer_idx = index;
  return tensor;
}

// Every kind of value and of instruction, in two chains. `options` says how the file keeps it.
UntrustedFiles PlainProgram(std::string name, const ProgramOptions& options) {
  ProgramWriter program(options);
  MethodPlan method;
  TensorPlan input = Planned({2, 2}, 0);
  input.is_dynamic = true;
  TensorPlan state = Planned({2, 2}, 32);
  TensorPlan external;
  external.sizes = {2, 2};
  external.external_key = kPlainKey;
  if (options.header_size > 0) state.data_buffer_idx = program.AddInitialValue(AsBytes(kNumbers));
  method.values = {input,
                   state,
                   Constant(program.AddConstant(AsBytes(kNumbers))),
                   external,
                   int64_t{2},
                   true,
                   0.5,
                   std::string("text"),
                   IntListPlan{{4, 4}},
                   std::vector<bool>{true, false},
                   std::vector<double>{1, 2},
                   TensorListPlan{{0, 1}},
                   OptionalTensorListPlan{{-1, 2}},
                   std::monostate(),
                   false};
  method.inputs = {0, 4};
  method.outputs = {1, 11};
  method.buffer_sizes = {0, 64};
  method.operators = {{"test::touch", "out"}};
  method.chains = {{KernelCallPlan{0, {0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 1}},
                    JumpFalseCallPlan{5, 3}, FreeCallPlan{0}, MoveCallPlan{4, 4}},
                   {KernelCallPlan{0, {14}}, JumpFalseCallPlan{14, 0}}};
  program.AddMethod(method);
  return {std::move(name), program.Finish(), {GeneratedData()}};
}

// Two methods that have state with an initial value together.
UntrustedFiles SharedStateProgram() {
  ProgramWriter program;
  MethodPlan method;
  TensorPlan state = Planned({2, 2}, 16);
  state.place->buffer = 2;
  state.data_buffer_idx = program.AddInitialValue(AsBytes(kNumbers));
  method.values = {state, Planned({2, 2}, 0), Planned({2, 2}, 16)};
  method.inputs = {1};
  method.outputs = {2};
  method.buffer_sizes = {0, 32, 64};
  method.operators = {{"test::touch", "out"}};
  method.chains = {{KernelCallPlan{0, {0, 1, 2}}}};
  for (const char* name : {"prefill", "decode"}) {
    method.name = name;
    program.AddMethod(method);
  }
  return {"shared_state", program.Finish(), {}};
}

// A linear layer with a bias whose constants the payload carries, in the form `options` says.
UntrustedFiles OwnConstants(std::string name, const PayloadOptions& options) {
  const std::vector<float> weight(size_t{kInputs} * kOutputs, 0.5f);
  const std::vector<float> bias(kOutputs, 1);
  PayloadWriter payload(options);
  const uint32_t filter =
      payload.AddConstant({kOutputs, kInputs}, payload.AddOwnConstant(AsBytes(weight)));
  const uint32_t offset = payload.AddConstant({kOutputs}, payload.AddOwnConstant(AsBytes(bias)));
  const uint32_t x = payload.AddInput({kRows, kInputs});
  const uint32_t y = payload.AddOutput({kRows, kOutputs});
  const uint32_t sum = payload.AddInternal({kRows, kOutputs});
  payload.AddFullyConnected(x, filter, sum, offset);
  payload.AddSigmoid(sum, y);
  return {std::move(name), MakeProgramAround(payload.Finish(), kRows, kInputs, kOutputs), {}};
}

// The keys are the names.
const LinearLayer kLinearLayers[] = {{"linear_float", kInputs, kOutputs, WeightKind::kFloat, 1},
                                     {"linear_int8", kInputs, kOutputs, WeightKind::kInt8, 1},
                                     {"linear_int4", kInputs, kOutputs, WeightKind::kInt4, 1}};

UntrustedFiles Linear(const LinearLayer& layer) {
  LinearProgram program;
  program.layers = {layer};
  program.max_rows = kRows;
  return {layer.key, MakeLinearProgram(program), {GeneratedData()}};
}

}  // namespace

UntrustedFiles ReadSeed(const std::string& json) {
  auto recorded = ReadRecordedCase(json);
  if (!recorded.ok()) throw std::runtime_error(recorded.status().message());
  UntrustedFiles files;
  files.name = json;
  files.program = ReadFile(recorded->program);
  for (const std::string& path : recorded->data) files.data.push_back(ReadFile(path));
  return files;
}

namespace {

size_t SizeOf(const UntrustedFiles& files) {
  size_t size = files.program.size();
  for (const auto& file : files.data) size += file.size();
  return size;
}

std::vector<std::string> CasesIn(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The smallest program of each family of models.
std::vector<UntrustedFiles> RecordedModels() {
  std::map<std::string, UntrustedFiles> smallest;  // by folder
  for (const std::string& path : CasesIn(TestData("cases"))) {
    UntrustedFiles files = ReadSeed(path);
    files.name = std::filesystem::path(path).parent_path().filename().string();
    UntrustedFiles& best = smallest[files.name];
    if (best.program.empty() || SizeOf(files) < SizeOf(best)) best = std::move(files);
  }
  std::vector<UntrustedFiles> seeds;
  for (auto& [name, files] : smallest) seeds.push_back(std::move(files));
  return seeds;
}

}  // namespace

std::vector<UntrustedFiles> ConformanceSeeds() {
  std::vector<UntrustedFiles> all;
  for (const std::string& path : CasesIn(TestData("../conformance/cases"))) {
    all.push_back(ReadSeed(path));
    all.back().name = std::filesystem::path(path).stem().string();
  }
  std::stable_sort(all.begin(), all.end(), [](const UntrustedFiles& a, const UntrustedFiles& b) {
    return SizeOf(a) < SizeOf(b);
  });
  std::vector<UntrustedFiles> seeds;
  std::set<std::string> covered;
  for (UntrustedFiles& files : all) {
    std::set<std::string> features = FeaturesOf(files.program);
    const bool adds =
        !std::includes(covered.begin(), covered.end(), features.begin(), features.end());
    if (!adds || RunUntrusted(files).runs_succeeded == 0) continue;
    covered.merge(features);
    seeds.push_back(std::move(files));
  }
  return seeds;
}

std::vector<UntrustedFiles> RecordedSeeds() {
  std::vector<UntrustedFiles> seeds = RecordedModels();
  for (UntrustedFiles& files : ConformanceSeeds()) seeds.push_back(std::move(files));
  return seeds;
}

std::vector<UntrustedFiles> GeneratedSeeds() {
  ProgramOptions old_program;
  old_program.header_size = 0;
  old_program.uses_constant_buffer = true;
  PayloadOptions old_payload;
  old_payload.has_header = false;
  old_payload.identifier = "XN00";
  std::vector<UntrustedFiles> seeds = {
      PlainProgram("plain", {}), PlainProgram("plain_old", old_program), SharedStateProgram(),
      OwnConstants("own_constants", {}), OwnConstants("own_constants_old", old_payload)};
  for (const LinearLayer& layer : kLinearLayers) seeds.push_back(Linear(layer));
  return seeds;
}

std::vector<uint8_t> GeneratedData() {
  PtdWriter data;
  data.AddBytes(kPlainKey, AsBytes(kNumbers), PtdTensorLayout{ScalarType::kFloat, {2, 2}, {}});
  for (const LinearLayer& layer : kLinearLayers) {
    for (const auto& [key, bytes] : DataOf(layer)) data.AddBytes(key, bytes);
  }
  auto file = data.ToBytes();
  if (!file.ok()) throw std::runtime_error(file.status().message());
  return std::move(file).value();
}

}  // namespace onepack
