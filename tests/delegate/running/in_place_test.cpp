// Whole methods whose linear layers run over weights as the files have them: their answers beside
// those over packed weights, what programs share, and what may happen to the files.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthreadpool.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/small_floats.h"
#include "tests/support/child_process.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/graph_program.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

// Newer XNNPACKs quantize a few activations to the integer next to ours, where two are about as
// near.
#ifdef ONEPACK_EXECUTORCH_XNNPACK
constexpr float kRoundingStep = 1e-2f;
#else
constexpr float kRoundingStep = 0;
#endif

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNQuantParams;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct PoolDeleter {
  void operator()(pthreadpool* pool) const { pthreadpool_destroy(pool); }
};
using Pool = std::unique_ptr<pthreadpool, PoolDeleter>;

float LargestOf(const std::vector<float>& numbers) {
  return LargestDifference(numbers, std::vector<float>(numbers.size()));
}

LoadOptions With(LinearLayout layout, pthreadpool* pool = nullptr) {
  LoadOptions options;
  options.linears = layout;
  options.threadpool = pool;
  return options;
}

// The same bits, also of what is no number.
std::vector<uint32_t> BitsOf(const std::vector<float>& numbers) {
  std::vector<uint32_t> bits;
  for (const float number : numbers) bits.push_back(BitsOfFloat(number));
  return bits;
}

// Answers.

class ChainTest : public testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Seeds, ChainTest, testing::Range(0, 12));

// Where a sum is rounded in another way, an input of the next layer may be the next integer.
TEST_P(ChainTest, GivesWhatPackedWeightsGiveForAnyRowsAndOnThreadsTheSameBits) {
  constexpr uint32_t kMaxRows = 40;
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  const auto below = [&](uint32_t limit) { return static_cast<uint32_t>(random()) % limit; };
  LinearProgram program;
  program.max_rows = kMaxRows;
  program.delegate_per_layer = below(3) == 0;
  uint32_t width = kInt4Group * (1 + below(6));
  for (uint32_t i = 0, layers = 1 + below(4); i < layers; ++i) {
    const auto kind = static_cast<WeightKind>(below(3));
    const uint32_t outputs = kInt4Group * (1 + below(6));
    program.layers.push_back({"w" + std::to_string(i), width, outputs, kind, below(1000)});
    width = outputs;
  }
  const Ref<DataSource> source = SourceOf(MakeLinearProgram(program), "chain.pte");
  const Ref<DataSource> data = SourceOf(MakeData(DataOf(program.layers)), "chain.ptd");
  const Pool pool(pthreadpool_create(2));
  const auto load = [&](LinearLayout layout, pthreadpool* threads) {
    return LoadMethod(source, {data}, nullptr, With(layout, threads));
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> packed, load(LinearLayout::kPacked, nullptr));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> alone, load(LinearLayout::kInPlace, nullptr));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> threads, load(LinearLayout::kInPlace, pool.get()));
  const uint32_t inputs = program.layers.front().inputs;
  const float tolerance = program.layers.size() == 1 ? 1e-5f : 0.02f;
  for (const uint32_t rows : {1u, kMaxRows, 1 + below(kMaxRows), 2u, 1 + below(kMaxRows), 1u}) {
    SCOPED_TRACE(rows);
    const std::vector<float> x = MakeRows(rows, inputs);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto expected, RunLinear(*packed, x, inputs));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunLinear(*alone, x, inputs));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto on_threads, RunLinear(*threads, x, inputs));
    EXPECT_LE(LargestDifference(found, expected),
              (tolerance + kRoundingStep) * LargestOf(expected));
    EXPECT_EQ(BitsOf(on_threads), BitsOf(found));
  }
}

// One layer of each kind of weights, with a bias of each width and a clamp.

struct Kind {
  XNNDatatype filter;
  XNNDatatype bias = XNNDatatype::invalid;  // none
  PayloadWriter::OutputRange range = {};
  uint32_t inputs = 64;
  uint32_t outputs = 33;
};

bool IsInteger(XNNDatatype datatype) {
  return datatype == XNNDatatype::qcint8 || datatype == XNNDatatype::qcint4 ||
         datatype == XNNDatatype::qbint4;
}

