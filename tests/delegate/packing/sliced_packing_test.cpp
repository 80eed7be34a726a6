// A weight that is packed in slices is the one that is packed whole: the same bytes under the same
// key, packed once. And while it is packed, its raw bytes are in memory a few slices at a time.

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "aot/payload_writer.h"
#include "delegate/xnn/quirks.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/packed_bytes.h"
#include "tests/support/resident_bytes.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNNQuantParams;

constexpr uint32_t kRows = 4;
constexpr size_t kGroup = 32;
constexpr size_t kLarge = 16 * 1024;  // far below every weight here: a block is a slice

// One fully connected node.
struct Node {
  const char* name = "";
  XNNDatatype filter = XNNDatatype::fp32;
  bool quantizes_input = false;
  bool has_bias = false;
  uint32_t outputs = 1024;
  uint32_t inputs = 64;
  bool has_damaged_scale = false;
  bool has_other_clamp = false;  // another consumer of the same weight beside it
  uint32_t flags = 0;
  uint32_t dims_before_bias = 0;  // of 1
};

void PrintTo(const Node& node, std::ostream* out) { *out << node.name; }

// Numbers that differ, none of which is special.
std::vector<uint8_t> Scrambled(size_t size) {
  std::vector<uint8_t> bytes(size);
  uint32_t state = 12345;
  for (uint8_t& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

std::vector<uint8_t> FloatBytes(size_t count, float first) {
  std::vector<float> numbers;
  for (size_t i = 0; i < count; ++i) {
    numbers.push_back(first + static_cast<float>(i * 37 % 101) / 256);
  }
  const Bytes bytes = AsBytes(numbers);
  return {bytes.begin(), bytes.end()};
}

std::vector<uint8_t> BfloatBytes(size_t count) {
  const std::vector<uint8_t> floats = FloatBytes(count, 0.5f);
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < count; ++i) {
    bytes.insert(bytes.end(), floats.begin() + static_cast<ptrdiff_t>(4 * i + 2),
                 floats.begin() + static_cast<ptrdiff_t>(4 * i + 4));
  }
  return bytes;
}

NamedBytes DataOf(const Node& node) {
  const size_t elements = size_t{node.outputs} * node.inputs;
  NamedBytes data;
  switch (node.filter) {
    case XNNDatatype::fp32:
      data["weight"] = FloatBytes(elements, -0.2f);
      break;
    case XNNDatatype::qcint8:
      data["weight"] = Scrambled(elements);
      break;
    default:
      data["weight"] = Scrambled(elements / 2);
  }
  data["scale"] = node.filter == XNNDatatype::qbint4 ? BfloatBytes(elements / kGroup)
                                                     : FloatBytes(node.outputs, 0.5f);
  if (node.has_damaged_scale) {
    const size_t size = node.filter == XNNDatatype::qbint4 ? 2 : 4;
    memset(data["scale"].data() + data["scale"].size() - size, 0, size);  // the last one
  }
  data["bias"] = FloatBytes(node.outputs, -1.0f);
  return data;
}

uint32_t AddFilter(PayloadWriter& payload, const Node& node) {
  const NamedBytes data = DataOf(node);
  const uint32_t constant = payload.AddNamedConstant("weight", data.at("weight").size());
  const std::vector<uint32_t> dims = {node.outputs, node.inputs};
  if (node.filter == XNNDatatype::fp32) return payload.AddConstant(dims, constant);
  PayloadScales scales;
  scales.constant = payload.AddNamedConstant("scale", data.at("scale").size());
  if (node.filter == XNNDatatype::qbint4) {
    scales.count = node.outputs * node.inputs / kGroup;
    return payload.AddBlockwiseInt4(dims, constant, scales, kGroup);
  }
  scales.count = node.outputs;
  if (node.filter == XNNDatatype::qcint8) {
    return payload.AddPerChannelInt8(dims, constant, scales);
  }
  PayloadTensor tensor;
  tensor.datatype = node.filter;
  tensor.dims = dims;
  tensor.constant = constant;
  const auto params = wire::xnnpack::CreatePerChannelQuant(payload.builder(), 0, /*channel_dim=*/0,
                                                           scales.constant, scales.count);
  return payload.AddQuantized(tensor, XNNQuantParams::PerChannelQuant, params.Union());
}

std::vector<uint8_t> ProgramOf(const Node& node) {
  PayloadWriter payload;
  uint32_t x = payload.AddInput({kRows, node.inputs});
  const uint32_t filter = AddFilter(payload, node);
  uint32_t bias = PayloadWriter::kNoValue;
  if (node.has_bias) {
    std::vector<uint32_t> dims(node.dims_before_bias, 1);
    dims.push_back(node.outputs);
    bias =
        payload.AddConstant(dims, payload.AddNamedConstant("bias", node.outputs * sizeof(float)));
  }
  const uint32_t y = payload.AddOutput({kRows, node.outputs});
  if (node.quantizes_input) {
    const uint32_t rounded = payload.AddDynamicInt8({kRows, node.inputs});
    payload.AddConvert(x, rounded);
    x = rounded;
  }
  if (node.has_other_clamp) {
    const uint32_t a = payload.AddInternal({kRows, node.outputs});
    const uint32_t b = payload.AddInternal({kRows, node.outputs});
    payload.AddFullyConnected(x, filter, a, bias, node.flags);
    payload.AddFullyConnected(x, filter, b, bias, node.flags, {{-1.0f, 1.0f}});
    payload.AddAdd(a, b, y);
  } else {
    payload.AddFullyConnected(x, filter, y, bias, node.flags);
  }
  return MakeProgramAround(payload.Finish(), kRows, node.inputs, node.outputs);
}

// A program and its data, on disk.
class Files {
 public:
  explicit Files(const Node& node) : Files(ProgramOf(node), DataOf(node), node.inputs) {}
  Files(const std::vector<uint8_t>& program, const NamedBytes& data, uint32_t inputs)
      : inputs_(inputs) {
    WriteFile(folder_.File("model.pte"), program);
    WriteFile(folder_.File("model.ptd"), MakeData(data));
  }

  std::string data_path() const { return folder_.File("model.ptd"); }

  Result<Ref<Method>> Load(const Ref<Backend>& backend) const {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> program,
                             OpenMappedFile(folder_.File("model.pte").c_str()));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> data, OpenMappedFile(data_path().c_str()));
    LoadOptions options;
    options.backend = backend;
    return LoadMethod(program, {data}, nullptr, options);
  }

  Result<Ref<Method>> Load(const XnnpackBackendOptions& options) const {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, CreateXnnpackBackend(options));
    return Load(backend);
  }

  std::vector<float> Run(Method& method) const {
    auto output = RunLinear(method, MakeRows(kRows, inputs_), inputs_);
    EXPECT_TRUE(IsOk(output));
    return output.ok() ? *output : std::vector<float>();
  }

 private:
  const TempFolder folder_;
  const uint32_t inputs_;
};

