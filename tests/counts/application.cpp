#include "tests/counts/application.h"

#include <utility>

namespace onepack {

Result<Application> Application::Create(LinearLayout linears) {
  Application application;
  application.cache_ = WeightCache::Create();
  ONEPACK_ASSIGN_OR_RETURN(CpuOperators operators, CpuOperators::Create({}));
  application.operators_.emplace(std::move(operators));
  XnnpackBackendOptions options;
  options.weight_cache = application.cache_;
  options.linears = linears;
  ONEPACK_ASSIGN_OR_RETURN(application.backend_, CreateXnnpackBackend(options));
  return application;
}

Result<Application::Opened> Application::Open(const ProgramFiles& files) const {
  Opened opened;
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(files.program));
  ONEPACK_ASSIGN_OR_RETURN(opened.program, Program::Open(source));
  std::vector<Ref<NamedDataMap>> maps;
  for (const char* path : files.data) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> data, OpenMappedFile(path));
    ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map, NamedDataMap::Open(data));
    maps.push_back(std::move(map));
  }
  ONEPACK_ASSIGN_OR_RETURN(opened.options.named_data, NamedDataMap::Merge(maps));
  opened.options.backends = {&backend_, 1};
  opened.options.operators = operators_->registry();
  return opened;
}

Result<Ref<Method>> Application::Load(const ProgramFiles& files) const {
  ONEPACK_ASSIGN_OR_RETURN(const Opened opened, Open(files));
  return Method::Load(opened.program, "forward", opened.options);
}

}  // namespace onepack
