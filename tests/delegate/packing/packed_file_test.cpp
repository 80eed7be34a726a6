// Programs over a packed file: what the next start reads, packs and holds, and what a data file
// that was replaced comes to.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "aot/lora_stack.h"
#include "tests/support/case_loader.h"
#include "tests/support/child_process.h"
#include "tests/support/counting_source.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/resident_bytes.h"
#include "tests/support/sanitizers.h"
#include "tests/support/status_matchers.h"
#include "tools/memory_usage.h"

namespace onepack {
namespace {

// Long enough for the clock of file systems to have ticked: what is known of a file that was
// changed just now is not kept.
void LetFilesSettle() { std::this_thread::sleep_for(std::chrono::milliseconds(120)); }

WeightCacheOptions OptionsFor(const std::string& packed) {
  WeightCacheOptions options;
  options.packed_file.path = packed;
  options.packed_file.on_trouble = [](const Status& status) { ADD_FAILURE() << status.message(); };
  return options;
}

uint64_t Packed(const WeightCacheStats& stats) { return stats.file.misses.total(); }

class PackedCaseTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::filesystem::copy(TestData(std::string("cases/") + GetParam()), folder_.path());
    LetFilesSettle();
  }
  // Loads and checks the programs as a process of its own would.
  WeightCacheStats Start(const std::vector<std::string>& programs, size_t threads = 1) {
    CaseLoader loader(WeightCache::Create(OptionsFor(packed_)));
    loader.set_packing_threads(threads);
    loader.set_open([this](const std::string& path) -> Result<Ref<DataSource>> {
      return path.find(".ptd") != std::string::npos ? OpenCountingSource(path, &counts_)
                                                    : OpenMappedFile(path.c_str());
    });
    counts_.reads = 0;
    std::vector<Ref<Method>> methods;
    for (const std::string& program : programs) {
      auto method = loader.Load(folder_.path(), program);
      EXPECT_TRUE(IsOk(method));
      if (!method.ok()) continue;
      EXPECT_EQ(CaseLoader::Check(*method, folder_.path(), program), "") << program;
      methods.push_back(std::move(method).value());
    }
    return loader.cache().Stats();
  }

  const TempFolder folder_;
  const std::string packed_ = folder_.File("packed.bin");
  ReadCounts counts_;
};

INSTANTIATE_TEST_SUITE_P(RecordedFamilies, PackedCaseTest,
                         testing::Values("lora_fp32", "lora_8da4w", "lora_8da8w"),
                         [](const auto& family) { return std::string(family.param); });

TEST_P(PackedCaseTest, AWarmStartPacksNothingAndReadsNoRawWeight) {
  const WeightCacheStats cold = Start({"base", "lora0"});
  EXPECT_GT(Packed(cold), 0u);
  EXPECT_EQ(cold.file.hits, 0u);
  EXPECT_GT(cold.file.hashed_bytes, 0u);
  for (const size_t threads : {1, 3}) {
    const WeightCacheStats warm = Start({"base", "lora0"}, threads);
    EXPECT_EQ(Packed(warm), 0u);
    EXPECT_EQ(warm.packed_bytes, 0u);
    EXPECT_EQ(warm.file.hits, Packed(cold));
    EXPECT_EQ(warm.file.hit_bytes, cold.packed_bytes);
    EXPECT_EQ(warm.file.hashed_bytes, 0u);
    EXPECT_EQ(warm.file.written, 0u) << "nothing is written again";
    // Header and directory of the foundation, twice, and of the adapter's data.
    EXPECT_EQ(counts_.reads, 6u);
  }
}

TEST_P(PackedCaseTest, AnAdapterThatIsNewIsAllThatIsPacked) {
  Start({"base", "lora0"});
  const uint64_t before = std::filesystem::file_size(packed_);
  const WeightCacheStats warm = Start({"lora1"});
  EXPECT_GT(warm.file.hits, 0u);
  EXPECT_GT(Packed(warm), 0u);
  EXPECT_EQ(warm.file.misses.absent, Packed(warm));
  EXPECT_GT(std::filesystem::file_size(packed_), before);
  EXPECT_EQ(Packed(Start({"base", "lora0", "lora1"})), 0u);
}

