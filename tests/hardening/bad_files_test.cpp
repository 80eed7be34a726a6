// Files that are wrong in one way, made by hand, and sources that lie.

#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"
#include "flat_tensor_generated.h"
#include "onepack/method.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

MethodPlan OneTensor(std::vector<int32_t> sizes) {
  TensorPlan tensor;
  tensor.sizes = std::move(sizes);
  MethodPlan method;
  method.values = {tensor};
  return method;
}

std::vector<uint8_t> FileOf(const MethodPlan& method) {
  ProgramWriter writer;
  writer.AddMethod(method);
  return writer.Finish();
}

TEST(BadFilesTest, AProgramWithoutMethodsIsRefused) {
  EXPECT_TRUE(IsError(OpenProgram(ProgramWriter().Finish()), StatusCode::kInvalidFile,
                      {"test.pte", "0 methods"}));
}

TEST(BadFilesTest, AMethodWithAnEndlessNameIsRefused) {
  MethodPlan method = OneTensor({1});
  method.name = std::string(1024, 'm');
  EXPECT_TRUE(IsOk(OpenProgram(FileOf(method))));
  method.name += 'm';
  EXPECT_TRUE(IsError(OpenProgram(FileOf(method)), StatusCode::kInvalidFile, {"method 0", "name"}));
}

TEST(BadFilesTest, BytesAfterTheLastPartAreIgnored) {
  std::vector<uint8_t> file = FileOf(OneTensor({1}));
  file.resize(file.size() + 4096, 0xee);
  EXPECT_TRUE(IsOk(OpenProgram(file)));
}

TEST(BadFilesTest, SizesThatNoCountWithASignHoldsAreRefusedBesideAZeroToo) {
  EXPECT_TRUE(IsOk(OpenProgram(FileOf(OneTensor({INT32_MAX, 1 << 29, 0})))));
  EXPECT_TRUE(IsError(OpenProgram(FileOf(OneTensor({INT32_MAX, INT32_MAX, 0}))),
                      StatusCode::kInvalidFile, {"value 0", "63 bits"}));
}

TEST(BadFilesTest, AValueMayStandTwiceAmongInputsAndOutputs) {
  MethodPlan method;
  method.values = {int64_t{1}};
  method.inputs = {0, 0};
  method.outputs = {0, 0};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(FileOf(method)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> loaded, Method::Load(program, "forward", {}));
  ASSERT_TRUE(IsOk(loaded->SetInput(0, Value::OfInt(2))));
  ASSERT_TRUE(IsOk(loaded->SetInput(1, Value::OfInt(3))));
  ASSERT_TRUE(IsOk(loaded->Execute()));
  EXPECT_EQ(loaded->output(0).int_value(), 3);
  EXPECT_EQ(loaded->output(1).int_value(), 3);
}

// Without an extended header all of a file is the flatbuffer, which counts in 31 bits.
TEST(BadFilesTest, AFlatbufferOf2GiBIsRefused) {
  const TempFolder folder;
  const std::string path = folder.File("huge.pte");
  WriteFile(path, FileOf(OneTensor({1})));
  ASSERT_EQ(truncate(path.c_str(), (off_t{1} << 31) + 4096), 0);  // sparse
  std::vector<uint8_t> start = {8, 0, 0, 0, 'E', 'T', '1', '2', 0, 0, 0, 0};
  FILE* file = fopen(path.c_str(), "r+b");
  ASSERT_NE(file, nullptr);
  fwrite(start.data(), 1, start.size(), file);
  fclose(file);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
  EXPECT_TRUE(
      IsError(Program::Open(source), StatusCode::kInvalidFile, {"huge.pte", "less than 2 GiB"}));
}

