// Keeps small files from describing something huge.
//
// A flatbuffer may refer to one table, vector or string from many places: a list of a million
// values that are all one list of a million items takes eight megabytes of file. No exporter writes
// such a thing. So a verifier counts a table, a vector or a string each time it comes across it,
// and gives up when that makes a multiple of the file. After verification whatever is done once for
// each element takes time and memory in proportion to the file.

#ifndef ONEPACK_SCHEMA_SHARING_BUDGET_H_
#define ONEPACK_SCHEMA_SHARING_BUDGET_H_

#include <flatbuffers/flatbuffers.h>

#include "onepack/span.h"
#include "onepack/status.h"
#include "schema/verify_text.h"

namespace onepack {

class SharingBudget {
 public:
  explicit SharingBudget(Bytes flatbuffer)
      : left_(uint64_t{kTimesTheFile} * flatbuffer.size() + kAnyway) {}

  template <typename T>
  Status Spend(const flatbuffers::Vector<T>* vector) {
    return SpendBytes(uint64_t{CountOf(vector)} * sizeof(T));
  }
  Status Spend(const flatbuffers::String* text) { return SpendBytes(TextOf(text).size()); }

 private:
  // Some exporters write equal strings once.
  static constexpr uint64_t kTimesTheFile = 4;
  static constexpr uint64_t kAnyway = 4096;

  Status SpendBytes(uint64_t bytes) {
    if (bytes > left_) {
      return Status::Error(StatusCode::kInvalidFile,
                           "the same bytes are referred to from too many places");
    }
    left_ -= bytes;
    return Status::Ok();
  }

  uint64_t left_;
};

// Whether the flatbuffer's structure is sound: tables, vectors and strings lie inside, at most 64
// levels deep, and there are no more tables than so many bytes can hold.
template <typename Root>
bool IsSoundFlatbuffer(Bytes flatbuffer) {
  constexpr uint32_t kMaxDepth = 64;
  // A table has at least the offset of its vtable, and another one refers to it.
  constexpr size_t kLeastTableSize = 8;
  if (flatbuffer.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) return false;
  flatbuffers::Verifier verifier(flatbuffer.data(), flatbuffer.size(), kMaxDepth,
                                 static_cast<uint32_t>(flatbuffer.size() / kLeastTableSize));
  return verifier.VerifyBuffer<Root>(nullptr);
}

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_SHARING_BUDGET_H_
