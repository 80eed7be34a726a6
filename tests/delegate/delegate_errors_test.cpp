// What is wrong with a program, its data or a call of it: a Status that says so, and nothing left
// behind.

#include <float.h>
#include <string.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "aot/pte_writer.h"
#include "schema/verify_payload.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNGraph;
using wire::xnnpack::XNNTensorValue;
using wire::xnnpack::XNodeUnion;

constexpr uint32_t kRows = 8;
constexpr uint32_t kInputs = 32;
constexpr uint32_t kOutputs = 8;
constexpr uint32_t kFloatSize = kInputs * kOutputs * sizeof(float);
constexpr uint32_t kInt8Size = kInputs * kOutputs;
constexpr uint32_t kInt4Size = kInputs * kOutputs / 2;

const LinearLayer kFloatLayer{"w", kInputs, kOutputs, WeightKind::kFloat, 1};
const LinearLayer kInt8Layer{"w8", kInputs, kOutputs, WeightKind::kInt8, 2};
const LinearLayer kInt4Layer{"w4", kInputs, kOutputs, WeightKind::kInt4, 3};

// After each test the cache must be as if nothing had been tried, and serve a good program.
class DelegateErrorsTest : public testing::Test {
 protected:
  using Build = std::function<void(PayloadWriter&)>;

  DelegateErrorsTest() {
    data_ = DataOf(std::vector<LinearLayer>{kFloatLayer, kInt8Layer, kInt4Layer});
    data_["bias"] = std::vector<uint8_t>(kOutputs * sizeof(float));
  }

  void TearDown() override {
    method_ = nullptr;
    const WeightCacheStats stats = cache_->Stats();
    EXPECT_EQ(stats.entries, 0u);
    EXPECT_EQ(stats.bytes, 0u);
    EXPECT_EQ(stats.pins, 0u);
    EXPECT_EQ(stats.heap_bytes, 0u);
    const std::vector<LinearLayer> layers = {kFloatLayer};
    auto good = LoadMethod(SourceOf(MakeLinearProgram({layers, kRows}), "good.pte"),
                           {SourceOf(MakeData(DataOf(layers)), "good.ptd")}, cache_);
    ASSERT_TRUE(IsOk(good));
    const std::vector<float> rows = MakeRows(kRows, kInputs);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> found, RunLinear(**good, rows, kInputs));
    EXPECT_LT(LargestDifference(found, ReferenceChain(layers, rows)), 1e-6f);
  }

  Status Load(Ref<DataSource> program) {
    auto method = LoadMethod(program, {SourceOf(MakeData(data_), "data.ptd")}, cache_);
    if (!method.ok()) return method.TakeStatus();
    method_ = *method;
    return Status::Ok();
  }

  // A graph in a program that calls it with [kRows, kInputs] and [kRows, kOutputs].
  Status LoadPayload(const std::vector<uint8_t>& payload) {
    return Load(SourceOf(MakeProgramAround(payload, kRows, kInputs, kOutputs), "broken.pte"));
  }
  Status LoadGraph(const Build& build, const PayloadOptions& options = {}) {
    PayloadWriter payload(options);
    build(payload);
    return LoadPayload(payload.Finish());
  }

  Status Run(uint32_t rows = kRows, uint32_t inputs = kInputs) {
    auto found = RunLinear(*method_, MakeRows(rows, inputs), inputs);
    return found.ok() ? Status::Ok() : found.TakeStatus();
  }

  static uint32_t AddInput(PayloadWriter& payload) { return payload.AddInput({kRows, kInputs}); }
  static uint32_t AddOutput(PayloadWriter& payload) { return payload.AddOutput({kRows, kOutputs}); }
  static uint32_t AddFilter(PayloadWriter& payload) {
    return payload.AddConstant({kOutputs, kInputs}, payload.AddNamedConstant("w", kFloatSize));
  }
  // x, w and y are values 0, 1 and 2.
  static void AddLinear(PayloadWriter& payload) {
    const uint32_t x = AddInput(payload);
    const uint32_t w = AddFilter(payload);
    payload.AddFullyConnected(x, w, AddOutput(payload));
  }

  // The quantized linear layer around a filter that `add` makes.
  Status LoadQuantized(const std::function<uint32_t(PayloadWriter&)>& add_filter) {
    return LoadGraph([&](PayloadWriter& payload) {
      const uint32_t x = AddInput(payload);
      const uint32_t rounded = payload.AddDynamicInt8({kRows, kInputs});
      const uint32_t filter = add_filter(payload);
      payload.AddConvert(x, rounded);
      payload.AddFullyConnected(rounded, filter, AddOutput(payload));
    });
  }
  Status LoadInt8(const PayloadScales& scales, int32_t channel_dim = 0) {
    return LoadQuantized([&](PayloadWriter& payload) {
      PayloadScales with_constant = scales;
      const uint32_t weight = payload.AddNamedConstant("w8", kInt8Size);
      if (scales.inline_scales.empty()) {
        with_constant.constant = payload.AddNamedConstant("w8.scale", kOutputs * sizeof(float));
      }
      return payload.AddPerChannelInt8({kOutputs, kInputs}, weight, with_constant, channel_dim);
    });
  }
  Status LoadInt4(const PayloadScales& scales, int32_t group_size = kInt4Group) {
    return LoadQuantized([&](PayloadWriter& payload) {
      PayloadScales with_constant = scales;
      const uint32_t weight = payload.AddNamedConstant("w4", kInt4Size);
      if (scales.inline_scales.empty()) {
        with_constant.constant = payload.AddNamedConstant("w4.scale", kOutputs * sizeof(uint16_t));
      }
      return payload.AddBlockwiseInt4({kOutputs, kInputs}, weight, with_constant, group_size);
    });
  }

  NamedBytes data_;
  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  Ref<Method> method_;
};

