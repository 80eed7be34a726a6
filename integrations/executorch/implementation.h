// What registration.cpp takes from libonepack_executorch.so, which has the backend itself.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_IMPLEMENTATION_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_IMPLEMENTATION_H_

#include <stddef.h>

#include "integrations/executorch/executorch_api.h"
#include "integrations/executorch/onepack_executorch.h"

namespace onepack {

struct ExecutorchImplementation {
  et::BackendInterface* backend;  // never destroyed
  size_t (*stats)(onepack_executorch_stat* stats, size_t capacity);
};

constexpr char kImplementationSymbol[] = "onepack_executorch_implementation";

}  // namespace onepack

// Null and a message, which is never freed, where XNNPACK is not the one that this was built for.
extern "C" ONEPACK_EXECUTORCH_API const onepack::ExecutorchImplementation*
onepack_executorch_implementation(const char** message);

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_IMPLEMENTATION_H_
