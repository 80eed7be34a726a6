// Whose bytes are whose: sources that applications derive, and parts of one file.

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "tests/support/case_loader.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/resident_bytes.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint32_t kInputs = 64;
constexpr uint32_t kOutputs = 32;
constexpr uint32_t kRows = 4;

// As an application writes one: says its name, its size and its bytes, and nothing about who it is.
class OwnSource : public DataSource {
 public:
  enum class Way { kMapped, kRead };

  OwnSource(std::vector<uint8_t> bytes, Way way) : bytes_(std::move(bytes)), way_(way) {}

  const char* name() const override { return "own"; }
  uint64_t size() const override { return bytes_.size(); }
  bool is_mapped() const override { return way_ == Way::kMapped; }
  Result<Buffer> Load(const Segment& range) const override {
    ONEPACK_RETURN_IF_ERROR(CheckRange(range));
    Buffer buffer;
    buffer.bytes = Bytes(bytes_).subspan(range.offset, range.size);
    buffer.owner = Ref<const RefCounted>::Share(this);
    return buffer;
  }

 private:
  const std::vector<uint8_t> bytes_;
  const Way way_;
};

// Says of all its bytes that they have a hash which is that of others.
class LyingSource final : public OwnSource {
 public:
  LyingSource(std::vector<uint8_t> bytes, Way way, const Digest& hash)
      : OwnSource(std::move(bytes), way), hash_(hash) {}

  const uint8_t* FindHash(const Segment& /*range*/) const override { return hash_.bytes.data(); }

 private:
  const Digest hash_;
};

// As one for the assets of a package: bytes as they stand in a file, from an offset on.
class AssetSource final : public DataSource {
 public:
  AssetSource(const DataIdentity& identity, std::vector<uint8_t> bytes)
      : DataSource(identity), bytes_(std::move(bytes)) {}

  const char* name() const override { return "asset"; }
  uint64_t size() const override { return bytes_.size(); }
  Result<Buffer> Load(const Segment& range) const override {
    ONEPACK_RETURN_IF_ERROR(CheckRange(range));
    Buffer buffer;
    buffer.bytes = Bytes(bytes_).subspan(range.offset, range.size);
    buffer.owner = Ref<const RefCounted>::Share(this);
    return buffer;
  }

 private:
  const std::vector<uint8_t> bytes_;
};

template <typename Source, typename... Arguments>
Ref<DataSource> Make(Arguments&&... arguments) {
  auto source = MakeRef<Source>(HeapAllocator(), std::forward<Arguments>(arguments)...);
  EXPECT_TRUE(IsOk(source));
  return source.ok() ? Ref<DataSource>(*source) : nullptr;
}

// Two layers of equal names, sizes and scales, and of other weights.
LinearLayer Layer(WeightKind kind, uint64_t seed) { return {"w", kInputs, kOutputs, kind, seed}; }
constexpr uint64_t kSeeds[] = {1, 4};

using Way = OwnSource::Way;

class OwnSourceTest : public testing::TestWithParam<std::tuple<WeightKind, Way>> {
 protected:
  WeightKind kind() const { return std::get<0>(GetParam()); }