XnnpackBackendOptions Whole(const std::shared_ptr<PackedWeightCache>& cache) {
  XnnpackBackendOptions options;
  options.weight_cache = cache;
  options.linears = LinearLayout::kPacked;
  options.large_weight_bytes = 0;
  return options;
}

XnnpackBackendOptions Sliced(const std::shared_ptr<PackedWeightCache>& cache, size_t threads = 1) {
  XnnpackBackendOptions options;
  options.weight_cache = cache;
  options.linears = LinearLayout::kPacked;
  options.large_weight_bytes = kLarge;
  options.packing_threads = threads;
  options.min_bytes_per_packing_thread = 1;
  return options;
}

// Listens to how a load is going.
struct Listener {
  std::vector<uint64_t> served;
  std::vector<std::thread::id> threads;
  std::function<bool()> on_report = [] { return true; };

  ProgressCallback Callback() {
    return [this](const LoadProgress& progress) {
      served.push_back(progress.served_bytes);
      threads.push_back(std::this_thread::get_id());
      EXPECT_LE(progress.served_bytes, progress.expected_bytes);
      return on_report();
    };
  }
};

std::vector<std::vector<uint8_t>> PackedOf(const Files& files, PackedWeightCache& cache) {
  return PackedFor([&](const Ref<Backend>& backend) { return files.Load(backend); }, cache);
}

class SlicedPackingTest : public testing::TestWithParam<std::tuple<Node, size_t>> {
 protected:
  // Else the weight is packed whole: quirk 14 (xnn/quirks.h).
  bool IsSliced() const {
    return !kTilesDependOnChannels || std::string(node_.name) != "FloatOfAnOddSize";
  }

  const Node node_ = std::get<0>(GetParam());
  const size_t threads_ = std::get<1>(GetParam());
  const Files files_{node_};
  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
};

