// Changes to packed files, and what is then in one.

#ifndef ONEPACK_TESTS_WEIGHT_CACHE_PACKED_FILE_PACKED_FILE_FIXTURE_H_
#define ONEPACK_TESTS_WEIGHT_CACHE_PACKED_FILE_PACKED_FILE_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tests/weight_cache/cache_helpers.h"
#include "weight_cache/packed_file/writer.h"

namespace onepack {

// The packed bytes of the key of a number: no two numbers have equal ones.
inline std::vector<uint8_t> PackedOf(int number, size_t size = 300) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<uint8_t>(i * 31 + size_t(number) * 7 + 1);
  return bytes;
}

inline LayoutTag TagOf(int number) { return LayoutTag(number) + 100; }

inline PackedFileChange::Addition AdditionOf(int number, size_t size = 300) {
  auto owner = std::make_shared<std::vector<uint8_t>>(PackedOf(number, size));
  return {KeyOf(number), TagOf(number), {owner->data(), owner->size()}, owner};
}

inline PackedFileChange ChangeOf(const std::vector<int>& numbers, size_t size = 300) {
  PackedFileChange change;
  for (const int number : numbers) change.additions.push_back(AdditionOf(number, size));
  return change;
}

inline WriteOutcome Write(const std::string& path, const PackedFileChange& change,
                          const PackedFileLimits& limits = {}) {
  auto report = WritePackedFile(path, change, limits);
  EXPECT_TRUE(IsOk(report));
  return report.ok() ? report->outcome : WriteOutcome::kBusy;
}

inline std::shared_ptr<const PackedFileReader> OpenFile(const std::string& path) {
  auto reader = PackedFileReader::Open(path);
  EXPECT_TRUE(IsOk(reader));
  return reader.ok() ? *reader : nullptr;
}

inline bool IsPackedOf(int number, Bytes bytes) {
  const std::vector<uint8_t> expected = PackedOf(number, bytes.size());
  return std::equal(bytes.begin(), bytes.end(), expected.begin());
}

// Whether the file serves this weight, and right.
inline bool Serves(const PackedFileReader& file, int number, size_t size = 300) {
  const PackedFileEntry* entry = file.Find(KeyOf(number).weight);
  return entry != nullptr && entry->key == KeyOf(number) && entry->tag == TagOf(number) &&
         file.IsIntact(*entry) && entry->size == size && IsPackedOf(number, file.BytesOf(*entry));
}

// Whether all that the file serves is right, be it much or little.
inline bool ServesNothingWrong(const PackedFileReader& file, size_t size = 300) {
  for (const PackedFileEntry& entry : file.directory().entries) {
    if (!file.IsIntact(entry)) continue;
    bool is_right = false;
    for (int number = 0; number < 64 && !is_right; ++number) is_right = Serves(file, number, size);
    if (!is_right) return false;
  }
  return true;
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_WEIGHT_CACHE_PACKED_FILE_PACKED_FILE_FIXTURE_H_
