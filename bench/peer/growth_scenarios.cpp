#include "bench/peer/growth_scenarios.h"

#include <stdint.h>
#include <stdio.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

namespace onepack::bench {
namespace {

// What a process has a limited number of: mappings and open files.
Json SystemCounts() {
  std::ifstream maps("/proc/self/maps");
  size_t mappings = 0;
  for (std::string line; std::getline(maps, line);) ++mappings;
  const std::filesystem::directory_iterator files("/proc/self/fd");
  const auto opened = std::distance(begin(files), end(files)) - 1;  // without the iterator's own
  return {{"mappings", mappings}, {"open_files", opened}};
}

// Programs that are loaded and run one after the other, and stay: what grows with their number.
Json GrowScenario(Engine& engine, const ScenarioOptions& options) {
  Json result = {{"start", MemoryNow()}, {"loads", Json::array()}};
  std::vector<ProgramPtr> programs;
  for (const ProgramFiles& files : options.programs) {
    const Clock::time_point start = Clock::now();
    programs.push_back(engine.Load(files));
    Json load = {{"load_ms", MillisecondsSince(start)}, {"loaded", MemoryNow()}};
    load["output"] = programs.back()->Run(1);
    load["memory"] = MemoryNow();
    load["cache"] = engine.CacheCounts();
    load["system"] = SystemCounts();
    result["loads"].push_back(std::move(load));
  }
  return result;
}

// Of the last program, those that no other one uses.
std::vector<std::string> OwnFiles(const ScenarioOptions& options) {
  std::vector<std::string> own = options.programs.back().data;
  own.push_back(options.programs.back().program);
  for (size_t i = 0; i + 1 < options.programs.size(); ++i) {
    for (const std::string& path : options.programs[i].data) {
      own.erase(std::remove(own.begin(), own.end(), path), own.end());
    }
  }
  return own;
}

// One prompt through the last program, over the others, which stay: when it is loaded and has run,
// and when it was dropped before, with the files that no other program uses. Their pages, and those
// of the packed file that no process maps, are in the page cache, or with `cold` on the disk.
Json SwapScenario(Engine& engine, const ScenarioOptions& options) {
  constexpr size_t kTimes = 9;
  constexpr size_t kPromptTokens = 16;
  const ProgramFiles& files = options.programs.back();
  std::vector<ProgramPtr> others;
  for (size_t i = 0; i + 1 < options.programs.size(); ++i) {
    others.push_back(engine.Load(options.programs[i]));
    others.back()->Run(kPromptTokens);
  }
  ProgramPtr program = engine.Load(files);
  std::vector<double> prompt_ms, load_ms, first_token_ms;
  const Json loaded = MemoryNow();
  std::map<std::string, uint64_t> counts;
  Json dropped;
  for (size_t i = 0; i < kTimes; ++i) {
    program->Run(kPromptTokens);
    const Clock::time_point prompt_start = Clock::now();
    program->Run(kPromptTokens);
    prompt_ms.push_back(MillisecondsSince(prompt_start));
    program.reset();
    for (const std::string& path : OwnFiles(options)) engine.CloseFile(path);
    dropped = MemoryNow();
    if (options.cold) {
      for (const std::string& path : OwnFiles(options)) Forget(path);
      if (!options.packed_file.empty()) Forget(options.packed_file);
    }
    counts = engine.CacheCounts();
    const Clock::time_point start = Clock::now();
    program = engine.Load(files);
    load_ms.push_back(MillisecondsSince(start));
    program->Run(kPromptTokens);
    first_token_ms.push_back(MillisecondsSince(start));
  }
  Json added = Json::object();
  for (const auto& [name, count] : engine.CacheCounts()) {
    added[name] = static_cast<int64_t>(count - counts[name]);
  }
  return {{"prompt_ms", Median(prompt_ms)},
          {"load_ms", Median(load_ms)},
          {"first_token_ms", Median(first_token_ms)},
          {"worst_first_token_ms", *std::max_element(first_token_ms.begin(), first_token_ms.end())},
          {"added_by_the_last_load", added},
          {"loaded", loaded},
          {"dropped", dropped},
          {"memory", MemoryNow()}};
}

// What a language model's context takes, as it fills.
Json ContextScenario(Engine& engine, const ScenarioOptions& options) {
  constexpr size_t kChunk = 64;
  constexpr size_t kChunks = 8;
  const ProgramPtr program = engine.Load(options.programs.front());
  Json result = {{"memory", Json::array({MemoryNow()})}, {"chunk", kChunk}};
  for (size_t i = 0; i < kChunks; ++i) {
    program->Run(kChunk, static_cast<int64_t>(i * kChunk));
    result["memory"].push_back(MemoryNow());
  }
  return result;
}

// Says when all is loaded and has run, and what it holds; after a line of standard input, what it
// holds then; and ends after another one: for processes that are measured beside each other.
Json HoldScenario(Engine& engine, const ScenarioOptions& options) {
  std::vector<ProgramPtr> programs;
  const Clock::time_point start = Clock::now();
  for (const ProgramFiles& files : options.programs) programs.push_back(engine.Load(files));
  Json ready = {{"load_ms", MillisecondsSince(start)}, {"loaded", MemoryNow()}};
  for (const ProgramPtr& program : programs) program->Run(1);
  ready["first_output_ms"] = MillisecondsSince(start);
  ready["memory"] = MemoryNow();
  const auto say_and_wait = [](const Json& json) {
    printf("%s\n", json.dump().c_str());
    fflush(stdout);
    static_cast<void>(getchar());
  };
  say_and_wait(ready);
  say_and_wait({{"memory", MemoryNow()}});
  return Json::object();
}

}  // namespace

const std::map<std::string, Scenario>& GrowthScenarios() {
  static const auto* const kScenarios =
      new std::map<std::string, Scenario>{{"grow", GrowScenario},
                                          {"swap", SwapScenario},
                                          {"context", ContextScenario},
                                          {"hold", HoldScenario}};
  return *kScenarios;
}

}  // namespace onepack::bench
