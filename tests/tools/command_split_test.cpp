// onepack make-model, split, merge, verify and diff, from the outside.

#include <gtest/gtest.h>

#include <filesystem>

#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"
#include "flat_tensor_generated.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

void ExpectOk(const CommandResult& result) {
  EXPECT_EQ(result.exit_status, 0) << result.out << result.err;
  EXPECT_EQ(result.err, "");
}

Words Joined(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

class SplitCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    ExpectOk(RunOnepack({"make-model", "stack", whole_.path(), "--width", "64", "--hidden", "128",
                         "--weights", "8da4w", "--data", "payload"}));
  }

  Words Programs() const {
    return {whole_.File("base.pte"), whole_.File("lora0.pte"), whole_.File("lora1.pte")};
  }
  CommandResult Split(const Words& more = {}) const {
    return RunOnepack(
        Joined(Joined({"split"}, Programs()),
               Joined({"--foundation", split_.File("foundation.ptd"), "--adapters"}, more)));
  }

  const TempFolder whole_;
  const TempFolder split_;
};

TEST_F(SplitCommandTest, SaysWhatWasWrittenAndSaved) {
  const CommandResult result = Split();
  ExpectOk(result);
  EXPECT_TRUE(Contains(result.out, split_.File("lora1.ptd"))) << result.out;
  EXPECT_TRUE(Contains(result.out, "in all 76.6 KB instead of 124 KB: 47.5 KB saved"))
      << result.out;
}

TEST_F(SplitCommandTest, ProgramsThatWereSplitAndMergedPassTheirCases) {
  ExpectOk(Split());
  for (const std::string name : {"base", "lora0", "lora1"}) {
    std::string data = split_.File("foundation.ptd");
    if (name != "base") data += "," + split_.File(name + ".ptd");
    ExpectOk(RunOnepack({"merge", split_.File(name + ".pte"), "--data", data, "--output",
                         whole_.File(name + ".pte"), "--replace"}));
  }
  ExpectOk(RunOnepack(
      {"check", whole_.File("base.json"), whole_.File("lora0.json"), whole_.File("lora1.json")}));
}

TEST_F(SplitCommandTest, VerifyAcceptsWhatWasSplit) {
  ExpectOk(Split());
  Words words = {"verify", "--keys"};
  for (const std::string& name : FilesIn(split_.path())) words.push_back(split_.File(name));
  const CommandResult result = RunOnepack(words);
  ExpectOk(result);
  EXPECT_TRUE(Contains(result.out, "6 passed, 0 failed")) << result.out;
  EXPECT_TRUE(Contains(result.out, "12 keys are the SHA-256 of the data, 0 no hash")) << result.out;
}

TEST_F(SplitCommandTest, VerifyFindsADamagedWeightByItsKey) {
  ExpectOk(Split());
  std::vector<uint8_t> bytes = ReadFile(split_.File("foundation.ptd"));
  bytes.back() ^= 1;
  WriteFile(split_.File("foundation.ptd"), bytes);
  ExpectOk(RunOnepack({"verify", split_.File("foundation.ptd")}));
  const CommandResult result = RunOnepack({"verify", "--keys", split_.File("foundation.ptd")});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.out, "is not the SHA-256")) << result.out;
}

TEST_F(SplitCommandTest, VerifyFindsFilesThatDoNotFit) {
  ExpectOk(Split());
  const CommandResult missing =
      RunOnepack({"verify", split_.File("lora0.pte"), split_.File("foundation.ptd")});
  EXPECT_EQ(missing.exit_status, 1);
  EXPECT_TRUE(Contains(missing.out, "8) is in none of the data files")) << missing.out;
  const CommandResult alone = RunOnepack({"verify", split_.File("lora0.pte"), "/etc/passwd"});
  EXPECT_TRUE(Contains(alone.out, "20 of them in data files that were not given")) << alone.out;
  EXPECT_TRUE(Contains(alone.out, "1 passed, 1 failed")) << alone.out;
}

TEST_F(SplitCommandTest, WhatIsThereIsReplacedOnlyWhenAsked) {
  ExpectOk(Split());
  const std::vector<uint8_t> before = ReadFile(split_.File("base.pte"));
  ExpectFailed(Split(), split_.File("foundation.ptd") + ": there is such a file already");
  ExpectOk(Split({"--replace"}));
  EXPECT_EQ(ReadFile(split_.File("base.pte")), before);
}