std::vector<uint8_t> BytesOf(XNNDatatype datatype, const std::vector<float>& numbers) {
  const Bytes bytes = AsBytes(numbers);
  if (datatype == XNNDatatype::fp32) return {bytes.begin(), bytes.end()};
  const auto halves = datatype == XNNDatatype::fp16 ? HalfBits(numbers) : BfloatBits(numbers);
  return {AsBytes(halves).begin(), AsBytes(halves).end()};
}

uint32_t AddFilter(PayloadWriter& payload, const Kind& kind) {
  PayloadTensor tensor;
  tensor.datatype = kind.filter;
  tensor.dims = {kind.outputs, kind.inputs};
  const size_t count = size_t{kind.outputs} * kind.inputs;
  if (!IsInteger(kind.filter)) {
    tensor.constant = payload.AddOwnConstant(BytesOf(kind.filter, Mixed(count, 2)));
    return payload.AddTensor(tensor);
  }
  const bool is_int8 = kind.filter == XNNDatatype::qcint8;
  std::vector<uint8_t> bytes(size_t{kind.outputs} *
                             (is_int8 ? kind.inputs : (kind.inputs + 1) / 2));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 89 + i / 7);
  const uint32_t constant = payload.AddOwnConstant(bytes);
  PayloadScales scales;
  const uint32_t blocks = kind.filter == XNNDatatype::qbint4 ? kind.inputs / kInt4Group : 1;
  for (uint32_t i = 0; i < kind.outputs * blocks; ++i) {
    scales.inline_scales.push_back(static_cast<float>(i % 5 + 1) / 256);
  }
  if (is_int8) return payload.AddPerChannelInt8(tensor.dims, constant, scales);
  if (blocks > 1) return payload.AddBlockwiseInt4(tensor.dims, constant, scales, kInt4Group);
  tensor.constant = constant;
  return payload.AddQuantized(
      tensor, XNNQuantParams::PerChannelQuant,
      wire::xnnpack::CreatePerChannelQuantDirect(payload.builder(), &scales.inline_scales, 0)
          .Union());
}

Result<GraphProgram> LoadOne(const Kind& kind, uint32_t rows, LinearLayout layout) {
  PayloadWriter payload;
  uint32_t x = payload.AddInput({rows, kind.inputs});
  const uint32_t y = payload.AddOutput({rows, kind.outputs});
  if (IsInteger(kind.filter)) {
    const uint32_t rounded = payload.AddDynamicInt8({rows, kind.inputs});
    payload.AddConvert(x, rounded);
    x = rounded;
  }
  uint32_t bias = PayloadWriter::kNoValue;
  if (kind.bias != XNNDatatype::invalid) {
    PayloadTensor tensor;
    tensor.datatype = kind.bias;
    tensor.dims = {kind.outputs};
    tensor.constant = payload.AddOwnConstant(BytesOf(kind.bias, Mixed(kind.outputs, 3)));
    bias = payload.AddTensor(tensor);
  }
  payload.AddFullyConnected(x, AddFilter(payload, kind), y, bias, 0, kind.range);
  XnnpackBackendOptions options;
  options.linears = layout;
  GraphProgram::Options load;
  ONEPACK_ASSIGN_OR_RETURN(load.backend, CreateXnnpackBackend(options));
  const auto border = [&](uint32_t width) {
    return std::vector<int32_t>{static_cast<int32_t>(rows), static_cast<int32_t>(width)};
  };
  return GraphProgram::Load(payload, {Input(border(kind.inputs)), Output(border(kind.outputs))},
                            load);
}

Result<std::vector<float>> RunOne(const GraphProgram& program, const Kind& kind,
                                  const std::vector<float>& x) {
  const auto rows = static_cast<int32_t>(x.size() / kind.inputs);
  ONEPACK_ASSIGN_OR_RETURN(const auto found,
                           program.Run({Floats({rows, static_cast<int32_t>(kind.inputs)}, x)}));
  return FloatsOf(found[0]);
}

constexpr uint32_t kFewOutputs = 5;

