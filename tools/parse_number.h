// Numbers that people type, read in one way by all commands.
//
// Whole numbers are decimal digits, with "-" in front where there can be negative ones; others may
// have a point and an exponent. What could mean something else is refused: spaces, "+", separators,
// other bases, leading zeros (which some take for octal), numbers that do not fit.
//
// Errors: kInvalidArgument names the text and what is expected; the caller says of which option.

#ifndef ONEPACK_TOOLS_PARSE_NUMBER_H_
#define ONEPACK_TOOLS_PARSE_NUMBER_H_

#include <stdint.h>

#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "onepack/result.h"

namespace onepack {

Result<int64_t> ParseSigned(const std::string& text, int64_t lowest, int64_t highest);
Result<uint64_t> ParseUnsigned(const std::string& text, uint64_t lowest, uint64_t highest);

// A whole number from `lowest` to `highest`.
template <typename T>
Result<T> ParseWhole(const std::string& text, T lowest, T highest) {
  if constexpr (std::is_signed_v<T>) {
    ONEPACK_ASSIGN_OR_RETURN(const int64_t number, ParseSigned(text, lowest, highest));
    return static_cast<T>(number);
  } else {
    ONEPACK_ASSIGN_OR_RETURN(const uint64_t number, ParseUnsigned(text, lowest, highest));
    return static_cast<T>(number);
  }
}

// Whole numbers, separated by commas: at least one, none of them empty.
Result<std::vector<int64_t>> ParseWholeList(const std::string& text, int64_t lowest,
                                            int64_t highest);

struct RealRange {
  double lowest = std::numeric_limits<double>::lowest();
  double highest = std::numeric_limits<double>::max();
  const char* words = "";  // that say so: " above 0"
};

// A finite number of this range.
Result<double> ParseReal(const std::string& text, const RealRange& range);

// Any double: also "inf", "-inf" and "nan".
Result<double> ParseAnyReal(const std::string& text);

// What stands between commas; a text without commas is one part.
std::vector<std::string> SplitAtCommas(const std::string& text);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_PARSE_NUMBER_H_
