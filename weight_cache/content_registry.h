// Which raw tensors hold equal bytes, as comparisons show, whatever their names are.
//
// Two ranges of one state of one file are equal at no cost. Ranges of different files that claim
// the same name and size are compared, as long as the first one is still open; after that
// a SHA-256 decides, if one was recorded; if there is none, the two count as different and are
// packed apart. So a file can claim any name it likes: what it gets for it is at most a comparison.
//
// Ownership: contents are counted. The registry itself keeps none alive, and no file open.
// Threads:   any. Bytes are read and compared outside the lock.
// Errors:    those of reading.

#ifndef ONEPACK_WEIGHT_CACHE_CONTENT_REGISTRY_H_
#define ONEPACK_WEIGHT_CACHE_CONTENT_REGISTRY_H_

#include <stdint.h>
#include <string.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/digest.h"
#include "base/fork_safe_mutex.h"
#include "onepack/data_identity.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

// The same bytes of the same file, or of the same source: equal, without reading one. Names play no
// part: any file can use any name.
struct DataRange {
  DataRange(const DataIdentity& data, uint64_t offset, uint64_t size_bytes)
      : first(data.At(offset)), size(size_bytes) {}

  // What the packed file knows it by.
  Digest digest() const {
    return DigestBuilder("range")
        .AddBytes({reinterpret_cast<const uint8_t*>(&first), sizeof(first)})
        .Add(size)
        .Finish();
  }

  DataIdentity first;  // of its first byte
  uint64_t size;
};
static_assert(std::has_unique_object_representations_v<DataRange>, "all of it counts");

// A total order; equivalent means equal. For a tree: of a hash table, a file could choose ranges
// that collide.
struct DataRangeOrder {
  bool operator()(const DataRange& a, const DataRange& b) const {
    return memcmp(&a, &b, sizeof(DataRange)) < 0;
  }
};

// The raw bytes of one tensor, where its owner has them.
class RawBytes {
 public:
  virtual ~RawBytes() = default;

  // Calls `use` with the bytes, which are valid until it returns, and then lets go of what reading
  // them took. kNotFound where there are none, but for their hash.
  virtual Status Read(const std::function<void(Bytes)>& use) const = 0;
  // Their SHA-256, 32 bytes, where it is known without reading them and Read gives no others; else
  // null.
  virtual const uint8_t* FindHash() const { return nullptr; }
};

// Bytes that are equal wherever they occur.
class Content {
 public:
  // Equal ids, equal bytes. An id is never used again, not even after its content is gone.
  const Digest& id() const { return id_; }

  // Another content claims the same name and size. For the statistics: why a look-up missed.
  bool has_namesake() const { return has_namesake_; }

 private:
  friend class ContentRegistry;

  const Digest id_ = Digest::UnlikeAll();
  bool has_namesake_ = false;  // set before it is shared
  // Guarded by the registry's mutex.
  std::vector<std::weak_ptr<const RawBytes>> witnesses_;
  std::optional<Digest> sha256_;
};

class ContentRegistry {
 public:
  // The content of a range of a file. `name` is what the file calls it, empty for none; `raw` reads
  // it, and proves it while the caller keeps it. Of several with one owner the first one is kept.
  Result<std::shared_ptr<Content>> Register(std::string_view name, const DataRange& range,
                                            const std::shared_ptr<const RawBytes>& raw);

  // Puts the SHA-256 of `bytes`, which are `content`'s, on record, if it is not there.
  void Record(Content& content, Bytes bytes);
  void Record(Content& content, const Digest& hash);
  std::optional<Digest> HashOf(const Content& content) const;

 private:
  using ContentPtr = std::shared_ptr<Content>;

  // What a file says of a range. Names are shortened.
  template <typename Text>
  struct Claim {
    uint64_t size;
    Text name;

    template <typename Other>
    bool operator<(const Claim<Other>& other) const {
      return size != other.size ? size < other.size : name < other.name;
    }
  };

  // nullopt: nothing is left that could prove it.
  Result<std::optional<bool>> IsSame(const ContentPtr& content, const RawBytes& raw) const;
  ContentPtr TakeKnown(const DataRange& range, const std::shared_ptr<const RawBytes>& raw);

  // For all below, the mutex is held.
  ContentPtr FindKnown(const DataRange& range) const;
  ContentPtr NextNamesake(const Claim<std::string_view>& claim,
                          const std::vector<ContentPtr>& compared);
  void Add(const ContentPtr& content, const DataRange& range,
           const std::shared_ptr<const RawBytes>& raw);
  static void AddWitness(Content& content, const std::shared_ptr<const RawBytes>& raw);
  void Sweep();

  mutable ForkSafeMutex mutex_;  // leaf lock

  // Guarded by mutex_. Expired contents are swept out now and then.
  std::map<DataRange, std::weak_ptr<Content>, DataRangeOrder> by_range_;
  std::multimap<Claim<std::string>, std::weak_ptr<Content>, std::less<>> by_claim_;
  size_t sweep_at_ = 64;
};

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_CONTENT_REGISTRY_H_
