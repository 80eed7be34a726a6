// Bundled programs (.bpte), from the outside.

#include <gtest/gtest.h>
#include <string.h>

#include "bundled_program_edit.h"
#include "tests/support/bundle_writer.h"
#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

using edit::bundled_program::BundledProgramT;

std::string Sample() { return TestData("programs/linear.bpte"); }

// The sample, to be changed.
class BundleTest : public testing::Test {
 protected:
  BundleTest() {
    const std::vector<uint8_t> file = ReadFile(Sample());
    edit::bundled_program::GetBundledProgram(file.data())->UnPackTo(&bundle_);
  }

  std::string Write() const {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(edit::bundled_program::CreateBundledProgram(builder, &bundle_),
                   edit::bundled_program::BundledProgramIdentifier());
    WriteFile(folder_.File("a.bpte"), Bytes(builder.GetBufferPointer(), builder.GetSize()));
    return folder_.File("a.bpte");
  }

  // The expected output of test case 1 of 'forward', the second suite.
  std::vector<uint8_t>& expected() {
    return bundle_.method_test_suites[1]->test_cases[1]->expected_outputs[0]->val.AsTensor()->data;
  }
  void Add(float difference) {
    float number;
    memcpy(&number, expected().data(), sizeof(number));
    number += difference;
    memcpy(expected().data(), &number, sizeof(number));
  }

  const TempFolder folder_;
  BundledProgramT bundle_;
};

TEST_F(BundleTest, InspectShowsTheProgramAndItsTestCases) {
  const CommandResult result = RunOnepack({"inspect", Sample()});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  for (const char* part :
       {"linear.bpte: bundled program, 5.57 KB", "  method 'forward'\n",
        "    method 'count': 2 test cases\n", "    method 'forward': 3 test cases\n",
        "      1  inputs   float32 [4, 8]\n         outputs  float32 [4, 4]\n"}) {
    EXPECT_TRUE(Contains(result.out, part)) << part << " is not in\n" << result.out;
  }
}

// The method 'count' adds its input to its state: a case that saw another's would fail.
TEST_F(BundleTest, CheckRunsTheTestCasesOfEachMethodFromItsInitialState) {
  for (const std::string& path : {Sample(), Write()}) {
    const CommandResult result = RunOnepack({"check", path, CaseFile("base.json")});
    EXPECT_EQ(result.exit_status, 0) << result.out;
    const std::vector<std::string> lines = LinesOf(result.out);
    ASSERT_EQ(lines.size(), 4u) << result.out;
    EXPECT_TRUE(Contains(lines[0], "ok    " + path + ":count  worst error")) << lines[0];
    EXPECT_TRUE(Contains(lines[1], "ok    " + path + ":forward")) << lines[1];
    EXPECT_EQ(lines[3], "3 passed, 0 failed");
  }
}

TEST_F(BundleTest, AnOutputThatIsNotTheExpectedOneFails) {
  Add(0.5f);
  const CommandResult result = RunOnepack({"check", Write()});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.out, "FAIL")) << result.out;
  EXPECT_TRUE(Contains(result.out, "call 1: output 0: 1 of 16 elements differ")) << result.out;
  EXPECT_TRUE(Contains(result.out, "1 passed, 1 failed")) << result.out;
}

TEST_F(BundleTest, TheToleranceIsAHundredthUnlessItIsGiven) {
  Add(0.005f);
  const std::string path = Write();
  EXPECT_EQ(RunOnepack({"check", path}).exit_status, 0);
  EXPECT_EQ(RunOnepack({"check", path, "--atol", "1e-5", "--rtol", "1e-3"}).exit_status, 1);
  EXPECT_EQ(RunOnepack({"check", path, "--atol", "0.006", "--rtol", "0"}).exit_status, 0);
  // Of a recording, too: its worst error is a fraction of its own tolerance.
  EXPECT_EQ(RunOnepack({"check", CaseFile("base.json"), "--atol", "0", "--rtol", "0"}).exit_status,
            1);
  for (const char* bad : {"-1", "nan", "inf", ""}) {
    EXPECT_EQ(RunOnepack({"check", path, "--atol", bad}).exit_status, 2) << bad;
  }
}

TEST_F(BundleTest, ItRunsAndIsVerifiedAsTheProgramInside) {
  const CommandResult run = RunOnepack({"run", Sample(), "--shape", "0=2x8"});
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_TRUE(Contains(run.out, "float32 [2, 4]")) << run.out;
  const CommandResult verified = RunOnepack({"verify", Sample(), "--keys"});
  EXPECT_EQ(verified.exit_status, 0) << verified.out;
  EXPECT_TRUE(Contains(verified.out, "bundled program, 2 methods, 2 keys, 5 test cases"))
      << verified.out;
}

