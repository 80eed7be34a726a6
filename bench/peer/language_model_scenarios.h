// What engines for language models are compared by: docs/engines.md.
//
// The programs are a base and adapters over it; each is a conversation of its own. Where there are
// several, the first output of each after the same tokens says whether adapters are applied.

#ifndef ONEPACK_BENCH_PEER_LANGUAGE_MODEL_SCENARIOS_H_
#define ONEPACK_BENCH_PEER_LANGUAGE_MODEL_SCENARIOS_H_

#include <map>
#include <string>

#include "bench/peer/scenario.h"

namespace onepack::bench {

// By name:
// - start: the base and its first token, then each adapter: loaded, and its first token;
// - speed: prompts of several lengths, and generation after contexts of several lengths,
//   and what is held after the longest;
// - adapters: generation of each program, by turns;
// - switch: generation that changes between the first two programs at each token;
// - together: generation of the first two programs in two threads at once;
// - busy: generation, while another process keeps each core busy.
const std::map<std::string, Scenario>& LanguageModelScenarios();

}  // namespace onepack::bench

#endif  // ONEPACK_BENCH_PEER_LANGUAGE_MODEL_SCENARIOS_H_
