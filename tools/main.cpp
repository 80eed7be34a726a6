#include <stdio.h>

#include <CLI/CLI.hpp>
#include <string>

#include "tools/commands.h"
#include "tools/standard_streams.h"

namespace onepack {
namespace {

constexpr char kName[] = "onepack";
// Exit statuses besides 0.
constexpr int kFailed = 1;
constexpr int kBadUsage = 2;

void DescribeCommand(CLI::App& app) {
  app.description(
      "onepack runs ExecuTorch programs (.pte) and their data files (.ptd) on CPU with XNNPACK.\n"
      "Programs in one process share the packed form of the weights they have in common.");
  app.set_version_flag("--version", "onepack " ONEPACK_VERSION, "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.footer(
      "Examples:\n"
      "  onepack inspect base.pte lora0.pte foundation.ptd lora0.ptd\n"
      "  onepack run lora0.pte --data foundation.ptd,lora0.ptd --input x.bin\n"
      "  onepack check cases/*/*.json\n"
      "\n"
      "\"onepack COMMAND --help\" says more about each command.\n"
      "Exit status: 0 when all went well, 1 when something failed, 2 for a wrong command line.");
  app.get_formatter()->column_width(32);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  // The usage line tells required from optional already.
  app.get_formatter()->label("REQUIRED", "");
  app.require_subcommand(0, 1);
}

int Main(int argc, char** argv) {
  CLI::App app;
  app.name(kName);
  DescribeCommand(app);
  Action action;
  AddCheckCommand(app, &action);
  AddRunCommand(app, &action);
  AddGenerateCommand(app, &action);
  AddInspectCommand(app, &action);
  AddVerifyCommand(app, &action);
  AddSplitCommand(app, &action);
  AddMergeCommand(app, &action);
  AddDiffCommand(app, &action);
  AddPackCommand(app, &action);
  AddCacheCommand(app, &action);
  AddMakeModelCommand(app, &action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version are reported as errors with exit code 0.
    if (error.get_exit_code() == 0) return app.exit(error);
    return Fail(kName, error.what(), kBadUsage);
  }
  if (!action) {
    fputs(app.help().c_str(), stdout);
    return kBadUsage;
  }
  auto succeeded = action();
  if (!succeeded.ok()) return Fail(kName, succeeded.status().message(), kFailed);
  return *succeeded ? 0 : kFailed;
}

}  // namespace
}  // namespace onepack

int main(int argc, char** argv) {
  return onepack::RunMain(onepack::kName, [&] { return onepack::Main(argc, argv); });
}
