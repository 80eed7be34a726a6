#include "tools/format.h"

#include <stdio.h>

#include <algorithm>
#include <iterator>

namespace onepack {
namespace {

// Three significant digits: 1.23, 12.3, 123.
std::string ThreeDigits(double number, const char* unit) {
  const int decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
  char text[48];
  snprintf(text, sizeof(text), "%.*f %s", decimals, number, unit);
  return text;
}

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  static constexpr const char* kUnits[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
  double number = static_cast<double>(bytes) / 1e3;
  size_t unit = 0;
  // 999.5 would be shown as "1000".
  for (; number >= 999.5 && unit + 1 < std::size(kUnits); ++unit) number /= 1e3;
  return ThreeDigits(number, kUnits[unit]);
}

std::string FormatSeconds(double seconds) {
  // Each limit is where three digits of the smaller unit would be rounded up to 1000.
  if (seconds >= 0.9995) return ThreeDigits(seconds, "s");
  if (seconds >= 0.9995e-3) return ThreeDigits(seconds * 1e3, "ms");
  if (seconds >= 0.9995e-6) return ThreeDigits(seconds * 1e6, "us");
  return ThreeDigits(seconds * 1e9, "ns");
}

std::string FormatCount(uint64_t count, const char* singular, const char* plural) {
  return std::to_string(count) + " " + (count == 1 ? singular : plural);
}

std::string FormatSizes(Span<const int32_t> sizes) {
  std::string text = "[";
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(sizes[i]);
  }
  return text + "]";
}

std::string TextTable::ToString() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    if (widths.size() < row.size()) widths.resize(row.size());
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line(indent_, ' ');
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace onepack
