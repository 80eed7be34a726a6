// Measures one peer in one process and prints what it found as JSON: see bench/README.md.
//
//     peer_X SCENARIO [--apart] [--cold] [--threads N] --program P.pte,F.ptd,A.ptd [--program ...]
//
// What the files of a program are, each engine says; llm_ scenarios are those that all engines
// know.

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "bench/peer/busy_cores.h"
#include "bench/peer/engine.h"
#include "bench/peer/growth_scenarios.h"
#include "bench/peer/language_model_scenarios.h"
#include "bench/peer/scenario.h"
#include "tools/option_values.h"
#include "tools/path_list.h"
#include "tools/standard_streams.h"

namespace onepack::bench {
namespace {

constexpr size_t kRowCounts[] = {1, 16, 128};

// In which a busy machine shows less than in the time by the clock.
double CpuMilliseconds(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

void ForgetAll(const ProgramFiles& files) {
  Forget(files.program);
  for (const std::string& path : files.data) Forget(path);
}

// Faults and reads since the process started.
Json CountsNow() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return {{"minor_faults", usage.ru_minflt}, {"major_faults", usage.ru_majflt}};
}

// Loads and runs one program after the other, keeping them loaded.
Json LoadAll(Engine& engine, const ScenarioOptions& options) {
  if (options.cold) {
    for (const ProgramFiles& files : options.programs) ForgetAll(files);
  }
  Json loads = Json::array();
  std::vector<ProgramPtr> programs;
  for (const ProgramFiles& files : options.programs) {
    const Clock::time_point start = Clock::now();
    const double cpu_start = CpuMilliseconds(CLOCK_PROCESS_CPUTIME_ID);
    programs.push_back(engine.Load(files));
    const double load_ms = MillisecondsSince(start);
    const double load_cpu_ms = CpuMilliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
    Json load = {{"load_ms", load_ms},
                 {"load_cpu_ms", load_cpu_ms},
                 {"loaded", MemoryNow()},
                 {"counts", CountsNow()}};
    const Clock::time_point run_start = Clock::now();
    load["output"] = programs.back()->Run(1);
    load["first_output_ms"] = load_ms + MillisecondsSince(run_start);
    load["memory"] = MemoryNow();
    loads.push_back(std::move(load));
  }
  return loads;
}

Json LoadScenario(Engine& engine, const ScenarioOptions& options) {
  const Json start = MemoryNow();
  Json result = {{"start", start}, {"loads", LoadAll(engine, options)}};
  result["closed"] = MemoryNow();
  if (!options.cold) result["reloads"] = LoadAll(engine, options);
  return result;
}

// Times of one run, by the clock and of the processor.
struct RunTimes {
  std::vector<double> clock_ms;
  std::vector<double> cpu_ms;
  size_t count() const { return clock_ms.size(); }
};

// Again and again for `seconds`, at least `least` times.
RunTimes RunFor(LoadedProgram& program, size_t rows, double seconds, size_t least) {
  RunTimes times;
  const Clock::time_point start = Clock::now();
  while (times.count() < least || MillisecondsSince(start) < seconds * 1000) {
    const Clock::time_point run_start = Clock::now();
    const double cpu_start = CpuMilliseconds(CLOCK_THREAD_CPUTIME_ID);
    program.Run(rows);
    times.clock_ms.push_back(MillisecondsSince(run_start));
    times.cpu_ms.push_back(CpuMilliseconds(CLOCK_THREAD_CPUTIME_ID) - cpu_start);
  }
  return times;
}

Json ExecuteScenario(Engine& engine, const ScenarioOptions& options) {
  const ProgramPtr program = engine.Load(options.programs.front());
  Json result = Json::object();
  for (const size_t rows : kRowCounts) {
    RunFor(*program, rows, 0.1, 3);
    const RunTimes times = RunFor(*program, rows, 0.7, 5);
    const std::string suffix = "ms_of_" + std::to_string(rows) + "_rows";
    result[suffix] = Median(times.clock_ms);
    result["cpu_" + suffix] = Median(times.cpu_ms);
  }
  return result;
}

// Runs of the first program alone, and of two at once, per second.
Json ParallelScenario(Engine& engine, const ScenarioOptions& options) {
  constexpr double kSeconds = 1;
  const ProgramPtr first = engine.Load(options.programs.at(0));
  const ProgramPtr second = engine.Load(options.programs.at(1));
  RunFor(*first, 1, 0.1, 3);
  RunFor(*second, 1, 0.1, 3);
  const auto alone = static_cast<double>(RunFor(*first, 1, kSeconds, 1).count()) / kSeconds;
  size_t counts[2];
  std::thread other([&] { counts[1] = RunFor(*second, 1, kSeconds, 1).count(); });
  counts[0] = RunFor(*first, 1, kSeconds, 1).count();
  other.join();
  const auto together = static_cast<double>(counts[0] + counts[1]) / kSeconds;
  return {{"alone_per_second", alone}, {"together_per_second", together}};
}

// The first program runs again and again, while another thread loads the others.
Json InterferenceScenario(Engine& engine, const ScenarioOptions& options) {
  const ProgramPtr running = engine.Load(options.programs.at(0));
  RunFor(*running, 1, 0.2, 10);
  const double alone_ms = Median(RunFor(*running, 1, 0.3, 10).clock_ms);
  std::atomic<bool> is_loaded{false};
  double load_ms = 0;
  std::vector<ProgramPtr> others;
  std::thread loader([&] {
    const Clock::time_point start = Clock::now();
    for (size_t i = 1; i < options.programs.size(); ++i) {
      others.push_back(engine.Load(options.programs[i]));
    }
    load_ms = MillisecondsSince(start);
    is_loaded = true;
  });
  std::vector<double> times;
  while (!is_loaded) {
    const Clock::time_point start = Clock::now();
    running->Run(1);
    times.push_back(MillisecondsSince(start));
  }
  loader.join();
  return {{"alone_ms", alone_ms},
          {"load_ms", load_ms},
          {"runs_meanwhile", times.size()},
          {"median_ms", Median(times)},
          {"worst_ms", *std::max_element(times.begin(), times.end())}};
}

// Runs of one row, while another process keeps each core busy.
Json BusyScenario(Engine& engine, const ScenarioOptions& options) {
  constexpr size_t kRuns = 200;
  const ProgramPtr program = engine.Load(options.programs.front());
  RunFor(*program, 1, 0.1, 10);
  const double quiet_ms = Median(RunFor(*program, 1, 0, kRuns).clock_ms);
  const BusyCores busy;
  RunFor(*program, 1, 0.1, 10);
  const std::vector<double> times = RunFor(*program, 1, 0, kRuns).clock_ms;
  return {{"quiet_ms", quiet_ms},
          {"median_ms", Median(times)},
          {"worst_ms", *std::max_element(times.begin(), times.end())}};
}

// The last program is closed and loaded again, over the others, which stay.
Json ReloadScenario(Engine& engine, const ScenarioOptions& options) {
  constexpr size_t kTimes = 20;
  std::vector<ProgramPtr> others;
  for (size_t i = 0; i + 1 < options.programs.size(); ++i) {
    others.push_back(engine.Load(options.programs[i]));
    others.back()->Run(1);
  }
  std::vector<double> times;
  for (size_t i = 0; i <= kTimes; ++i) {
    const Clock::time_point start = Clock::now();
    const ProgramPtr program = engine.Load(options.programs.back());
    if (i > 0) times.push_back(MillisecondsSince(start));
    program->Run(1);
  }
  return {{"load_ms", Median(times)}};
}

const std::map<std::string, Scenario> kScenarios = {
    {"load", LoadScenario}, {"execute", ExecuteScenario}, {"parallel", ParallelScenario},
    {"busy", BusyScenario}, {"reload", ReloadScenario},   {"interference", InterferenceScenario}};

std::map<std::string, Scenario> AllScenarios() {
  std::map<std::string, Scenario> all = kScenarios;
  all.insert(GrowthScenarios().begin(), GrowthScenarios().end());
  for (const auto& [name, scenario] : LanguageModelScenarios()) all["llm_" + name] = scenario;
  return all;
}

ProgramFiles FilesOf(const std::string& list) {
  const std::vector<std::string> paths = ValueOf("--program", ParsePathList(list));
  ProgramFiles files;
  files.program = paths.front();
  files.data.assign(paths.begin() + 1, paths.end());
  return files;
}

int Main(int argc, char** argv) {
  CLI::App app("Measures one peer in one process");
  std::string scenario;
  std::vector<std::string> programs;
  bool is_apart = false;
  EngineOptions engine_options;
  ScenarioOptions options;
  const std::map<std::string, Scenario> scenarios = AllScenarios();
  app.add_option("SCENARIO", scenario)->required()->check(CLI::IsMember(scenarios));
  app.add_option("--program", programs, "P.pte,F.ptd,A.ptd")->required()->allow_extra_args(false);
  app.add_flag("--apart", is_apart, "Each program packs for itself");
  AddNumberOption<size_t>(app, "--packing-threads", engine_options.packing_threads, 0, 1024,
                          "That pack while a method is loaded; 0: one for each core");
  AddNumberOption<size_t>(app, "--threads", engine_options.threads, 1, 1024,
                          "That compute; 1: the one that calls");
  app.add_flag("--huge-pages", engine_options.huge_pages, "Ask for them behind packed weights");
  AddLinearsOption(app, engine_options.linears);
  AddNumberOption<size_t>(app, "--retained-bytes", engine_options.retained_bytes, 0, SIZE_MAX,
                          "Of packed weights that are kept without a program");
  app.add_option("--packed", engine_options.packed_file, "A file in which packed weights are kept");
  app.add_flag_callback(
      "--unchecked", [&engine_options] { engine_options.checks_packed = false; },
      "Do not look at the checksums of packed weights");
  app.add_flag("--cold", options.cold, "Drop the files from the page cache first");
  AddNumberOption<size_t>(app, "--chunk", options.chunk, 1, 1 << 20,
                          "Tokens that a language model reads in one run, at most");
  AddNumberOption<size_t>(app, "--longest-context", options.longest_context, 0, 1 << 20,
                          "After which a language model's generation is measured, in tokens");
  CLI11_PARSE(app, argc, argv);
  for (const std::string& list : programs) options.programs.push_back(FilesOf(list));
  engine_options.share = !is_apart;
  options.packed_file = engine_options.packed_file;
  if (engine_options.packing_threads == 0) {
    engine_options.packing_threads = std::thread::hardware_concurrency();
  }
  const std::unique_ptr<Engine> engine = CreateEngine(engine_options);
  Json result = scenarios.at(scenario)(*engine, options);
  result["peer"] = engine->name();
  result["scenario"] = scenario;
  result["shared"] = !is_apart;
  printf("%s\n", result.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace onepack::bench

int main(int argc, char** argv) {
  onepack::ReserveStandardStreams();
  try {
    const int exit_status = onepack::bench::Main(argc, argv);
    const onepack::Status output = onepack::CloseStandardOutput();
    if (output.ok()) return exit_status;
    fprintf(stderr, "%s\n", output.message());
    return 1;
  } catch (const std::exception& error) {
    fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
