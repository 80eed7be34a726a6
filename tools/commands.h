// The subcommands of the onepack command. Each adds itself to the command line; when the user calls
// it, `*action` becomes what to do.

#ifndef ONEPACK_TOOLS_COMMANDS_H_
#define ONEPACK_TOOLS_COMMANDS_H_

#include <functional>

#include "onepack/result.h"

namespace CLI {
class App;
}  // namespace CLI

namespace onepack {

// What went wrong becomes the one line on standard error. A bool that is false means that all was
// said on standard output and the exit status still is a failure.
using Action = std::function<Result<bool>()>;

void AddCheckCommand(CLI::App& app, Action* action);
void AddRunCommand(CLI::App& app, Action* action);
void AddGenerateCommand(CLI::App& app, Action* action);
void AddInspectCommand(CLI::App& app, Action* action);
void AddMakeModelCommand(CLI::App& app, Action* action);
void AddSplitCommand(CLI::App& app, Action* action);
void AddMergeCommand(CLI::App& app, Action* action);
void AddVerifyCommand(CLI::App& app, Action* action);
void AddPackCommand(CLI::App& app, Action* action);
void AddCacheCommand(CLI::App& app, Action* action);
void AddDiffCommand(CLI::App& app, Action* action);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_COMMANDS_H_
