#include "tools/case_list.h"

#include <algorithm>

#include "schema/identifier.h"
#include "schema/verify_bundled_program.h"
#include "tools/bundled_program.h"

namespace onepack {
namespace {

// Null for what is no bundled program. What cannot be opened is none: reading the recording that it
// then must be says why.
Result<std::shared_ptr<const BundledProgram>> OpenBundle(const std::string& path) {
  auto source = OpenMappedFile(path.c_str());
  if (!source.ok()) return std::shared_ptr<const BundledProgram>();
  ONEPACK_ASSIGN_OR_RETURN(ProgramFile file, OpenProgramFile(*source));
  return std::move(file.bundle);
}

Result<RecordedCase> ReadJson(const std::string& path, const CaseListOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(RecordedCase recorded, ReadRecordedCase(path));
  recorded.tolerance.atol = options.atol.value_or(recorded.tolerance.atol);
  recorded.tolerance.rtol = options.rtol.value_or(recorded.tolerance.rtol);
  return recorded;
}

Result<RecordedCase> ReadSuite(const BundledProgram& bundle, size_t suite,
                               const CaseListOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(RecordedCase recorded, bundle.TestCasesOf(suite));
  recorded.data = options.data;
  recorded.tolerance.atol = options.atol.value_or(kBundleTolerance);
  recorded.tolerance.rtol = options.rtol.value_or(kBundleTolerance);
  return recorded;
}

ListedCase Unreadable(const std::string& path, const std::string& reason) {
  return {path, [reason]() -> Result<RecordedCase> {
            return Status::Error(StatusCode::kInvalidFile, "%s", reason.c_str());
          }};
}

std::vector<ListedCase> ListSuites(const std::string& path,
                                   const std::shared_ptr<const BundledProgram>& bundle,
                                   const CaseListOptions& options) {
  std::vector<ListedCase> cases;
  for (size_t i = 0; i < bundle->suite_count(); ++i) {
    if (bundle->test_case_count(i) == 0) continue;
    cases.push_back({path, [bundle, i, options] { return ReadSuite(*bundle, i, options); }});
  }
  if (cases.empty()) cases.push_back(Unreadable(path, path + ": the bundle holds no test case"));
  return cases;
}

}  // namespace

std::vector<ListedCase> ListCases(const std::string& path, const CaseListOptions& options) {
  auto bundle = OpenBundle(path);
  if (!bundle.ok()) return {Unreadable(path, bundle.status().message())};
  if (*bundle != nullptr) return ListSuites(path, *bundle, options);
  return {{path, [path, options] { return ReadJson(path, options); }}};
}

}  // namespace onepack