// `count` scales in a constant.
PayloadScales InConstant(uint32_t count) {
  PayloadScales scales;
  scales.count = count;
  return scales;
}

PayloadScales Inline(std::vector<float> numbers) {
  PayloadScales scales;
  scales.inline_scales = std::move(numbers);
  return scales;
}

// Overwrites a field of a graph's value that is not at its default.
std::vector<uint8_t> WithField(std::vector<uint8_t> payload, uint32_t value_index,
                               flatbuffers::voffset_t field, uint32_t number) {
  uint32_t graph_offset;
  memcpy(&graph_offset, payload.data() + 10, sizeof(graph_offset));
  const auto* graph = flatbuffers::GetRoot<XNNGraph>(payload.data() + graph_offset);
  const auto& value = TensorOf(*graph->xvalues()->Get(value_index));
  auto* table = reinterpret_cast<flatbuffers::Table*>(const_cast<XNNTensorValue*>(&value));
  EXPECT_TRUE(table->SetField<uint32_t>(field, number, 0));
  return payload;
}

// Files.

TEST_F(DelegateErrorsTest, AMissingKeyIsNamedWithTheFilesThatWereSearched) {
  data_.erase("w");
  EXPECT_TRUE(IsError(LoadGraph(AddLinear), StatusCode::kNotFound,
                      {"broken.pte", "delegate 0", "constant 1", "key 'w'", "data.ptd"}));
}

TEST_F(DelegateErrorsTest, WithoutADataFileAMissingKeyIsNamedToo) {
  PayloadWriter payload;
  AddLinear(payload);
  auto program =
      SourceOf(MakeProgramAround(payload.Finish(), kRows, kInputs, kOutputs), "broken.pte");
  EXPECT_TRUE(IsError(LoadMethod(program, {}, cache_), StatusCode::kNotFound,
                      {"broken.pte", "key 'w'", "none was given"}));
}

TEST_F(DelegateErrorsTest, AMissingScaleKeyIsNamed) {
  data_.erase("w8.scale");
  EXPECT_TRUE(IsError(LoadInt8(InConstant(kOutputs)), StatusCode::kNotFound,
                      {"broken.pte", "key 'w8.scale'", "data.ptd"}));
}

TEST_F(DelegateErrorsTest, AMissingFileIsNamedByItsPath) {
  const TempFolder folder;
  const std::string path = folder.File("no_such.ptd");
  EXPECT_TRUE(IsError(OpenMappedFile(path.c_str()), StatusCode::kNotFound, {path, "No such file"}));
}

TEST_F(DelegateErrorsTest, AProgramThatIsCutShortIsRefusedByName) {
  const std::vector<uint8_t> whole = MakeLinearProgram({{kFloatLayer}, kRows});
  for (size_t size = 0; size < whole.size(); size += 7) {
    const Status status = Load(SourceOf({whole.data(), whole.data() + size}, "cut.pte"));
    ASSERT_TRUE(IsError(status, StatusCode::kInvalidFile, {"cut.pte"})) << size << " bytes";
  }
}

TEST_F(DelegateErrorsTest, ADataFileThatIsCutShortIsRefusedByName) {
  const std::vector<uint8_t> whole = MakeData(DataOf(kFloatLayer));
  auto program = SourceOf(MakeLinearProgram({{kFloatLayer}, kRows}), "good.pte");
  for (size_t size = 0; size < whole.size(); size += 7) {
    auto cut = SourceOf({whole.data(), whole.data() + size}, "cut.ptd");
    ASSERT_TRUE(IsError(LoadMethod(program, {cut}, cache_), StatusCode::kInvalidFile, {"cut.ptd"}))
        << size << " bytes";
  }
}

TEST_F(DelegateErrorsTest, AFileOfAnotherKindIsNamedWithBothIdentifiers) {
  const std::vector<uint8_t> program = MakeLinearProgram({{kFloatLayer}, kRows});
  const std::vector<uint8_t> data = MakeData(DataOf(kFloatLayer));
  EXPECT_TRUE(IsError(Load(SourceOf(data, "data.pte")), StatusCode::kInvalidFile,
                      {"data.pte", "FT01", "ET12"}));
  EXPECT_TRUE(
      IsError(LoadMethod(SourceOf(program, "good.pte"), {SourceOf(program, "program.ptd")}, cache_),
              StatusCode::kInvalidFile, {"program.ptd", "ET12", "FT01"}));
  const Bytes text = AsBytes("This is a text, and not a short one.");
  EXPECT_TRUE(IsError(Load(SourceOf({text.begin(), text.end()}, "text.pte")),
                      StatusCode::kInvalidFile, {"text.pte", "ET12"}));
}

