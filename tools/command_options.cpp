#include "tools/command_options.h"

#include "tools/option_values.h"

namespace onepack {

void AddCountOption(CLI::App& command, const char* name, size_t& count, size_t highest,
                    const char* description) {
  AddNumberOption(command, name, count, size_t{1}, highest, description);
}

CLI::Option* AddDataOption(CLI::App& command, std::vector<std::string>& paths) {
  return AddPathListOption(command, "--data", paths,
                           "Data files, separated by commas or repeated; one whose\n"
                           "path has commas has a --data of its own")
      ->type_name("F.ptd,A.ptd");
}

void AddStrictOption(CLI::App& command, bool& strict) {
  command.add_flag("--strict", strict, "Fail when no key of a data file is used");
}

void AddLoaderOptions(CLI::App& command, ProgramLoaderOptions& options) {
  AddCountOption(command, "--threads", options.threads, 1024,
                 "Threads that XNNPACK computes with, one for each processor at most");
  CLI::Option* no_cache = command.add_flag_callback(
      "--no-cache", [&options] { options.share_packed_weights = false; },
      "Every method packs its weights for itself");
  command
      .add_flag("--huge-pages", options.huge_pages,
                "Ask for huge pages behind packed weights: faster runs")
      ->excludes(no_cache);
  command
      .add_option("--packed", options.packed_file,
                  "Packed weights are kept in this file, and found in it\n"
                  "by the next start and by other processes")
      ->type_name("FILE")
      ->excludes(no_cache);
  AddLinearsOption(command, options.linears);
}

}  // namespace onepack
