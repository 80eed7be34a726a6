#include "tools/option_values.h"

#include <stdio.h>

#include <map>

#include "tools/path_list.h"

namespace onepack {
CLI::Option* AddRealOption(CLI::App& command, const std::string& name, float& number,
                           const RealRange& range, const std::string& description) {
  const auto parse = [&number, name, range](const CLI::results_t& texts) {
    number = static_cast<float>(ValueOf(name, ParseReal(texts.front(), range)));
    return true;
  };
  char default_text[32];
  snprintf(default_text, sizeof(default_text), "%g", static_cast<double>(number));
  return command.add_option(name, parse, description)->type_name("X")->default_str(default_text);
}

CLI::Option* AddRealOption(CLI::App& command, const std::string& name,
                           std::optional<double>& number, const RealRange& range,
                           const std::string& description) {
  const auto parse = [&number, name, range](const CLI::results_t& texts) {
    number = ValueOf(name, ParseReal(texts.front(), range));
    return true;
  };
  return command.add_option(name, parse, description)->type_name("X");
}

CLI::Option* AddNumberListOption(CLI::App& command, const std::string& name,
                                 std::vector<int64_t>& numbers, const std::string& description) {
  return AddParsedOption(
      command, name, numbers,
      [](const std::string& text) { return ParseWholeList(text, 0, INT64_MAX); }, description);
}

CLI::Option* AddPathListOption(CLI::App& command, const std::string& name,
                               std::vector<std::string>& paths, const std::string& description) {
  return AddParsedOption(command, name, paths, &ParsePathList, description);
}

CLI::Option* AddPathArguments(CLI::App& command, const std::string& name,
                              std::vector<std::string>& paths, const std::string& description) {
  const auto take = [&paths](const CLI::results_t& texts) {
    paths = texts;
    return true;
  };
  return command.add_option(name, take, description)->expected(-1)->take_all()->type_name("");
}

CLI::Option* AddLinearsOption(CLI::App& command, LinearLayout& layout) {
  const std::map<std::string, LinearLayout> layouts = {{"auto", LinearLayout::kAuto},
                                                       {"in-place", LinearLayout::kInPlace},
                                                       {"packed", LinearLayout::kPacked}};
  return command
      .add_option("--linears", layout,
                  "What linear layers run over: their weights as the\n"
                  "files have them, or packed ones; auto: what is faster")
      ->transform(CLI::CheckedTransformer(layouts).description("auto|in-place|packed"))
      ->default_str("auto");
}

}  // namespace onepack