TEST_F(SplitCommandTest, AFullDiskIsOneLineAndLeavesNothing) {
  const FileSizeLimit limit(20000);
  ExpectFailed(Split(), split_.File("foundation.ptd") + ": File too large");
  EXPECT_TRUE(FilesIn(split_.path()).empty());
  ExpectFailed(RunOnepack({"merge", CaseFile("base.pte"), "--data", CaseFile("foundation.ptd"),
                           "--output", split_.File("m.pte")}),
               "m.pte: File too large");
  EXPECT_TRUE(FilesIn(split_.path()).empty());
}

TEST_F(SplitCommandTest, AFolderThatTakesNoFilesIsOneLine) {
  ExpectFailed(RunOnepack(Joined(Joined({"split"}, Programs()),
                                 {"--foundation", "/proc/self/foundation.ptd"})),
               "/proc/self/foundation.ptd");
  ExpectFailed(RunOnepack(Joined(Joined({"split"}, Programs()),
                                 {"--foundation", split_.File("f.ptd"), "--output", "/nowhere"})),
               "/nowhere/base.pte");
  EXPECT_TRUE(FilesIn(split_.path()).empty());
}

TEST_F(SplitCommandTest, AFileThatIsNoProgramIsOneLine) {
  ExpectFailed(RunOnepack(Joined(Joined({"split"}, Programs()),
                                 {"/etc/passwd", "--foundation", split_.File("f.ptd")})),
               "/etc/passwd: not a program");
  ExpectFailed(RunOnepack({"split", whole_.File("base.pte"), whole_.File("base.pte"),
                           "--foundation", split_.File("f.ptd")}),
               "two outputs have this name");
  EXPECT_TRUE(FilesIn(split_.path()).empty());
}

TEST(DiffCommandTest, CountsKeysAndTheBytesOfAnUpdate) {
  const TempFolder one;
  const TempFolder other;
  for (const auto& [folder, blocks] : {std::pair(&one, "2"), std::pair(&other, "3")}) {
    ExpectOk(RunOnepack({"make-model", "stack", folder->path(), "--width", "64", "--hidden", "128",
                         "--blocks", blocks}));
  }
  CommandResult result =
      RunOnepack({"diff", one.File("foundation.ptd"), other.File("foundation.ptd")});
  ExpectOk(result);
  EXPECT_TRUE(Contains(result.out, "3 added, 0 removed, 0 changed, 6 unchanged")) << result.out;
  EXPECT_TRUE(Contains(result.out, "98.3 KB of data")) << result.out;
  result = RunOnepack({"diff", other.File("foundation.ptd"), one.File("foundation.ptd")});
  EXPECT_TRUE(Contains(result.out, "0 added, 3 removed, 0 changed, 6 unchanged")) << result.out;
  EXPECT_TRUE(Contains(result.out, "0 B of data")) << result.out;
}

// Each of `count` keys has nearly all bytes of the file.
void WriteOverlapping(const std::string& path, int count) {
  constexpr uint64_t kSize = 1 << 16;
  PtdWriter writer;
  writer.AddBytes("all", std::vector<uint8_t>(kSize));
  for (int i = 0; i < count; ++i) writer.AddBytes("part" + std::to_string(i), AsBytes("x"));
  std::vector<uint8_t> file = writer.ToBytes().value();
  const auto* directory = flatbuffers::GetRoot<wire::flat_tensor::FlatTensor>(file.data());
  using wire::flat_tensor::DataSegment;
  for (int i = 0; i < count; ++i) {
    const DataSegment* segment = directory->segments()->Get(static_cast<uint32_t>(i) + 1);
    auto* table = reinterpret_cast<flatbuffers::Table*>(const_cast<DataSegment*>(segment));
    ASSERT_TRUE(table->SetField<uint64_t>(DataSegment::VT_OFFSET, static_cast<uint64_t>(i), 0));
    ASSERT_TRUE(table->SetField<uint64_t>(DataSegment::VT_SIZE, kSize - 1000, 0));
  }
  WriteFile(path, file);
}