  Ref<DataSource> Own(std::vector<uint8_t> bytes) const {
    return Make<OwnSource>(std::move(bytes), std::get<1>(GetParam()));
  }
  Result<Ref<Method>> Load(uint64_t seed, const std::shared_ptr<PackedWeightCache>& cache) const {
    const LinearLayer layer = Layer(kind(), seed);
    return LoadMethod(Own(MakeLinearProgram({{layer}, kRows})), {Own(MakeData(DataOf(layer)))},
                      cache);
  }
  // What the weights of `seed` give, unrounded.
  std::vector<float> Expected(uint64_t seed) const {
    return ReferenceChain({Layer(kind(), seed)}, MakeRows(kRows, kInputs));
  }
  // Whether `method` computes with the weights of `seed` and no others: rounding is far below what
  // tells the two layers apart.
  testing::AssertionResult Uses(uint64_t seed, const Ref<Method>& method) const {
    auto found = RunLinear(*method, MakeRows(kRows, kInputs), kInputs);
    if (!found.ok()) return IsOk(found);
    const float apart = LargestDifference(Expected(kSeeds[0]), Expected(kSeeds[1]));
    const float error = LargestDifference(*found, Expected(seed));
    if (error < apart / 8) return testing::AssertionSuccess();
    return testing::AssertionFailure() << error << " off, where the layers are " << apart;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, OwnSourceTest,
                         testing::Combine(testing::Values(WeightKind::kFloat, WeightKind::kInt8,
                                                          WeightKind::kInt4),
                                          testing::Values(Way::kMapped, Way::kRead)));

TEST_P(OwnSourceTest, TwoWithEqualOffsetsAndSizesAreServedEachItsOwnWeights) {
  const auto cache = PackedWeightCache::Create();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(kSeeds[0], cache));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(kSeeds[1], cache));
  EXPECT_TRUE(Uses(kSeeds[0], first));
  EXPECT_TRUE(Uses(kSeeds[1], second));
  EXPECT_EQ(cache->Stats().entries, 2u);
}

// Nothing is left to compare with then: the identity, or a hash, is all there is.
TEST_P(OwnSourceTest, ThatIsSoForWeightsThatOutliveTheirSource) {
  for (const bool record_hashes : {false, true}) {
    WeightCacheOptions options;
    options.retained_bytes = 1 << 20;
    options.record_hashes = record_hashes;
    const auto cache = PackedWeightCache::Create(options);
    ASSERT_TRUE(IsOk(Load(kSeeds[0], cache)));
    ASSERT_EQ(cache->Stats().entries, 1u);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(kSeeds[1], cache));
    EXPECT_TRUE(Uses(kSeeds[1], second));
  }
}

TEST_P(OwnSourceTest, EqualBytesUnderOneNameAreComparedAndPackedOnce) {
  const auto cache = PackedWeightCache::Create();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(kSeeds[0], cache));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(kSeeds[0], cache));
  EXPECT_EQ(cache->Stats().entries, 1u);
  EXPECT_TRUE(Uses(kSeeds[0], second));
}

TEST_P(OwnSourceTest, AHashThatIsNotTrueGivesNoOtherProgramWrongWeights) {
  const LinearLayer layer = Layer(kind(), kSeeds[0]);
  const std::optional<Digest> hash = Sha256Of(DataOf(layer).at(layer.key));
  ASSERT_TRUE(hash);
  const LinearLayer other = Layer(kind(), kSeeds[1]);
  for (const bool is_first : {true, false}) {
    const auto cache = PackedWeightCache::Create();
    Ref<Method> honest;
    if (!is_first) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(honest, Load(kSeeds[0], cache));
    }
    const auto lying = Make<LyingSource>(MakeData(DataOf(other)), std::get<1>(GetParam()), *hash);
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const Ref<Method> liar,
        LoadMethod(Own(MakeLinearProgram({{other}, kRows})), {lying}, cache));
    if (is_first) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(honest, Load(kSeeds[0], cache));
    }
    EXPECT_TRUE(Uses(kSeeds[0], honest));
    EXPECT_TRUE(Uses(kSeeds[1], liar));
  }
}

TEST_P(OwnSourceTest, OneSourceOpenedTwiceIsSharedAtNoCost) {
  const LinearLayer layer = Layer(kind(), kSeeds[0]);
  const Ref<DataSource> program = Own(MakeLinearProgram({{layer}, kRows}));
  const Ref<DataSource> data = Own(MakeData(DataOf(layer)));
  const auto cache = PackedWeightCache::Create();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, LoadMethod(program, {data}, cache));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, LoadMethod(program, {data}, cache));
  EXPECT_EQ(cache->Stats().misses.total(), 1u);
}

