// Every small change of small programs and of their data files, loaded and run.
//
//     onepack_mutation_test [--every N] [--shard I/N] [--case RECORDED.json]...
//
// Tries each N-th of all mutations; a shard tries its part of those. With recorded cases, their
// files are changed and no others. The first file with which
// something goes wrong is named on the way, so that a crash says where it happened.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/hardening/mutations.h"
#include "tests/hardening/seed_programs.h"

// There with a sanitizer only: called before it ends the process.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace onepack {
namespace {

// Data files above this are weights almost entirely: of those, the directory is changed.
constexpr size_t kWholeDataFile = 16384;
constexpr size_t kDirectoryOfDataFile = 2048;

struct Selection {
  size_t every = 1;
  size_t shard = 0;
  size_t shards = 1;

  bool Has(size_t number) const { return number % every == 0 && number / every % shards == shard; }
};

struct Totals {
  size_t tried = 0;
  size_t loaded = 0;
  size_t ran = 0;
  size_t failed = 0;
};

// What is being tried, for the report of a crash.
char current[256];

void SayWhere() {
  // Nothing is to be done if even this fails.
  (void)!write(STDERR_FILENO, current, strlen(current));
}

void SayWhereAndDie(int signal_number) {
  SayWhere();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void SayWhereWhenDying() {
  signal(SIGABRT, SayWhereAndDie);  // no sanitizer handles it
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(SayWhere);
    return;
  }
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(number, SayWhereAndDie);
}

// Every other one beside the good program, which must not notice.
void Try(const UntrustedFiles& files, const std::string& what, Neighbour& neighbour,
         Totals& totals) {
  snprintf(current, sizeof(current), "while trying %s, %s\n", files.name.c_str(), what.c_str());
  const bool is_alone = totals.tried++ % 2 == 0;
  const UntrustedOutcome outcome = RunUntrusted(files, is_alone ? nullptr : &neighbour);
  totals.loaded += outcome.methods_loaded > 0 ? 1 : 0;
  totals.ran += outcome.runs_succeeded > 0 ? 1 : 0;
  if (outcome.violation.empty()) return;
  ++totals.failed;
  printf("%s, %s: %s (%s)\n", files.name.c_str(), what.c_str(), outcome.violation.c_str(),
         outcome.message.c_str());
}

// `file` is one of those in `files`; the others stay good.
void TryAll(UntrustedFiles& files, std::vector<uint8_t>& file, const char* kind,
            const Selection& selection, size_t& number, Neighbour& neighbour, Totals& totals) {
  const std::vector<uint8_t> good = file;
  const bool is_program = &file == &files.program;
  const Mutations mutations(good);
  std::vector<uint8_t> mutated;
  for (size_t i = 0; i < mutations.count(); ++i) {
    if (!selection.Has(number++) || !mutations.Apply(i, &mutated)) continue;
    const bool is_shorter = mutated.size() != good.size();
    if (!is_program && !is_shorter && good.size() > kWholeDataFile &&
        memcmp(mutated.data() + kDirectoryOfDataFile, good.data() + kDirectoryOfDataFile,
               good.size() - kDirectoryOfDataFile) != 0) {
      continue;
    }
    file = mutated;
    Try(files, std::string(kind) + ": " + mutations.Describe(i), neighbour, totals);
  }
  file = good;
}

bool TestSeed(UntrustedFiles files, const Selection& selection, size_t& number) {
  Neighbour neighbour(files);
  Totals good;
  for (int i = 0; i < 2; ++i) Try(files, "nothing changed", neighbour, good);
  if (good.ran == 0) {
    printf("%s: the program does not run unchanged\n", files.name.c_str());
    return false;
  }
  Totals totals;
  TryAll(files, files.program, "program", selection, number, neighbour, totals);
  for (auto& file : files.data) {
    TryAll(files, file, "data file", selection, number, neighbour, totals);
  }
  printf("%-20s %8zu tried, %8zu loaded, %8zu ran, %zu wrong\n", files.name.c_str(), totals.tried,
         totals.loaded, totals.ran, totals.failed);
  return totals.failed == 0;
}

int Main(const Selection& selection, const std::vector<std::string>& cases) {
  SayWhereWhenDying();
  setvbuf(stdout, nullptr, _IOLBF, 0);
  std::vector<UntrustedFiles> seeds;
  for (const std::string& json : cases) seeds.push_back(ReadSeed(json));
  if (cases.empty()) {
    seeds = GeneratedSeeds();
    for (UntrustedFiles& seed : RecordedSeeds()) seeds.push_back(std::move(seed));
  }
  bool passed = true;
  size_t number = 0;
  for (UntrustedFiles& seed : seeds) passed &= TestSeed(std::move(seed), selection, number);
  return passed ? 0 : 1;
}

}  // namespace
}  // namespace onepack

int main(int argc, char** argv) {
  onepack::Selection selection;
  std::vector<std::string> cases;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--every") == 0) selection.every = strtoul(argv[i + 1], nullptr, 10);
    if (strcmp(argv[i], "--case") == 0) cases.emplace_back(argv[i + 1]);
    if (strcmp(argv[i], "--shard") == 0) {
      if (sscanf(argv[i + 1], "%zu/%zu", &selection.shard, &selection.shards) != 2) return 2;
    }
  }
  if (selection.every == 0 || selection.shards == 0) return 2;
  return onepack::Main(selection, cases);
}
