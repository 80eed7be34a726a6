// Every recorded program, bundled with its recorded calls as test cases.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/conformance/coverage.h"
#include "tests/support/bundle_writer.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tools/case_list.h"
#include "tools/case_runner.h"

namespace onepack {
namespace {

CaseOutcome RunCase(ProgramLoader& loader, Result<RecordedCase> recorded) {
  CaseOutcome failed;
  failed.reason = recorded.ok() ? "" : recorded.status().message();
  if (!recorded.ok()) return failed;
  auto runner = CaseRunner::Load(loader, std::move(recorded).value());
  if (runner.ok()) return runner->Run();
  failed.reason = runner.status().message();
  return failed;
}

// The bundle's only case, with the tolerance of the recording.
CaseOutcome RunBundle(ProgramLoader& loader, const RecordedCase& recorded,
                      const std::string& path) {
  CaseListOptions options;
  options.data = recorded.data;
  options.atol = recorded.tolerance.atol;
  options.rtol = recorded.tolerance.rtol;
  const std::vector<ListedCase> cases = ListCases(path, options);
  EXPECT_EQ(cases.size(), 1u);
  return RunCase(loader, cases[0].read());
}

TEST(BundledProgramTest, EveryRecordedProgramGivesItsAnswersFromABundleOfAnyAlignment) {
  const TempFolder folder;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ProgramLoader> loader,
                               ProgramLoader::Create({}));
  size_t count = 0;
  for (const std::string& path : CasesIn(ONEPACK_CONFORMANCE_DIR "/cases")) {
    SCOPED_TRACE(path);
    // Not of what this test is about.
    if (!RunCase(*loader, ReadRecordedCase(path)).passed) continue;
    ONEPACK_ASSERT_OK_AND_ASSIGN(RecordedCase recorded, ReadRecordedCase(path));
    recorded.calls.resize(1);  // later ones may need what state earlier ones left
    const std::string bundle = folder.File(std::to_string(++count) + ".bpte");
    const auto alignment = count % 2 == 0 ? BundleAlignment::kNone : BundleAlignment::kOfExporters;
    std::vector<RecordedCase> suites;
    suites.push_back(std::move(recorded));
    WriteFile(bundle, WriteBundle(ReadFile(suites[0].program), suites, alignment));
    const CaseOutcome outcome = RunBundle(*loader, suites[0], bundle);
    EXPECT_TRUE(outcome.passed) << outcome.reason;
    EXPECT_TRUE(outcome.compared);
  }
  EXPECT_GE(count, 450u);
}

}  // namespace
}  // namespace onepack
