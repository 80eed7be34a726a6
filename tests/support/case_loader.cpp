#include "tests/support/case_loader.h"

#include "tools/case_runner.h"
#include "tools/recorded_case.h"

namespace onepack {
namespace {

Result<RecordedCase> ReadCase(const std::string& folder, const std::string& name) {
  return ReadRecordedCase(folder + "/" + name + ".json");
}

}  // namespace

Result<Ref<Method>> CaseLoader::Load(const std::string& folder, const std::string& name) const {
  ONEPACK_ASSIGN_OR_RETURN(const RecordedCase recorded, ReadCase(folder, name));
  ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> program_source, open_(recorded.program));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, Program::Open(std::move(program_source)));
  std::vector<Ref<NamedDataMap>> maps;
  for (const std::string& path : recorded.data) {
    ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> source, open_(path));
    ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map, NamedDataMap::Open(std::move(source)));
    maps.push_back(std::move(map));
  }
  MethodOptions options;
  ONEPACK_ASSIGN_OR_RETURN(options.named_data, NamedDataMap::Merge(maps));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, SharedBackend());
  const Ref<Backend> backends[] = {backend};
  options.backends = backends;
  return Method::Load(program, recorded.method, options);
}

Result<Ref<Backend>> CaseLoader::SharedBackend() const {
  {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    if (backend_) return Ref<Backend>(backend_);
  }
  XnnpackBackendOptions options;
  options.weight_cache = cache_;
  options.threadpool = threadpool_;
  options.on_progress = on_progress_;
  options.packing_threads = packing_threads_;
  options.min_bytes_per_packing_thread = 1;
  options.linears = linears_;
  ONEPACK_ASSIGN_OR_RETURN(Ref<Backend> created, CreateXnnpackBackend(options));
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  if (!backend_) backend_ = std::move(created);
  return Ref<Backend>(backend_);
}

std::string CaseLoader::Check(const Ref<Method>& method, const std::string& folder,
                              const std::string& name) {
  auto recorded = ReadCase(folder, name);
  if (!recorded.ok()) return recorded.status().message();
  const CaseOutcome outcome = CaseRunner(std::move(recorded).value(), method).Run();
  return outcome.passed ? "" : "differs: " + outcome.reason;
}

}  // namespace onepack