// A data file that was copied, or touched: hashed once, and known from then on.
TEST_P(PackedCaseTest, AFileThatMovedIsHashedOnceAndNotPacked) {
  Start({"base"});
  const std::string foundation = folder_.File("foundation.ptd");
  const std::vector<uint8_t> bytes = ReadFile(foundation);
  ASSERT_EQ(unlink(foundation.c_str()), 0);
  WriteFile(foundation, {bytes.data(), bytes.size()});
  LetFilesSettle();
  const WeightCacheStats moved = Start({"base"});
  EXPECT_EQ(Packed(moved), 0u);
  EXPECT_GT(moved.file.hashed_bytes, 0u);
  const WeightCacheStats again = Start({"base"});
  EXPECT_EQ(Packed(again), 0u);
  EXPECT_EQ(again.file.hashed_bytes, 0u);
}

// One layer of two weights, of equal sizes and names.
class ReplacedDataTest : public testing::TestWithParam<WeightKind> {
 protected:
  static constexpr uint32_t kWidth = 64;

  static LinearLayer Layer(uint64_t seed) { return {"w", kWidth, kWidth, GetParam(), seed}; }

  std::vector<float> Expected(uint64_t seed) const {
    auto method = LoadMethod(SourceOf(MakeLinearProgram({{Layer(seed)}}), "model.pte"),
                             {SourceOf(MakeData(DataOf(Layer(seed))), "data.ptd")}, nullptr);
    EXPECT_TRUE(IsOk(method));
    return RunLinear(**method, MakeRows(2, kWidth), kWidth).value();
  }
  WeightCacheStats Start(uint64_t expected) {
    auto cache = PackedWeightCache::Create(OptionsFor(packed_));
    auto data = OpenMappedFile(data_.c_str());
    EXPECT_TRUE(IsOk(data));
    auto method =
        LoadMethod(SourceOf(MakeLinearProgram({{Layer(1)}}), "model.pte"), {*data}, cache);
    EXPECT_TRUE(IsOk(method));
    EXPECT_EQ(RunLinear(**method, MakeRows(2, kWidth), kWidth).value(), Expected(expected));
    return cache->Stats();
  }
  static std::vector<uint8_t> DataFile(uint64_t seed) { return MakeData(DataOf(Layer(seed))); }

  const TempFolder folder_;
  const std::string packed_ = folder_.File("packed.bin");
  const std::string data_ = folder_.File("data.ptd");
};

INSTANTIATE_TEST_SUITE_P(Kinds, ReplacedDataTest,
                         testing::Values(WeightKind::kFloat, WeightKind::kInt8, WeightKind::kInt4));

void CopyTimes(const struct stat& from, const std::string& to) {
  const timespec times[] = {from.st_atim, from.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, to.c_str(), times, 0), 0);
}

TEST_P(ReplacedDataTest, OfEqualSizeAndTimesIsServedItsOwnWeights) {
  WriteFile(data_, AsBytes(DataFile(1)));
  struct stat info{};
  ASSERT_EQ(stat(data_.c_str(), &info), 0);
  LetFilesSettle();
  EXPECT_EQ(Packed(Start(1)), 1u);
  EXPECT_EQ(Packed(Start(1)), 0u);
  // By renaming.
  const std::string other = folder_.File("other.ptd");
  WriteFile(other, AsBytes(DataFile(2)));
  CopyTimes(info, other);
  ASSERT_EQ(rename(other.c_str(), data_.c_str()), 0);
  LetFilesSettle();
  EXPECT_EQ(Packed(Start(2)), 1u);
  EXPECT_EQ(Packed(Start(2)), 0u);
  // In place.
  const std::vector<uint8_t> bytes = DataFile(3);
  const int descriptor = open(data_.c_str(), O_WRONLY);
  ASSERT_EQ(pwrite(descriptor, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  close(descriptor);
  CopyTimes(info, data_);
  LetFilesSettle();
  EXPECT_EQ(Packed(Start(3)), 1u);
  EXPECT_EQ(Packed(Start(3)), 0u);
  // And back: the first one's weights are in the file still.
  WriteFile(data_, AsBytes(DataFile(1)));
  EXPECT_EQ(Packed(Start(1)), 0u);
}

// A file that may be changed within the same tick of its clock is hashed again at the next start.
TEST_P(ReplacedDataTest, JustBeforeTheStartIsNotTakenForKnown) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const std::vector<uint8_t> bytes = DataFile(seed);
    const int descriptor = open(data_.c_str(), O_WRONLY | O_CREAT, 0600);
    ASSERT_EQ(pwrite(descriptor, bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    close(descriptor);
    Start(seed);
  }
}

// Weights that differ in their scales alone.
TEST(PackedScalesTest, AreTwoWeightsInTheFileToo) {
  const TempFolder folder;
  LinearLayer layer{"w", 64, 64, WeightKind::kInt8, 1};
  NamedBytes doubled = DataOf(layer);
  auto& scales = doubled.at("w.scale");
  for (size_t i = 0; i < scales.size(); i += sizeof(float)) {
    float scale;
    memcpy(&scale, &scales[i], sizeof(scale));
    scale *= 2;
    memcpy(&scales[i], &scale, sizeof(scale));
  }
  WriteFile(folder.File("1.ptd"), AsBytes(MakeData(DataOf(layer))));
  WriteFile(folder.File("2.ptd"), AsBytes(MakeData(doubled)));
  LetFilesSettle();
  std::vector<std::vector<float>> found;
  for (const char* name : {"1.ptd", "2.ptd", "1.ptd", "2.ptd"}) {
    const auto cache = PackedWeightCache::Create(OptionsFor(folder.File("packed.bin")));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> data,
                                 OpenMappedFile(folder.File(name).c_str()));
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const Ref<Method> method,
        LoadMethod(SourceOf(MakeLinearProgram({{layer}}), "model.pte"), {data}, cache));
    found.push_back(RunLinear(*method, MakeRows(2, 64), 64).value());
    EXPECT_EQ(cache->Stats().file.hits, found.size() > 2 ? 1u : 0u);
  }
  EXPECT_NE(found[0], found[1]);
  EXPECT_EQ(found[0], found[2]);
  EXPECT_EQ(found[1], found[3]);
}

