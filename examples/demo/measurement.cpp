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
    ONEPACK_ASSIGN_OR_RETURN(const MemoryUsage memory, CurrentMemoryUsage());
    program.anonymous_bytes = memory.anonymous_bytes;
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

// What was packed and found is the same in every run; what took time and memory is not.
ProgramMeasurement MedianProgram(const std::vector<ProgramMeasurement>& runs) {
  ProgramMeasurement median =
      MedianOf(runs, [](const ProgramMeasurement& program) { return program.load_seconds; });
  for (const ProgramMeasurement& run : runs) {
    if (median.mismatch.empty()) median.mismatch = run.mismatch;
  }
  median.anonymous_bytes = MedianOf(runs, [](const ProgramMeasurement& program) {
                             return program.anonymous_bytes;
                           }).anonymous_bytes;
  return median;
}

}  // namespace

Result<Measurements> Measure(const MeasurementOptions& options) {
  Measurements measurements;
  Gauge gauge(options);
  for (const std::string& path : options.cases) {
    ONEPACK_ASSIGN_OR_RETURN(ProgramMeasurement program, gauge.LoadAndRun(path));
    measurements.push_back(std::move(program));
  }
  return measurements;
}

Measurements Median(const std::vector<Measurements>& runs) {
  Measurements median;
  for (size_t i = 0; i < runs.front().size(); ++i) {
    std::vector<ProgramMeasurement> programs;
    for (const Measurements& run : runs) programs.push_back(run[i]);
    median.push_back(MedianProgram(programs));
  }
  return median;
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProgramMeasurement, name, load_seconds, found_bytes,
                                   packed_bytes, anonymous_bytes, mismatch)

std::string ToJson(const Measurements& measurements) {
  // A message may quote bytes of a file that are no UTF-8.
  return nlohmann::json(measurements)
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Measurements> MeasurementsFromJson(const std::string& text) try {
  return nlohmann::json::parse(text).get<Measurements>();
} catch (const nlohmann::json::exception& error) {
  return Status::Error(StatusCode::kInternal, "a measurement's result cannot be read: %s",
                       error.what());
}

}  // namespace onepack