INSTANTIATE_TEST_SUITE_P(
    , SlicedPackingTest,
    testing::Combine(
        testing::Values(Node{"Float", XNNDatatype::fp32, false, false},
                        Node{"FloatWithBias", XNNDatatype::fp32, false, true},
                        Node{"FloatOfAnOddSize", XNNDatatype::fp32, false, true, 1000, 51},
                        Node{"FloatWithABiasOfRank3", XNNDatatype::fp32, false, true, 1024, 64,
                             false, false, 0, 2},
                        Node{"Int8", XNNDatatype::qcint8, true, false},
                        Node{"Int8WithBias", XNNDatatype::qcint8, true, true, 1001, 67},
                        Node{"Int8OfAFloatInput", XNNDatatype::qcint8, false, false, 1001, 67},
                        Node{"Int4", XNNDatatype::qcint4, true, false},
                        Node{"Int4WithBias", XNNDatatype::qcint4, true, true, 1001, 70},
                        Node{"Int4OfAFloatInput", XNNDatatype::qcint4, false, false, 999, 70},
                        Node{"Blockwise", XNNDatatype::qbint4, true, false},
                        Node{"BlockwiseWithBias", XNNDatatype::qbint4, true, true, 1001, 96},
                        Node{"ABlockAndOneMore", XNNDatatype::qbint4, true, true, 257, 192}),
        testing::Values(1, 3)),
    [](const auto& test) {
      return std::string(std::get<0>(test.param).name) + "On" +
             std::to_string(std::get<1>(test.param));
    });

TEST_P(SlicedPackingTest, PacksTheSameBytesAsInOnePiece) {
  const auto whole = PackedWeightCache::Create();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> a, files_.Load(Whole(whole)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> b, files_.Load(Sliced(cache_, threads_)));
  const auto expected = PackedOf(files_, *whole);
  ASSERT_EQ(expected.size(), 1u);
  EXPECT_EQ(PackedOf(files_, *cache_), expected);
  EXPECT_EQ(files_.Run(*b), files_.Run(*a));
}

TEST_P(SlicedPackingTest, PacksOnceAndPrivatelyNothing) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, files_.Load(Sliced(cache_, threads_)));
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.hits, 0u);
  EXPECT_EQ(stats.misses.total(), 1u);
  EXPECT_EQ(stats.packed_bytes, stats.bytes);
  EXPECT_EQ(stats.private_bytes, 0u);
  EXPECT_EQ(stats.pins, 1u) << "a pin outlives the load";
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, files_.Load(Sliced(cache_, threads_)));
  EXPECT_EQ(cache_->Stats().packed_bytes, stats.packed_bytes);
  EXPECT_EQ(cache_->Stats().misses.total(), 1u);
  first = nullptr;
  EXPECT_EQ(cache_->Stats().entries, 1u);
}

TEST_P(SlicedPackingTest, ReportsSliceBySliceAndEachByteOnce) {
  if (!IsSliced()) GTEST_SKIP() << "the last slice would be packed in other tiles";
  Listener listener;
  XnnpackBackendOptions options = Sliced(cache_, threads_);
  options.on_progress = listener.Callback();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, files_.Load(options));
  ASSERT_GE(listener.served.size(), (node_.outputs + 127) / 128) << "one for each block";
  for (size_t i = 1; i < listener.served.size(); ++i) {
    EXPECT_GT(listener.served[i], listener.served[i - 1]);
  }
  const NamedBytes data = DataOf(node_);
  EXPECT_EQ(listener.served.back(),
            data.at("weight").size() + (node_.has_bias ? data.at("bias").size() : 0));
  EXPECT_EQ(
      std::count(listener.threads.begin(), listener.threads.end(), std::this_thread::get_id()),
      static_cast<ptrdiff_t>(listener.threads.size()));
}

TEST_P(SlicedPackingTest, ALoadThatIsCancelledAtAnySliceLeavesNothing) {
  if (!IsSliced()) GTEST_SKIP() << "the last slice would be packed in other tiles";
  for (size_t cancel_at = 1; cancel_at <= (node_.outputs + 127) / 128; ++cancel_at) {
    SCOPED_TRACE(cancel_at);
    Listener listener;
    listener.on_report = [&] { return listener.served.size() < cancel_at; };
    XnnpackBackendOptions options = Sliced(cache_, threads_);
    options.on_progress = listener.Callback();
    EXPECT_EQ(files_.Load(options).status().code(), StatusCode::kCancelled);
    EXPECT_EQ(listener.served.size(), cancel_at) << "it was asked again after it had said no";
    EXPECT_EQ(cache_->Stats().entries, 0u);
    EXPECT_EQ(cache_->Stats().heap_bytes, 0u);
  }
  EXPECT_TRUE(IsOk(files_.Load(Sliced(cache_, threads_)))) << "a claim was left behind";
}

