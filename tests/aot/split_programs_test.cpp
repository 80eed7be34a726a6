#include "aot/split_programs.h"

#include <string.h>

#include <filesystem>

#include "aot/lora_stack.h"
#include "aot/merge_program.h"
#include "aot/payload_writer.h"
#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"
#include "onepack/named_data_map.h"
#include "tests/support/case_loader.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"
#include "tools/case_runner.h"

namespace onepack {
namespace {

namespace fs = std::filesystem;

LoraStackOptions Stack(WeightType weights, DataPlace data) {
  LoraStackOptions options;
  options.width = 64;
  options.hidden = 96;
  options.weights = weights;
  options.data = data;
  return options;
}

std::vector<std::string> Programs(const TempFolder& folder) {
  return {folder.File("base.pte"), folder.File("lora0.pte"), folder.File("lora1.pte")};
}

SplitOptions Split(const TempFolder& from, const TempFolder& to) {
  SplitOptions options;
  options.programs = Programs(from);
  options.foundation = to.File("foundation.ptd");
  options.adapters = true;
  return options;
}

// Sizes of the data itself.
uint64_t DataBytesOf(const std::string& path) {
  auto map = OpenData(ReadFile(path));
  EXPECT_TRUE(IsOk(map));
  uint64_t size = 0;
  for (const NamedData& entry : (*map)->entries()) size += entry.segment.size;
  return size;
}

// Runs NAME.json of `cases` with the program and data files of `folder`.
void ExpectRecordedAnswers(const TempFolder& cases, const TempFolder& folder,
                           const std::string& name, const std::vector<std::string>& data) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ProgramLoader> loader,
                               ProgramLoader::Create({}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(RecordedCase recorded, ReadRecordedCase(cases.File(name + ".json")));
  recorded.program = folder.File(name + ".pte");
  recorded.data.clear();
  for (const std::string& file : data) recorded.data.push_back(folder.File(file));
  ONEPACK_ASSERT_OK_AND_ASSIGN(CaseRunner runner, CaseRunner::Load(*loader, std::move(recorded)));
  const CaseOutcome outcome = runner.Run();
  EXPECT_TRUE(outcome.passed) << name << ": " << outcome.reason;
}

class SplitTest : public testing::TestWithParam<std::tuple<WeightType, DataPlace>> {};

TEST_P(SplitTest, SplitAndMergedProgramsGiveTheRecordedAnswers) {
  const TempFolder original;
  const auto [weights, data] = GetParam();
  ASSERT_TRUE(IsOk(WriteLoraStack(original.path(), Stack(weights, data))));
  const TempFolder split;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const SplitReport report, SplitPrograms(Split(original, split)));
  EXPECT_LT(report.after_bytes(), report.before_bytes());
  EXPECT_EQ(FilesIn(split.path()),
            (std::vector<std::string>{"base.pte", "foundation.ptd", "lora0.ptd", "lora0.pte",
                                      "lora1.ptd", "lora1.pte"}));
  const TempFolder merged;
  for (const std::string name : {"base", "lora0", "lora1"}) {
    std::vector<std::string> files = {"foundation.ptd"};
    if (name != "base") files.push_back(name + ".ptd");
    ExpectRecordedAnswers(original, split, name, files);
    MergeOptions options;
    options.program = split.File(name + ".pte");
    for (const std::string& file : files) options.data.push_back(split.File(file));
    options.output = merged.File(name + ".pte");
    ONEPACK_ASSERT_OK_AND_ASSIGN(const uint64_t size, MergeProgram(options));
    EXPECT_EQ(size, fs::file_size(options.output));
    ExpectRecordedAnswers(original, merged, name, {});
  }
}

TEST_P(SplitTest, TheSizesAddUp) {
  const TempFolder original;
  const auto [weights, data] = GetParam();
  const LoraStackOptions stack = Stack(weights, data);
  ASSERT_TRUE(IsOk(WriteLoraStack(original.path(), stack)));
  const TempFolder split;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const SplitReport report, SplitPrograms(Split(original, split)));
  EXPECT_EQ(DataBytesOf(split.File("foundation.ptd")), FoundationSizeBytes(stack));
  // A and B of gate and down in two blocks, f32.
  const uint64_t adapter = 2 * 2 * (64 + 96) * stack.rank * sizeof(float);
  EXPECT_EQ(DataBytesOf(split.File("lora0.ptd")), adapter);
  EXPECT_EQ(DataBytesOf(split.File("lora1.ptd")), adapter);
  // What is left is the directories: keys, offsets, alignment.
  for (const SplitReport::SplitProgram& program : report.programs) {
    const uint64_t moved =
        FoundationSizeBytes(stack) + (program.adapter.path.empty() ? 0 : adapter);
    EXPECT_EQ(fs::file_size(program.after.path), program.after.size_bytes);
    EXPECT_LT(program.after.size_bytes, program.before.size_bytes - moved + 6000);
  }
  EXPECT_EQ(report.foundation.size_bytes, fs::file_size(report.foundation.path));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, SplitTest,
    testing::Combine(testing::Values(WeightType::kFloat32, WeightType::kInt8, WeightType::kInt4),
                     testing::Values(DataPlace::kProgram, DataPlace::kPayload)));

