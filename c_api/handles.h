// What is behind the handles: counted references, so that they can be released in any order.

#ifndef ONEPACK_C_API_HANDLES_H_
#define ONEPACK_C_API_HANDLES_H_

#include <memory>

#include "c_api/engine.h"
#include "onepack/c_api.h"
#include "onepack/data_source.h"
#include "onepack/method.h"
#include "onepack/named_data_map.h"
#include "onepack/program.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/shared_state.h"

struct onepack_engine {
  std::shared_ptr<onepack::Engine> engine;
};

struct onepack_source {
  onepack::Ref<onepack::DataSource> source;
};

struct onepack_program {
  onepack::Ref<onepack::Program> program;
};

struct onepack_data {
  onepack::Ref<onepack::NamedDataMap> map;
};

struct onepack_shared_state {
  onepack::Ref<onepack::SharedState> state;
};

struct onepack_method {
  std::shared_ptr<onepack::Engine> engine;  // destroyed last
  onepack::Ref<onepack::Method> method;
};

namespace onepack {

// All of `data` in one map; null for none.
Result<Ref<NamedDataMap>> MergeData(onepack_data* const* data, size_t count);

}  // namespace onepack

#endif  // ONEPACK_C_API_HANDLES_H_
