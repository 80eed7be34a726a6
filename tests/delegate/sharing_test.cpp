// What programs that share a foundation cost, counted: rules 2, 3, 6 and 8 of the cache contract.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/case_loader.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

const char* const kFamilies[] = {"lora_fp32", "lora_8da4w", "lora_8da8w"};

class SharingTest : public testing::TestWithParam<const char*> {
 protected:
  std::string Folder() const { return TestData(std::string("cases/") + GetParam()); }

  // The packed bytes that `names`, loaded one after the other, add to an empty cache.
  std::vector<uint64_t> PackedBy(const std::vector<std::string>& names) const {
    const std::shared_ptr<WeightCache> cache = WeightCache::Create();
    const CaseLoader loader(cache);
    std::vector<uint64_t> packed;
    std::vector<Ref<Method>> methods;
    for (const std::string& name : names) {
      const uint64_t before = cache->Stats().packed_bytes;
      auto method = loader.Load(Folder(), name);
      EXPECT_TRUE(IsOk(method));
      methods.push_back(std::move(method).value());
      packed.push_back(cache->Stats().packed_bytes - before);
    }
    return packed;
  }
};

INSTANTIATE_TEST_SUITE_P(RecordedFamilies, SharingTest, testing::ValuesIn(kFamilies),
                         [](const auto& family) { return std::string(family.param); });

TEST_P(SharingTest, ASecondProgramAddsExactlyItsAdaptersPackedBytes) {
  const uint64_t base = PackedBy({"base"})[0];
  const uint64_t lora0 = PackedBy({"lora0"})[0];
  const uint64_t lora1 = PackedBy({"lora1"})[0];
  ASSERT_GT(base, 0u);
  // A LoRA program alone packs the foundation and its adapter; beside the base, its adapter only.
  const std::vector<uint64_t> together = PackedBy({"base", "lora0", "lora1"});
  EXPECT_EQ(together[0], base);
  EXPECT_EQ(together[1], lora0 - base);
  EXPECT_EQ(together[2], lora1 - base);
  EXPECT_GT(together[1], 0u);
}

TEST_P(SharingTest, TheOrderOfLoadingDoesNotChangeTheTotal) {
  const std::vector<uint64_t> forwards = PackedBy({"base", "lora0", "lora1"});
  const std::vector<uint64_t> backwards = PackedBy({"lora1", "lora0", "base"});
  EXPECT_EQ(forwards[0] + forwards[1] + forwards[2], backwards[0] + backwards[1] + backwards[2]);
  EXPECT_EQ(backwards[2], 0u);
}

TEST_P(SharingTest, AllProgramsOverOneCacheAnswerRight) {
  const CaseLoader loader(WeightCache::Create());
  const std::vector<std::string> names = {"base", "lora0", "lora1"};
  std::vector<Ref<Method>> methods;
  for (const std::string& name : names) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, loader.Load(Folder(), name));
    methods.push_back(std::move(method));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(CaseLoader::Check(methods[i], Folder(), names[i]), "");
  }
}

TEST_P(SharingTest, AfterTheLastProgramTheCacheHoldsNothing) {
  const std::shared_ptr<WeightCache> cache = WeightCache::Create();
  const CaseLoader loader(cache);
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> base, loader.Load(Folder(), "base"));
    const size_t alone = cache->Stats().bytes;
    {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> lora0, loader.Load(Folder(), "lora0"));
      EXPECT_GT(cache->Stats().bytes, alone);
    }
    EXPECT_EQ(cache->Stats().bytes, alone);
    EXPECT_EQ(CaseLoader::Check(base, Folder(), "base"), "");
  }
  const WeightCacheStats stats = cache->Stats();
  EXPECT_EQ(stats.entries, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.pins, 0u);
  EXPECT_EQ(stats.heap_bytes, 0u);
}

TEST_P(SharingTest, ProgramsOutliveTheHandleOfTheCache) {
  Ref<Method> method;
  {
    const CaseLoader loader(WeightCache::Create());
    ONEPACK_ASSERT_OK_AND_ASSIGN(method, loader.Load(Folder(), "lora0"));
  }
  EXPECT_EQ(CaseLoader::Check(method, Folder(), "lora0"), "");
}

TEST_P(SharingTest, ProgramsLoadedAtOncePackEachWeightOnce) {
  const std::vector<uint64_t> one_by_one = PackedBy({"base", "lora0", "lora1"});
  const std::shared_ptr<WeightCache> cache = WeightCache::Create();
  const CaseLoader loader(cache);
  const std::vector<std::string> names = {"base", "lora0", "lora1", "base", "lora0", "lora1"};
  std::vector<Ref<Method>> methods(names.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < names.size(); ++i) {
    threads.emplace_back([&, i] {
      auto method = loader.Load(Folder(), names[i]);
      EXPECT_TRUE(IsOk(method));
      if (method.ok()) methods[i] = std::move(method).value();
      EXPECT_EQ(CaseLoader::Check(methods[i], Folder(), names[i]), "");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache->Stats().packed_bytes, one_by_one[0] + one_by_one[1] + one_by_one[2]);
}

// Rule 2: the same foundation shipped twice, in two files, is packed once.
TEST_P(SharingTest, AFoundationShippedTwiceIsPackedOnce) {
  const TempFolder other;
  std::filesystem::copy(Folder(), other.path());
  const std::shared_ptr<WeightCache> cache = WeightCache::Create();
  const CaseLoader loader(cache);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, loader.Load(Folder(), "base"));
  const WeightCacheStats before = cache->Stats();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, loader.Load(other.path(), "base"));
  EXPECT_EQ(cache->Stats().packed_bytes, before.packed_bytes);
  EXPECT_EQ(cache->Stats().entries, before.entries);
  EXPECT_EQ(CaseLoader::Check(second, other.path(), "base"), "");
}