TEST_F(DelegateErrorsTest, APayloadForAnotherBackendIsNamedWithTheBackendsThereAre) {
  ProgramWriter program;
  MethodPlan method;
  method.delegates = {DelegatePlan::InSegment("CoreMLBackend", program.AddSegment(AsBytes("x")))};
  method.chains = {{}};
  program.AddMethod(method);
  EXPECT_TRUE(IsError(Load(SourceOf(program.Finish(), "apple.pte")), StatusCode::kNotFound,
                      {"apple.pte", "delegate 0", "'CoreMLBackend'", "'XnnpackBackend'"}));
}

TEST_F(DelegateErrorsTest, AnUnknownPayloadIdentifierIsNamedWithTheExpectedOne) {
  for (const bool has_header : {true, false}) {
    PayloadOptions options;
    options.has_header = has_header;
    options.identifier = "XN99";
    EXPECT_TRUE(IsError(LoadGraph(AddLinear, options), StatusCode::kInvalidFile,
                        {"broken.pte", "delegate 0", "XN99", "XN01"}));
  }
}

TEST_F(DelegateErrorsTest, AnEmptyPayloadIsRefused) {
  EXPECT_TRUE(IsError(LoadPayload({}), StatusCode::kInvalidFile, {"broken.pte", "delegate 0"}));
}

// Constants and scales.

TEST_F(DelegateErrorsTest, AConstantOfAnotherSizeIsNamedWithBothSizes) {
  data_["w"].resize(kFloatSize - 4);
  EXPECT_TRUE(
      IsError(LoadGraph(AddLinear), StatusCode::kMismatch,
              {"broken.pte", "key 'w'", "data.ptd", "1020 bytes found", "1024 expected", "fp32"}));
  data_["w"].resize(kFloatSize + 4);
  EXPECT_TRUE(IsError(LoadGraph(AddLinear), StatusCode::kMismatch,
                      {"key 'w'", "1028 bytes found", "1024 expected"}));
  data_["w4"].resize(kInt4Size * 2);
  EXPECT_TRUE(IsError(LoadInt4(InConstant(kOutputs)), StatusCode::kMismatch,
                      {"key 'w4'", "256 bytes found", "128 expected", "qbint4"}));
}

TEST_F(DelegateErrorsTest, AConstantThatThePayloadCarriesIsNamedByItsNumber) {
  const auto build = [](PayloadWriter& payload) {
    const std::vector<uint8_t> short_weight(kFloatSize / 2);
    const uint32_t x = AddInput(payload);
    const uint32_t w =
        payload.AddConstant({kOutputs, kInputs}, payload.AddOwnConstant(short_weight));
    payload.AddFullyConnected(x, w, AddOutput(payload));
  };
  EXPECT_TRUE(
      IsError(LoadGraph(build), StatusCode::kMismatch,
              {"constant 1 of the payload in broken.pte", "512 bytes found", "1024 expected"}));
}

TEST_F(DelegateErrorsTest, AConstantWhoseDimsOverflowIsRefused) {
  const auto build = [](PayloadWriter& payload) {
    const uint32_t x = AddInput(payload);
    const uint32_t w = payload.AddConstant({UINT32_MAX, UINT32_MAX, UINT32_MAX},
                                           payload.AddNamedConstant("w", kFloatSize));
    payload.AddFullyConnected(x, w, AddOutput(payload));
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile, {"broken.pte", "64 bits"}));
}

TEST_F(DelegateErrorsTest, AWrongNumberOfScalesIsNamedWithTheRightOne) {
  EXPECT_TRUE(IsError(LoadInt8(InConstant(7)), StatusCode::kInvalidFile,
                      {"broken.pte", "graph value 2", "7 scales", "8 expected"}));
  EXPECT_TRUE(
      IsError(LoadInt8(Inline({1, 1, 1})), StatusCode::kInvalidFile, {"3 scales", "8 expected"}));
  EXPECT_TRUE(
      IsError(LoadInt4(InConstant(16)), StatusCode::kInvalidFile, {"16 scales", "8 expected"}));
  EXPECT_TRUE(
      IsError(LoadInt4(Inline({1, 1, 1})), StatusCode::kInvalidFile, {"3 scales", "8 expected"}));
}

TEST_F(DelegateErrorsTest, AScaleBufferOfAnotherSizeIsNamedWithBothSizes) {
  data_["w8.scale"].resize(30);
  EXPECT_TRUE(IsError(LoadInt8(InConstant(kOutputs)), StatusCode::kMismatch,
                      {"broken.pte", "key 'w8.scale' in data.ptd", "30 bytes found",
                       "8 scales of 4 bytes expected"}));
  data_["w4.scale"].resize(32);
  EXPECT_TRUE(
      IsError(LoadInt4(InConstant(kOutputs)), StatusCode::kMismatch,
              {"key 'w4.scale' in data.ptd", "32 bytes found", "8 scales of 2 bytes expected"}));
}

const float kBadScales[] = {0.0f,
                            -0.0f,
                            -1.0f,
                            std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            FLT_MIN / 2};

