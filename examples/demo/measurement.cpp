#include "examples/demo/measurement.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/case_runner.h"
#include "tools/memory_usage.h"
#include "tools/program_loader.h"

namespace onepack {
namespace {

Result<Memory> CurrentMemory() {
  ONEPACK_ASSIGN_OR_RETURN(const MemoryUsage usage, CurrentMemoryUsage());
  Memory memory;
  memory.anonymous_bytes = usage.anonymous_bytes;
  if (usage.proportional_bytes > usage.anonymous_bytes) {
    memory.file_bytes = usage.proportional_bytes - usage.anonymous_bytes;
  }
  return memory;
}

// "lora0" of "lora_fp32/lora0".
std::string ShortName(const std::string& name) { return name.substr(name.rfind('/') + 1); }

// Programs that stay loaded, and what they were loaded with.
class Gauge {
 public:
  explicit Gauge(const MeasurementOptions& options) : options_(options) {}

  Result<ProgramMeasurement> LoadAndRun(const std::string& path) {
    ONEPACK_ASSIGN_OR_RETURN(RecordedCase recorded, ReadRecordedCase(path));
    ProgramMeasurement program;
    program.name = ShortName(recorded.name);
    ONEPACK_ASSIGN_OR_RETURN(ProgramLoader* const loader, LoaderForNextProgram());
    const WeightCacheStats before = loader->weight_cache()->Stats();
    const auto start = std::chrono::steady_clock::now();
    ONEPACK_ASSIGN_OR_RETURN(CaseRunner runner, CaseRunner::Load(*loader, std::move(recorded)));
    const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - start;
    const WeightCacheStats after = loader->weight_cache()->Stats();
    program.load_seconds = duration.count();
    program.found_bytes = after.hit_bytes - before.hit_bytes;
    program.packed_bytes = after.packed_bytes - before.packed_bytes;
    runners_.push_back(std::move(runner));
    const CaseOutcome outcome = runners_.back().Run();
    if (!outcome.passed) program.mismatch = outcome.reason;
    ONEPACK_ASSIGN_OR_RETURN(program.memory, CurrentMemory());
    return program;
  }

 private:
  Result<ProgramLoader*> LoaderForNextProgram() {
    if (loaders_.empty() || options_.sharing == Sharing::kApart) {
      ProgramLoaderOptions loader_options;
      loader_options.threads = options_.threads;
      loader_options.linears = options_.linears;
      ONEPACK_ASSIGN_OR_RETURN(std::unique_ptr<ProgramLoader> loader,
                               ProgramLoader::Create(loader_options));
      loaders_.push_back(std::move(loader));
    }
    return loaders_.back().get();
  }

  const MeasurementOptions& options_;
  std::vector<std::unique_ptr<ProgramLoader>> loaders_;
  std::vector<CaseRunner> runners_;  // gone before their loaders
};

template <typename T, typename GetNumber>
T MedianOf(const std::vector<T>& runs, const GetNumber& number) {
  std::vector<T> sorted = runs;
  std::sort(sorted.begin(), sorted.end(),
            [&](const T& a, const T& b) { return number(a) < number(b); });
  return sorted[sorted.size() / 2];
}

Memory MedianMemory(const std::vector<Memory>& runs) {
  Memory median;
  median.anonymous_bytes =
      MedianOf(runs, [](const Memory& memory) { return memory.anonymous_bytes; }).anonymous_bytes;
  median.file_bytes =
      MedianOf(runs, [](const Memory& memory) { return memory.file_bytes; }).file_bytes;
  return median;
}

// What was packed and found is the same in every run; what took time and memory is not.
ProgramMeasurement MedianProgram(const std::vector<ProgramMeasurement>& runs) {
  ProgramMeasurement median =
      MedianOf(runs, [](const ProgramMeasurement& program) { return program.load_seconds; });
  std::vector<Memory> memories;
  for (const ProgramMeasurement& run : runs) {
    memories.push_back(run.memory);
    if (median.mismatch.empty()) median.mismatch = run.mismatch;
  }
  median.memory = MedianMemory(memories);
  return median;
}

}  // namespace

Result<Measurement> Measure(const MeasurementOptions& options) {
  Measurement measurement;
  ONEPACK_ASSIGN_OR_RETURN(measurement.before, CurrentMemory());
  Gauge gauge(options);
  for (const std::string& path : options.cases) {
    ONEPACK_ASSIGN_OR_RETURN(ProgramMeasurement program, gauge.LoadAndRun(path));
    measurement.programs.push_back(std::move(program));
  }
  return measurement;
}

Measurement Median(const std::vector<Measurement>& runs) {
  std::vector<Memory> before;
  for (const Measurement& run : runs) before.push_back(run.before);
  Measurement median;
  median.before = MedianMemory(before);
  for (size_t i = 0; i < runs.front().programs.size(); ++i) {
    std::vector<ProgramMeasurement> programs;
    for (const Measurement& run : runs) programs.push_back(run.programs[i]);
    median.programs.push_back(MedianProgram(programs));
  }
  return median;
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Memory, anonymous_bytes, file_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProgramMeasurement, name, load_seconds, found_bytes,
                                   packed_bytes, memory, mismatch)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Measurement, before, programs)

std::string ToJson(const Measurement& measurement) {
  // A message may quote bytes of a file that are no UTF-8.
  return nlohmann::json(measurement).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Measurement> MeasurementFromJson(const std::string& text) try {
  return nlohmann::json::parse(text).get<Measurement>();
} catch (const nlohmann::json::exception& error) {
  return Status::Error(StatusCode::kInternal, "a measurement's result cannot be read: %s",
                       error.what());
}

}  // namespace onepack
