// Writes a data file without the bytes of some of its data: their keys, layouts and hashes stay
// (schema/detached_data.h). For data that is read from a packed file from then on.

#ifndef ONEPACK_AOT_DETACH_DATA_H_
#define ONEPACK_AOT_DETACH_DATA_H_

#include <stdint.h>

#include <functional>
#include <string>

#include "aot/data_bytes.h"
#include "base/new_file.h"
#include "onepack/named_data_map.h"

namespace onepack {

struct DetachOptions {
  std::string path;  // of the file to write
  ExistingFile existing = ExistingFile::kRefuse;
  // How messages are to call the file that has the bytes.
  std::string where;
  // Of entries that share their bytes with another one, all or none go.
  std::function<bool(const NamedData&)> is_detached;
  Watch watch;  // of bytes that are read
};

struct DetachReport {
  uint64_t kept_bytes = 0;
  uint64_t detached_bytes = 0;
  size_t detached_keys = 0;
};

// Reads all of `data`, and hashes what is detached. The file appears when it is whole.
Result<DetachReport> WriteDetachedData(const NamedDataMap& data, const DetachOptions& options);

}  // namespace onepack

#endif  // ONEPACK_AOT_DETACH_DATA_H_
