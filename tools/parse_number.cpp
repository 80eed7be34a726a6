#include "tools/parse_number.h"

#include <math.h>

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
bool ParseAll(const std::string& text, T& number) {
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stopped == end && !HasLeadingZero(text);
}

Status Unexpected(const std::string& text, const std::string& expected) {
  return Status::Error(StatusCode::kInvalidArgument, "'%s': %s%s expected", text.c_str(),
                       expected.c_str(), HasLeadingZero(text) ? " without leading zeros" : "");
}

template <typename T>
Result<T> ParseInRange(const std::string& text, T lowest, T highest) {
  T number = 0;
  if (ParseAll(text, number) && number >= lowest && number <= highest) return number;
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
  const bool is_number = ParseAll(text, number) && isfinite(number);
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
