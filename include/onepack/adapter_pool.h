// Language models by name, over one foundation: a request says which adapter is to answer it.
//
// Ownership: keeps the models. What MethodOptions refers to (backends, operators) outlives the
//            pool; the pool outlives its requests.
// Threads:   any function, any thread, and also from within the callbacks of a request, during
//            which no lock is held. Requests to one adapter take turns; different adapters answer
//            in parallel, also while another one is added or dropped.
// Memory:    an adapter costs its own weights, and, while it answers, its KV cache and its
//            activations: they go back to the system with the end of each answer. What a dropped
//            one costs goes back when the last request to it has ended.
// Errors:    what Add refuses changes nothing for the others.

#ifndef ONEPACK_ADAPTER_POOL_H_
#define ONEPACK_ADAPTER_POOL_H_

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "onepack/export.h"
#include "onepack/generate.h"
#include "onepack/language_model.h"

namespace onepack {

class ONEPACK_API AdapterPool {
 public:
  // What every model is loaded with; `options.named_data` is the foundation.
  explicit AdapterPool(const MethodOptions& options) : options_(options) {}

  // Loads a model while the others go on. `data`: the adapter's own weights; null when `program`
  // needs the foundation only. `method`: which one of `program`, as in LanguageModel::Load.
  // Errors: kInvalidArgument for a name that is taken; those of NamedDataMap::Merge and
  // LanguageModel::Load.
  Status Add(std::string_view name, const Ref<Program>& program, const Ref<NamedDataMap>& data,
             std::string_view method = {});

  // Requests that run still end well. Errors: kNotFound.
  Status Drop(std::string_view name);

  // In alphabetical order. Errors: kResourceExhausted.
  Result<std::vector<std::string>> Names() const;

  // Answers in a context of its own. From within a callback of another request, here or in another
  // pool, it does not wait, because another thread may be waiting for that request:
  // kFailedPrecondition when the adapter is answering already. (A callback that lets another thread
  // ask, and waits for it, is on its own.) Errors: kNotFound; those of onepack::Generate.
  Result<GenerateResult> Generate(std::string_view name, Span<const int64_t> prompt,
                                  const GenerateOptions& options);

 private:
  struct Adapter {
    std::mutex mutex;  // nothing is run while it is held
    std::condition_variable is_idle;
    bool is_busy = false;  // guarded by mutex
    std::unique_ptr<LanguageModel> model;
    bool is_fresh = true;  // the last request has left nothing; of the one whose turn it is
  };
  class Request;

  Status CheckIsFree(std::string_view name) const;
  std::shared_ptr<Adapter> Find(std::string_view name) const;

  const MethodOptions options_;
  mutable std::mutex mutex_;  // nothing is loaded, run or closed while it is held
  std::map<std::string, std::shared_ptr<Adapter>, std::less<>> adapters_;  // guarded by mutex_
};

}  // namespace onepack

#endif  // ONEPACK_ADAPTER_POOL_H_