TEST(SplitProgramsTest, RecordedProgramsMergedAndSplitGiveTheRecordedAnswers) {
  for (const std::string family : {"lora_fp32", "lora_8da4w", "lora_8da8w"}) {
    const std::string cases = TestData("cases/" + family);
    const TempFolder merged;
    const TempFolder split;
    for (const std::string name : {"base", "lora0", "lora1"}) {
      MergeOptions options;
      options.program = cases + "/" + name + ".pte";
      options.data = {cases + "/foundation.ptd"};
      if (name != "base") options.data.push_back(cases + "/" + name + ".ptd");
      options.output = merged.File(name + ".pte");
      ASSERT_TRUE(IsOk(MergeProgram(options)));
    }
    ASSERT_TRUE(IsOk(SplitPrograms(Split(merged, split))));
    for (const std::string name : {"base", "lora0", "lora1"}) {
      // The same keys and the same bytes as the exporter's.
      const std::string file = name == "base" ? "foundation.ptd" : name + ".ptd";
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> ours,
                                   OpenData(ReadFile(split.File(file))));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> theirs,
                                   OpenData(ReadFile(cases + "/" + file)));
      for (const NamedData& entry : theirs->entries()) {
        if (entry.segment.size < kSmallestSharedBytes) continue;
        ASSERT_NE(ours->Find(entry.key), nullptr) << entry.key;
        EXPECT_TRUE(IsOk(CheckSameData(*ours->Find(entry.key), entry)));
      }
    }
  }
}

TEST(SplitProgramsTest, WithoutAdaptersWhatIsNotSharedStays) {
  const TempFolder original;
  ASSERT_TRUE(
      IsOk(WriteLoraStack(original.path(), Stack(WeightType::kFloat32, DataPlace::kPayload))));
  const TempFolder split;
  SplitOptions options = Split(original, split);
  options.adapters = false;
  ASSERT_TRUE(IsOk(SplitPrograms(options)));
  EXPECT_FALSE(fs::exists(split.File("lora0.ptd")));
  ExpectRecordedAnswers(original, split, "lora0", {"foundation.ptd"});
}

TEST(SplitProgramsTest, AllDataOfASingleProgramMoves) {
  const TempFolder original;
  ASSERT_TRUE(
      IsOk(WriteLoraStack(original.path(), Stack(WeightType::kFloat32, DataPlace::kPayload))));
  const TempFolder split;
  SplitOptions options = Split(original, split);
  options.programs = {original.File("lora0.pte")};
  ASSERT_TRUE(IsOk(SplitPrograms(options)));
  ExpectRecordedAnswers(original, split, "lora0", {"foundation.ptd"});
}