// The application may load another method when it is told; here one that needs the very weight that
// is being packed.
TEST_P(SlicedPackingTest, ALoadFromWithinALoadOfTheSameWeightWaitsForIt) {
  if (!IsSliced()) GTEST_SKIP() << "the last slice would be packed in other tiles";
  Ref<Method> inner;
  Listener listener;
  listener.on_report = [&] {
    if (listener.served.size() == 2) {
      auto loaded = files_.Load(Sliced(cache_, threads_));
      EXPECT_TRUE(IsOk(loaded));
      if (loaded.ok()) inner = std::move(loaded).value();
    }
    return true;
  };
  XnnpackBackendOptions options = Sliced(cache_, threads_);
  options.on_progress = listener.Callback();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> outer, files_.Load(options));
  ASSERT_TRUE(inner);
  EXPECT_EQ(cache_->Stats().packed_bytes, cache_->Stats().bytes) << "packed twice";
  EXPECT_EQ(files_.Run(*inner), files_.Run(*outer));
}

TEST_P(SlicedPackingTest, TwoLoadsAtOncePackItOnce) {
  std::vector<Ref<Method>> methods(4);
  std::vector<std::thread> loaders;
  for (Ref<Method>& method : methods) {
    loaders.emplace_back([&] {
      auto loaded = files_.Load(Sliced(cache_, threads_));
      if (loaded.ok()) method = std::move(loaded).value();
    });
  }
  for (std::thread& loader : loaders) loader.join();
  for (const Ref<Method>& method : methods) {
    ASSERT_TRUE(method);
    EXPECT_EQ(files_.Run(*method), files_.Run(*methods[0]));
  }
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.packed_bytes, stats.bytes);
  // Each of the others has found it, whether it had to wait or not.
  EXPECT_EQ(stats.misses.total(), 1u);
  EXPECT_EQ(stats.hits, methods.size() - 1);
  EXPECT_LT(stats.waits, methods.size());
}

// Large weights are packed first, each by all workers; then the small ones, each by one.
TEST(SlicedProgramTest, LargeAndSmallWeightsArePackedOnceEachAndReportedOnce) {
  LinearProgram program;
  program.layers = {{"a", 64, 512, WeightKind::kFloat, 1},
                    {"b", 512, 32, WeightKind::kInt8, 2},
                    {"c", 32, 32, WeightKind::kFloat, 3},
                    {"d", 32, 1024, WeightKind::kInt4, 4},
                    {"e", 1024, 8, WeightKind::kInt8, 5}};
  for (const bool is_split : {false, true}) {
    program.delegate_per_layer = is_split;
    const Files files(MakeLinearProgram(program), onepack::DataOf(program.layers), 64);
    const auto whole = PackedWeightCache::Create();
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> expected, files.Load(Whole(whole)));
    for (const size_t threads : {1, 3}) {
      SCOPED_TRACE(threads);
      const auto cache = PackedWeightCache::Create();
      Listener listener;
      XnnpackBackendOptions options = Sliced(cache, threads);
      options.on_progress = listener.Callback();
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, files.Load(options));
      EXPECT_GE(listener.served.size(), 4u + 4u) << "the slices of two large weights";
      uint64_t raw_bytes = 0;
      for (const auto& [name, bytes] : onepack::DataOf(program.layers)) {
        raw_bytes += name.size() == 1 ? bytes.size() : 0;  // the others are scales
      }
      EXPECT_EQ(listener.served.back(), raw_bytes);
      const WeightCacheStats stats = cache->Stats();
      EXPECT_EQ(stats.entries, program.layers.size());
      EXPECT_EQ(stats.misses.total(), program.layers.size());
      EXPECT_EQ(stats.packed_bytes, whole->Stats().packed_bytes);
      EXPECT_EQ(stats.private_bytes, 0u);
      EXPECT_EQ(PackedOf(files, *cache), PackedOf(files, *whole));
      EXPECT_EQ(files.Run(*method), files.Run(*expected));
    }
  }
}

