// Named data on its way to files: equal bytes are stored once, whatever their keys.
//
// Data without a tag goes into a program as segments of its own; data with one goes to the data
// file (.ptd) of that tag. A key stands for the same bytes everywhere.
//
//     NamedDataStore store;
//     NamedDataOptions options;
//     options.tag = "foundation";
//     ONEPACK_ASSIGN_OR_RETURN(const std::string key, store.AddByContent(weight, options));
//     ONEPACK_RETURN_IF_ERROR(store.DataFile("foundation").ToFile("foundation.ptd"));
//
// Ownership: keeps a handle on all bytes; what those borrow outlives the store.
// Threads:   one at a time.
// Errors:    kMismatch names a key that stands for other bytes, another layout or another file
//            already; the store is then as it was before. Those of producing the bytes, which are
//            read once to know them.

#ifndef ONEPACK_AOT_NAMED_DATA_STORE_H_
#define ONEPACK_AOT_NAMED_DATA_STORE_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aot/data_bytes.h"
#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"

namespace onepack {

struct NamedDataOptions {
  // Of the bytes in the file, besides that of all segments. Where two keys want different ones,
  // their bytes get the least common multiple.
  size_t alignment = 1;
  std::optional<PtdTensorLayout> layout;  // not set: an opaque blob
  std::string tag;                        // empty: the program's own
};

class NamedDataStore {
 public:
  struct Entry {
    size_t data;  // index of data()
    std::optional<PtdTensorLayout> layout;
    std::string tag;
  };
  // A run of bytes, under one key or several.
  struct Data {
    DataBytes bytes;
    size_t alignment = 1;
  };

  Status Add(const std::string& key, const DataBytes& bytes, const NamedDataOptions& options = {});
  // Under `prefix` and the SHA-256 of the bytes, as the exporter names weights; returns that key.
  Result<std::string> AddByContent(const DataBytes& bytes, const NamedDataOptions& options = {},
                                   std::string_view prefix = {});
  // All of `other`, or nothing.
  Status Merge(const NamedDataStore& other);

  const std::map<std::string, Entry>& entries() const { return entries_; }
  const std::vector<Data>& data() const { return data_; }
  // Those in use, sorted; the empty one is not among them.
  std::vector<std::string> Tags() const;
  // Of all data, each counted once.
  uint64_t SizeBytes() const;

  // The data file of a tag; one for which there is no data is empty.
  PtdWriter DataFile(std::string_view tag) const;
  // Adds segments and keys for the data without a tag.
  void AddOwnData(ProgramWriter& program) const;

 private:
  Status Check(const std::string& key, const std::string& sha256, const DataBytes& bytes,
               const NamedDataOptions& options) const;

  // In the order of the first key of each.
  std::vector<Data> data_;
  std::map<std::string, size_t> by_sha256_;  // index of data_
  std::map<std::string, Entry> entries_;     // by key
};

}  // namespace onepack

#endif  // ONEPACK_AOT_NAMED_DATA_STORE_H_
