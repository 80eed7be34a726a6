#include "tools/program_loader.h"

#include <stdio.h>

#include <filesystem>

#include "onepack/thread_pool.h"
#include "onepack/xnnpack_backend.h"
#include "tools/bundled_program.h"

namespace onepack {
namespace {

// One name for one file. A path that does not exist stays as it is: opening it reports the error.
std::string CanonicalPath(const std::string& path) {
  std::error_code error;
  const std::filesystem::path canonical = std::filesystem::canonical(path, error);
  return error ? path : canonical.string();
}

}  // namespace

Result<std::unique_ptr<ProgramLoader>> ProgramLoader::Create(const ProgramLoaderOptions& options) {
  std::unique_ptr<ProgramLoader> loader(new ProgramLoader);
  if (options.share_packed_weights) {
    WeightCacheOptions cache_options;
    cache_options.huge_pages = options.huge_pages;
    cache_options.retained_bytes = options.retained_bytes;
    cache_options.packed_file.path = options.packed_file;
    cache_options.packed_file.checksums = options.packed_checksums;
    cache_options.packed_file.on_trouble = [](const Status& status) {
      fprintf(stderr, "onepack: %s\n", status.message());
    };
    loader->cache_ = WeightCache::Create(cache_options);
  }
  ONEPACK_ASSIGN_OR_RETURN(loader->pool_, CreateThreadPool(options.threads));
  if (loader->pool_ != nullptr && !ThreadPoolSuitsBusyMachines()) {
    fprintf(
        stderr,
        "onepack: this pthreadpool is from before September 2025: with two threads and more, runs "
        "stall while other processes keep the cores busy\n");
  }
  CpuOperatorOptions operator_options;
  operator_options.threadpool = loader->pool_.get();
  operator_options.additional = options.additional_operators;
  ONEPACK_ASSIGN_OR_RETURN(CpuOperators operators, CpuOperators::Create(operator_options));
  loader->operators_.emplace(std::move(operators));
  XnnpackBackendOptions backend_options;
  backend_options.weight_cache = loader->cache_;
  backend_options.threadpool = loader->pool_.get();
  backend_options.packing_threads = options.packing_threads;
  backend_options.linears = options.linears;
  ONEPACK_ASSIGN_OR_RETURN(loader->backend_, CreateXnnpackBackend(backend_options));
  return loader;
}

// Messages name the file as the user did, so sources are opened by the given path, not by the key.

Result<Ref<Program>> ProgramLoader::OpenProgram(const std::string& path) {
  const std::string key = CanonicalPath(path);
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto known = programs_.find(key);
  if (known != programs_.end()) return known->second;
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
  ONEPACK_ASSIGN_OR_RETURN(const ProgramFile file, OpenProgramFile(source));
  ONEPACK_ASSIGN_OR_RETURN(Ref<Program> program, Program::Open(file.program));
  programs_.emplace(key, program);
  return program;
}

Result<Ref<NamedDataMap>> ProgramLoader::OpenDataFile(const std::string& path) {
  const std::string key = CanonicalPath(path);
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto known = data_.find(key);
  if (known != data_.end()) return known->second;
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
  ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map, NamedDataMap::Open(source));
  data_.emplace(key, map);
  return map;
}

Result<Ref<NamedDataMap>> ProgramLoader::OpenData(const std::vector<std::string>& paths) {
  if (paths.empty()) return Ref<NamedDataMap>();
  std::vector<Ref<NamedDataMap>> maps;
  for (const std::string& path : paths) {
    ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map, OpenDataFile(path));
    maps.push_back(std::move(map));
  }
  if (maps.size() == 1) return maps.front();
  return NamedDataMap::Merge(maps);
}

void ProgramLoader::Forget(const std::string& path) {
  const std::string key = CanonicalPath(path);
  const std::lock_guard<std::mutex> lock(mutex_);
  programs_.erase(key);
  data_.erase(key);
}

Result<MethodOptions> ProgramLoader::OptionsFor(const std::vector<std::string>& data) {
  MethodOptions options;
  ONEPACK_ASSIGN_OR_RETURN(options.named_data, OpenData(data));
  options.backends = {&backend_, 1};
  options.operators = operators_->registry();
  return options;
}

Result<Ref<Method>> ProgramLoader::Load(const std::string& program,
                                        const std::vector<std::string>& data,
                                        const std::string& method) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> opened, OpenProgram(program));
  ONEPACK_ASSIGN_OR_RETURN(const MethodOptions options, OptionsFor(data));
  return Method::Load(opened, method, options);
}

}  // namespace onepack