TEST_P(OwnSourceTest, MergeRefusesOtherBytesUnderOneKey) {
  const auto open = [&](uint64_t seed) {
    return NamedDataMap::Open(Own(MakeData(DataOf(Layer(kind(), seed)))));
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> one, open(kSeeds[0]));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> same, open(kSeeds[0]));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> other, open(kSeeds[1]));
  ASSERT_EQ(one->Find("w")->segment.offset, other->Find("w")->segment.offset);
  ASSERT_EQ(one->Find("w")->segment.size, other->Find("w")->segment.size);
  EXPECT_TRUE(IsError(NamedDataMap::Merge(std::vector<Ref<NamedDataMap>>{one, other}),
                      StatusCode::kMismatch, {"key 'w'"}));
  EXPECT_TRUE(IsOk(NamedDataMap::Merge(std::vector<Ref<NamedDataMap>>{one, same})));
}

// A constant in the program itself has no name: identity is all that could make two one.
TEST(OwnProgramTest, ConstantsInsideOfTwoProgramsWithEqualPlacesAreNotMixedUp) {
  const auto cache = PackedWeightCache::Create();
  std::vector<Ref<Method>> methods;
  const std::vector<float> rows = MakeRows(kRows, kInputs);
  for (const uint64_t seed : kSeeds) {
    PayloadWriter payload;
    const LinearLayer layer = Layer(WeightKind::kFloat, seed);
    const uint32_t weight = payload.AddOwnConstant(DataOf(layer).at("w"));
    const uint32_t x = payload.AddInput({kRows, kInputs});
    const uint32_t filter = payload.AddConstant({kOutputs, kInputs}, weight);
    payload.AddFullyConnected(x, filter, payload.AddOutput({kRows, kOutputs}));
    const Ref<DataSource> program = Make<OwnSource>(
        MakeProgramAround(payload.Finish(), kRows, kInputs, kOutputs), Way::kMapped);
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, LoadMethod(program, {}, cache));
    methods.push_back(std::move(method));
  }
  for (size_t i = 0; i < methods.size(); ++i) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<float> found,
                                 RunLinear(*methods[i], rows, kInputs));
    EXPECT_LT(
        LargestDifference(found, ReferenceChain({Layer(WeightKind::kFloat, kSeeds[i])}, rows)),
        1e-3f);
  }
}

// All files of a folder in one file, as a package has them: one behind the other, at no page's
// beginning, aligned as zipalign does or not at all.
class Package {
 public:
  Package(const std::string& folder, size_t alignment) : path_(folder_.File("base.apk")) {
    std::vector<uint8_t> bytes(30, 'P');
    for (const std::string& name : FilesIn(folder)) {
      if (std::filesystem::path(name).extension() == ".json") continue;
      bytes.resize((bytes.size() / alignment + 1) * alignment - (alignment == 1 ? 1 : 0), 'x');
      const std::vector<uint8_t> file = ReadFile(folder + "/" + name);
      parts_[name] = {bytes.size(), file.size()};
      bytes.insert(bytes.end(), file.begin(), file.end());
    }
    WriteFile(path_, bytes);
  }

  const std::string& path() const { return path_; }
  Segment PartOf(const std::string& path) const {
    return parts_.at(std::filesystem::path(path).filename().string());
  }
  // As an application on Android does it: the descriptor is closed at once.
  Result<Ref<DataSource>> Open(const std::string& path) const {
    ONEPACK_ASSIGN_OR_RETURN(const Fd file, Fd::OpenForReading(path_.c_str()));
    return MapFilePart(file.get(), PartOf(path), path.c_str());
  }

 private:
  const TempFolder folder_;
  const std::string path_;
  std::map<std::string, Segment> parts_;
};

struct PackagedCase {
  const char* folder;
  std::vector<std::string> names;
};

class PackageTest : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Alignments, PackageTest, testing::Values(1, 4, 4096),
                         testing::PrintToStringParamName());

