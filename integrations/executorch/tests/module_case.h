// A recorded case as an ExecuTorch application runs it: through a Module.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_TESTS_MODULE_CASE_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_TESTS_MODULE_CASE_H_

#include <executorch/extension/module/module.h>

#include <memory>
#include <string>
#include <vector>

#include "tools/recorded_case.h"

namespace onepack {

using ::executorch::extension::Module;

class ModuleCase {
 public:
  // `path` is of the recording. Nothing is loaded yet. Throws std::runtime_error.
  ModuleCase(const std::string& path, Module::LoadMode mode);

  const RecordedCase& recorded() const { return recorded_; }

  // Loads the method; "" or what went wrong.
  std::string Load();
  // Loads the method if it is not, makes all calls, and compares; "" or what went wrong. State
  // carries over from one time to the next.
  std::string Run();

 private:
  std::string MakeCall(const RecordedCall& call);

  RecordedCase recorded_;
  std::unique_ptr<Module> module_;
};

// Paths of all recordings in a folder of cases, such as "lora_fp32", sorted. Of the folder that the
// environment variable ONEPACK_CASES names, where it has that family, else of tests/data/cases.
std::vector<std::string> RecordingsIn(const std::string& family);

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_TESTS_MODULE_CASE_H_
