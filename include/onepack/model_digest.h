// What tells a model, weights included, from all others, in any process and on any machine: the
// SHA-256 of its program's file and of each data file. A KV cache means something to the very model
// that wrote it only, and an adapter is another model than the next one over the same foundation.

#ifndef ONEPACK_MODEL_DIGEST_H_
#define ONEPACK_MODEL_DIGEST_H_

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "onepack/data_source.h"
#include "onepack/export.h"
#include "onepack/ref.h"
#include "onepack/result.h"

namespace onepack {

using Sha256 = std::array<uint8_t, 32>;

struct ModelDigest {
  Sha256 program{};
  std::string method;
  std::vector<Sha256> data;  // sorted: in which order files were given does not matter

  bool operator==(const ModelDigest& other) const {
    return program == other.program && method == other.method && data == other.data;
  }
  bool operator!=(const ModelDigest& other) const { return !(*this == other); }
};

// Reads all bytes of all sources, piece by piece, and drops the pages of each. Errors: those of the
// sources. May throw std::bad_alloc.
ONEPACK_API Result<ModelDigest> DigestModel(const DataSource& program, std::string_view method,
                                            const std::vector<Ref<const DataSource>>& data);

}  // namespace onepack

#endif  // ONEPACK_MODEL_DIGEST_H_
