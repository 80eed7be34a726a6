// What ExecuTorch has in memory of a delegate: its graph, and constants that stand beside it.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_PAYLOAD_SOURCE_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_PAYLOAD_SOURCE_H_

#include <utility>

#include "integrations/executorch/executorch_api.h"
#include "onepack/data_source.h"

namespace onepack {

// Takes the buffer over. It may be the application's memory, which goes with the program: nothing
// but the program's own delegate reads it, and nothing when that is destroyed. Threads: any.
class PayloadSource final : public DataSource {
 public:
  // For MakeRef. `bytes` are those of `buffer`.
  PayloadSource(et::FreeableBuffer buffer, Bytes bytes)
      : buffer_(std::move(buffer)), bytes_(bytes) {}

  const char* name() const override { return "a delegate of ExecuTorch's"; }
  uint64_t size() const override { return bytes_.size(); }
  bool is_mapped() const override { return true; }
  bool keeps_bytes() const override { return false; }
  Result<Buffer> Load(const Segment& range) const override { return LoadFrom(bytes_, range); }

 private:
  const et::FreeableBuffer buffer_;
  const Bytes bytes_;
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_PAYLOAD_SOURCE_H_
