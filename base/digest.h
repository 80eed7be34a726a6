// The name of anything that must be equal for packed weights to be equal: SHA-256 over parts, or,
// of what is equal to nothing else, a number (UnlikeAll).
//
// Two equal digests mean equal parts, in number, length and bytes: each part is preceded by its
// length, so that ("ab", "c") and ("a", "bc") differ.
//
// Short descriptions are kept with their digests (recent_digests.h): 8 KB in each thread that has
// made a digest, until the thread ends.

#ifndef ONEPACK_BASE_DIGEST_H_
#define ONEPACK_BASE_DIGEST_H_

#include <stdint.h>
#include <string.h>

#include <array>
#include <optional>
#include <string_view>
#include <type_traits>

#include "base/sha256.h"
#include "onepack/span.h"

namespace onepack {

struct Digest {
  // Of the 32 bytes at `bytes`.
  static Digest Of(const uint8_t* bytes) {
    Digest digest;
    memcpy(digest.bytes.data(), bytes, digest.bytes.size());
    return digest;
  }

  // Equals its copies, and no other digest: no SHA-256, and none that this returns, in this process
  // (also after a fork) or in another. Not for files: the next process cannot make it again.
  static Digest UnlikeAll();

  std::array<uint8_t, 32> bytes{};

  bool operator==(const Digest& other) const { return bytes == other.bytes; }
  bool operator!=(const Digest& other) const { return bytes != other.bytes; }
};

struct DigestHash {
  // Uniform already.
  size_t operator()(const Digest& digest) const {
    size_t hash;
    memcpy(&hash, digest.bytes.data(), sizeof(hash));
    return hash;
  }
};

// Takes descriptions, and weights of any size: parts are hashed where they are, and not copied.
class DigestBuilder {
 public:
  // `purpose` keeps digests of different kinds apart.
  explicit DigestBuilder(std::string_view purpose) {
    AddBytes({reinterpret_cast<const uint8_t*>(purpose.data()), purpose.size()});
  }

  DigestBuilder& AddBytes(Bytes part);
  DigestBuilder& Add(const Digest& digest) {
    return AddShort<sizeof(digest.bytes)>(digest.bytes.data());
  }
  // Numbers by their bit patterns: -0.0f and 0.0f differ, a NaN equals itself.
  template <typename T>
  DigestBuilder& Add(T number) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    return AddShort<sizeof(T)>(&number);
  }

  // The builder is used up. Should the library fail to hash, the result equals no other digest:
  // weights are then packed separately, never mixed up.
  Digest Finish();

 private:
  // The same as AddBytes, in a few instructions: descriptions are made of such parts.
  template <size_t kSize>
  DigestBuilder& AddShort(const void* part) {
    static_assert(kSize <= 0x7f, "its length is one byte");
    if (stream_.has_value() || few_.size() - few_size_ <= kSize) {
      return AddBytes({static_cast<const uint8_t*>(part), kSize});
    }
    few_[few_size_] = kSize;
    memcpy(few_.data() + few_size_ + 1, part, kSize);
    few_size_ += 1 + kSize;
    return *this;
  }

  void Append(const void* bytes, size_t size);
  std::optional<Digest> Hash();

  // Descriptions have a place here and are hashed in one go. What is longer is hashed as it comes.
  std::array<uint8_t, 512> few_;
  size_t few_size_ = 0;
  std::optional<Sha256Hasher> stream_;
};

// What makes two runs of raw bytes the same: their bytes.
inline Digest IdentityOfBytes(Bytes bytes) {
  return DigestBuilder("bytes").AddBytes(bytes).Finish();
}

// The plain SHA-256 of `bytes`, as other programs compute it; nullopt when the library fails.
std::optional<Digest> Sha256Of(Bytes bytes);

}  // namespace onepack

#endif  // ONEPACK_BASE_DIGEST_H_
