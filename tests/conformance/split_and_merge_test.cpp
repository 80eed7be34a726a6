// Every recorded program, taken apart and put together, gives the recorded answers.

#include <gtest/gtest.h>

#include <filesystem>

#include "aot/merge_program.h"
#include "aot/split_programs.h"
#include "tests/conformance/coverage.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tools/case_runner.h"

namespace onepack {
namespace {

std::vector<std::string> AllCases() {
  std::vector<std::string> cases = CasesIn(ONEPACK_CONFORMANCE_DIR "/cases");
  for (const auto& family : std::filesystem::directory_iterator(TestData("cases"))) {
    if (!family.is_directory()) continue;
    const std::vector<std::string> more = CasesIn(family.path().string());
    cases.insert(cases.end(), more.begin(), more.end());
  }
  return cases;
}

// What differs, or why it cannot be loaded; empty when all is well.
std::string Check(const std::string& path, const std::string& program,
                  const std::vector<std::string>& data) {
  auto loader = ProgramLoader::Create({});
  auto recorded = ReadRecordedCase(path);
  if (!loader.ok() || !recorded.ok()) return "no loader or no case";
  recorded->program = program;
  recorded->data = data;
  auto runner = CaseRunner::Load(**loader, std::move(recorded).value());
  if (!runner.ok()) return runner.status().message();
  return runner->Run().reason;
}

// Where the files of one case lie.
struct Files {
  TempFolder folder;
  std::string alone = folder.File("alone.pte");  // with all of its data
  std::string slim = folder.File("slim/alone.pte");
  std::string foundation = folder.File("foundation.ptd");
  std::string again = folder.File("again.pte");
};

// Whether it carries data that is worth a file.
bool SplitAndMerge(const std::string& path, const RecordedCase& recorded) {
  const Files files;
  EXPECT_TRUE(IsOk(
      MergeProgram({recorded.program, recorded.data, files.alone, ExistingFile::kRefuse, {}})));
  EXPECT_EQ(Check(path, files.alone, {}), "");
  SplitOptions split;
  split.programs = {files.alone};
  split.foundation = files.foundation;
  split.folder = files.folder.File("slim");
  std::filesystem::create_directory(split.folder);
  auto report = SplitPrograms(split);
  if (!report.ok()) {
    EXPECT_TRUE(IsError(report, StatusCode::kFailedPrecondition, {"carries no data"}));
    return false;
  }
  EXPECT_EQ(Check(path, files.slim, {files.foundation}), "");
  EXPECT_TRUE(
      IsOk(MergeProgram({files.slim, {files.foundation}, files.again, ExistingFile::kRefuse, {}})));
  EXPECT_EQ(Check(path, files.again, {}), "");
  return true;
}

TEST(SplitAndMergeTest, EveryRecordedProgramGivesItsAnswersAfterEachStep) {
  size_t count = 0;
  size_t with_data = 0;
  for (const std::string& path : AllCases()) {
    SCOPED_TRACE(path);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const RecordedCase recorded, ReadRecordedCase(path));
    // Not of what this test is about.
    if (!Check(path, recorded.program, recorded.data).empty()) continue;
    ++count;
    with_data += SplitAndMerge(path, recorded) ? 1 : 0;
  }
  EXPECT_GE(count, 450u);
  EXPECT_GE(with_data, 50u);
}

}  // namespace
}  // namespace onepack
