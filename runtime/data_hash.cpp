#include "runtime/data_hash.h"

#include <optional>

#include "base/printable.h"

namespace onepack {

Result<Digest> HashOf(const NamedData& data) {
  if (const uint8_t* known = data.source->FindHash(data.segment)) return Digest::Of(known);
  ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, data.Load());
  const std::optional<Digest> computed = Sha256Of(buffer.bytes);
  data.source->Discard(data.segment);
  if (computed) return *computed;
  return Status::Error(StatusCode::kInternal, "%s: key '%s': its SHA-256 cannot be computed",
                       data.source->name(), Printable(data.key).c_str());
}

}  // namespace onepack
