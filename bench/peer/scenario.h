// A scenario: what one process measures of the programs it is given, as JSON.
//
// Errors: std::runtime_error.

#ifndef ONEPACK_BENCH_PEER_SCENARIO_H_
#define ONEPACK_BENCH_PEER_SCENARIO_H_

#include <stddef.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/peer/engine.h"

namespace onepack::bench {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;
using ProgramPtr = std::unique_ptr<LoadedProgram>;

struct ScenarioOptions {
  std::vector<ProgramFiles> programs;
  bool cold = false;
  std::string packed_file;        // empty: none
  size_t chunk = 128;             // tokens that a language model reads in one run, at most
  size_t longest_context = 1800;  // after which its generation is measured
};

using Scenario = Json (*)(Engine&, const ScenarioOptions&);

double MillisecondsSince(Clock::time_point start);

double Median(std::vector<double> numbers);

// Drops the file from the page cache.
void Forget(const std::string& path);

// What this process holds, and the most that it has held.
Json MemoryNow();

}  // namespace onepack::bench

#endif  // ONEPACK_BENCH_PEER_SCENARIO_H_
