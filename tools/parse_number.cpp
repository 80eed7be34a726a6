#include "tools/parse_number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include <charconv>
#include <utility>

namespace onepack {
namespace {

// "007", "-01.5"; not "0", "0.5".
bool HasLeadingZero(const std::string& text) {
  const size_t first = !text.empty() && text[0] == '-' ? 1 : 0;
  return text.size() > first + 1 && text[first] == '0' && text[first + 1] >= '0' &&
         text[first + 1] <= '9';
}

// All of `text`, or false.
template <typename T>
bool ParseAllOfWhole(const std::string& text, T& number) {
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stopped == end && !HasLeadingZero(text);
}

// The same of a number that may have a point and an exponent. libc++ has no std::from_chars for
// these; strtod would take spaces, "+", hexadecimal digits and names, which have other characters.
bool ParseAllOfReal(const std::string& text, double& number) {
  if (text.empty() || text[0] == '+') return false;
  if (text.find_first_not_of("0123456789.eE+-") != std::string::npos) return false;
  errno = 0;
  char* stopped = nullptr;
  number = strtod(text.c_str(), &stopped);
  const bool is_too_small = errno == ERANGE && number == 0;
  return stopped == text.c_str() + text.size() && !is_too_small && !HasLeadingZero(text);
}

Status Unexpected(const std::string& text, const std::string& expected) {
  return Status::Error(StatusCode::kInvalidArgument, "'%s': %s%s expected", text.c_str(),
                       expected.c_str(), HasLeadingZero(text) ? " without leading zeros" : "");
}

template <typename T>
Result<T> ParseInRange(const std::string& text, T lowest, T highest) {
  T number = 0;
  if (ParseAllOfWhole(text, number) && number >= lowest && number <= highest) return number;
  return Unexpected(
      text, "a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest));
}

}  // namespace

Result<int64_t> ParseSigned(const std::string& text, int64_t lowest, int64_t highest) {
  return ParseInRange(text, lowest, highest);
}

Result<uint64_t> ParseUnsigned(const std::string& text, uint64_t lowest, uint64_t highest) {
  return ParseInRange(text, lowest, highest);
}

Result<std::vector<int64_t>> ParseWholeList(const std::string& text, int64_t lowest,
                                            int64_t highest) {
  std::vector<int64_t> numbers;
  for (const std::string& part : SplitAtCommas(text)) {
    auto number = ParseSigned(part, lowest, highest);
    if (!number.ok() && part != text) return number.TakeStatus().WithContext("%s", text.c_str());
    if (!number.ok()) return number.TakeStatus();
    numbers.push_back(*number);
  }
  return numbers;
}

Result<double> ParseReal(const std::string& text, const RealRange& range) {
  double number = 0;
  const bool is_number = ParseAllOfReal(text, number) && isfinite(number);
  if (is_number && number >= range.lowest && number <= range.highest) return number;
  return Unexpected(text, std::string("a number") + range.words);
}

Result<double> ParseAnyReal(const std::string& text) {
  for (const auto& [name, number] :
       {std::pair("inf", INFINITY), std::pair("-inf", -INFINITY), std::pair("nan", NAN)}) {
    if (text == name) return static_cast<double>(number);
  }
  RealRange all;
  all.words = " that a double holds";
  return ParseReal(text, all);
}

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (size_t comma; (comma = text.find(',', start)) != std::string::npos; start = comma + 1) {
    parts.push_back(text.substr(start, comma - start));
  }
  parts.push_back(text.substr(start));
  return parts;
}

}  // namespace onepack