// What is packed in one piece.
class NotSlicedTest : public testing::Test {
 protected:
  static void ExpectWhole(const Node& node, const std::shared_ptr<PackedWeightCache>& cache) {
    const Files files(node);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, files.Load(Sliced(cache)));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> whole,
                                 files.Load(Whole(PackedWeightCache::Create())));
    EXPECT_EQ(cache->Stats().hits, 0u);
    EXPECT_EQ(cache->Stats().misses.total(), 1u);
    EXPECT_EQ(files.Run(*method), files.Run(*whole));
  }
};

TEST_F(NotSlicedTest, AWeightOfLessThanTwoBlocks) {
  ExpectWhole({"", XNNDatatype::fp32, false, true, 255, 512}, PackedWeightCache::Create());
}

TEST_F(NotSlicedTest, AWeightThatIsNotLarge) {
  ExpectWhole({"", XNNDatatype::fp32, false, true, 512, 7}, PackedWeightCache::Create());
}

TEST_F(NotSlicedTest, AWeightWhoseHashIsWanted) {
  WeightCacheOptions options;
  options.record_hashes = true;
  ExpectWhole({"", XNNDatatype::qbint4, true, true}, PackedWeightCache::Create(options));
}

TEST_F(NotSlicedTest, ATransposedWeight) {
  Node node{"", XNNDatatype::fp32, false, true, 512, 512};
  node.flags = 1;  // XNN_FLAG_TRANSPOSE_WEIGHTS
  ExpectWhole(node, PackedWeightCache::Create());
}

TEST(SlicedProgramTest, AWeightThatTwoNodesClampInDifferentWaysIsPackedForEach) {
  Node node{"", XNNDatatype::fp32, false, true};
  node.has_other_clamp = true;
  const Files files(node);
  const auto cache = PackedWeightCache::Create();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, files.Load(Sliced(cache)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> whole,
                               files.Load(Whole(PackedWeightCache::Create())));
  EXPECT_EQ(cache->Stats().entries, 2u);
  EXPECT_EQ(cache->Stats().private_bytes, 0u);
  EXPECT_EQ(files.Run(*method), files.Run(*whole));
}

// The last slice fails; packing it whole says what is wrong.
TEST(SlicedPackingErrorTest, AScaleThatIsNoScaleIsReportedAsWhenPackedInOnePiece) {
  for (const XNNDatatype filter : {XNNDatatype::qcint8, XNNDatatype::qbint4}) {
    Node node{"", filter, true, true};
    node.has_damaged_scale = true;
    const Files files(node);
    const auto expected = files.Load(Whole(PackedWeightCache::Create()));
    ASSERT_EQ(expected.status().code(), StatusCode::kInvalidFile);
    for (const size_t threads : {1, 3}) {
      const auto cache = PackedWeightCache::Create();
      const auto found = files.Load(Sliced(cache, threads));
      EXPECT_EQ(found.status().code(), StatusCode::kInvalidFile);
      EXPECT_STREQ(found.status().message(), expected.status().message());
      EXPECT_EQ(cache->Stats().entries, 0u);
      EXPECT_EQ(cache->Stats().heap_bytes, 0u);
    }
  }
}

// 16 MB in 32 slices of 512 KB, and scales of 1 MB.
TEST(SlicedPackingMemoryTest, OnlySlicesOfTheRawWeightAreResident) {
  constexpr size_t kWeight = 16 << 20;
  const Files files({"", XNNDatatype::qbint4, true, false, 32768, 1024});
  for (const size_t threads : {1, 2}) {
    SCOPED_TRACE(threads);
    size_t most = 0;
    Listener listener;
    listener.on_report = [&] {
      most = std::max(most, ResidentBytesOf(files.data_path()));
      return true;
    };
    XnnpackBackendOptions options = Sliced(PackedWeightCache::Create(), threads);
    options.large_weight_bytes = kWeight / 2;
    options.on_progress = listener.Callback();
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, files.Load(options));
    EXPECT_GE(listener.served.size(), 32u);
    // Those in hand, their scales, and what the system maps around each of them.
    EXPECT_LT(most, kWeight / 4);
    EXPECT_LT(ResidentBytesOf(files.data_path()), kWeight / 16) << "the rest was not let go of";
  }
}

}  // namespace
}  // namespace onepack