std::vector<Kind> AllKinds() {
  constexpr auto k32 = XNNDatatype::fp32, k16 = XNNDatatype::fp16, kB16 = XNNDatatype::bf16;
  std::vector<Kind> kinds;
  for (const XNNDatatype filter :
       {k32, k16, kB16, XNNDatatype::qcint8, XNNDatatype::qcint4, XNNDatatype::qbint4}) {
    kinds.push_back({filter});
    for (const XNNDatatype bias : {k32, k16, kB16}) kinds.push_back({filter, bias});
    kinds.push_back({filter, k32, {{-0.5f, 0.75f}}});
    kinds.push_back({filter, XNNDatatype::invalid, {{0.0f, kInfinity}}});
    if (filter != XNNDatatype::qbint4) {
      kinds.push_back({filter, k32, {}, 37});
      kinds.push_back({filter, k32, {}, 37, kFewOutputs});
    }
  }
  return kinds;
}

std::string NameOf(const Kind& kind) {
  return std::string(EnumNameXNNDatatype(kind.filter)) + " with " + EnumNameXNNDatatype(kind.bias) +
         (kind.range ? ", clamped, " : ", ") + std::to_string(kind.inputs) + " inputs";
}

TEST(OneLinearTest, OfAnyWeightsWithBiasAndClampGivesWhatThePackedOneGives) {
  constexpr uint32_t kRows = 40;
  for (const Kind& kind : AllKinds()) {
    SCOPED_TRACE(NameOf(kind));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram packed,
                                 LoadOne(kind, kRows, LinearLayout::kPacked));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram in_place,
                                 LoadOne(kind, kRows, LinearLayout::kInPlace));
    for (const uint32_t rows : {3u, kRows, 1u, 17u}) {
      const std::vector<float> x = Mixed(rows * kind.inputs, rows);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto expected, RunOne(packed, kind, x));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne(in_place, kind, x));
      EXPECT_LE(LargestDifference(found, expected), 1e-5f * std::max(1.0f, LargestOf(expected)));
      if (kind.range) {
        const auto [min, max] = std::minmax_element(found.begin(), found.end());
        EXPECT_EQ(*min, kind.range->first) << "nothing was clamped";
        EXPECT_LE(*max, kind.range->second);
      }
    }
  }
}

// Empty for rows of equal numbers, up to the rounding of sums.
std::string DifferenceOf(const std::vector<float>& found, const std::vector<float>& expected) {
  float largest = 0;
  for (const float number : expected) {
    if (std::isfinite(number)) largest = std::max(largest, std::fabs(number));
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    const bool is_same =
        std::isfinite(expected[i])
            ? std::fabs(found[i] - expected[i]) <= 1e-5f * largest
            : found[i] == expected[i] || (std::isnan(found[i]) && std::isnan(expected[i]));
    if (is_same) continue;
    return std::to_string(i) + ": " + std::to_string(found[i]) + " in place, " +
           std::to_string(expected[i]) + " packed";
  }
  return "";
}

// What XNNPACK makes of them: a number, an infinity or no number.
TEST(OneLinearTest, OfExtremeRowsGivesWhatThePackedOneGives) {
  if (kRoundingStep > 0) GTEST_SKIP() << "this XNNPACK takes NaN otherwise";
  constexpr uint32_t kRows = 9;
  for (const Kind& kind : AllKinds()) {
    // XNNPACK's kernels for so few outputs clamp NaN to infinity; its others keep it, as ours do.
    if (kind.outputs == kFewOutputs) continue;
    SCOPED_TRACE(NameOf(kind));
    std::vector<float> x = Mixed(kRows * kind.inputs, 5);
    const auto row = [&](size_t number) { return x.data() + number * kind.inputs; };
    row(0)[3] = kNan;
    row(1)[kind.inputs - 1] = kInfinity;
    row(2)[0] = -kInfinity;
    std::fill_n(row(3), kind.inputs, 0.0f);
    for (size_t i = 0; i < kind.inputs; ++i) row(4)[i] *= 1e-30f;
    for (size_t i = 0; i < kind.inputs; ++i) row(5)[i] *= 1e36f;
    std::fill_n(row(6), kind.inputs, 1.0f);
    std::fill_n(row(7), kind.inputs, -0.0f);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram packed,
                                 LoadOne(kind, kRows, LinearLayout::kPacked));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram in_place,
                                 LoadOne(kind, kRows, LinearLayout::kInPlace));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto expected, RunOne(packed, kind, x));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne(in_place, kind, x));
    for (size_t m = 0; m < kRows; ++m) {
      const auto of_row = [&](const std::vector<float>& y) {
        const auto begin = y.begin() + static_cast<ptrdiff_t>(m * kind.outputs);
        return std::vector<float>(begin, begin + kind.outputs);
      };
      EXPECT_EQ(DifferenceOf(of_row(found), of_row(expected)), "") << "row " << m;
    }
  }
}