TEST_F(DelegateErrorsTest, InlineScalesThatAreNotPositiveAndFiniteAreRefused) {
  for (const float bad : kBadScales) {
    std::vector<float> scales(kOutputs, 1.0f);
    scales[5] = bad;
    for (const Status& status : {LoadInt8(Inline(scales)), LoadInt4(Inline(scales))}) {
      EXPECT_TRUE(IsError(status, StatusCode::kInvalidFile,
                          {"broken.pte", "graph value 2", "scale 5 is", "positive finite"}))
          << bad;
    }
  }
}

TEST_F(DelegateErrorsTest, ScalesInAFileThatAreNotPositiveAndFiniteAreRefusedByKey) {
  for (const float bad : kBadScales) {
    uint32_t bits;
    memcpy(&bits, &bad, sizeof(bits));
    const auto bfloat = static_cast<uint16_t>(bits >> 16);
    const NamedBytes good = data_;
    memcpy(data_["w8.scale"].data() + 5 * sizeof(bad), &bad, sizeof(bad));
    memcpy(data_["w4.scale"].data() + 5 * sizeof(bfloat), &bfloat, sizeof(bfloat));
    EXPECT_TRUE(IsError(LoadInt8(InConstant(kOutputs)), StatusCode::kInvalidFile,
                        {"broken.pte", "key 'w8.scale' in data.ptd", "scale 5 is"}))
        << bad;
    EXPECT_TRUE(IsError(LoadInt4(InConstant(kOutputs)), StatusCode::kInvalidFile,
                        {"broken.pte", "key 'w4.scale' in data.ptd", "scale 5 is"}))
        << bad;
    data_ = good;
  }
}

TEST_F(DelegateErrorsTest, AFloatScaleThatRoundsToInfinityIsRefused) {
  std::vector<float> scales(kOutputs, 1.0f);
  scales[5] = FLT_MAX;
  EXPECT_TRUE(IsError(LoadInt4(Inline(scales)), StatusCode::kInvalidFile, {"scale 5 is"}));
}

TEST_F(DelegateErrorsTest, AGroupSizeThatDoesNotFitIsNamedWithTheInputs) {
  for (const int32_t group : {0, -32, 16, 24, 31, 64, INT32_MIN, INT32_MAX}) {
    EXPECT_TRUE(IsError(LoadInt4(InConstant(kOutputs), group), StatusCode::kInvalidFile,
                        {"broken.pte", "graph value 2", "group size " + std::to_string(group),
                         "32 inputs", "multiple of 32"}));
  }
}

TEST_F(DelegateErrorsTest, AChannelDimOutOfRangeIsNamedWithTheRank) {
  for (const int32_t dim : {-1, 2, INT32_MIN, INT32_MAX}) {
    EXPECT_TRUE(
        IsError(LoadInt8(InConstant(kOutputs), dim), StatusCode::kInvalidFile,
                {"broken.pte", "graph value 2", "channel_dim " + std::to_string(dim), "rank 2"}));
  }
}

TEST_F(DelegateErrorsTest, AChannelDimThatTheNodeCannotUseIsRefused) {
  const Status status = LoadInt8(Inline(std::vector<float>(kInputs, 1.0f)), 1);
  EXPECT_FALSE(status.ok());
}

// Nodes and datatypes.

TEST_F(DelegateErrorsTest, AnUnsupportedDatatypeIsNamed) {
  const XNNDatatype datatypes[] = {XNNDatatype::qint8,  XNNDatatype::quint8, XNNDatatype::qint32,
                                   XNNDatatype::qcint8, XNNDatatype::qpint8, XNNDatatype::pfp32,
                                   XNNDatatype::invalid};
  for (const XNNDatatype datatype : datatypes) {
    const auto build = [&](PayloadWriter& payload) {
      const uint32_t x = AddInput(payload);
      PayloadTensor filter;
      filter.datatype = datatype;
      filter.dims = {kOutputs, kInputs};
      filter.constant = payload.AddNamedConstant("w", kFloatSize);
      const uint32_t w = payload.AddTensor(filter);
      payload.AddFullyConnected(x, w, AddOutput(payload));
    };
    EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kUnsupported,
                        {"broken.pte", "graph value 1", EnumNameXNNDatatype(datatype)}));
  }
}

TEST_F(DelegateErrorsTest, AFilterQuantizedPerTensorDoesNotSuitAnInputQuantizedPerToken) {
  const Status status = LoadQuantized([](PayloadWriter& payload) {
    PayloadTensor filter;
    filter.datatype = XNNDatatype::qint8;
    filter.dims = {kOutputs, kInputs};
    filter.constant = payload.AddNamedConstant("w8", kInt8Size);
    const auto params = wire::xnnpack::CreatePerTensorQuant(payload.builder(), 1.0f, 0).Union();
    return payload.AddQuantized(filter, wire::xnnpack::XNNQuantParams::PerTensorQuant, params);
  });
  EXPECT_TRUE(
      IsError(status, StatusCode::kUnsupported,
              {"broken.pte", "graph node 1 (XNNFullyConnected)", "qdint8 input", "qint8 filter"}));
}