// Rule 2: whoever comes with a file of his own gets what is in it, and harms nobody.
TEST_P(SharingTest, OtherBytesUnderTheSameNamesAreServedToWhoBroughtThem) {
  const TempFolder poisoned;
  std::filesystem::copy(Folder(), poisoned.path());
  std::vector<uint8_t> foundation = ReadFile(poisoned.File("foundation.ptd"));
  // The last segment's last bytes: a weight, never the directory.
  for (size_t i = foundation.size() - 64; i < foundation.size(); ++i) foundation[i] ^= 0x01;
  WriteFile(poisoned.File("foundation.ptd"), foundation);
  const std::shared_ptr<WeightCache> cache = WeightCache::Create();
  const CaseLoader loader(cache);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> bad, loader.Load(poisoned.path(), "base"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> good, loader.Load(Folder(), "base"));
  EXPECT_EQ(CaseLoader::Check(good, Folder(), "base"), "");
  EXPECT_GT(cache->Stats().misses.other_content + cache->Stats().misses.other_quantization, 0u);
  EXPECT_LT(cache->Stats().misses.other_content, 3u) << "only what differs is packed again";
}

// What ExecuTorch 1.5.1 gets wrong with its cache on: equal int4 bytes, other scales.
TEST(ScaleTest, EqualBytesWithOtherScalesAreTwoWeightsInEitherOrder) {
  const std::string folder = TestData("cases/scale_8da4w");
  for (const auto& [first, second] : {std::pair("one", "two"), std::pair("two", "one")}) {
    const std::shared_ptr<WeightCache> cache = WeightCache::Create();
    const CaseLoader loader(cache);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> a, loader.Load(folder, first));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> b, loader.Load(folder, second));
    EXPECT_EQ(CaseLoader::Check(a, folder, first), "");
    EXPECT_EQ(CaseLoader::Check(b, folder, second), "");
    EXPECT_EQ(cache->Stats().entries, 2u);
    EXPECT_EQ(cache->Stats().misses.other_quantization, 1u);
  }
}

TEST(RetentionTest, SwitchingAdaptersBackAndForthPacksNothing) {
  const std::string folder = TestData("cases/lora_fp32");
  WeightCacheOptions options;
  options.retained_bytes = 16 << 20;
  const std::shared_ptr<WeightCache> cache = WeightCache::Create(options);
  const CaseLoader loader(cache);
  for (const char* name : {"lora0", "lora1"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, loader.Load(folder, name));
  }
  const WeightCacheStats before = cache->Stats();
  EXPECT_EQ(before.pins, 0u);
  EXPECT_EQ(before.retained_bytes, before.bytes);
  for (int round = 0; round < 3; ++round) {
    for (const char* name : {"lora0", "lora1"}) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, loader.Load(folder, name));
      EXPECT_EQ(CaseLoader::Check(method, folder, name), "");
    }
  }
  EXPECT_EQ(cache->Stats().packed_bytes, before.packed_bytes);
  EXPECT_EQ(cache->Stats().misses.total(), before.misses.total());
}

// Retained weights are recognised in another file when their hashes are on record, else they are
// packed anew.
TEST(RetentionTest, AHashOnRecordProvesAWeightWhoseFileIsClosed) {
  const std::string folder = TestData("cases/lora_fp32");
  const TempFolder copy;
  std::filesystem::copy(folder, copy.path());
  for (const bool record_hashes : {false, true}) {
    WeightCacheOptions options;
    options.retained_bytes = 16 << 20;
    options.record_hashes = record_hashes;
    const std::shared_ptr<WeightCache> cache = WeightCache::Create(options);
    const CaseLoader loader(cache);
    {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, loader.Load(folder, "base"));
    }
    const uint64_t packed = cache->Stats().packed_bytes;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, loader.Load(copy.path(), "base"));
    EXPECT_EQ(cache->Stats().packed_bytes, record_hashes ? packed : 2 * packed);
    EXPECT_EQ(CaseLoader::Check(method, copy.path(), "base"), "");
  }
}

TEST(ProgressTest, CountsUpToWhatWasExpected) {
  std::vector<LoadProgress> calls;
  const CaseLoader loader(WeightCache::Create(), [&](const LoadProgress& progress) {
    calls.push_back(progress);
    return true;
  });
  for (int round = 0; round < 2; ++round) {  // the second finds everything
    calls.clear();
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first,
                                 loader.Load(TestData("cases/lora_8da4w"), "lora0"));
    ASSERT_FALSE(calls.empty());
    for (size_t i = 1; i < calls.size(); ++i) {
      EXPECT_GE(calls[i].served_bytes, calls[i - 1].served_bytes);
      EXPECT_EQ(calls[i].expected_bytes, calls[0].expected_bytes);
    }
    EXPECT_EQ(calls.back().served_bytes, calls.back().expected_bytes);
  }
}

TEST(ProgressTest, ACancelledLoadLeavesNothingBehind) {
  const std::shared_ptr<WeightCache> cache = WeightCache::Create();
  int left = 0;
  const CaseLoader loader(cache, [&](const LoadProgress&) { return --left > 0; });
  for (int allowed = 0; allowed < 6; ++allowed) {
    left = allowed;
    EXPECT_TRUE(IsError(loader.Load(TestData("cases/lora_fp32"), "base"), StatusCode::kCancelled,
                        {"base.pte"}));
    EXPECT_EQ(cache->Stats().bytes, 0u);
    EXPECT_EQ(cache->Stats().pins, 0u);
  }
  left = 100;
  EXPECT_TRUE(IsOk(loader.Load(TestData("cases/lora_fp32"), "base")));
}

}  // namespace
}  // namespace onepack