// Of them XNNPACK makes zeros.
TEST(OneLinearTest, OfNumbersTooSmallForAFullMantissaGivesWhatThePackedOneGives) {
  constexpr uint32_t kRows = 9;
  for (const Kind& kind : AllKinds()) {
    if (IsInteger(kind.filter)) continue;
    SCOPED_TRACE(NameOf(kind));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram packed,
                                 LoadOne(kind, kRows, LinearLayout::kPacked));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram in_place,
                                 LoadOne(kind, kRows, LinearLayout::kInPlace));
    constexpr float kSmall = std::numeric_limits<float>::min() / 8;
    for (const uint32_t rows : {1u, kRows}) {
      std::vector<float> x = Mixed(rows * kind.inputs, rows);
      for (float& number : x) number = number < 0 ? -kSmall : kSmall;
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto expected, RunOne(packed, kind, x));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne(in_place, kind, x));
      EXPECT_EQ(found, expected);
      if (kind.bias != XNNDatatype::invalid) continue;
      EXPECT_EQ(found, std::vector<float>(found.size()));
    }
  }
}

// Programs over files.

class InPlaceFilesTest : public testing::Test {
 protected:
  static constexpr uint32_t kWidth = 64;

  // One structure, whatever the seed.
  static LinearProgram Program(uint64_t seed = 1) {
    LinearProgram program;
    program.layers = {{"a", kWidth, kWidth, WeightKind::kInt4, seed},
                      {"b", kWidth, kWidth, WeightKind::kInt8, seed + 10},
                      {"c", kWidth, kWidth, WeightKind::kFloat, seed + 20}};
    return program;
  }
  static std::vector<uint8_t> Data(uint64_t seed = 1) {
    return MakeData(DataOf(Program(seed).layers));
  }
  static uint64_t RawBytes() {
    uint64_t bytes = 0;
    for (const auto& [key, data] : DataOf(Program().layers)) {
      if (key.find(".scale") == std::string::npos) bytes += data.size();
    }
    return bytes;
  }

  std::string Write(const char* name, uint64_t seed = 1) {
    WriteFile(folder_.File(name), Data(seed));
    return folder_.File(name);
  }

  Result<Ref<Method>> Load(const std::string& path,
                           const LoadOptions& options = With(LinearLayout::kInPlace)) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> data, OpenMappedFile(path.c_str()));
    return LoadMethod(SourceOf(MakeLinearProgram(Program()), "model.pte"), {data}, cache_, options);
  }

  static std::vector<float> Answer(Method& method, uint32_t rows = 3) {
    auto output = RunLinear(method, MakeRows(rows, kWidth), kWidth);
    EXPECT_TRUE(IsOk(output));
    return output.ok() ? *output : std::vector<float>();
  }
  // Of a program that shares nothing, in place.
  static std::vector<float> Expected(uint64_t seed = 1, uint32_t rows = 3) {
    auto method =
        LoadMethod(SourceOf(MakeLinearProgram(Program()), "model.pte"),
                   {SourceOf(Data(seed), "model.ptd")}, nullptr, With(LinearLayout::kInPlace));
    EXPECT_TRUE(IsOk(method));
    return method.ok() ? Answer(**method, rows) : std::vector<float>();
  }

  // Of programs that share runtimes.
  LoadOptions OneBackend(LinearLayout layout) {
    XnnpackBackendOptions options;
    options.weight_cache = cache_;
    options.linears = layout;
    LoadOptions load;
    auto backend = CreateXnnpackBackend(options);
    EXPECT_TRUE(IsOk(backend));
    load.backend = *backend;
    return load;
  }

  void ExpectNothingLeft() const { ExpectNothingIn(*cache_); }

  const TempFolder folder_;
  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
};

