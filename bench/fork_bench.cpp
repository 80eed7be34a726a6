// What a fork of a long context takes, in time and memory, beside saving and restoring it: see
// README.md.
//
// Every benchmark looks once at what it is about to repeat, and says so with SkipWithError when
// that is not what its name promises.

#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <time.h>

#include <memory>
#include <string>
#include <vector>

#include "onepack/language_model.h"
#include "tests/support/files.h"
#include "tests/support/long_context.h"
#include "tests/support/resident_bytes.h"
#include "tools/program_loader.h"

namespace onepack {
namespace {

using Model = std::unique_ptr<LanguageModel>;

// Whose cache takes 98 MB; fewer for a run whose numbers mean nothing.
size_t PromptTokens() { return getenv("ONEPACK_BENCH_WORKING_SET_MB") != nullptr ? 40 : 1500; }

// A model that has read the prompt; lives as long as the process.
struct Conversation {
  Conversation() {
    if (!WriteLanguageModel(folder.path(), LongContext(8)).ok()) return;
    loader = std::move(ProgramLoader::Create({})).value();
    auto program = loader->OpenProgram(folder.File("base.pte"));
    auto options = loader->OptionsFor({folder.File("foundation.ptd")});
    if (!program.ok() || !options.ok()) return;
    auto loaded = LanguageModel::Load(*program, *options);
    if (!loaded.ok()) return;
    model = std::move(loaded).value();
    auto read = model->Append(LongPrompt(PromptTokens()));
    auto kept = model->Save();
    if (read.ok() && kept.ok()) saved = std::move(kept).value();
  }
  static Conversation& Get() {
    static Conversation conversation;
    return conversation;
  }
  bool is_good() const { return saved.state && model->context().size() == PromptTokens(); }

