// Data files of which a program uses nothing: as a rule, the wrong adapter was given.

#ifndef ONEPACK_TOOLS_UNUSED_DATA_H_
#define ONEPACK_TOOLS_UNUSED_DATA_H_

#include <functional>
#include <string>
#include <vector>

#include "onepack/result.h"
#include "tools/program_loader.h"

namespace onepack {

// Those of `paths`, all keys of which are together in `all`, of which no key is used. `is_used`
// says it of an entry of `all`. Null for no paths.
Result<std::vector<std::string>> UnusedFiles(ProgramLoader& loader,
                                             const std::vector<std::string>& paths,
                                             const NamedDataMap* all,
                                             const std::function<bool(size_t)>& is_used);

// A line on standard error for each file ("lora0.ptd: no key of it is used by base.pte"); or, where
// that is strict, an error for all of them.
Status ReportUnusedFiles(const std::vector<std::string>& files, const std::string& program,
                         bool strict);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_UNUSED_DATA_H_
