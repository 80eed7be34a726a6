// Where the delegates of a method look for the data that their graphs name.
//
// Derive where another runtime has the data: override Find. A method that this library loads has a
// scope of its own, over its program and its data files. The base class is the empty scope.
//
// Ownership: what is found lives as long as the scope; its source is counted, and may outlive it.
// Threads:   that of the load.

#ifndef ONEPACK_NAMED_DATA_SCOPE_H_
#define ONEPACK_NAMED_DATA_SCOPE_H_

#include <stdint.h>

#include <string_view>

#include "onepack/named_data_map.h"
#include "onepack/result.h"

namespace onepack {

class NamedDataScope {
 public:
  // The same entry whenever the same key is asked for. `size_bytes` is what the graph says of the
  // data, 0 if nothing: for a scope that would have to read them to know it. Errors: kNotFound
  // names the key and where it was looked for; kMismatch where two that are not equal have it.
  virtual Result<const NamedData*> Find(std::string_view key, uint64_t size_bytes) const {
    (void)key;
    (void)size_bytes;
    return Status::Error(StatusCode::kNotFound, "no named data");
  }

 protected:
  NamedDataScope() = default;
  NamedDataScope(const NamedDataScope&) = default;
  NamedDataScope& operator=(const NamedDataScope&) = default;
  ~NamedDataScope() = default;
};

}  // namespace onepack

#endif  // ONEPACK_NAMED_DATA_SCOPE_H_
