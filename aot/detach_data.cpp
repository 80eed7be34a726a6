#include "aot/detach_data.h"

#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "aot/output_files.h"
#include "aot/ptd_writer.h"
#include "aot/source_bytes.h"
#include "base/digest.h"
#include "base/sha256.h"
#include "schema/detached_data.h"

namespace onepack {
namespace {

std::optional<PtdTensorLayout> OwnedLayout(const NamedData& entry) {
  if (!entry.is_tensor) return std::nullopt;
  const TensorLayout& layout = entry.layout;
  return PtdTensorLayout{layout.scalar_type,
                         {layout.sizes.begin(), layout.sizes.end()},
                         {layout.dim_order.begin(), layout.dim_order.end()}};
}

class Detacher {
 public:
  Detacher(const NamedDataMap& data, const DetachOptions& options)
      : data_(data), options_(options) {}

  Result<DetachReport> Run() {
    for (const NamedData& entry : data_.entries()) {
      if (!options_.is_detached(entry)) kept_places_.insert(PlaceOf(entry));
    }
    for (const NamedData& entry : data_.entries()) {
      const bool is_kept = kept_places_.count(PlaceOf(entry)) > 0;
      ONEPACK_RETURN_IF_ERROR(Add(entry, is_kept));
    }
    kept_.AddKey(std::string(kDetachedKey), kept_.AddSegment(DataBytes::Owned(Detached())));
    OutputFiles files(options_.existing);
    ONEPACK_RETURN_IF_ERROR(files.Write(
        options_.path, [this](const Append& append) { return kept_.Write(append); },
        &PtdWriter::ReadBack));
    ONEPACK_RETURN_IF_ERROR(files.Commit());
    return report_;
  }

 private:
  // A run of bytes, however many keys it has.
  using Place = std::tuple<const DataSource*, uint64_t, uint64_t>;
  static Place PlaceOf(const NamedData& entry) {
    return {entry.source, entry.segment.offset, entry.segment.size};
  }

  Status Add(const NamedData& entry, bool is_kept) {
    PtdWriter& writer = is_kept ? kept_ : detached_;
    const auto [known, is_new] = segments_.try_emplace(PlaceOf(entry), 0);
    if (is_new) {
      const DataBytes bytes =
          BytesOfSource(Ref<const DataSource>::Share(entry.source), entry.segment, options_.watch);
      known->second = writer.AddSegment(bytes);
      if (!is_kept) ONEPACK_RETURN_IF_ERROR(AddHash(entry, bytes));
      (is_kept ? report_.kept_bytes : report_.detached_bytes) += entry.segment.size;
    }
    writer.AddKey(std::string(entry.key), known->second, OwnedLayout(entry));
    if (!is_kept) ++report_.detached_keys;
    return Status::Ok();
  }

  Status AddHash(const NamedData& entry, const DataBytes& bytes) {
    if (const uint8_t* known = entry.source->FindHash(entry.segment)) {
      hashes_.insert(hashes_.end(), known, known + kDetachedHashSize);
      return Status::Ok();
    }
    Sha256Hasher hasher;
    ONEPACK_RETURN_IF_ERROR(bytes.AppendTo([&hasher](Bytes piece) {
      hasher.Add(piece);
      return Status::Ok();
    }));
    ONEPACK_ASSIGN_OR_RETURN(const auto hash, hasher.Finish());
    hashes_.insert(hashes_.end(), hash.begin(), hash.end());
    return Status::Ok();
  }

  std::vector<uint8_t> Detached() const {
    std::vector<uint8_t> bytes = detached_.Directory();
    bytes.insert(bytes.end(), hashes_.begin(), hashes_.end());
    bytes.insert(bytes.end(), options_.where.begin(), options_.where.end());
    return bytes;
  }

  const NamedDataMap& data_;
  const DetachOptions& options_;
  std::set<Place> kept_places_;
  std::map<Place, uint32_t> segments_;  // of the writer that has it
  PtdWriter kept_;
  PtdWriter detached_;  // of which the directory alone is written
  std::vector<uint8_t> hashes_;
  DetachReport report_;
};

}  // namespace

Result<DetachReport> WriteDetachedData(const NamedDataMap& data, const DetachOptions& options) {
  return Detacher(data, options).Run();
}

}  // namespace onepack