TEST_F(InPlaceFilesTest, ASecondProgramOverAFileAddsNothing) {
  const std::string path = Write("data.ptd");
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(path));
    const WeightCacheStats before = cache_->Stats();
    EXPECT_EQ(before.entries, 3u);
    EXPECT_GE(before.in_place_bytes, RawBytes());
    // Sums of two layers.
    EXPECT_LE(before.bytes, 2 * kWidth * sizeof(float) + 1);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(path));
    const WeightCacheStats after = cache_->Stats();
    EXPECT_EQ(after.entries, before.entries);
    EXPECT_EQ(after.bytes, before.bytes);
    EXPECT_EQ(after.in_place_bytes, before.in_place_bytes);
    EXPECT_EQ(after.packed_bytes, before.packed_bytes);
    EXPECT_EQ(after.hits, 3u);
    EXPECT_EQ(Answer(*first), Expected());
    EXPECT_EQ(Answer(*second), Expected());
  }
  ExpectNothingLeft();
}

TEST_F(InPlaceFilesTest, FilesOfEqualBytesShareAndOthersDoNot) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(Write("first.ptd", 1)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> equal, Load(Write("equal.ptd", 1)));
  EXPECT_EQ(cache_->Stats().entries, 3u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> other, Load(Write("other.ptd", 2)));
  EXPECT_EQ(cache_->Stats().entries, 6u);
  ASSERT_NE(Expected(1), Expected(2));
  EXPECT_EQ(Answer(*first), Expected(1));
  EXPECT_EQ(Answer(*other), Expected(2));
  EXPECT_EQ(Answer(*equal), Expected(1));
}

TEST_F(InPlaceFilesTest, AProgramOutlivesTheOneAndTheFilesThatItsWeightsCameWith) {
  const std::string first_path = Write("first.ptd"), second_path = Write("second.ptd");
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, Load(first_path));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(second_path));
  EXPECT_EQ(cache_->Stats().entries, 3u);
  first = nullptr;
  ASSERT_EQ(unlink(first_path.c_str()), 0);
  ASSERT_EQ(unlink(second_path.c_str()), 0);
  EXPECT_EQ(Answer(*second), Expected());
}

TEST_F(InPlaceFilesTest, WeightsMayStandAtAnyAddress) {
  for (const uint64_t offset : {1, 2, 3, 7}) {
    std::vector<uint8_t> bytes(offset, 0xee);
    const std::vector<uint8_t> data = Data();
    bytes.insert(bytes.end(), data.begin(), data.end());
    const std::string path = folder_.File("odd" + std::to_string(offset));
    WriteFile(path, bytes);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source,
                                 OpenMappedFilePart(path.c_str(), {offset, data.size()}));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                                 LoadMethod(SourceOf(MakeLinearProgram(Program()), "model.pte"),
                                            {source}, nullptr, With(LinearLayout::kInPlace)));
    EXPECT_EQ(Answer(*method), Expected());
  }
}

TEST_F(InPlaceFilesTest, ProgramsInPlaceAndPackedHaveEntriesOfTheirOwnInOneCache) {
  const std::string path = Write("data.ptd");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> packed, Load(path, With(LinearLayout::kPacked)));
  const std::vector<float> expected = Answer(*packed);
  const WeightCacheStats before = cache_->Stats();
  EXPECT_EQ(before.in_place_bytes, 0u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> in_place, Load(path));
  EXPECT_EQ(cache_->Stats().entries, 2 * before.entries);
  EXPECT_EQ(cache_->Stats().misses.other_layout, 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Answer(*packed), expected);
    EXPECT_EQ(Answer(*in_place), Expected());
  }
  EXPECT_LE(LargestDifference(Expected(), expected), 0.02f * LargestOf(expected));
  in_place = nullptr;
  EXPECT_EQ(cache_->Stats().entries, before.entries);
  EXPECT_EQ(cache_->Stats().bytes, before.bytes);
  EXPECT_EQ(cache_->Stats().in_place_bytes, 0u);
}

