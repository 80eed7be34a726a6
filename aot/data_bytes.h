// Bytes that a writer will put in a file: owned, borrowed, or produced piece by piece when their
// turn comes, so that a file of any size needs no memory for its data.
//
// Ownership: a counted handle; copies share the bytes and their digest. Borrowed bytes stay the
//            caller's and outlive all copies.
// Threads:   one at a time for all copies, because the digest is computed when first asked for.
// Errors:    kInvalidArgument for a producer that gives more or fewer bytes than it said;
//            the producer's own.

#ifndef ONEPACK_AOT_DATA_BYTES_H_
#define ONEPACK_AOT_DATA_BYTES_H_

#include <stdint.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

// Takes the next bytes of what is being written.
using Append = std::function<Status(Bytes bytes)>;

// Told how many more bytes have been read or made; an error stops the work. May be empty.
using Watch = std::function<Status(uint64_t bytes)>;

class DataBytes {
 public:
  // Appends all bytes, from the first to the last; called each time they are needed, with the same
  // outcome.
  using Producer = std::function<Status(const Append& append)>;

  // No bytes.
  DataBytes() : DataBytes(Owned({})) {}

  static DataBytes Owned(std::vector<uint8_t> bytes);
  static DataBytes Copied(Bytes bytes) { return Owned({bytes.begin(), bytes.end()}); }
  static DataBytes Borrowed(Bytes bytes);
  static DataBytes Produced(uint64_t size_bytes, Producer producer);

  uint64_t size_bytes() const;

  // Appends all bytes.
  Status AppendTo(const Append& append) const;
  Result<std::vector<uint8_t>> ToVector() const;

  // Their SHA-256, in lower-case hexadecimal: the name that exporters give to data. Reads the
  // bytes, once for all copies.
  Result<std::string> Sha256() const;

 private:
  struct Contents;

  explicit DataBytes(std::shared_ptr<Contents> contents) : contents_(std::move(contents)) {}

  std::shared_ptr<Contents> contents_;  // never null
};

}  // namespace onepack

#endif  // ONEPACK_AOT_DATA_BYTES_H_