TEST_F(BundleTest, SplitAndMergeSayWhatItIs) {
  const std::string output = folder_.File("f.ptd");
  for (const CommandResult& result :
       {RunOnepack({"split", Sample(), "--foundation", output}),
        RunOnepack({"merge", Sample(), "--data", CaseFile("foundation.ptd"), "--output", output}),
        RunOnepack({"run", CaseFile("base.pte"), "--data", Sample()})}) {
    EXPECT_EQ(result.exit_status, 1);
    EXPECT_TRUE(Contains(result.err, "but a bundled program (.bpte)")) << result.err;
  }
  EXPECT_TRUE(FilesIn(folder_.path()).empty());
}

TEST_F(BundleTest, ItsProgramMayHaveDataFiles) {
  RecordedCase recorded;
  {
    auto read = ReadRecordedCase(CaseFile("lora0.json"));
    ASSERT_TRUE(read.ok());
    recorded = std::move(read).value();
  }
  std::vector<RecordedCase> suites;
  suites.push_back(std::move(recorded));
  const std::string path = folder_.File("lora0.bpte");
  WriteFile(path, WriteBundle(ReadFile(CaseFile("lora0.pte")), suites));
  const CommandResult alone = RunOnepack({"check", path});
  EXPECT_EQ(alone.exit_status, 1);
  EXPECT_TRUE(Contains(alone.out, "key")) << alone.out;
  const std::string data = CaseFile("foundation.ptd") + "," + CaseFile("lora0.ptd");
  const CommandResult result = RunOnepack({"check", path, "--data", data});
  EXPECT_EQ(result.exit_status, 0) << result.out;
}

TEST_F(BundleTest, TestCasesThatDoNotFitTheProgramAreNamed) {
  bundle_.method_test_suites[0]->method_name = "backward";
  CommandResult result = RunOnepack({"verify", Write()});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.out, "no method 'backward'")) << result.out;
  result = RunOnepack({"check", Write()});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.out, "no method 'backward'")) << result.out;
  EXPECT_TRUE(Contains(result.out, "1 passed, 1 failed")) << result.out;

  bundle_.method_test_suites[0]->method_name = "count";
  bundle_.method_test_suites[0]->test_cases[1]->inputs.clear();
  result = RunOnepack({"verify", Write()});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.out, "test case 1: 0 inputs and 1 outputs")) << result.out;
  EXPECT_EQ(RunOnepack({"check", Write()}).exit_status, 1);
}

// Nothing that could be compared is no success.
TEST_F(BundleTest, WithoutTestCasesOrExpectedOutputsACheckFails) {
  bundle_.method_test_suites[0]->test_cases.clear();
  CommandResult result = RunOnepack({"check", Write()});
  EXPECT_EQ(result.exit_status, 0) << result.out;
  EXPECT_TRUE(Contains(result.out, "1 passed, 0 failed")) << result.out;
  bundle_.method_test_suites[1]->test_cases[0]->expected_outputs.clear();
  EXPECT_EQ(RunOnepack({"verify", Write()}).exit_status, 0);
  EXPECT_EQ(RunOnepack({"check", Write()}).exit_status, 1);
  bundle_.method_test_suites.clear();
  result = RunOnepack({"check", Write()});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.out, "holds no test case")) << result.out;
}

TEST_F(BundleTest, ABundleThatIsCutIsNamed) {
  const std::vector<uint8_t> file = ReadFile(Sample());
  for (const size_t size : {file.size() - 3, file.size() / 2, size_t{40}, size_t{8}}) {
    WriteFile(folder_.File("cut.bpte"), Bytes(file).subspan(0, size));
    for (const char* command : {"inspect", "verify", "check", "run"}) {
      const CommandResult result = RunOnepack({command, folder_.File("cut.bpte")});
      EXPECT_EQ(result.exit_status, 1) << command;
      EXPECT_TRUE(Contains(result.out + result.err, "cut.bpte: ")) << result.out << result.err;
    }
  }
}

TEST_F(BundleTest, AProgramInsideThatIsNoneIsNamed) {
  bundle_.program.resize(bundle_.program.size() / 2);
  for (const char* command : {"inspect", "verify", "check", "run"}) {
    const CommandResult result = RunOnepack({command, Write()});
    EXPECT_EQ(result.exit_status, 1) << command;
    EXPECT_TRUE(Contains(result.out + result.err, "a.bpte: ")) << result.out << result.err;
  }
}

}  // namespace
}  // namespace onepack
