// A program (.pte), verified and ready to have its methods loaded.
//
// Ownership: counted; keeps its source open. Views it hands out live as long as it does.
// Threads:   immutable after Open; any thread.
// Errors:    every message names the file.

#ifndef ONEPACK_PROGRAM_H_
#define ONEPACK_PROGRAM_H_

#include <string_view>

#include "onepack/data_source.h"
#include "onepack/named_data_map.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "runtime/aligned_copy.h"
#include "schema/program_header.h"

namespace onepack {

namespace wire::program {
struct ExecutionPlan;
struct Program;
struct Tensor;
}  // namespace wire::program

class Program final : public RefCounted {
 public:
  // Verifies all of the program. Reads no segment.
  static Result<Ref<Program>> Open(const Ref<DataSource>& source,
                                   const Allocator& allocator = HeapAllocator());

  const char* name() const { return source_->name(); }

  size_t method_count() const;
  // REQUIRES: index < method_count().
  std::string_view method_name(size_t index) const;

  // Data that the program carries under names of its own. May outlive the program.
  const Ref<NamedDataMap>& named_data() const { return named_data_; }

  // The verified flatbuffer; to look inside include "program_generated.h".
  const wire::program::Program& wire() const { return *wire_; }
  // kNotFound names the method and those there are.
  Result<const wire::program::ExecutionPlan*> FindMethod(std::string_view name) const;

  // The payload of a delegate of this program, wherever it is kept.
  struct PayloadBytes {
    Buffer buffer;
    uint64_t offset = 0;  // in the file
  };
  // REQUIRES: `is_inline` and `index` from a BackendDelegate of wire().
  Result<PayloadBytes> LoadPayload(bool is_inline, uint32_t index) const;

  // The bytes of a constant that is in this file, or the initial value of a planned tensor.
  // REQUIRES: one of wire(), not external, with a data_buffer_idx.
  Result<Buffer> LoadConstant(const wire::program::Tensor& tensor) const;

  // A segment of the file, by its index in wire().
  Segment segment(uint32_t index) const;
  const DataSource& source() const { return *source_; }

  // For MakeRef.
  Program(Ref<DataSource> source, Ref<AlignedCopy> flatbuffer, const ProgramHeader& header,
          const wire::program::Program* wire)
      : source_(std::move(source)),
        flatbuffer_(std::move(flatbuffer)),
        header_(header),
        wire_(wire) {}

 private:
  static Result<Ref<Program>> OpenVerified(const Ref<DataSource>& source,
                                           const Allocator& allocator);
  Status IndexNamedData(const Allocator& allocator);

  const Ref<DataSource> source_;
  const Ref<AlignedCopy> flatbuffer_;
  const ProgramHeader header_;
  const wire::program::Program* const wire_;  // in *flatbuffer_
  Ref<NamedDataMap> named_data_;              // set once, by Open
};

}  // namespace onepack

#endif  // ONEPACK_PROGRAM_H_
