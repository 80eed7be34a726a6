// Numbers and tables as a person reads them.

#ifndef ONEPACK_TOOLS_FORMAT_H_
#define ONEPACK_TOOLS_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

#include "onepack/span.h"

namespace onepack {

// "812 B", "12.3 KB", "4.56 GB": three digits, 1 KB = 1000 B.
std::string FormatBytes(uint64_t bytes);

// "850 ns", "12.3 us", "4.56 ms", "1.20 s".
std::string FormatSeconds(double seconds);

// "1 key", "12 keys".
std::string FormatCount(uint64_t count, const char* singular, const char* plural);

// "[1, 64]".
std::string FormatSizes(Span<const int32_t> sizes);

// Rows of cells, printed in aligned columns with two spaces between them and no trailing spaces.
class TextTable {
 public:
  // `indent` spaces stand before every row.
  explicit TextTable(size_t indent) : indent_(indent) {}

  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  // Every row ends with a newline.
  std::string ToString() const;

 private:
  size_t indent_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_FORMAT_H_
