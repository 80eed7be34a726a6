// A delegate of a program that ExecuTorch has loaded: what its handle points to.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_LOADED_DELEGATE_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_LOADED_DELEGATE_H_

#include <memory>
#include <vector>

#include "integrations/executorch/arguments.h"
#include "integrations/executorch/executorch_api.h"
#include "integrations/executorch/map_access.h"
#include "integrations/executorch/mapped_files.h"
#include "integrations/executorch/method_group.h"
#include "onepack/backend.h"
#include "onepack/result.h"

namespace onepack {

// Threads: one at a time. May throw std::bad_alloc.
class LoadedDelegate {
 public:
  // Frees or takes over `processed`.
  static Result<std::unique_ptr<LoadedDelegate>> Load(et::BackendInitContext& context,
                                                      et::FreeableBuffer& processed,
                                                      et::ArrayRef<et::CompileSpec> specs,
                                                      Backend& backend, MappedFiles& files);
  ~LoadedDelegate();

  Status Execute(et::Span<et::EValue*> values);

 private:
  LoadedDelegate() = default;

  std::shared_ptr<MethodGroup> group_;
  std::vector<std::shared_ptr<const MappedFile>> files_;  // so that others find them open
  std::shared_ptr<MapAccess> access_;
  Arguments arguments_;
  Ref<Delegate> delegate_;
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_LOADED_DELEGATE_H_