TEST(SplitProgramsTest, ProgramsCanBeReplacedByTheirSlimForms) {
  const TempFolder folder;
  ASSERT_TRUE(
      IsOk(WriteLoraStack(folder.path(), Stack(WeightType::kFloat32, DataPlace::kProgram))));
  SplitOptions options = Split(folder, folder);
  const std::vector<uint8_t> before = ReadFile(folder.File("base.pte"));
  EXPECT_TRUE(IsError(SplitPrograms(options), StatusCode::kFailedPrecondition, {"base.pte"}));
  EXPECT_EQ(ReadFile(folder.File("base.pte")), before);
  EXPECT_FALSE(fs::exists(folder.File("foundation.ptd")));
  options.existing = ExistingFile::kReplace;
  ASSERT_TRUE(IsOk(SplitPrograms(options)));
  ExpectRecordedAnswers(folder, folder, "lora1", {"foundation.ptd", "lora1.ptd"});
}

// A program whose delegate finds `text` under `key` in its own named data.
void WriteNamed(const std::string& path, const std::string& key, const std::string& text) {
  PayloadWriter payload;
  const uint32_t filter = payload.AddNamedConstant(key, text.size());
  const uint32_t x = payload.AddInput({1, 16});
  payload.AddFullyConnected(
      x, payload.AddConstant({static_cast<uint32_t>(text.size() / 64), 16}, filter),
      payload.AddOutput({1, static_cast<uint32_t>(text.size() / 64)}));
  ProgramWriter program;
  MethodPlan method;
  method.delegates = {
      DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(payload.Finish()))};
  method.chains.resize(1);
  program.AddMethod(method);
  program.AddNamedData(key, program.AddSegment(AsBytes(text)));
  WriteFile(path, program.Finish());
}

TEST(SplitProgramsTest, AKeyThatStandsForOtherDataInAnotherProgramIsNamed) {
  const TempFolder folder;
  WriteNamed(folder.File("a.pte"), "weight", std::string(1024, 'a'));
  WriteNamed(folder.File("b.pte"), "weight", std::string(1024, 'a'));
  WriteNamed(folder.File("c.pte"), "weight", std::string(1024, 'c'));
  const TempFolder split;
  SplitOptions options;
  options.programs = {folder.File("a.pte"), folder.File("b.pte"), folder.File("c.pte")};
  options.foundation = split.File("f.ptd");
  EXPECT_TRUE(IsError(SplitPrograms(options), StatusCode::kMismatch, {"c.pte", "'weight'"}));
  EXPECT_TRUE(FilesIn(split.path()).empty());
}

TEST(SplitProgramsTest, TwoProgramsOfOneNameAreRefused) {
  const TempFolder one;
  const TempFolder other;
  WriteNamed(one.File("a.pte"), "w", std::string(1024, 'a'));
  WriteNamed(other.File("a.pte"), "w", std::string(1024, 'a'));
  const TempFolder split;
  SplitOptions options;
  options.programs = {one.File("a.pte"), other.File("a.pte")};
  options.foundation = split.File("f.ptd");
  EXPECT_TRUE(IsError(SplitPrograms(options), StatusCode::kFailedPrecondition, {"a.pte", "two"}));
  EXPECT_TRUE(FilesIn(split.path()).empty());
}

TEST(SplitProgramsTest, AnAdapterThatWouldReplaceTheFoundationIsRefused) {
  const TempFolder original;
  ASSERT_TRUE(
      IsOk(WriteLoraStack(original.path(), Stack(WeightType::kFloat32, DataPlace::kPayload))));
  const TempFolder split;
  SplitOptions options = Split(original, split);
  options.foundation = split.File("lora0.ptd");
  options.folder = split.File(".");
  options.existing = ExistingFile::kReplace;
  EXPECT_TRUE(
      IsError(SplitPrograms(options), StatusCode::kFailedPrecondition, {"lora0.ptd", "two"}));
  EXPECT_TRUE(FilesIn(split.path()).empty());
}

