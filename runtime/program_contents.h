// What a program's verified flatbuffer says, for those who interpret it.
//
// Ownership: a view; the program outlives it, and what it returns, but for buffers.

#ifndef ONEPACK_RUNTIME_PROGRAM_CONTENTS_H_
#define ONEPACK_RUNTIME_PROGRAM_CONTENTS_H_

#include <stdint.h>

#include <string_view>

#include "onepack/buffer.h"
#include "onepack/program.h"
#include "onepack/result.h"
#include "onepack/segment.h"

namespace onepack {

namespace wire::program {
struct ExecutionPlan;
struct Tensor;
}  // namespace wire::program

class ProgramContents {
 public:
  explicit ProgramContents(const Program& program) : program_(program) {}

  // To look inside include "program_generated.h".
  const wire::program::Program& wire() const { return *program_.parts_.wire; }
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

 private:
  const Program& program_;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_PROGRAM_CONTENTS_H_
