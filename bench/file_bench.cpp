// What opening a file costs, and finding something in it: see README.md.
//
// Every benchmark looks once at what it is about to repeat, and says so with SkipWithError when
// that is not what its name promises.

#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "aot/ptd_writer.h"
#include "base/hex.h"
#include "schema/program_header.h"
#include "schema/verify_program.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/sources.h"

namespace onepack {
namespace {

// As the exporter names constants: a SHA-256 in hexadecimal.
std::string KeyOf(size_t number) {
  std::string key(64, '0');
  uint64_t state = number + 1;
  for (char& digit : key) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    digit = HexDigit(static_cast<unsigned>(state >> 60));
  }
  return key;
}

// A data file of as many keys as `range(0)`, with four bytes each.
std::vector<uint8_t> DataFile(const benchmark::State& state) {
  PtdWriter writer;
  const std::vector<uint8_t> bytes(4, 1);
  for (size_t i = 0; i < static_cast<size_t>(state.range(0)); ++i) {
    writer.AddBytes(KeyOf(i), bytes);
  }
  auto file = writer.ToBytes();
  return file.ok() ? std::move(file).value() : std::vector<uint8_t>();
}

// A program of 64 delegates.
std::vector<uint8_t> ProgramFile() {
  LinearProgram program;
  for (int i = 0; i < 64; ++i) program.layers.push_back({"w" + std::to_string(i)});
  program.delegate_per_layer = true;
  return MakeLinearProgram(program);
}

void ParseTheHeaderOfAProgram(benchmark::State& state) {
  const std::vector<uint8_t> file = ProgramFile();
  const auto parse = [&] { return ParseProgramHeader({file.data(), file.size()}, file.size()); };
  if (!parse().ok()) {
    state.SkipWithError("not a program");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(parse().ok());
}
BENCHMARK(ParseTheHeaderOfAProgram);

void VerifyTheDirectoryOfAProgramOf64Delegates(benchmark::State& state) {
  const std::vector<uint8_t> file = ProgramFile();
  auto header = ParseProgramHeader({file.data(), file.size()}, file.size());
  if (!header.ok()) {
    state.SkipWithError("not a program");
    return;
  }
  const Bytes all(file.data(), file.size());
  const Bytes directory = all.subspan(0, static_cast<size_t>(header->flatbuffer_size));
  if (!VerifyProgram(directory, *header).ok()) {
    state.SkipWithError("not verified");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(VerifyProgram(directory, *header).ok());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(directory.size()));
}
BENCHMARK(VerifyTheDirectoryOfAProgramOf64Delegates);

void OpenAndCloseAProgramOf64Delegates(benchmark::State& state) {
  const Ref<DataSource> source = SourceOf(ProgramFile(), "program.pte");
  if (!Program::Open(source).ok()) {
    state.SkipWithError("not opened");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(Program::Open(source).ok());
}
BENCHMARK(OpenAndCloseAProgramOf64Delegates)->Unit(benchmark::kMicrosecond);

void VerifyAndIndexADataFileOfSoManyKeys(benchmark::State& state) {
  const Ref<DataSource> source = SourceOf(DataFile(state), "data.ptd");
  auto map = NamedDataMap::Open(source);
  if (!map.ok() || (*map)->entries().size() != static_cast<size_t>(state.range(0))) {
    state.SkipWithError("not all keys");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(NamedDataMap::Open(source).ok());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(VerifyAndIndexADataFileOfSoManyKeys)
    ->Arg(10)
    ->Arg(1000)
    ->Arg(100'000)
    ->Unit(benchmark::kMicrosecond);

void FindAKeyAmongSoMany(benchmark::State& state) {
  auto map = NamedDataMap::Open(SourceOf(DataFile(state), "data.ptd"));
  const auto count = static_cast<size_t>(state.range(0));
  std::vector<std::string> keys;
  for (size_t i = 0; i < count; ++i) keys.push_back(KeyOf(i));
  if (!map.ok() || (*map)->Find(keys.back()) == nullptr ||
      (*map)->Find(keys.back())->key != keys.back() || (*map)->Find("absent") != nullptr) {
    state.SkipWithError("not found, or found where there is none");
    return;
  }
  size_t next = 0;  // in a scattered order
  for (auto _ : state) {
    benchmark::DoNotOptimize((*map)->Find(keys[next]));
    next = (next + 40'503) % count;
  }
}
BENCHMARK(FindAKeyAmongSoMany)->Arg(10)->Arg(1000)->Arg(100'000);

}  // namespace
}  // namespace onepack