TEST(SplitProgramsTest, ProgramsThatShareNothingAreRefused) {
  const TempFolder folder;
  WriteNamed(folder.File("a.pte"), "a", std::string(1024, 'a'));
  WriteNamed(folder.File("b.pte"), "b", std::string(1024, 'b'));
  SplitOptions options;
  options.programs = {folder.File("a.pte"), folder.File("b.pte")};
  options.foundation = folder.File("f.ptd");
  EXPECT_TRUE(
      IsError(SplitPrograms(options), StatusCode::kFailedPrecondition, {"a.pte", "shares"}));
  EXPECT_EQ(FilesIn(folder.path()).size(), 2u);
}

TEST(SplitProgramsTest, TheWatchCallbackCanCancel) {
  const TempFolder original;
  ASSERT_TRUE(
      IsOk(WriteLoraStack(original.path(), Stack(WeightType::kFloat32, DataPlace::kProgram))));
  const TempFolder split;
  // At each of its steps once.
  for (int allowed = 0;; ++allowed) {
    SplitOptions options = Split(original, split);
    int calls = 0;
    options.watch = [&](uint64_t) {
      return calls++ < allowed ? Status::Ok() : Status::Error(StatusCode::kCancelled, "stop");
    };
    const auto report = SplitPrograms(options);
    if (report.ok()) {
      EXPECT_GT(allowed, 20);
      break;
    }
    EXPECT_TRUE(FilesIn(split.path()).empty()) << allowed;
  }
}

// A payload of an old exporter: all flatbuffer, constants in it.
TEST(SplitProgramsTest, ConstantsOfOldPayloadsMoveToo) {
  const TempFolder folder;
  for (const std::string name : {"a.pte", "b.pte"}) {
    PayloadOptions payload_options;
    payload_options.has_header = false;
    payload_options.identifier = "XN00";
    PayloadWriter payload(payload_options);
    const std::vector<float> weight(128, 0.5f);
    const uint32_t bias = payload.AddOwnConstant(AsBytes(std::vector<float>(8, 1.0f)));
    const uint32_t filter = payload.AddOwnConstant(AsBytes(weight));
    const uint32_t x = payload.AddInput({1, 16});
    payload.AddFullyConnected(x, payload.AddConstant({8, 16}, filter), payload.AddOutput({1, 8}),
                              payload.AddConstant({8}, bias));
    ProgramWriter program;
    MethodPlan method;
    TensorPlan tensor;
    tensor.sizes = {1, 16};
    tensor.place = PlannedPlace{1, 0};
    method.values.push_back(tensor);
    tensor.sizes = {1, 8};
    tensor.place = PlannedPlace{1, 64};
    method.values.push_back(tensor);
    method.buffer_sizes = {0, 128};
    method.inputs = {0};
    method.outputs = {1};
    method.delegates = {
        DelegatePlan::Inline("XnnpackBackend", program.AddInlinePayload(payload.Finish()))};
    method.chains = {{DelegateCallPlan{0, {0, 1}}}};
    program.AddMethod(method);
    WriteFile(folder.File(name), program.Finish());
  }
  const TempFolder split;
  SplitOptions options;
  options.programs = {folder.File("a.pte"), folder.File("b.pte")};
  options.foundation = split.File("f.ptd");
  ASSERT_TRUE(IsOk(SplitPrograms(options)));
  EXPECT_EQ(DataBytesOf(split.File("f.ptd")), 512u);  // the bias is too small
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ProgramLoader> loader,
                               ProgramLoader::Create({}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                               loader->Load(split.File("a.pte"), {split.File("f.ptd")}, "forward"));
  std::vector<uint8_t> ones(64);
  for (size_t i = 0; i < 16; ++i) {
    const float one = 1.0f;
    memcpy(ones.data() + i * sizeof(one), &one, sizeof(one));
  }
  const int32_t sizes[] = {1, 16};
  const uint8_t dim_order[] = {0, 1};
  ONEPACK_ASSERT_OK_AND_ASSIGN(Tensor x,
                               Tensor::Over({ScalarType::kFloat, sizes, dim_order}, ones));
  ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfTensor(&x))));
  ASSERT_TRUE(IsOk(method->Execute()));
  float first = 0;
  memcpy(&first, method->output(0).tensor().data(), sizeof(first));
  EXPECT_EQ(first, 9.0f);
}