TEST_F(DelegateErrorsTest, AFilterThatDoesNotSuitItsInputIsRefusedWithBothDatatypes) {
  const auto build = [](PayloadWriter& payload) {
    const uint32_t x = AddInput(payload);
    const uint32_t rounded = payload.AddDynamicInt8({kRows, kInputs});
    payload.AddConvert(x, rounded);
    payload.AddFullyConnected(rounded, AddFilter(payload), AddOutput(payload));
  };
  EXPECT_TRUE(
      IsError(LoadGraph(build), StatusCode::kUnsupported,
              {"broken.pte", "graph node 1 (XNNFullyConnected)", "qdint8 input", "fp32 filter"}));
}

TEST_F(DelegateErrorsTest, ARoundedInputWithScalesForAnotherShapeIsRefused) {
  for (const int32_t num_nonbatch_dims : {0, 2}) {
    const auto build = [&](PayloadWriter& payload) {
      const uint32_t x = AddInput(payload);
      const uint32_t rounded = payload.AddDynamicInt8({kRows, kInputs}, num_nonbatch_dims);
      const uint32_t weight = payload.AddNamedConstant("w8", kInt8Size);
      const uint32_t filter = payload.AddPerChannelInt8({kOutputs, kInputs}, weight,
                                                        Inline(std::vector<float>(kOutputs, 1.0f)));
      payload.AddConvert(x, rounded);
      payload.AddFullyConnected(rounded, filter, AddOutput(payload));
    };
    EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                        {"broken.pte", "graph node 1 (XNNFullyConnected)",
                         std::to_string(num_nonbatch_dims) + " nonbatch dims"}));
  }
}

TEST_F(DelegateErrorsTest, ABadNumberOfNonbatchDimsIsNamedWithTheRank) {
  for (const int32_t num_nonbatch_dims : {-1, 3, INT32_MIN}) {
    const auto build = [&](PayloadWriter& payload) {
      AddLinear(payload);
      payload.AddDynamicInt8({kRows, kInputs}, num_nonbatch_dims);
    };
    EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                        {"broken.pte", "graph value 3",
                         std::to_string(num_nonbatch_dims) + " nonbatch dims", "rank 2"}));
  }
}

TEST_F(DelegateErrorsTest, FlagsThatANodeDoesNotKnowAreNamed) {
  for (const uint32_t flags : {2u, 0x80u, 0xfffffffeu}) {
    const auto build = [&](PayloadWriter& payload) {
      const uint32_t x = AddInput(payload);
      const uint32_t w = AddFilter(payload);
      payload.AddFullyConnected(x, w, AddOutput(payload), PayloadWriter::kNoValue, flags);
    };
    EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kUnsupported,
                        {"broken.pte", "graph node 0 (XNNFullyConnected)", "flags 0x"}));
  }
}

// The graph is in order.

