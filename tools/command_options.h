// Options that several commands take.

#ifndef ONEPACK_TOOLS_COMMAND_OPTIONS_H_
#define ONEPACK_TOOLS_COMMAND_OPTIONS_H_

#include <stddef.h>

#include <string>
#include <vector>

#include "tools/program_loader.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace onepack {

// `count` and `options` outlive the parsing.

// "--name N": a number from 1 to `highest`; `count` holds the default.
void AddCountOption(CLI::App& command, const char* name, size_t& count, size_t highest,
                    const char* description);

// "--data F.ptd,A.ptd", also repeated.
CLI::Option* AddDataOption(CLI::App& command, std::vector<std::string>& paths);

// --strict: an error, not only a line, for a data file of which nothing is used.
void AddStrictOption(CLI::App& command, bool& strict);

// --threads, --no-cache, --huge-pages, --packed and --linears.
void AddLoaderOptions(CLI::App& command, ProgramLoaderOptions& options);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_COMMAND_OPTIONS_H_
