#include "bench/peer/language_model_scenarios.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "bench/peer/busy_cores.h"

namespace onepack::bench {
namespace {

// A program, and how many tokens its context has. Reads prompts in chunks.
class Conversation {
 public:
  Conversation(std::unique_ptr<LoadedProgram> program, size_t chunk)
      : program_(std::move(program)), chunk_(chunk) {}

  // Reads `tokens` after the first `position` of those that it has.
  void Read(size_t tokens, size_t position) {
    if (position > length_) throw std::runtime_error("a context with a hole in it");
    length_ = position;
    while (tokens > 0) {
      const size_t count = std::min(tokens, chunk_);
      program_->Run(count, static_cast<int64_t>(length_));
      length_ += count;
      tokens -= count;
    }
  }

  void ReadUpTo(size_t length) {
    if (length > length_) Read(length - length_, length_);
  }

  void Generate(size_t tokens) {
    for (size_t i = 0; i < tokens; ++i) Read(1, length_);
  }

  float FirstOutput() { return program_->FirstOutput(); }

 private:
  std::unique_ptr<LoadedProgram> program_;
  size_t chunk_;
  size_t length_ = 0;
};

constexpr size_t kNewTokens = 16;
// Before generation is measured, where the length of the context is not what is asked.
constexpr size_t kShortPrompt = 16;

Conversation Begin(Engine& engine, const ScenarioOptions& options, size_t index) {
  return {engine.Load(options.programs.at(index)), options.chunk};
}

// With a short context, and warm.
std::vector<Conversation> BeginAll(Engine& engine, const ScenarioOptions& options) {
  std::vector<Conversation> all;
  for (size_t i = 0; i < options.programs.size(); ++i) {
    all.push_back(Begin(engine, options, i));
    all.back().Read(kShortPrompt, 0);
    all.back().Generate(2);
  }
  return all;
}

// After the same tokens: an adapter that is applied changes it.
Json FirstOutputs(std::vector<Conversation>& all) {
  Json outputs = Json::array();
  for (Conversation& conversation : all) outputs.push_back(conversation.FirstOutput());
  return outputs;
}

template <typename Work>
double PerSecond(size_t tokens, const Work& work) {
  const Clock::time_point start = Clock::now();
  work();
  return static_cast<double>(tokens) * 1000 / MillisecondsSince(start);
}

double GenerationPerSecond(Conversation& conversation, size_t tokens) {
  return PerSecond(tokens, [&] { conversation.Generate(tokens); });
}

// The time of the first token is one of CLOCK_MONOTONIC, for whoever knows when the process was
// started, as if no memory had been measured before it: to read that of some hundred megabytes
// takes milliseconds.
Json StartScenario(Engine& engine, const ScenarioOptions& options) {
  Clock::duration measuring{};
  const auto memory_now = [&measuring] {
    const Clock::time_point start = Clock::now();
    Json memory = MemoryNow();
    measuring += Clock::now() - start;
    return memory;
  };
  Json result = {{"start", memory_now()}};
  std::vector<Conversation> all;
  for (size_t i = 0; i < options.programs.size(); ++i) {
    const Clock::time_point start = Clock::now();
    all.push_back(Begin(engine, options, i));
    Json program = {{"load_ms", MillisecondsSince(start)}, {"loaded", memory_now()}};
    const Clock::time_point run_start = Clock::now();
    all.back().Read(1, 0);
    program["first_token_ms"] = MillisecondsSince(run_start);
    program["first_token_at_ns"] = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                       (Clock::now() - measuring).time_since_epoch())
                                       .count();
    program["memory"] = memory_now();
    result["programs"].push_back(std::move(program));
  }
  result["first_outputs"] = FirstOutputs(all);
  return result;
}

struct Prompt {
  size_t tokens;
  size_t times;
};
// The longest is the last one, because generation goes on after it.
constexpr Prompt kPrompts[] = {{16, 4}, {128, 2}, {512, 1}};
constexpr size_t kContexts[] = {500, 1800};  // besides none

double PromptPerSecond(Conversation& conversation, const Prompt& prompt) {
  conversation.Read(prompt.tokens, 0);  // warms, also what an engine keeps for prompts so long
  return PerSecond(prompt.tokens * prompt.times, [&] {
    for (size_t i = 0; i < prompt.times; ++i) conversation.Read(prompt.tokens, 0);
  });
}

double GenerationAfterPerSecond(Conversation& conversation, size_t context) {
  conversation.Read(1, context);  // warms
  return PerSecond(kNewTokens, [&] {
    for (size_t i = 0; i < kNewTokens; ++i) conversation.Read(1, context + i);
  });
}

// One conversation, which grows: nothing long is read twice but the prompts that are measured.
Json SpeedScenario(Engine& engine, const ScenarioOptions& options) {
  Conversation conversation = Begin(engine, options, 0);
  conversation.Read(1, 0);
  Json result = Json::object();
  Json& generation = result["generation"];
  generation["0"] = GenerationAfterPerSecond(conversation, 0);
  for (const Prompt& prompt : kPrompts) {
    result["prompts"][std::to_string(prompt.tokens)] = PromptPerSecond(conversation, prompt);
  }
  for (const size_t context : kContexts) {
    if (context > options.longest_context) break;
    conversation.ReadUpTo(context);
    generation[std::to_string(context)] = GenerationAfterPerSecond(conversation, context);
  }
  result["memory"] = MemoryNow();
  return result;
}

// Median of turns, for each program.
Json AdaptersScenario(Engine& engine, const ScenarioOptions& options) {
  constexpr size_t kTurns = 3;
  constexpr size_t kTokens = 10;
  std::vector<Conversation> all = BeginAll(engine, options);
  Json first_outputs = FirstOutputs(all);
  std::vector<std::vector<double>> speeds(all.size());
  for (size_t turn = 0; turn < kTurns; ++turn) {
    for (size_t i = 0; i < all.size(); ++i) {
      speeds[i].push_back(GenerationPerSecond(all[i], kTokens));
    }
  }
  Json medians = Json::array();
  for (std::vector<double>& of_one : speeds) {
    std::sort(of_one.begin(), of_one.end());
    medians.push_back(of_one[kTurns / 2]);
  }
  return {{"tokens_per_second", medians}, {"first_outputs", first_outputs}};
}

Json SwitchScenario(Engine& engine, const ScenarioOptions& options) {
  std::vector<Conversation> all = BeginAll(engine, options);
  const Json first_outputs = FirstOutputs(all);
  const double alone = GenerationPerSecond(all.at(0), kNewTokens);
  const double switching = PerSecond(2 * kNewTokens, [&] {
    for (size_t i = 0; i < 2 * kNewTokens; ++i) all.at(i % 2).Generate(1);
  });
  return {{"alone_per_second", alone},
          {"switching_per_second", switching},
          {"first_outputs", first_outputs}};
}

// For so long, and at least one token.
double TokensPerSecondFor(Conversation& conversation, double seconds) {
  size_t tokens = 0;
  const Clock::time_point start = Clock::now();
  do {
    conversation.Generate(1);
    ++tokens;
  } while (MillisecondsSince(start) < seconds * 1000);
  return static_cast<double>(tokens) * 1000 / MillisecondsSince(start);
}

Json TogetherScenario(Engine& engine, const ScenarioOptions& options) {
  constexpr double kSeconds = 1.5;
  std::vector<Conversation> all = BeginAll(engine, options);
  const Json first_outputs = FirstOutputs(all);
  const double alone = TokensPerSecondFor(all.at(0), kSeconds);
  double others = 0;
  std::thread thread([&] { others = TokensPerSecondFor(all.at(1), kSeconds); });
  const double own = TokensPerSecondFor(all.at(0), kSeconds);
  thread.join();
  return {{"alone_per_second", alone},
          {"together_per_second", own + others},
          {"first_outputs", first_outputs}};
}

Json BusyScenario(Engine& engine, const ScenarioOptions& options) {
  constexpr double kSeconds = 3;
  std::vector<Conversation> all = BeginAll(engine, options);
  const BusyCores busy;
  all.front().Generate(1);
  return {{"tokens_per_second", TokensPerSecondFor(all.front(), kSeconds)}};
}

}  // namespace

const std::map<std::string, Scenario>& LanguageModelScenarios() {
  static const auto* const kScenarios = new std::map<std::string, Scenario>{
      {"start", StartScenario},   {"speed", SpeedScenario},       {"adapters", AdaptersScenario},
      {"switch", SwitchScenario}, {"together", TogetherScenario}, {"busy", BusyScenario}};
  return *kScenarios;
}

}  // namespace onepack::bench
