#include "aot/language_model.h"

#include <stdio.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "onepack/named_data_map.h"
#include "tests/support/files.h"
#include "tests/support/sanitizers.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"
#include "tools/inspected_file.h"

namespace onepack {
namespace {

std::set<std::string> KeysOf(const InspectedFile& file) {
  std::set<std::string> keys;
  for (const NamedData& entry : file.named_data->entries()) keys.emplace(entry.key);
  return keys;
}

TEST(LanguageModelTest, ProgramsFindEveryKeyInTheirDataFiles) {
  for (const WeightType weights : {WeightType::kFloat32, WeightType::kInt8, WeightType::kInt4}) {
    LanguageModelOptions options;
    options.weights = weights;
    options.has_int8_embedding = weights != WeightType::kFloat32;
    const TempFolder folder;
    ASSERT_TRUE(IsOk(WriteLanguageModel(folder.path(), options)));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const InspectedFile foundation,
                                 OpenToInspect(folder.File("foundation.ptd")));
    const std::set<std::string> shared = KeysOf(foundation);
    for (const std::string name : {"base", "lora0", "lora1"}) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const InspectedFile program,
                                   OpenToInspect(folder.File(name + ".pte")));
      std::set<std::string> keys = shared;
      if (name != "base") {
        ONEPACK_ASSERT_OK_AND_ASSIGN(const InspectedFile adapter,
                                     OpenToInspect(folder.File(name + ".ptd")));
        // A and B of four projections in two layers.
        EXPECT_EQ(adapter.named_data->entries().size(), 16u);
        keys.merge(KeysOf(adapter));
      }
      EXPECT_EQ(program.keys, keys) << name;
    }
  }
}

TEST(LanguageModelTest, ATiedHeadIsTheEmbeddingItself) {
  for (const bool is_tied : {true, false}) {
    LanguageModelOptions options;
    options.is_tied = is_tied;
    const TempFolder folder;
    ASSERT_TRUE(IsOk(WriteLanguageModel(folder.path(), options)));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map,
                                 OpenData(ReadFile(folder.File("foundation.ptd"))));
    const NamedData* embedding = map->Find("tok_embeddings.weight");
    ASSERT_NE(embedding, nullptr);
    size_t same = 0;
    for (const NamedData& entry : map->entries()) {
      same += entry.segment.offset == embedding->segment.offset ? 1 : 0;
    }
    EXPECT_EQ(same, is_tied ? 2u : 1u);
  }
}

TEST(LanguageModelTest, TheFoundationHasTheSizeThatWasAnnounced) {
  const TempFolder folder;
  const LanguageModelOptions options;
  ASSERT_TRUE(IsOk(WriteLanguageModel(folder.path(), options)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map,
                               OpenData(ReadFile(folder.File("foundation.ptd"))));
  uint64_t size = 0;
  std::set<uint64_t> segments;
  for (const NamedData& entry : map->entries()) {
    if (segments.insert(entry.segment.offset).second) size += entry.segment.size;
  }
  EXPECT_EQ(size, LanguageModelSizeBytes(options));
}

TEST(LanguageModelTest, Qwen3HasItsPublishedSize) {
  const std::optional<LanguageModelOptions> options = LanguageModelPreset("Qwen3-0.6B");
  ASSERT_TRUE(options.has_value());
  // 0.6 billion parameters, 0.44 of them outside of the embedding.
  const double parameters = static_cast<double>(LanguageModelSizeBytes(*options)) / 4;
  EXPECT_NEAR(parameters, 0.596e9, 0.002e9);
  EXPECT_NEAR(parameters - 151936.0 * 1024, 0.44e9, 0.002e9);
}

TEST(LanguageModelTest, SizesThatDoNotFitAreRefused) {
  const TempFolder folder;
  LanguageModelOptions options;
  options.heads = 3;
  EXPECT_TRUE(IsError(WriteLanguageModel(folder.path(), options), StatusCode::kInvalidArgument));
  options = LanguageModelOptions();
  options.chunk = options.context + 1;
  EXPECT_TRUE(IsError(WriteLanguageModel(folder.path(), options), StatusCode::kInvalidArgument));
  options = LanguageModelOptions();
  options.weights = WeightType::kInt4;
  options.group = 128;
  EXPECT_TRUE(IsError(WriteLanguageModel(folder.path(), options), StatusCode::kInvalidArgument));
  EXPECT_TRUE(FilesIn(folder.path()).empty());
}

TEST(LanguageModelTest, AnInterruptedWriteLeavesNothingNewAndExistingFilesUnchanged) {
  const TempFolder whole;
  LanguageModelOptions options;
  int pieces = 0;
  options.watch = [&](uint64_t) {
    ++pieces;
    return Status::Ok();
  };
  ASSERT_TRUE(IsOk(WriteLanguageModel(whole.path(), options)));
  const TempFolder folder;
  options.watch = [&](uint64_t) {
    return --pieces > 0 ? Status::Ok() : Status::Error(StatusCode::kCancelled, "stop");
  };
  EXPECT_TRUE(IsError(WriteLanguageModel(folder.path(), options), StatusCode::kCancelled));
  EXPECT_TRUE(FilesIn(folder.path()).empty());
  options.watch = nullptr;
  ASSERT_TRUE(IsOk(WriteLanguageModel(folder.path(), options)));
  const std::vector<uint8_t> before = ReadFile(folder.File("foundation.ptd"));
  options.seed = 1;
  EXPECT_TRUE(IsError(WriteLanguageModel(folder.path(), options), StatusCode::kFailedPrecondition));
  EXPECT_EQ(ReadFile(folder.File("foundation.ptd")), before);
  options.existing = ExistingFile::kReplace;
  ASSERT_TRUE(IsOk(WriteLanguageModel(folder.path(), options)));
  EXPECT_NE(ReadFile(folder.File("foundation.ptd")), before);
}

// Of this process, since the last Reset.
class PeakMemory {
 public:
  PeakMemory() { std::ofstream("/proc/self/clear_refs") << 5; }
  size_t kilobytes() const {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      size_t size = 0;
      if (sscanf(line.c_str(), "VmHWM: %zu kB", &size) == 1) return size;
    }
    return 0;
  }
};

TEST(LanguageModelTest, AFileIsWrittenInAFractionOfItsSize) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's own memory would be measured";
  const TempFolder folder;
  LanguageModelOptions options;
  options.dim = 1024;
  options.ffn = 3072;
  options.vocabulary = 30000;
  options.adapters = 0;
  const size_t before = PeakMemory().kilobytes();
  ASSERT_TRUE(IsOk(WriteLanguageModel(folder.path(), options)));
  EXPECT_GT(std::filesystem::file_size(folder.File("foundation.ptd")), 190u << 20);
  EXPECT_LT(PeakMemory().kilobytes(), before + (60u << 10));
}

}  // namespace
}  // namespace onepack
