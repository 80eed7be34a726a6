// Files of tests: a folder that goes away, and whole files read and written.

#ifndef ONEPACK_TESTS_SUPPORT_FILES_H_
#define ONEPACK_TESTS_SUPPORT_FILES_H_

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

#include "onepack/span.h"

namespace onepack {

// A new, empty folder, removed with all its contents by the destructor.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();

  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// Both throw, and so fail the test, when the system refuses.
std::vector<uint8_t> ReadFile(const std::string& path);
void WriteFile(const std::string& path, Bytes bytes);

// Names of all that is in a folder, sorted; also what ls does not show.
std::vector<std::string> FilesIn(const std::string& folder);

// A file under tests/data: TestData("cases/lora_fp32/base.pte").
std::string TestData(std::string_view name);

// Text as bytes, without its terminator.
inline Bytes AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Numbers as bytes. The vector must outlive the view.
template <typename T>
Bytes AsBytes(const std::vector<T>& numbers) {
  return {reinterpret_cast<const uint8_t*>(numbers.data()), numbers.size() * sizeof(T)};
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_FILES_H_