TEST_F(InPlaceFilesTest, ProgramsOfOneStructureGiveTheirOwnAnswersInThreadsAtOneTime) {
  const LoadOptions options = OneBackend(LinearLayout::kInPlace);
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, Load(Write("first.ptd", 1), options));
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> second, Load(Write("second.ptd", 2), options));
  const Ref<Method> methods[] = {first, second};
  RunInThreads(2, [&](int i) {
    const auto seed = static_cast<uint64_t>(i) + 1;
    for (uint32_t run = 0; run < 40; ++run) {
      const uint32_t rows = 1 + run % 3;
      EXPECT_EQ(Answer(*methods[i], rows), Expected(seed, rows));
    }
  });
}

TEST_F(InPlaceFilesTest, TheListenerIsToldOfAllBytesAndMayCancel) {
  const std::string path = Write("data.ptd");
  LoadProgress last{};
  LoadOptions options = With(LinearLayout::kInPlace);
  options.on_progress = [&](const LoadProgress& progress) {
    last = progress;
    return true;
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, Load(path, options));
  EXPECT_EQ(last.expected_bytes, RawBytes());
  EXPECT_EQ(last.served_bytes, RawBytes());
  last = LoadProgress{};
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> second, Load(path, options));
  EXPECT_EQ(last.served_bytes, RawBytes());
  first = nullptr;
  second = nullptr;
  options.on_progress = [](const LoadProgress&) { return false; };
  EXPECT_TRUE(IsError(Load(path, options), StatusCode::kCancelled));
  options.on_progress = [](const LoadProgress& progress) {
    return progress.served_bytes < progress.expected_bytes;
  };
  EXPECT_TRUE(IsError(Load(path, options), StatusCode::kCancelled));
  ExpectNothingLeft();
}

// In memory of the application's, which takes it back when it has closed the program over it.
TEST_F(InPlaceFilesTest, AProgramNeverReadsTheMemoryThatAnotherOfEqualWeightsWasLoadedFrom) {
  for (const bool record_hashes : {false, true}) {
    WeightCacheOptions options;
    options.record_hashes = record_hashes;
    const auto cache = PackedWeightCache::Create(options);
    const auto load = [&](const Ref<DataSource>& data) {
      return LoadMethod(SourceOf(MakeLinearProgram(Program()), "model.pte"), {data}, cache,
                        With(LinearLayout::kInPlace));
    };
    const auto load_from = [&](const std::vector<uint8_t>& bytes) -> Result<Ref<Method>> {
      ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> data, WrapMemory(bytes, "memory"));
      return load(data);
    };
    std::vector<uint8_t> first_bytes = Data();
    const std::vector<uint8_t> second_bytes = Data(), third_bytes = Data();
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, load_from(first_bytes));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, load_from(second_bytes));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> file,
                                 OpenMappedFile(Write("data.ptd").c_str()));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> mapped, load(file));
    EXPECT_EQ(cache->Stats().entries, 9u);
    EXPECT_EQ(Answer(*first), Expected());
    first = nullptr;
    std::fill(first_bytes.begin(), first_bytes.end(), uint8_t{0xff});
    first_bytes = std::vector<uint8_t>();
    EXPECT_EQ(Answer(*second), Expected());
    EXPECT_EQ(Answer(*mapped), Expected());
    // Found by what it holds, if at all.
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> third, load_from(third_bytes));
    EXPECT_EQ(Answer(*third), Expected());
    EXPECT_EQ(cache->Stats().entries, 9u);
  }
}

TEST_F(InPlaceFilesTest, ProgramsOverOneSourceOfTheApplicationsMemoryShareItsEntries) {
  const std::vector<uint8_t> bytes = Data();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> data, WrapMemory(bytes, "memory"));
  const auto load = [&] {
    return LoadMethod(SourceOf(MakeLinearProgram(Program()), "model.pte"), {data}, cache_,
                      With(LinearLayout::kInPlace));
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, load());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, load());
  EXPECT_EQ(cache_->Stats().entries, 3u);
  EXPECT_EQ(cache_->Stats().hits, 3u);
  first = nullptr;
  EXPECT_EQ(Answer(*second), Expected());
}

