#include "tools/command_options.h"

#include <CLI/CLI.hpp>

namespace onepack {

void AddCountOption(CLI::App& command, const char* name, size_t& count, int highest,
                    const char* description) {
  command.add_option(name, count, description)
      ->check(CLI::Range(1, highest).description(""))
      ->type_name("N")
      ->capture_default_str();
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
}

}  // namespace onepack
