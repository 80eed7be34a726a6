// Where a method looks for a key: first in its own program, then in the data files it was loaded
// with. Records which keys were asked for.
//
// Threads: that of the load.

#ifndef ONEPACK_RUNTIME_METHOD_SCOPE_H_
#define ONEPACK_RUNTIME_METHOD_SCOPE_H_

#include <utility>

#include "onepack/array.h"
#include "onepack/named_data_scope.h"
#include "onepack/ref.h"

namespace onepack {

class MethodScope final : public NamedDataScope {
 public:
  // Either may be null.
  MethodScope(Ref<NamedDataMap> program, Ref<NamedDataMap> external, const Allocator& allocator)
      : program_(std::move(program)), external_(std::move(external)), allocator_(allocator) {}

  // Errors: kNotFound names the key and every file that was searched; a key in both with other data
  // is kMismatch.
  Result<const NamedData*> Find(std::string_view key) const;
  Result<const NamedData*> Find(std::string_view key, uint64_t size_bytes) const override;

  // By entry of the data files: whether it was asked for. Empty: none was.
  Array<bool> TakeUses() { return std::move(is_used_); }

 private:
  Result<bool*> MarkOf(const NamedDataMap& map, const NamedData& entry, Array<bool>* marks) const;
  Status CheckOnce(const NamedData& own, const NamedData& other) const;

  Ref<NamedDataMap> program_;
  Ref<NamedDataMap> external_;
  const Allocator allocator_;
  mutable Array<bool> is_checked_;  // by entry of the program
  mutable Array<bool> is_used_;     // by entry of the data files
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_METHOD_SCOPE_H_