// Overwrites the file; its inode stays, its times move.
void Rewrite(const std::string& path, Bytes bytes) {
  const int file = open(path.c_str(), O_WRONLY);
  ASSERT_GE(file, 0);
  ASSERT_EQ(pwrite(file, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  // Whatever the clock of the file system counts in.
  struct stat info;
  ASSERT_EQ(fstat(file, &info), 0);
  const timespec times[] = {info.st_atim, {info.st_mtim.tv_sec + 10, 0}};
  ASSERT_EQ(futimens(file, times), 0);
  close(file);
}

TEST_F(InPlaceFilesTest, AFileThatWasRewrittenInPlaceIsRefusedWhileAProgramRunsOverIt) {
  const std::string path = Write("data.ptd", 1);
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, Load(path));
  Rewrite(path, Data(2));
  const WeightCacheStats before = cache_->Stats();
  EXPECT_TRUE(IsError(Load(path), StatusCode::kFailedPrecondition, {path, "rewritten"}));
  EXPECT_EQ(cache_->Stats().pins, before.pins);
  EXPECT_EQ(cache_->Stats().entries, before.entries);
  // With what used it gone, it is a file like any other.
  first = nullptr;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(path));
  EXPECT_EQ(Answer(*second), Expected(2));
}

TEST_F(InPlaceFilesTest, ScalesThatAreReadIntoMemoryAreNotCountedAsInPlace) {
  NamedBytes kernels, scales;
  size_t kernel_bytes = 0, scale_bytes = 0;
  for (const auto& [key, bytes] : DataOf(Program().layers)) {
    const bool is_scale = key.find(".scale") != std::string::npos;
    (is_scale ? scales : kernels)[key] = bytes;
    (is_scale ? scale_bytes : kernel_bytes) += bytes.size();
  }
  WriteFile(folder_.File("kernels.ptd"), MakeData(kernels));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> file,
                               OpenMappedFile(folder_.File("kernels.ptd").c_str()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                               LoadMethod(SourceOf(MakeLinearProgram(Program()), "model.pte"),
                                          {file, SourceOf(MakeData(scales), "scales.ptd")}, cache_,
                                          With(LinearLayout::kInPlace)));
  EXPECT_EQ(cache_->Stats().in_place_bytes, kernel_bytes);
  EXPECT_EQ(cache_->Stats().copied_bytes, scale_bytes);
  EXPECT_EQ(Answer(*method), Expected());
}

// The sums of weights depend on them, too.
TEST_F(InPlaceFilesTest, SoIsAFileOfScalesThatWasRewritten) {
  NamedBytes kernels, scales, others;
  for (const auto& [key, bytes] : DataOf(Program().layers)) {
    const bool is_scale = key.find(".scale") != std::string::npos;
    (is_scale ? scales : kernels)[key] = bytes;
    if (is_scale) others[key] = bytes;
  }
  for (auto& [key, bytes] : others) {  // other powers of two
    const size_t size = key[0] == 'a' ? 2 : 4;
    for (size_t i = 0; i < bytes.size(); i += size) bytes[i + size - 2] ^= 0x80;
  }
  const std::string kernel_path = folder_.File("kernels.ptd"), path = folder_.File("scales.ptd");
  WriteFile(kernel_path, MakeData(kernels));
  WriteFile(path, MakeData(scales));
  const auto load = [&]() -> Result<Ref<Method>> {
    ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> kernel, OpenMappedFile(kernel_path.c_str()));
    ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> scale, OpenMappedFile(path.c_str()));
    return LoadMethod(SourceOf(MakeLinearProgram(Program()), "model.pte"), {kernel, scale}, cache_,
                      With(LinearLayout::kInPlace));
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, load());
  EXPECT_TRUE(IsOk(load()));
  Rewrite(path, MakeData(others));
  EXPECT_TRUE(IsError(load(), StatusCode::kFailedPrecondition, {path, "rewritten"}));
}

TEST_F(InPlaceFilesTest, AFileThatOnlyGotAnotherNameIsNotRefused) {
  const std::string path = Write("data.ptd", 1), moved = folder_.File("moved.ptd");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(path));
  ASSERT_EQ(rename(path.c_str(), moved.c_str()), 0);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(moved));
  EXPECT_EQ(cache_->Stats().entries, 3u);
  EXPECT_EQ(Answer(*second), Expected(1));
}