// Two keys, and the second one's segment moved to start inside the first one's.
TEST(BadFilesTest, SegmentsMayOverlap) {
  PtdWriter writer(4);
  writer.AddBytes("a", AsBytes("01234567"));
  writer.AddBytes("b", AsBytes("abcd"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(std::vector<uint8_t> file, writer.ToBytes());
  using wire::flat_tensor::DataSegment;
  const auto* directory = flatbuffers::GetRoot<wire::flat_tensor::FlatTensor>(file.data());
  const DataSegment* second = directory->segments()->Get(1);
  auto* table = reinterpret_cast<flatbuffers::Table*>(const_cast<DataSegment*>(second));
  ASSERT_TRUE(table->SetField<uint64_t>(DataSegment::VT_OFFSET, 3, 0));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenData(file));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer bytes, map->Find("b")->Load());
  EXPECT_EQ(std::string(bytes.bytes.begin(), bytes.bytes.end()), "3456");
}

TEST(BadFilesTest, AKeyOfAMegabyteIsFoundAndNotPrintedWhole) {
  const std::string key(size_t{1} << 20, 'k');
  PtdWriter writer;
  const uint32_t segment = writer.AddBytes(key, AsBytes("data"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenData(writer.ToBytes().value()));
  EXPECT_NE(map->Find(key), nullptr);
  writer.AddKey(key + "l", segment, PtdTensorLayout{ScalarType::kFloat, {2}, {}});
  auto refused = OpenData(writer.ToBytes().value());
  ASSERT_TRUE(IsError(refused, StatusCode::kInvalidFile, {"kkkk", "needs 8 bytes"}));
  EXPECT_LT(std::string(refused.status().message()).size(), 1000u);
}

// Serves a good file in a bad way.
class Liar final : public DataSource {
 public:
  enum class Way { kShort, kLong, kLargerSize, kError, kMisaligned };

  Liar(std::vector<uint8_t> bytes, Way way)
      : bytes_(std::move(bytes)), shifted_(bytes_.size() + 1), way_(way) {
    std::copy(bytes_.begin(), bytes_.end(), shifted_.begin() + 1);
  }

  const char* name() const override { return "liar"; }
  uint64_t size() const override {
    return bytes_.size() + (way_ == Way::kLargerSize ? uint64_t{1} << 40 : 0);
  }
  Result<Buffer> Load(const Segment& range) const override {
    if (way_ == Way::kError) return Status::Error(StatusCode::kIoError, "liar: no");
    const bool is_shifted = way_ == Way::kMisaligned;
    const Bytes all = {is_shifted ? shifted_.data() + 1 : bytes_.data(), bytes_.size()};
    Buffer buffer;
    size_t size =
        std::min<uint64_t>(range.size, all.size() - std::min<uint64_t>(range.offset, all.size()));
    if (way_ == Way::kShort && size > 0) --size;
    if (way_ == Way::kLong && range.offset + size < all.size()) ++size;
    buffer.bytes = all.subspan(std::min<uint64_t>(range.offset, all.size()), size);
    buffer.owner = Ref<const RefCounted>::Share(this);
    return buffer;
  }

 private:
  const std::vector<uint8_t> bytes_;
  std::vector<uint8_t> shifted_;
  const Way way_;
};

const LinearLayer kLayer{"w", 32, 8, WeightKind::kInt8, 1};

// Program and data from such sources.
Result<Ref<Method>> LoadFromLiars(Liar::Way of_program, Liar::Way of_data) {
  const auto liar = [](std::vector<uint8_t> bytes, Liar::Way way) {
    auto made = MakeRef<Liar>(HeapAllocator(), std::move(bytes), way);
    return Ref<DataSource>(std::move(made).value());
  };
  return LoadMethod(liar(MakeLinearProgram({{kLayer}, 4}), of_program),
                    {liar(MakeData(DataOf(kLayer)), of_data)}, nullptr);
}

TEST(LyingSourceTest, FewerOrMoreBytesThanAskedForAreAnErrorOfTheSource) {
  using Way = Liar::Way;
  for (const Way way : {Way::kShort, Way::kLong, Way::kError}) {
    EXPECT_TRUE(IsError(LoadFromLiars(way, Way::kMisaligned), StatusCode::kIoError, {"liar"}));
    EXPECT_TRUE(IsError(LoadFromLiars(Way::kMisaligned, way), StatusCode::kIoError, {"liar"}));
  }
}

TEST(LyingSourceTest, ASizeThatIsNotThereIsNoticedWhenItIsRead) {
  using Way = Liar::Way;
  auto loaded = LoadFromLiars(Way::kLargerSize, Way::kLargerSize);
  // The headers say how large the files are.
  ASSERT_TRUE(IsOk(loaded));
  EXPECT_TRUE(IsOk(RunLinear(**loaded, MakeRows(4, 32), 32)));
}

TEST(LyingSourceTest, BytesAtAnOddAddressAreAccepted) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                               LoadFromLiars(Liar::Way::kMisaligned, Liar::Way::kMisaligned));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> found,
                               RunLinear(*method, MakeRows(4, 32), 32));
  // Inputs are rounded to 8 bits.
  EXPECT_LT(LargestDifference(found, ReferenceChain({kLayer}, MakeRows(4, 32))), 0.05f);
}

