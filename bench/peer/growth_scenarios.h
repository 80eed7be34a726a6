// What programs, contexts and processes hold while their number grows, and what an adapter costs
// that is dropped and asked for again: docs/scaling.md.

#ifndef ONEPACK_BENCH_PEER_GROWTH_SCENARIOS_H_
#define ONEPACK_BENCH_PEER_GROWTH_SCENARIOS_H_

#include <map>
#include <string>

#include "bench/peer/scenario.h"

namespace onepack::bench {

// By name:
// - grow: programs are loaded and run one after the other, and stay;
// - swap: the last program is dropped and asked for again, over the others;
// - context: the first program's context fills;
// - hold: all programs are loaded and have run, until a line of standard input.
const std::map<std::string, Scenario>& GrowthScenarios();

}  // namespace onepack::bench

#endif  // ONEPACK_BENCH_PEER_GROWTH_SCENARIOS_H_
