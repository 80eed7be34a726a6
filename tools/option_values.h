// Options of a command line whose values we read ourselves: CLI11 hands over texts as they are, and
// a wrong one is a wrong command line like any other. (Asked for numbers or lists, CLI11 takes
// octal and negative ones, and braces in names, in its own way.)
//
// Ownership: what the values are put into outlives the parsing; it holds the default, which --help
//            shows.

#ifndef ONEPACK_TOOLS_OPTION_VALUES_H_
#define ONEPACK_TOOLS_OPTION_VALUES_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "onepack/linear_layout.h"
#include "tools/parse_number.h"

namespace onepack {

// The value, or CLI11's exception, which names the option.
template <typename T>
T ValueOf(const std::string& option, Result<T> parsed) {
  if (!parsed.ok()) throw CLI::ValidationError(option, parsed.status().message());
  return std::move(parsed).value();
}

// "--name N": a whole number from `lowest` to `highest`.
template <typename T>
CLI::Option* AddNumberOption(CLI::App& command, const std::string& name, T& number, T lowest,
                             T highest, const std::string& description) {
  const auto parse = [&number, name, lowest, highest](const CLI::results_t& texts) {
    number = ValueOf(name, ParseWhole(texts.front(), lowest, highest));
    return true;
  };
  return command.add_option(name, parse, description)
      ->type_name("N")
      ->default_str(std::to_string(number));
}

// "--name X": a number of `range`.
CLI::Option* AddRealOption(CLI::App& command, const std::string& name, float& number,
                           const RealRange& range, const std::string& description);
// Without a default.
CLI::Option* AddRealOption(CLI::App& command, const std::string& name,
                           std::optional<double>& number, const RealRange& range,
                           const std::string& description);

// "--name 3,17,99", also repeated: whole numbers that are not negative.
CLI::Option* AddNumberListOption(CLI::App& command, const std::string& name,
                                 std::vector<int64_t>& numbers, const std::string& description);

// "--name A,B", also repeated: see ParsePathList.
CLI::Option* AddPathListOption(CLI::App& command, const std::string& name,
                               std::vector<std::string>& paths, const std::string& description);

template <typename T>
void AppendValues(std::vector<T>& values, T more) {
  values.push_back(std::move(more));
}
template <typename T>
void AppendValues(std::vector<T>& values, std::vector<T> more) {
  values.insert(values.end(), more.begin(), more.end());
}

// "--name TEXT", also repeated: `parse` makes a T, or several, of each text.
template <typename T, typename Parse>
CLI::Option* AddParsedOption(CLI::App& command, const std::string& name, std::vector<T>& values,
                             Parse parse, const std::string& description) {
  const auto parse_all = [&values, name, parse](const CLI::results_t& texts) {
    for (const std::string& text : texts) AppendValues(values, ValueOf(name, parse(text)));
    return true;
  };
  return command.add_option(name, parse_all, description)->take_all();
}

// "--linears auto|in-place|packed".
CLI::Option* AddLinearsOption(CLI::App& command, LinearLayout& layout);

// One or more paths that are no option: "onepack COMMAND NAME...".
CLI::Option* AddPathArguments(CLI::App& command, const std::string& name,
                              std::vector<std::string>& paths, const std::string& description);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_OPTION_VALUES_H_
