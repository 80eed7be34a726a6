// A program, alone or bundled, or a data file, opened to be looked at. What it is, its content
// says.

#ifndef ONEPACK_TOOLS_INSPECTED_FILE_H_
#define ONEPACK_TOOLS_INSPECTED_FILE_H_

#include <set>
#include <string>
#include <vector>

#include "onepack/program.h"
#include "tools/bundled_program.h"

namespace onepack {

struct InspectedFile {
  std::string path;
  uint64_t size_bytes = 0;
  Ref<Program> program;          // null for a data file
  Ref<NamedDataMap> named_data;  // that the file holds
  // Of a program that is bundled with test cases; else null.
  std::shared_ptr<const BundledProgram> bundle;
  // What a program refers to: constants of its XNNPACK delegates and tensors outside of them.
  std::set<std::string> keys;
};

// Errors: kInvalidFile for neither a program nor a data file.
Result<InspectedFile> OpenToInspect(const std::string& path);
// From a source, which messages call by its name.
Result<InspectedFile> OpenToInspect(const Ref<DataSource>& source);

// Before all named data is read: segments may lie over each other, and then a small
// file has endless data. Errors: kInvalidFile for more than a multiple of the file.
Status CheckDataCanBeRead(const InspectedFile& file);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_INSPECTED_FILE_H_