// A program and its data in files, and what the program computes.
class OpenFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    WriteFile(program_, MakeLinearProgram({{kLayer}, 4}));
    WriteFile(data_, MakeData(DataOf(kLayer)));
  }

  Result<Ref<Method>> Load() const {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> program, OpenMappedFile(program_.c_str()));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> data, OpenMappedFile(data_.c_str()));
    return LoadMethod(program, {data}, nullptr);
  }

  static void ExpectRuns(Method& method) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> found,
                                 RunLinear(method, MakeRows(4, 32), 32));
    EXPECT_LT(LargestDifference(found, ReferenceChain({kLayer}, MakeRows(4, 32))), 0.05f);
  }

  const TempFolder folder_;
  const std::string program_ = folder_.File("a.pte");
  const std::string data_ = folder_.File("a.ptd");
};

// What an update does: new files over old names.
TEST_F(OpenFilesTest, AnOpenFileThatIsReplacedOrRemovedKeepsItsBytes) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> program, OpenMappedFile(program_.c_str()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> data, OpenMappedFile(data_.c_str()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> before, LoadMethod(program, {data}, nullptr));
  WriteFile(folder_.File("new"), AsBytes("not a data file any more"));
  ASSERT_EQ(rename(folder_.File("new").c_str(), data_.c_str()), 0);
  ASSERT_EQ(unlink(program_.c_str()), 0);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> after, LoadMethod(program, {data}, nullptr));
  ExpectRuns(*before);
  ExpectRuns(*after);
  EXPECT_FALSE(Load().ok());
}

TEST_F(OpenFilesTest, AHundredLoadsLeaveNoFileOpenAndNoneMapped) {
  const size_t descriptors = FilesIn("/proc/self/fd").size();
  for (int i = 0; i < 100; ++i) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
    ExpectRuns(*method);
  }
  EXPECT_EQ(FilesIn("/proc/self/fd").size(), descriptors);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    EXPECT_EQ(line.find(folder_.path()), std::string::npos) << line;
  }
}

TEST(BadFilesTest, AnExternalIdThatNoValueHasIsAnArgumentThatIsNotRead) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({1, 1});
  PayloadTensor far;
  far.dims = {1, 1};
  far.external_id = 3;
  far.flags = PayloadWriter::kExternalOutput;
  const uint32_t y = payload.AddTensor(far);
  payload.AddSigmoid(x, y);
  auto loaded =
      LoadMethod(SourceOf(MakeProgramAround(payload.Finish(), 1, 1, 1), "gap.pte"), {}, nullptr);
  // The graph says that it has one external value.
  EXPECT_TRUE(IsError(loaded, StatusCode::kInvalidFile, {"gap.pte", "external id 3 of"}));
}

}  // namespace
}  // namespace onepack
