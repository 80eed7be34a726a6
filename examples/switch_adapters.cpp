// One foundation, many adapters of a language model: each request names the adapter that answers
// it; adapters come and go while others answer.
//
//     switch_adapters FOLDER ADAPTER...
//
// FOLDER holds foundation.ptd and, for each adapter, ADAPTER.pte and ADAPTER.ptd, as
// tests/data/cases/llm_8da4w does for a0 and a1. (A base program has no .ptd of its own.)

#include <stdio.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "onepack/adapter_pool.h"
#include "onepack/cpu_operators.h"
#include "onepack/xnnpack_backend.h"
#include "tools/format.h"
#include "tools/memory_usage.h"
#include "tools/standard_streams.h"

namespace onepack {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kPrompt[] = {1, 17, 42, 99};

Result<Ref<NamedDataMap>> OpenData(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> file, OpenMappedFile(path.c_str()));
  return NamedDataMap::Open(file);
}

// What every adapter shares. Outlives the pool.
struct Shared {
  std::shared_ptr<WeightCache> cache = WeightCache::Create();
  Ref<Backend> backend;
  std::unique_ptr<CpuOperators> operators;
  Ref<NamedDataMap> foundation;
};

Result<Shared> CreateShared(const std::string& folder) {
  Shared shared;
  XnnpackBackendOptions backend_options;
  backend_options.weight_cache = shared.cache;
  ONEPACK_ASSIGN_OR_RETURN(shared.backend, CreateXnnpackBackend(backend_options));
  ONEPACK_ASSIGN_OR_RETURN(CpuOperators operators, CpuOperators::Create({}));
  shared.operators = std::make_unique<CpuOperators>(std::move(operators));
  ONEPACK_ASSIGN_OR_RETURN(shared.foundation, OpenData(folder + "/foundation.ptd"));
  return shared;
}

Status Add(AdapterPool& pool, const std::string& folder, const std::string& name) {
  const std::string stem = folder + "/" + name;
  ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> file, OpenMappedFile((stem + ".pte").c_str()));
  ONEPACK_ASSIGN_OR_RETURN(Ref<Program> program, Program::Open(file));
  Ref<NamedDataMap> data;
  if (access((stem + ".ptd").c_str(), F_OK) == 0) {
    ONEPACK_ASSIGN_OR_RETURN(data, OpenData(stem + ".ptd"));
  }
  return pool.Add(name, program, data);
}

// Adds all, and prints what each one cost.
Status AddAll(AdapterPool& pool, const std::string& folder, const std::vector<std::string>& names,
              const WeightCache& cache) {
  TextTable table(0);
  table.AddRow({"adapter", "time to add", "packed", "in place", "found", "anonymous memory"});
  for (const std::string& name : names) {
    const WeightCacheStats stats = cache.Stats();
    ONEPACK_ASSIGN_OR_RETURN(const MemoryUsage memory, CurrentMemoryUsage());
    const Clock::time_point start = Clock::now();
    ONEPACK_RETURN_IF_ERROR(Add(pool, folder, name));
    const std::chrono::duration<double> taken = Clock::now() - start;
    const WeightCacheStats now = cache.Stats();
    ONEPACK_ASSIGN_OR_RETURN(const MemoryUsage memory_now, CurrentMemoryUsage());
    const uint64_t added = memory_now.anonymous_bytes > memory.anonymous_bytes
                               ? memory_now.anonymous_bytes - memory.anonymous_bytes
                               : 0;
    table.AddRow({name, FormatSeconds(taken.count()),
                  FormatBytes(now.packed_bytes - stats.packed_bytes),
                  FormatBytes(now.in_place_bytes - stats.in_place_bytes),
                  FormatBytes(now.hit_bytes - stats.hit_bytes), "+" + FormatBytes(added)});
  }
  printf("%s\n", table.ToString().c_str());
  return Status::Ok();
}

using Tokens = std::vector<int64_t>;

Status Ask(AdapterPool& pool, const std::string& name, Tokens* answer) {
  GenerateOptions options;
  options.max_new_tokens = 8;
  options.ignore_eos = true;
  ONEPACK_ASSIGN_OR_RETURN(GenerateResult result, pool.Generate(name, kPrompt, options));
  *answer = std::move(result.tokens);
  return Status::Ok();
}

// All adapters at the same time, each on a thread of its own.
Result<std::vector<Tokens>> AskAll(AdapterPool& pool, const std::vector<std::string>& names) {
  std::vector<Tokens> answers(names.size());
  std::vector<Status> statuses(names.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < names.size(); ++i) {
    threads.emplace_back([&, i] { statuses[i] = Ask(pool, names[i], &answers[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  for (Status& status : statuses) ONEPACK_RETURN_IF_ERROR(std::move(status));
  return answers;
}

void Print(const std::vector<std::string>& names, const std::vector<Tokens>& answers) {
  for (size_t i = 0; i < names.size(); ++i) {
    printf("%s answers:", names[i].c_str());
    for (const int64_t token : answers[i]) printf(" %lld", static_cast<long long>(token));
    printf("\n");
  }
}

// The last one is removed and added again while the first answers.
Result<Tokens> AskFirstWhileLastReturns(AdapterPool& pool, const std::string& folder,
                                        const std::vector<std::string>& names) {
  Tokens answer;
  Status first_status;
  std::thread first([&] { first_status = Ask(pool, names.front(), &answer); });
  Status status = pool.Drop(names.back());
  if (status.ok()) status = Add(pool, folder, names.back());
  first.join();
  ONEPACK_RETURN_IF_ERROR(std::move(status));
  ONEPACK_RETURN_IF_ERROR(std::move(first_status));
  return answer;
}

Status Run(const std::string& folder, const std::vector<std::string>& names) {
  ONEPACK_ASSIGN_OR_RETURN(const Shared shared, CreateShared(folder));
  MethodOptions options;
  options.named_data = shared.foundation;
  options.backends = {&shared.backend, 1};
  options.operators = shared.operators->registry();
  AdapterPool pool(options);
  ONEPACK_RETURN_IF_ERROR(AddAll(pool, folder, names, *shared.cache));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<Tokens> before, AskAll(pool, names));
  Print(names, before);
  ONEPACK_ASSIGN_OR_RETURN(const Tokens meanwhile, AskFirstWhileLastReturns(pool, folder, names));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<Tokens> after, AskAll(pool, names));
  if (meanwhile != before.front() || after != before) {
    return Status::Error(StatusCode::kInternal, "an answer has changed");
  }
  printf("%s was dropped and added again while %s answered: all answers are the same\n",
         names.back().c_str(), names.front().c_str());
  return Status::Ok();
}

}  // namespace
}  // namespace onepack

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: switch_adapters FOLDER ADAPTER ADAPTER...\n");
    return 2;
  }
  onepack::ReserveStandardStreams();
  onepack::Status status = onepack::Run(argv[1], {argv + 2, argv + argc});
  if (status.ok()) status = onepack::CloseStandardOutput();
  if (status.ok()) return 0;
  fprintf(stderr, "switch_adapters: %s\n", status.message());
  return 1;
}
