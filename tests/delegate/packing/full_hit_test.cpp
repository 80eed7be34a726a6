// Rule 4: when every packed weight is there already, no raw byte is read. Counted in pages and in
// reads. Rule 7: while packing, memory is what is packed and the tensor in hand.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "aot/lora_stack.h"
#include "tests/support/case_loader.h"
#include "tests/support/counting_source.h"
#include "tests/support/files.h"
#include "tests/support/resident_bytes.h"
#include "tests/support/sanitizers.h"
#include "tests/support/status_matchers.h"
#include "tools/memory_usage.h"

namespace onepack {
namespace {

class FullHitTest : public testing::TestWithParam<const char*> {
 protected:
  std::string Folder() const { return TestData(std::string("cases/") + GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(RecordedFamilies, FullHitTest,
                         testing::Values("lora_fp32", "lora_8da4w", "lora_8da8w"),
                         [](const auto& family) { return std::string(family.param); });

TEST_P(FullHitTest, NoPageOfTheFoundationBecomesResident) {
  const TempFolder folder;  // a copy that nothing but this test maps
  std::filesystem::copy(Folder(), folder.path());
  const std::string foundation = folder.File("foundation.ptd");
  const CaseLoader loader(WeightCache::Create());
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, loader.Load(folder.path(), "base"));
  const WeightCacheStats before = loader.cache().Stats();
  int mappings_before = 0;
  const size_t resident_before = ResidentBytesOf(foundation, &mappings_before);
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> second, loader.Load(folder.path(), "base"));
  int mappings_after = 0;
  const size_t resident_after = ResidentBytesOf(foundation, &mappings_after);
  ASSERT_EQ(mappings_after, mappings_before + 1) << "the second program maps the file anew";
  EXPECT_EQ(resident_after, resident_before);
  EXPECT_EQ(loader.cache().Stats().packed_bytes, before.packed_bytes);
  EXPECT_EQ(CaseLoader::Check(second, folder.path(), "base"), "");
}

TEST_P(FullHitTest, ASourceThatIsNotMappedReadsNoWeight) {
  ReadCounts counts;
  CaseLoader loader(WeightCache::Create());
  loader.set_open([&](const std::string& path) -> Result<Ref<DataSource>> {
    return path.find("foundation") != std::string::npos ? OpenCountingSource(path, &counts)
                                                        : OpenMappedFile(path.c_str());
  });
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, loader.Load(Folder(), "base"));
  EXPECT_EQ(CaseLoader::Check(first, Folder(), "base"), "");
  const uint64_t packing_reads = counts.reads;
  counts.reads = 0;
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> second, loader.Load(Folder(), "base"));
  // The file's header and its directory.
  EXPECT_EQ(counts.reads, 2u);
  EXPECT_GT(packing_reads, counts.reads);
  // An adapter is packed, and of the foundation still nothing is read.
  counts.reads = 0;
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> lora, loader.Load(Folder(), "lora0"));
  EXPECT_EQ(counts.reads, 2u);
  EXPECT_EQ(CaseLoader::Check(second, Folder(), "base"), "");
  EXPECT_EQ(CaseLoader::Check(lora, Folder(), "lora0"), "");
}

// A stack that is large beside everything else: 12 matrices of 4 MB.
class MemoryTest : public testing::Test {
 protected:
  static constexpr size_t kMatrix = 4 << 20;
  static constexpr size_t kMatrices = 12;

  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
    LoraStackOptions options;
    options.width = 512;
    options.hidden = 2048;
    options.blocks = kMatrices / 3;
    options.adapters = 1;
    options.max_rows = 512;  // each intermediate value is 4 MB at most
    ASSERT_TRUE(IsOk(WriteLoraStack(folder_.path(), options)));
    ASSERT_EQ(FoundationSizeBytes(options), kMatrix * kMatrices);
    // XNNPACK, the allocator and our code settle: what they keep is not the programs'.
    const CaseLoader loader(WeightCache::Create());
    EXPECT_TRUE(IsOk(loader.Load(TestData("cases/lora_fp32"), "lora0")));
  }

  static MemoryUsage Usage() {
    auto usage = CurrentMemoryUsage();
    EXPECT_TRUE(IsOk(usage));
    return *usage;
  }

  // The largest resident size since the last ResetPeak, from /proc/self/status.
  static size_t PeakResident() {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line)) {
      if (line.rfind("VmHWM:", 0) == 0) return std::stoul(line.substr(6)) * 1024;
    }
    return 0;
  }
  static bool ResetPeak() {
    std::ofstream clear("/proc/self/clear_refs");
    clear << "5" << std::flush;
    return clear.good();
  }

  const TempFolder folder_;
};

TEST_F(MemoryTest, GoesBackToTheSystemWithTheLastProgram) {
  const size_t before = Usage().anonymous_bytes;
  const std::shared_ptr<WeightCache> cache = WeightCache::Create();
  const CaseLoader loader(cache);
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> base, loader.Load(folder_.path(), "base"));
    EXPECT_GE(Usage().anonymous_bytes, before + kMatrix * kMatrices);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> lora, loader.Load(folder_.path(), "lora0"));
    EXPECT_LT(Usage().anonymous_bytes, before + kMatrix * kMatrices + 2 * kMatrix)
        << "the second program shares the foundation";
    EXPECT_EQ(CaseLoader::Check(lora, folder_.path(), "lora0"), "");
  }
  EXPECT_EQ(cache->Stats().heap_bytes, 0u);
  EXPECT_LT(Usage().anonymous_bytes, before + kMatrix / 4);
}

TEST_F(MemoryTest, AFewRowsCostTheWorkspaceOfAFewRows) {
  const CaseLoader loader(WeightCache::Create());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> lora, loader.Load(folder_.path(), "lora0"));
  const size_t before = Usage().anonymous_bytes;
  EXPECT_EQ(CaseLoader::Check(lora, folder_.path(), "lora0"), "");
  EXPECT_LT(Usage().anonymous_bytes, before + (1 << 20));
}

TEST_F(MemoryTest, PeakWhileLoadingIsWhatIsPackedAndTheTensorInHand) {
  if (!ResetPeak()) GTEST_SKIP() << "this kernel does not reset VmHWM";
  const size_t before = Usage().resident_bytes;
  const std::shared_ptr<WeightCache> cache = WeightCache::Create();
  const CaseLoader loader(cache);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> base, loader.Load(folder_.path(), "base"));
  const size_t packed = cache->Stats().bytes;
  EXPECT_LT(PeakResident(), before + packed + 2 * kMatrix);
  EXPECT_LT(Usage().file_backed_bytes, before + kMatrix) << "raw pages were let go of";
}

TEST_F(MemoryTest, ThatIsSoForASourceThatIsNotMappedToo) {
  if (!ResetPeak()) GTEST_SKIP() << "this kernel does not reset VmHWM";
  ReadCounts counts;
  CaseLoader loader(WeightCache::Create());
  loader.set_open([&](const std::string& path) { return OpenCountingSource(path, &counts); });
  const size_t before = Usage().resident_bytes;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> base, loader.Load(folder_.path(), "base"));
  EXPECT_LT(PeakResident(), before + loader.cache().Stats().bytes + 2 * kMatrix);
}

}  // namespace
}  // namespace onepack
