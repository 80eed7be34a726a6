// What is behind the Python objects. Each is closed by itself and in any order, because what it was
// made of is counted.

#ifndef ONEPACK_PYTHON_BINDINGS_HANDLES_H_
#define ONEPACK_PYTHON_BINDINGS_HANDLES_H_

#include <memory>

#include "onepack/adapter_pool.h"
#include "onepack/language_model.h"
#include "onepack/method.h"
#include "onepack/named_data_map.h"
#include "onepack/program.h"
#include "onepack/shared_state.h"
#include "onepack/weight_cache.h"
#include "python/bindings/closable.h"
#include "python/bindings/engine.h"
#include "python/bindings/turn.h"

namespace onepack::python {

// In the order of destruction, the last one first: XNNPACK computes on the engine's threads.

struct LoadedMethod {
  std::shared_ptr<const Engine> engine;
  Ref<NamedDataMap> data;  // null: none
  Ref<Method> method;
  Turn turn;
};

struct LoadedModel {
  std::shared_ptr<const Engine> engine;
  std::unique_ptr<LanguageModel> model;
  Turn turn;
};

struct OpenPool {
  OpenPool(std::shared_ptr<const Engine> used, const MethodOptions& options)
      : engine(std::move(used)), pool(options) {}
  std::shared_ptr<const Engine> engine;
  AdapterPool pool;
};

struct PyWeightCache {
  Closable<std::shared_ptr<CacheWithTrouble>> handle;
};
struct PyBackend {
  Closable<std::shared_ptr<const Engine>> handle;
};
struct PyProgram {
  Closable<Ref<Program>> handle;
};
struct PyNamedData {
  Closable<Ref<NamedDataMap>> handle;
};
struct PySharedState {
  Closable<Ref<SharedState>> handle;
};
struct PyMethod {
  Closable<std::shared_ptr<LoadedMethod>> handle;
};
struct PyLanguageModel {
  Closable<std::shared_ptr<LoadedModel>> handle;
};
struct PyAdapterPool {
  Closable<std::shared_ptr<OpenPool>> handle;
};

}  // namespace onepack::python

#endif  // ONEPACK_PYTHON_BINDINGS_HANDLES_H_