  const TempFolder folder;
  std::unique_ptr<ProgramLoader> loader;
  Model model;
  SavedContext saved;
};

// Of this thread, which waits for nothing: the same on a busy machine.
double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double OwnMegabytes() { return static_cast<double>(OwnBytes()) / (1 << 20); }

bool ReadsOneToken(LanguageModel& model) {
  const int64_t token = 7;
  return model.Append({&token, 1}).ok();
}

// `prepare` and `after` are not timed.
template <typename Prepare, typename Work, typename After>
void Repeat(benchmark::State& state, Prepare prepare, Work work, After after) {
  Conversation& conversation = Conversation::Get();
  if (!conversation.is_good()) return state.SkipWithError("the model was not made or has not read");
  for (auto _ : state) {
    if (!prepare(conversation)) return state.SkipWithError("not prepared");
    const double start = CpuSeconds();
    auto result = work(conversation);
    state.SetIterationTime(CpuSeconds() - start);
    if (!result.ok()) return state.SkipWithError(result.status().message());
    if (!after(conversation, std::move(result).value())) {
      return state.SkipWithError("not what it promises");
    }
  }
}

bool HasAll(const Conversation& conversation, const Model& fork) {
  return fork->context() == conversation.model->context();
}

void AFork(benchmark::State& state) {
  Repeat(
      state, [](Conversation& conversation) { return conversation.model->Fork().ok(); },
      [](Conversation& conversation) { return conversation.model->Fork(); }, HasAll);
}
BENCHMARK(AFork)->UseManualTime()->Unit(benchmark::kMillisecond);

void TheFirstForkOfAContextOfOtherPages(benchmark::State& state) {
  Repeat(
      state,
      [](Conversation& conversation) {
        return conversation.model->Restore(conversation.saved).ok();
      },
      [](Conversation& conversation) { return conversation.model->Fork(); }, HasAll);
}
BENCHMARK(TheFirstForkOfAContextOfOtherPages)->UseManualTime()->Unit(benchmark::kMillisecond);

void AForkAfterOneMoreToken(benchmark::State& state) {
  Repeat(
      state,
      [](Conversation& conversation) {
        return conversation.model->Rewind(PromptTokens()).ok() && conversation.model->Fork().ok() &&
               ReadsOneToken(*conversation.model);
      },
      [](Conversation& conversation) { return conversation.model->Fork(); }, HasAll);
  (void)Conversation::Get().model->Rewind(PromptTokens());
}
BENCHMARK(AForkAfterOneMoreToken)->UseManualTime()->Unit(benchmark::kMillisecond);

void ASave(benchmark::State& state) {
  Repeat(
      state, [](Conversation& /*conversation*/) { return true; },
      [](Conversation& conversation) { return conversation.model->Save(); },
      [](const Conversation& conversation, const SavedContext& saved) {
        return saved.state->size_bytes() > 0 && saved.tokens == conversation.model->context();
      });
}
BENCHMARK(ASave)->UseManualTime()->Unit(benchmark::kMillisecond);

void ARestore(benchmark::State& state) {
  Repeat(
      state, [](Conversation& /*conversation*/) { return true; },
      [](Conversation& conversation) -> Result<bool> {
        Status status = conversation.model->Restore(conversation.saved);
        if (!status.ok()) return status;
        return true;
      },
      [](const Conversation& conversation, bool /*is_done*/) {
        return conversation.model->context() == conversation.saved.tokens;
      });
}
BENCHMARK(ARestore)->UseManualTime()->Unit(benchmark::kMillisecond);

// One token, in a model that was never forked (0), in a fork's first run (1), and later in it (2).
void OneToken(benchmark::State& state) {
  Conversation& conversation = Conversation::Get();
  if (!conversation.is_good() || !conversation.model->Restore(conversation.saved).ok()) {
    return state.SkipWithError("the model was not made or has not read");
  }
  Model fork;
  for (auto _ : state) {
    if (state.range(0) > 0 && (fork == nullptr || state.range(0) == 1)) {
      auto made = conversation.model->Fork();
      if (!made.ok()) return state.SkipWithError("not forked");
      fork = std::move(made).value();
      if (state.range(0) == 2 && !ReadsOneToken(*fork)) return state.SkipWithError("not read");
    }
    LanguageModel& model = fork != nullptr ? *fork : *conversation.model;
    if (!model.Rewind(PromptTokens()).ok()) return state.SkipWithError("not rewound");
    const double start = CpuSeconds();
    if (!ReadsOneToken(model)) return state.SkipWithError("not read");
    state.SetIterationTime(CpuSeconds() - start);
  }
  (void)conversation.model->Rewind(PromptTokens());
}
BENCHMARK(OneToken)->DenseRange(0, 2)->UseManualTime()->Unit(benchmark::kMillisecond);

// Eight, each with so many tokens of its own: megabytes for one of them, and for a saved context.
void MemoryOfAForkAfterSoManyTokens(benchmark::State& state) {
  Conversation& conversation = Conversation::Get();
  if (!conversation.is_good()) return state.SkipWithError("the model was not made or has not read");
  constexpr int kForks = 8;
  for (auto _ : state) {
    if (!conversation.model->Fork().ok()) return state.SkipWithError("not forked");
    const double before = OwnMegabytes();
    std::vector<Model> forks;
    for (int i = 0; i < kForks; ++i) {
      auto fork = conversation.model->Fork();
      if (!fork.ok()) return state.SkipWithError("not forked");
      forks.push_back(std::move(fork).value());
      for (int64_t token = 0; token < state.range(0); ++token) {
        if (!ReadsOneToken(*forks.back())) return state.SkipWithError("not read");
      }
    }
    state.counters["MB"] = (OwnMegabytes() - before) / kForks;
  }
  state.counters["MB_saved"] =
      static_cast<double>(conversation.saved.state->size_bytes()) / (1 << 20);
}
BENCHMARK(MemoryOfAForkAfterSoManyTokens)->Arg(0)->Arg(1)->Arg(100)->Iterations(1);

}  // namespace
}  // namespace onepack