// A stack that is large beside everything else: 12 matrices of 4 MB, the largest packed in slices.
class PackedMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
    LoraStackOptions options;
    options.width = 512;
    options.hidden = 2048;
    options.blocks = 4;
    options.adapters = 1;
    options.max_rows = 8;
    ASSERT_TRUE(IsOk(WriteLoraStack(folder_.path(), options)));
    foundation_bytes_ = FoundationSizeBytes(options);
    LetFilesSettle();
  }
  Result<Ref<Method>> Load(const CaseLoader& loader) const {
    return loader.Load(folder_.path(), "base");
  }
  // To the file: the cache is gone before the process is.
  bool PackInAnotherProcess() const {
    return ExitStatusOfChild([this] {
             const CaseLoader loader(WeightCache::Create(OptionsFor(packed_)));
             return Load(loader).ok();
           }) == 0;
  }
  static uint64_t Anonymous() {
    auto usage = CurrentMemoryUsage();
    EXPECT_TRUE(IsOk(usage));
    return usage->anonymous_bytes;
  }

  const TempFolder folder_;
  const std::string packed_ = folder_.File("packed.bin");
  uint64_t foundation_bytes_ = 0;
};

TEST_F(PackedMemoryTest, AWarmStartHoldsTheFilesPagesAndNoRawOnes) {
  ASSERT_TRUE(PackInAnotherProcess());
  const CaseLoader loader(WeightCache::Create(OptionsFor(packed_)));
  ASSERT_TRUE(IsOk(loader.Load(TestData("cases/lora_fp32"), "lora0")));  // XNNPACK settles
  const uint64_t before = Anonymous();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(loader));
  EXPECT_EQ(loader.cache().Stats().file_bytes, loader.cache().Stats().bytes);
  EXPECT_GE(loader.cache().Stats().bytes, foundation_bytes_);
  EXPECT_LT(Anonymous(), before + foundation_bytes_ / 20);
  EXPECT_LT(ResidentBytesOf(folder_.File("foundation.ptd")), size_t{256} << 10);
  EXPECT_EQ(CaseLoader::Check(method, folder_.path(), "base"), "");
}

// One that started before, and one that starts while it runs.
TEST_F(PackedMemoryTest, TwoProcessesHaveTheFilesPagesOnce) {
  ASSERT_TRUE(PackInAnotherProcess());
  const CaseLoader loader(WeightCache::Create(OptionsFor(packed_)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(loader));
  const size_t alone = ProportionalBytesOf(packed_);
  EXPECT_GE(alone, foundation_bytes_ * 9 / 10);
  // Each page is mapped three times then: here, and by the child, which has this mapping, too.
  EXPECT_EQ(ExitStatusOfChild([&] {
              const CaseLoader other(WeightCache::Create(OptionsFor(packed_)));
              const auto own = Load(other);
              return own.ok() && other.cache().Stats().file_bytes == other.cache().Stats().bytes &&
                     ProportionalBytesOf(packed_) < alone * 3 / 4;
            }),
            0);
}

}  // namespace
}  // namespace onepack