TEST_F(DelegateErrorsTest, AValueThatNothingWroteIsNamedWithItsReader) {
  const auto build = [](PayloadWriter& payload) {
    AddInput(payload);
    const uint32_t nothing = payload.AddInternal({kRows, kInputs});
    payload.AddFullyConnected(nothing, AddFilter(payload), AddOutput(payload));
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 0 (XNNFullyConnected)", "reads value 1"}));
}

TEST_F(DelegateErrorsTest, AValueThatDoesNotExistIsNamedWithItsReader) {
  const auto build = [](PayloadWriter& payload) {
    AddInput(payload);
    payload.AddFullyConnected(77, AddFilter(payload), AddOutput(payload));
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 0 (XNNFullyConnected)", "value 77"}));
}

TEST_F(DelegateErrorsTest, AValueThatIsWrittenTwiceIsNamedWithItsSecondWriter) {
  const auto build = [](PayloadWriter& payload) {
    AddLinear(payload);
    payload.AddFullyConnected(0, 1, 2);
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 1 (XNNFullyConnected)", "writes value 2"}));
}

TEST_F(DelegateErrorsTest, AnInputThatANodeWritesIsNamed) {
  const auto build = [](PayloadWriter& payload) {
    AddLinear(payload);
    payload.AddSigmoid(0, 0);
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 1 (XNNSigmoid)", "writes value 0"}));
}

TEST_F(DelegateErrorsTest, AConstantThatANodeWritesIsNamed) {
  const auto build = [](PayloadWriter& payload) {
    AddLinear(payload);
    payload.AddSigmoid(0, 1);
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 1 (XNNSigmoid)", "writes value 1"}));
}

TEST_F(DelegateErrorsTest, AnOutputThatNothingWritesIsNamed) {
  const auto build = [](PayloadWriter& payload) {
    AddLinear(payload);
    payload.AddOutput({kRows, kOutputs});
  };
  EXPECT_TRUE(
      IsError(LoadGraph(build), StatusCode::kInvalidFile, {"broken.pte", "output value 3"}));
}

TEST_F(DelegateErrorsTest, ACycleIsFoundAtItsFirstReader) {
  const auto build = [](PayloadWriter& payload) {
    AddLinear(payload);
    const uint32_t a = payload.AddInternal({kRows, kInputs});
    const uint32_t b = payload.AddInternal({kRows, kInputs});
    payload.AddSigmoid(b, a);
    payload.AddSigmoid(a, b);
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 1 (XNNSigmoid)", "reads value 4"}));
}

TEST_F(DelegateErrorsTest, ANodeThatReadsWhatItWritesIsNamed) {
  const auto build = [](PayloadWriter& payload) {
    AddLinear(payload);
    const uint32_t a = payload.AddInternal({kRows, kInputs});
    payload.AddSigmoid(a, a);
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 1 (XNNSigmoid)", "reads value 3"}));
}

TEST_F(DelegateErrorsTest, ASecondValueOfOneIdIsNamed) {
  PayloadWriter payload;
  AddLinear(payload);
  const std::vector<uint8_t> twice = WithField(payload.Finish(), 2, XNNTensorValue::VT_ID_OUT, 1);
  EXPECT_TRUE(IsError(LoadPayload(twice), StatusCode::kInvalidFile,
                      {"broken.pte", "graph value 1", "second value with id 1"}));
}

TEST_F(DelegateErrorsTest, ASecondValueOfOneExternalIdIsNamed) {
  PayloadWriter payload;
  AddLinear(payload);
  const std::vector<uint8_t> twice =
      WithField(payload.Finish(), 2, XNNTensorValue::VT_EXTERNAL_ID, 0);
  EXPECT_TRUE(IsError(LoadPayload(twice), StatusCode::kInvalidFile,
                      {"broken.pte", "graph value 2", "second value with external id 0"}));
}

TEST_F(DelegateErrorsTest, AnExternalIdOutOfRangeIsNamedWithTheirNumber) {
  for (const uint32_t id : {2u, 0x7fffffffu}) {
    PayloadWriter payload;
    AddLinear(payload);
    const std::vector<uint8_t> wrong =
        WithField(payload.Finish(), 2, XNNTensorValue::VT_EXTERNAL_ID, id);
    EXPECT_TRUE(
        IsError(LoadPayload(wrong), StatusCode::kInvalidFile,
                {"broken.pte", "graph value 2", "external id " + std::to_string(id) + " of 2"}));
  }
}

TEST_F(DelegateErrorsTest, FlagsOfAnExternalValueThatMeanNothingAreNamed) {
  for (const uint32_t flags : {3u, 4u, 0x80000001u}) {
    PayloadWriter payload;
    AddLinear(payload);
    const std::vector<uint8_t> wrong =
        WithField(payload.Finish(), 2, XNNTensorValue::VT_FLAGS, flags);
    EXPECT_TRUE(IsError(LoadPayload(wrong), StatusCode::kInvalidFile,
                        {"broken.pte", "graph value 2", "flags 0x"}));
  }
}

TEST_F(DelegateErrorsTest, FlagsOfAnInternalValueAreNamed) {
  const auto build = [](PayloadWriter& payload) {
    AddLinear(payload);
    PayloadTensor internal;
    internal.dims = {kRows, kInputs};
    internal.flags = 1;
    payload.AddTensor(internal);
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                      {"broken.pte", "graph value 3", "flags 0x1"}));
}

TEST_F(DelegateErrorsTest, AnOutputThatIsAConstantIsRefused) {
  const auto build = [](PayloadWriter& payload) {
    AddLinear(payload);
    PayloadTensor output;
    output.dims = {kOutputs, kInputs};
    output.constant = 1;
    output.external_id = 1;
    output.flags = PayloadWriter::kExternalOutput;
    payload.AddTensor(output);
  };
  EXPECT_TRUE(IsError(LoadGraph(build), StatusCode::kInvalidFile,
                      {"broken.pte", "graph value 3", "a constant too"}));
}

// Shapes.

// A linear layer of a filter and a bias of these dims.
Status LoadShapes(const std::function<Status(const std::function<void(PayloadWriter&)>&)>& load,
                  const std::vector<uint32_t>& filter, const std::vector<uint32_t>& bias) {
  return load([&](PayloadWriter& payload) {
    const auto size = [](const std::vector<uint32_t>& dims) {
      size_t bytes = sizeof(float);
      for (const uint32_t dim : dims) bytes *= dim;
      return std::vector<uint8_t>(bytes);
    };
    const uint32_t x = payload.AddInput({kRows, kInputs});
    const uint32_t w = payload.AddConstant(filter, payload.AddOwnConstant(size(filter)));
    const uint32_t b = payload.AddConstant(bias, payload.AddOwnConstant(size(bias)));
    payload.AddFullyConnected(x, w, payload.AddOutput({kRows, kOutputs}), b);
  });
}

TEST_F(DelegateErrorsTest, AFilterOfAnotherRankOrWidthThanItsInputIsNamedWithBoth) {
  const auto load = [this](const Build& build) { return LoadGraph(build); };
  EXPECT_TRUE(IsOk(LoadShapes(load, {kOutputs, kInputs}, {kOutputs})));
  EXPECT_TRUE(IsError(LoadShapes(load, {kOutputs * kInputs}, {kOutputs}), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 0", "filter of rank 1", "2"}));
  EXPECT_TRUE(IsError(LoadShapes(load, {kOutputs, 4, 8}, {kOutputs}), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 0", "filter of rank 3", "2"}));
  EXPECT_TRUE(IsError(LoadShapes(load, {kOutputs, 31}, {kOutputs}), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 0", "32 channels", "31"}));
}

TEST_F(DelegateErrorsTest, AnOutputOfAnotherRankThanItsNodeComputesIsNamedWithBoth) {
  const auto build = [](const std::vector<uint32_t>& sum, const std::vector<uint32_t>& sigmoid,
                        const std::vector<uint32_t>& linear) {
    return [=](PayloadWriter& payload) {
      const uint32_t x = AddInput(payload);
      const uint32_t sum_id = payload.AddInternal(sum);
      const uint32_t sigmoid_id = payload.AddInternal(sigmoid);
      payload.AddAdd(x, x, sum_id);
      payload.AddSigmoid(sum_id, sigmoid_id);
      payload.AddFullyConnected(sigmoid_id, AddFilter(payload), payload.AddOutput(linear));
    };
  };
  const std::vector<uint32_t> wide = {kRows, kInputs};
  EXPECT_TRUE(IsOk(LoadGraph(build(wide, wide, {kRows, kOutputs}))));
  EXPECT_TRUE(IsError(LoadGraph(build({1, kRows, kInputs}, wide, {kRows, kOutputs})),
                      StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 0 (XNNAdd)", "[1, 8, 32]", "[8, 32]"}));
  EXPECT_TRUE(IsError(LoadGraph(build(wide, wide, {kRows * kOutputs})), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 2 (XNNFullyConnected)", "[64]", "[8, 8]"}));
  // Nodes that follow do not fit then, or it is too much.
  EXPECT_TRUE(IsError(LoadGraph(build(wide, {kRows, 16}, {kRows, kOutputs})),
                      StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 2 (XNNFullyConnected)", "16 channels"}));
  EXPECT_TRUE(IsError(LoadGraph(build({1u << 30, kInputs}, wide, {kRows, kOutputs})),
                      StatusCode::kResourceExhausted, {"broken.pte", "graph value 1"}));
}

TEST_F(DelegateErrorsTest, AFilterThatIsAppliedToItselfIsComputed) {
  PayloadWriter payload;
  const uint32_t weight = payload.AddNamedConstant("w", kFloatSize);
  const uint32_t w = payload.AddConstant({kOutputs, kInputs}, weight);
  AddInput(payload);
  payload.AddFullyConnected(w, w, AddOutput(payload));
  ASSERT_TRUE(IsOk(LoadPayload(payload.Finish())));
  std::vector<float> rows(kInputs * kOutputs);
  memcpy(rows.data(), data_["w"].data(), kFloatSize);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> found,
                               RunLinear(*method_, MakeRows(kRows, kInputs), kInputs));
  EXPECT_LT(LargestDifference(found, ReferenceChain({kFloatLayer}, rows)), 1e-6f);
}

TEST_F(DelegateErrorsTest, ABiasOfAnotherShapeThanItsFilterIsNamedWithTheExpectedOne) {
  const auto load = [this](const Build& build) { return LoadGraph(build); };
  EXPECT_TRUE(IsError(LoadShapes(load, {kOutputs, kInputs}, {7}), StatusCode::kInvalidFile,
                      {"broken.pte", "graph node 0", "bias", "[8]"}));
  EXPECT_TRUE(IsError(LoadShapes(load, {kOutputs, kInputs}, {kOutputs, 1}),
                      StatusCode::kInvalidFile, {"broken.pte", "graph node 0", "[8, 1]", "[8]"}));
}

// Calls.

// A program whose delegate call passes `values` as its arguments, in their order.
class DelegateCallTest : public DelegateErrorsTest {
 protected:
  static TensorPlan At(std::vector<int32_t> sizes, uint64_t offset) {
    TensorPlan tensor;
    tensor.sizes = std::move(sizes);
    tensor.is_dynamic = true;
    tensor.place = PlannedPlace{1, offset};
    return tensor;
  }
  static TensorPlan Input() { return At({kRows, kInputs}, 0); }
  static TensorPlan Output() { return At({kRows, kOutputs}, 4096); }

  Status LoadCall(std::vector<ValuePlan> values) {
    ProgramWriter program;
    return LoadCall(program, std::move(values));
  }
  Status LoadCall(ProgramWriter& program, std::vector<ValuePlan> values) {
    PayloadWriter payload;
    AddLinear(payload);
    MethodPlan method;
    method.delegates = {
        DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(payload.Finish()))};
    DelegateCallPlan call;
    for (size_t i = 0; i < values.size(); ++i) call.arguments.push_back(static_cast<int32_t>(i));
    method.values = std::move(values);
    method.buffer_sizes = {0, 16384};
    method.chains = {{call}};
    program.AddMethod(method);
    return Load(SourceOf(program.Finish(), "call.pte"));
  }
  // The method has no inputs of its own: its tensors are zeros of their bounds.
  Status Execute() { return method_->Execute(); }
};

TEST_F(DelegateCallTest, ACallThatFitsRuns) {
  ASSERT_TRUE(IsOk(LoadCall({Input(), Output()})));
  EXPECT_TRUE(IsOk(Execute()));
}

TEST_F(DelegateCallTest, AWrongNumberOfArgumentsIsNamedWithTheRightOne) {
  ASSERT_TRUE(IsOk(LoadCall({Input()})));
  EXPECT_TRUE(IsError(Execute(), StatusCode::kMismatch,
                      {"call.pte", "instruction 0", "1 arguments", "2 expected"}));
  ASSERT_TRUE(IsOk(LoadCall({Input(), Output(), Output()})));
  EXPECT_TRUE(IsError(Execute(), StatusCode::kMismatch,
                      {"call.pte", "instruction 0", "3 arguments", "2 expected"}));
}

TEST_F(DelegateCallTest, AnArgumentOfAnotherKindIsNamed) {
  ASSERT_TRUE(IsOk(LoadCall({int64_t{5}, Output()})));
  EXPECT_TRUE(IsError(Execute(), StatusCode::kMismatch,
                      {"call.pte", "argument 0", "int given", "tensor expected"}));
  ASSERT_TRUE(IsOk(LoadCall({Input(), std::monostate()})));
  EXPECT_TRUE(
      IsError(Execute(), StatusCode::kMismatch, {"call.pte", "argument 1", "tensor expected"}));
}

TEST_F(DelegateCallTest, AnArgumentOfAnotherTypeIsNamedWithBoth) {
  TensorPlan input = Input();
  input.scalar_type = ScalarType::kInt;
  ASSERT_TRUE(IsOk(LoadCall({input, Output()})));
  EXPECT_TRUE(IsError(Execute(), StatusCode::kMismatch,
                      {"call.pte", "argument 0", "int32 [8, 32] given", "fp32 of rank 2"}));
}

TEST_F(DelegateCallTest, AnArgumentOfAnotherRankIsNamedWithBoth) {
  ASSERT_TRUE(IsOk(LoadCall({At({kRows * kInputs}, 0), Output()})));
  EXPECT_TRUE(IsError(Execute(), StatusCode::kMismatch,
                      {"call.pte", "argument 0", "[256] given", "rank 2"}));
  ASSERT_TRUE(IsOk(LoadCall({Input(), At({1, kRows, kOutputs}, 4096)})));
  EXPECT_TRUE(IsError(Execute(), StatusCode::kMismatch,
                      {"call.pte", "argument 1", "[1, 8, 8] given", "rank 2"}));
}

TEST_F(DelegateCallTest, AnInputAboveTheGraphsBoundIsNamedWithIt) {
  ASSERT_TRUE(IsOk(LoadCall({At({kRows + 1, kInputs}, 0), Output()})));
  EXPECT_TRUE(IsError(Execute(), StatusCode::kMismatch,
                      {"call.pte", "argument 0", "[9, 32] given", "at most 8", "dimension 0"}));
}

TEST_F(DelegateCallTest, AnOutputTooSmallForWhatIsComputedIsNamedWithBoth) {
  ASSERT_TRUE(IsOk(LoadCall({Input(), At({4, kOutputs}, 4096)})));
  EXPECT_TRUE(IsError(Execute(), StatusCode::kInvalidArgument,
                      {"call.pte", "output 1", "[8, 8]", "[4, 8]"}));
}

TEST_F(DelegateCallTest, AnOutputThatIsAConstantOfTheProgramIsRefused) {
  ProgramWriter program;
  const std::vector<float> zeros(kRows * kOutputs);
  TensorPlan output;
  output.sizes = {kRows, kOutputs};
  output.data_buffer_idx = program.AddConstant(AsBytes(zeros));
  ASSERT_TRUE(IsOk(LoadCall(program, {Input(), output})));
  EXPECT_TRUE(IsError(Execute(), StatusCode::kMismatch,
                      {"call.pte", "argument 1", "a constant of the program"}));
}

TEST_F(DelegateErrorsTest, AMethodRunsAgainAfterACallThatWasRefused) {
  ASSERT_TRUE(IsOk(LoadGraph(AddLinear)));
  ASSERT_TRUE(IsOk(Run()));
  EXPECT_TRUE(IsError(Run(kRows + 1), StatusCode::kInvalidArgument, {"broken.pte", "input 0"}));
  EXPECT_TRUE(IsOk(Run(3)));
}

// Damage.

TEST_F(DelegateErrorsTest, ADamagedByteAnywhereInAPayloadIsRefusedOrHarmless) {
  const std::vector<LinearLayer> layers[] = {{kFloatLayer}, {kInt8Layer}, {kInt4Layer}};
  for (const auto& chain : layers) {
    PayloadWriter writer;
    const uint32_t x = AddInput(writer);
    AddLinearLayer(writer, chain[0], kRows, x, AddOutput(writer));
    const std::vector<uint8_t> good = writer.Finish();
    size_t loaded = 0;
    for (size_t i = 0; i < good.size(); ++i) {
      for (const int flip : {0x01, 0x02, 0x04, 0x80, 0xff}) {
        std::vector<uint8_t> damaged = good;
        damaged[i] = static_cast<uint8_t>(damaged[i] ^ flip);
        SCOPED_TRACE(chain[0].key + ": byte " + std::to_string(i) + " ^ " + std::to_string(flip));
        method_ = nullptr;
        Status status = LoadPayload(damaged);
        if (status.ok()) {
          ++loaded;
          status = Run();
        }
        // Whatever the reason is, it names the program.
        if (!status.ok()) {
          ASSERT_NE(std::string(status.message()).find("broken.pte"), std::string::npos);
        }
      }
    }
    // Names in the graph, debug handles, alignment: most damage must still be found.
    EXPECT_GT(loaded, 0u);
    EXPECT_LT(loaded, good.size() * 5 / 2);
  }
}

}  // namespace
}  // namespace onepack