TEST_F(InPlaceFilesTest, AFileThatWasReplacedIsLoadedBesideTheOldOne) {
  const std::string path = Write("data.ptd", 1);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(path));
  const std::string other = Write("new.ptd", 2);
  ASSERT_EQ(rename(other.c_str(), path.c_str()), 0);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(path));
  EXPECT_EQ(cache_->Stats().entries, 6u);
  EXPECT_EQ(Answer(*first), Expected(1));
  EXPECT_EQ(Answer(*second), Expected(2));
}

TEST_F(InPlaceFilesTest, AChildProcessRunsLoadsAndCloses) {
  const std::string path = Write("data.ptd");
  const LoadOptions options = OneBackend(LinearLayout::kInPlace);
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, Load(path, options));
  const std::vector<float> expected = Expected();
  EXPECT_EQ(ExitStatusOfChild([&] {
              if (Answer(*method) != expected) return false;
              auto second = Load(path, options);
              if (!second.ok() || Answer(**second) != expected) return false;
              method = nullptr;
              return Answer(**second) == expected;
            }),
            0);
  EXPECT_EQ(Answer(*method), expected);
}

// Beside what XNNPACK runs: y = sigmoid(w1 x) * (w2 sigmoid(x)) + x.
TEST(MixedStagesTest, GiveWhatOneStageOfXnnpackGivesWhateverTheRows) {
  constexpr uint32_t kWidth = 64, kRows = 40;
  const LinearLayer layers[] = {{"w1", kWidth, kWidth, WeightKind::kInt4, 1},
                                {"w2", kWidth, kWidth, WeightKind::kInt8, 2}};
  const auto load = [&](LinearLayout layout, pthreadpool* pool) {
    PayloadWriter payload;
    const std::vector<uint32_t> dims = {kRows, kWidth};
    const uint32_t x = payload.AddInput(dims), y = payload.AddOutput(dims);
    const uint32_t a = payload.AddInternal(dims), gate = payload.AddInternal(dims);
    const uint32_t s = payload.AddInternal(dims), b = payload.AddInternal(dims);
    const uint32_t product = payload.AddInternal(dims);
    AddLinearLayer(payload, layers[0], kRows, x, a);
    payload.AddSigmoid(a, gate);
    payload.AddSigmoid(x, s);
    AddLinearLayer(payload, layers[1], kRows, s, b);
    payload.AddMultiply(gate, b, product);
    payload.AddAdd(product, x, y);
    const std::vector<uint8_t> bytes = payload.Finish();
    return LoadMethod(SourceOf(MakeProgramAround(bytes, kRows, kWidth, kWidth), "model.pte"),
                      {SourceOf(MakeData(DataOf({layers[0], layers[1]})), "model.ptd")}, nullptr,
                      With(layout, pool));
  };
  const Pool pool(pthreadpool_create(2));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> packed, load(LinearLayout::kPacked, nullptr));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> alone, load(LinearLayout::kInPlace, nullptr));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> threads, load(LinearLayout::kInPlace, pool.get()));
  for (uint32_t i = 0; i < 60; ++i) {
    const uint32_t rows = 1 + i * 17 % kRows;
    const std::vector<float> x = MakeRows(rows, kWidth);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto expected, RunLinear(*packed, x, kWidth));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunLinear(*alone, x, kWidth));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto on_threads, RunLinear(*threads, x, kWidth));
    // The second input is rounded from what two functions of XNNPACK's compute in one way.
    ASSERT_LE(LargestDifference(found, expected), (1e-4f + kRoundingStep) * LargestOf(expected))
        << rows << " rows";
    ASSERT_EQ(BitsOf(on_threads), BitsOf(found));
  }
  const std::vector<float> wide = MakeRows(1, kWidth + 1);
  EXPECT_FALSE(RunLinear(*alone, wide, kWidth + 1).ok());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto again, RunLinear(*alone, MakeRows(2, kWidth), kWidth));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto expected,
                               RunLinear(*packed, MakeRows(2, kWidth), kWidth));
  EXPECT_LE(LargestDifference(again, expected), (1e-4f + kRoundingStep) * LargestOf(expected));
}

}  // namespace
}  // namespace onepack
