// A program (.pte), verified and ready to have its methods loaded.
//
// Ownership: counted; keeps its source open. Views it hands out live as long as it does.
// Threads:   immutable after Open; any thread.
// Errors:    every message names the file.

#ifndef ONEPACK_PROGRAM_H_
#define ONEPACK_PROGRAM_H_

#include <stdint.h>

#include <string_view>
#include <utility>

#include "onepack/data_source.h"
#include "onepack/export.h"
#include "onepack/named_data_map.h"
#include "onepack/ref.h"
#include "onepack/result.h"

namespace onepack {

namespace wire::program {
struct Program;
}  // namespace wire::program

class ONEPACK_API Program final : public RefCounted {
 public:
  // Verifies all of the program. Reads no segment.
  static Result<Ref<Program>> Open(const Ref<DataSource>& source,
                                   const Allocator& allocator = HeapAllocator());

  const char* name() const { return parts_.source->name(); }

  size_t method_count() const;
  // REQUIRES: index < method_count().
  std::string_view method_name(size_t index) const;

  // Data that the program carries under names of its own. May outlive the program.
  const Ref<NamedDataMap>& named_data() const { return named_data_; }

  const DataSource& source() const { return *parts_.source; }

 private:
  friend class ProgramContents;
  template <typename U, typename... Arguments>
  friend Result<Ref<U>> MakeRef(const Allocator& allocator, Arguments&&... arguments);

  // What a verified file has.
  struct Parts {
    Ref<DataSource> source;
    Ref<const RefCounted> flatbuffer_owner;
    const uint8_t* flatbuffer;
    const wire::program::Program* wire;  // in the flatbuffer
    uint64_t segment_base;
  };

  explicit Program(Parts parts) : parts_(std::move(parts)) {}

  static Result<Ref<Program>> OpenVerified(const Ref<DataSource>& source,
                                           const Allocator& allocator);
  Status IndexNamedData(const Allocator& allocator);

  const Parts parts_;
  Ref<NamedDataMap> named_data_;  // set once, by Open
};

}  // namespace onepack

#endif  // ONEPACK_PROGRAM_H_