// A tensor whose `size` floats are under "k" in a data file.
TensorPlan ExternalFloats(int32_t size) {
  TensorPlan tensor;
  tensor.sizes = {size};
  tensor.external_key = "k";
  return tensor;
}

// An exported program with a list of integers that has none, which lies elsewhere once the program
// is written again.
TEST(SplitProgramsTest, AProgramWithAListWithoutItemsCanBeOpenedAfterwards) {
  const TempFolder folder;
  SplitOptions split;
  split.programs = {TestData("programs/empty_list.pte")};
  split.foundation = folder.File("f.ptd");
  ASSERT_TRUE(IsOk(SplitPrograms(split)));
  const std::vector<uint8_t> before = ReadFile(folder.File("empty_list.pte"));
  EXPECT_TRUE(IsOk(OpenProgram(before)));
  MergeOptions merge;
  merge.program = folder.File("empty_list.pte");
  merge.data = {folder.File("f.ptd")};
  merge.output = merge.program;
  merge.existing = ExistingFile::kReplace;
  ASSERT_TRUE(IsOk(MergeProgram(merge)));
  EXPECT_NE(ReadFile(merge.output), before);
  EXPECT_TRUE(IsOk(OpenProgram(ReadFile(merge.output))));
}

TEST(MergeProgramTest, TensorsThatReadMoreOrLessOfOneKeyGetAllThatTheyRead) {
  const TempFolder folder;
  const std::vector<float> numbers = {1, 2, 3, 4, 5, 6, 7, 8};
  PtdWriter data;
  data.AddBytes("k", AsBytes(numbers));
  ASSERT_TRUE(IsOk(data.ToFile(folder.File("k.ptd"))));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::unique_ptr<ProgramLoader> loader,
                               ProgramLoader::Create({}));
  for (const auto& sizes : {std::vector<int32_t>{4, 8}, {8, 4}}) {
    MethodPlan method;
    method.values = {ExternalFloats(sizes[0]), ExternalFloats(sizes[1])};
    method.outputs = {0, 1};
    method.chains.resize(1);
    ProgramWriter program;
    program.AddMethod(method);
    ASSERT_TRUE(IsOk(program.ToFile(folder.File("a.pte"))));
    MergeOptions options;
    options.program = folder.File("a.pte");
    options.data = {folder.File("k.ptd")};
    options.output = folder.File("merged.pte");
    options.existing = ExistingFile::kReplace;
    ASSERT_TRUE(IsOk(MergeProgram(options)));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> merged,
                                 loader->Load(options.output, {}, "forward"));
    ASSERT_TRUE(IsOk(merged->Execute()));
    for (size_t i = 0; i < 2; ++i) {
      const size_t size_bytes = static_cast<size_t>(sizes[i]) * sizeof(float);
      EXPECT_EQ(memcmp(merged->output(i).tensor().data(), numbers.data(), size_bytes), 0) << i;
    }
  }
}

TEST(MergeProgramTest, AKeyThatNoFileHasIsNamed) {
  const TempFolder folder;
  MergeOptions options;
  options.program = TestData("cases/lora_fp32/lora0.pte");
  options.data = {TestData("cases/lora_fp32/foundation.ptd")};
  options.output = folder.File("m.pte");
  EXPECT_TRUE(IsError(MergeProgram(options), StatusCode::kNotFound, {"lora0.pte", "key '"}));
  EXPECT_TRUE(FilesIn(folder.path()).empty());
}

}  // namespace
}  // namespace onepack
