// Every small change of a file, numbered: each byte set to 0x00, 0x7f and 0xff and with one bit
// flipped, each aligned word set to 0, 1, 0x7fffffff and 0xffffffff, and each shorter length.

#ifndef ONEPACK_TESTS_HARDENING_MUTATIONS_H_
#define ONEPACK_TESTS_HARDENING_MUTATIONS_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <utility>
#include <vector>

namespace onepack {

class Mutations {
 public:
  explicit Mutations(std::vector<uint8_t> file) : file_(std::move(file)) {}

  size_t count() const { return kBytesEach * file_.size() + kWordsEach * words() + file_.size(); }

  // False when the file is the same afterwards. REQUIRES: number < count().
  bool Apply(size_t number, std::vector<uint8_t>* mutated) const;

  // "byte 12 = 0x7f".
  std::string Describe(size_t number) const;

 private:
  static constexpr size_t kBytesEach = 4;
  static constexpr size_t kWordsEach = 4;

  struct Change {
    enum class Kind { kByte, kWord, kLength };
    Kind kind;
    size_t offset;
    uint32_t value;
  };

  size_t words() const { return file_.size() / sizeof(uint32_t); }
  Change ChangeOf(size_t number) const;

  std::vector<uint8_t> file_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_HARDENING_MUTATIONS_H_