TEST(OverlappingDataTest, IsNotReadAgainAndAgain) {
  const TempFolder folder;
  const std::string some = folder.File("some.ptd");
  const std::string many = folder.File("many.ptd");
  WriteOverlapping(some, 10);
  WriteOverlapping(many, 100);
  ExpectOk(RunOnepack({"diff", some, some}));
  ExpectOk(RunOnepack({"verify", some, "--keys"}));
  ExpectOk(RunOnepack({"inspect", many}));
  ExpectFailed(RunOnepack({"diff", some, many}), many + ": segments that overlap");
  ExpectFailed(RunOnepack({"inspect", many, some}), many + ": segments that overlap");
  const CommandResult result = RunOnepack({"verify", many, "--keys"});
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_TRUE(Contains(result.out, "segments that overlap")) << result.out;
}

TEST(MakeModelCommandTest, SizesThatDoNotFitAreOneLine) {
  const TempFolder folder;
  ExpectFailed(RunOnepack({"make-model", "llm", folder.path(), "--heads", "3"}), "heads");
  ExpectFailed(RunOnepack({"make-model", "stack", "/proc/self/x"}), "/proc/self/x");
}

TEST(MakeModelCommandTest, FilesThatAreThereStayWithoutReplace) {
  for (const std::string kind : {"stack", "llm"}) {
    const TempFolder folder;
    ExpectOk(RunOnepack({"make-model", kind, folder.path()}));
    const std::vector<std::string> names = FilesIn(folder.path());
    const std::vector<uint8_t> before = ReadFile(folder.File("foundation.ptd"));
    ExpectFailed(RunOnepack({"make-model", kind, folder.path(), "--seed", "1"}), "already");
    EXPECT_EQ(ReadFile(folder.File("foundation.ptd")), before);
    ExpectOk(RunOnepack({"make-model", kind, folder.path(), "--seed", "1", "--replace"}));
    EXPECT_NE(ReadFile(folder.File("foundation.ptd")), before);
    EXPECT_EQ(FilesIn(folder.path()), names);
  }
}

TEST(MakeModelCommandTest, AFullDiskIsOneLineAndLeavesNothing) {
  const TempFolder folder;
  const FileSizeLimit limit(20000);
  for (const std::string kind : {"stack", "llm"}) {
    ExpectFailed(RunOnepack({"make-model", kind, folder.path()}), "File too large");
    EXPECT_TRUE(FilesIn(folder.path()).empty());
  }
}

TEST(MakeModelCommandTest, ALanguageModelVerifies) {
  for (const std::string weights : {"f32", "8da8w", "8da4w"}) {
    const TempFolder folder;
    ExpectOk(RunOnepack({"make-model", "llm", folder.path(), "--weights", weights}));
    Words words = {"verify", "--keys"};
    for (const std::string& name : FilesIn(folder.path())) words.push_back(folder.File(name));
    const CommandResult result = RunOnepack(words);
    ExpectOk(result);
    EXPECT_TRUE(Contains(result.out, "6 passed, 0 failed")) << result.out;
  }
}

// A program that asks for "k", and a data file of the same name that has it.
void WriteAdapter(const TempFolder& folder, const std::string& name, float number) {
  TensorPlan tensor;
  tensor.sizes = {1};
  tensor.external_key = "k";
  MethodPlan method;
  method.values = {tensor};
  method.outputs = {0};
  ProgramWriter program;
  program.AddMethod(method);
  WriteFile(folder.File(name + ".pte"), program.Finish());
  PtdWriter data;
  data.AddBytes("k", AsBytes(std::vector<float>{number}));
  ASSERT_TRUE(data.ToFile(folder.File(name + ".ptd")).ok());
}

TEST(VerifyCommandTest, AdaptersMayUseTheSameKeysForTheirOwnData) {
  const TempFolder folder;
  WriteAdapter(folder, "a", 1);
  WriteAdapter(folder, "b", 2);
  const CommandResult result = RunOnepack({"verify", folder.File("a.pte"), folder.File("b.pte"),
                                           folder.File("a.ptd"), folder.File("b.ptd")});
  ExpectOk(result);
  EXPECT_EQ(LinesOf(result.out).back(), "4 passed, 0 failed") << result.out;
}

}  // namespace
}  // namespace onepack
