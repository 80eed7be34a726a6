// Named data that ExecuTorch reads into memory whenever it is asked (LoadMode::File), or has there
// already: asked for when they are needed, and let go of. They are known by their SHA-256, so what
// two programs have in common is packed once, and a program whose weights are all packed reads
// nothing.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_HEAP_DATA_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_HEAP_DATA_H_

#include <memory>
#include <string>

#include "base/digest.h"
#include "integrations/executorch/map_access.h"
#include "onepack/data_source.h"

namespace onepack {

// Threads: any.
class HeapData final : public DataSource {
 public:
  const char* name() const override { return "ExecuTorch's named data"; }
  uint64_t size() const override { return size_; }
  // A copy, which was checked: what ExecuTorch hands out may be the application's own memory, which
  // goes with the program.
  Result<Buffer> Load(const Segment& range) const override;
  Status Read(const Segment& range, uint8_t* destination) const override;
  const uint8_t* FindHash(const Segment& range) const override;

  // For MakeRef. `sha256` is what the key says, or was computed; `size` what the graph says, or was
  // seen.
  HeapData(std::string key, const Digest& sha256, uint64_t size,
           std::shared_ptr<const MapAccess> access)
      : DataSource(DataIdentity::OfSha256(sha256.bytes.data())),
        key_(std::move(key)),
        sha256_(sha256),
        size_(size),
        access_(std::move(access)) {}

 private:
  Status CheckSize(size_t found) const;
  Status CheckHash(Bytes bytes) const;

  const std::string key_;
  const Digest sha256_;
  const uint64_t size_;
  const std::shared_ptr<const MapAccess> access_;
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_HEAP_DATA_H_