TEST_P(PackageTest, ProgramsOutOfOneFileAnswerRightAndPackWhatTheyPackOutOfMany) {
  for (const auto& [name, programs] : {PackagedCase{"lora_fp32", {"base", "lora0", "lora1"}},
                                       PackagedCase{"lora_8da8w", {"base", "lora0", "lora1"}},
                                       PackagedCase{"scale_8da4w", {"one", "two"}}}) {
    const std::string folder = TestData(std::string("cases/") + name);
    const Package package(folder, GetParam());
    const CaseLoader apart(PackedWeightCache::Create());
    CaseLoader packaged(PackedWeightCache::Create());
    packaged.set_open([&](const std::string& path) { return package.Open(path); });
    std::vector<Ref<Method>> methods;
    for (const std::string& program : programs) {
      ASSERT_TRUE(IsOk(apart.Load(folder, program)));
      ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, packaged.Load(folder, program));
      methods.push_back(std::move(method));
    }
    for (size_t i = 0; i < methods.size(); ++i) {
      EXPECT_EQ(CaseLoader::Check(methods[i], folder, programs[i]), "") << name << programs[i];
    }
    // What is in memory at once is packed once.
    const WeightCacheStats before = packaged.cache().Stats();
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> again, packaged.Load(folder, programs[0]));
    EXPECT_EQ(packaged.cache().Stats().misses.total(), before.misses.total());
    EXPECT_EQ(packaged.cache().Stats().packed_bytes, before.packed_bytes);
    EXPECT_GT(packaged.cache().Stats().hits, before.hits);
  }
}

TEST_P(PackageTest, OpenedTwiceNoPageOfAFoundationIsRead) {
  const std::string folder = TestData("cases/lora_fp32");
  const Package package(folder, GetParam());
  CaseLoader loader(PackedWeightCache::Create());
  loader.set_open([&](const std::string& path) -> Result<Ref<DataSource>> {
    return path.find("foundation") != std::string::npos ? package.Open(path)
                                                        : OpenMappedFile(path.c_str());
  });
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, loader.Load(folder, "base"));
  const size_t resident = ResidentBytesOf(package.path());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, loader.Load(folder, "base"));
  EXPECT_EQ(ResidentBytesOf(package.path()), resident);
  EXPECT_EQ(CaseLoader::Check(second, folder, "base"), "");
}

// Of two sources over one part, the project's and the application's, nothing is packed twice.
TEST(AssetSourceTest, AnApplicationsOwnSourceOverAPartIsKnownForWhatItIs) {
  const std::string folder = TestData("cases/lora_fp32");
  const Package package(folder, 4);
  CaseLoader loader(PackedWeightCache::Create());
  loader.set_open([&](const std::string& path) { return package.Open(path); });
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, loader.Load(folder, "base"));
  const WeightCacheStats before = loader.cache().Stats();
  loader.set_open([&](const std::string& path) -> Result<Ref<DataSource>> {
    ONEPACK_ASSIGN_OR_RETURN(const Fd file, Fd::OpenForReading(package.path().c_str()));
    ONEPACK_ASSIGN_OR_RETURN(
        const DataIdentity identity,
        DataIdentity::OfFile(file.get(), package.PartOf(path).offset, path.c_str()));
    return Make<AssetSource>(identity, ReadFile(path));
  });
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, loader.Load(folder, "base"));
  EXPECT_EQ(loader.cache().Stats().packed_bytes, before.packed_bytes);
  EXPECT_EQ(CaseLoader::Check(second, folder, "base"), "");
  // The files that were packaged are others: found by what they hold.
  loader.set_open([](const std::string& path) { return OpenMappedFile(path.c_str()); });
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> third, loader.Load(folder, "base"));
  EXPECT_EQ(loader.cache().Stats().packed_bytes, before.packed_bytes);
}

}  // namespace
}  // namespace onepack
