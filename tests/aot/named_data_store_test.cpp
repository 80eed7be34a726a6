#include "aot/named_data_store.h"

#include <random>

#include "onepack/named_data_map.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

DataBytes Data(const char* text) { return DataBytes::Copied(AsBytes(text)); }

NamedDataOptions Tagged(const char* tag) {
  NamedDataOptions options;
  options.tag = tag;
  return options;
}

Result<Ref<NamedDataMap>> OpenTag(const NamedDataStore& store, const char* tag) {
  ONEPACK_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, store.DataFile(tag).ToBytes());
  return OpenData(std::move(bytes));
}

std::string TextUnder(const NamedDataMap& map, const char* key) {
  const NamedData* data = map.Find(key);
  if (data == nullptr) return "(not there)";
  auto buffer = data->Load();
  return buffer.ok() ? std::string(buffer->bytes.begin(), buffer->bytes.end()) : "(not read)";
}

TEST(NamedDataStoreTest, EqualBytesAreStoredOnceWhateverTheirKeys) {
  NamedDataStore store;
  ASSERT_TRUE(IsOk(store.Add("a", Data("weight"), Tagged("f"))));
  ASSERT_TRUE(IsOk(store.Add("b", Data("weight"), Tagged("f"))));
  ASSERT_TRUE(IsOk(store.Add("c", Data("other"), Tagged("f"))));
  EXPECT_EQ(store.data().size(), 2u);
  EXPECT_EQ(store.SizeBytes(), 11u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenTag(store, "f"));
  EXPECT_EQ(map->entries().size(), 3u);
  EXPECT_EQ(map->Find("a")->segment.offset, map->Find("b")->segment.offset);
  EXPECT_EQ(TextUnder(*map, "b"), "weight");
  EXPECT_EQ(TextUnder(*map, "c"), "other");
}

TEST(NamedDataStoreTest, SharedBytesGetTheLeastCommonMultipleOfTheirAlignments) {
  NamedDataStore store;
  NamedDataOptions options = Tagged("f");
  ASSERT_TRUE(IsOk(store.Add("in front", Data("x"), options)));
  options.alignment = 96;
  ASSERT_TRUE(IsOk(store.Add("a", Data("weight"), options)));
  options.alignment = 40;
  ASSERT_TRUE(IsOk(store.Add("b", Data("weight"), options)));
  EXPECT_EQ(store.data()[1].alignment, 480u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map, OpenTag(store, "f"));
  EXPECT_EQ(map->Find("a")->segment.offset % 1920, 0u);  // and of the 128 of every segment
}

TEST(NamedDataStoreTest, AnImplausibleAlignmentIsRefused) {
  NamedDataStore store;
  NamedDataOptions options;
  for (const size_t alignment : {size_t{0}, size_t{1} << 40}) {
    options.alignment = alignment;
    EXPECT_TRUE(IsError(store.Add("k", Data("x"), options), StatusCode::kInvalidArgument, {"'k'"}));
  }
  options.alignment = 1 << 19;
  ASSERT_TRUE(IsOk(store.Add("k", Data("x"), options)));
  options.alignment = 3;  // whose common multiple is too large
  EXPECT_TRUE(IsError(store.Add("l", Data("x"), options), StatusCode::kInvalidArgument, {"'l'"}));
}

TEST(NamedDataStoreTest, TheOrderOfDimensionsOfSizeOneDoesNotChangeAKey) {
  NamedDataStore store;
  NamedDataOptions options;
  options.layout = PtdTensorLayout{ScalarType::kChar, {1, 2, 3}, {}};
  ASSERT_TRUE(IsOk(store.Add("k", Data("weight"), options)));
  options.layout->dim_order = {1, 0, 2};
  EXPECT_TRUE(IsOk(store.Add("k", Data("weight"), options)));
  options.layout->dim_order = {0, 2, 1};
  EXPECT_TRUE(IsError(store.Add("k", Data("weight"), options), StatusCode::kMismatch,
                      {"'k'", "another tensor"}));
}

TEST(NamedDataStoreTest, TheSameKeyWithOtherBytesIsAnErrorThatNamesIt) {
  NamedDataStore store;
  ASSERT_TRUE(IsOk(store.Add("weight", Data("one"))));
  EXPECT_TRUE(IsOk(store.Add("weight", Data("one"))));
  EXPECT_TRUE(IsError(store.Add("weight", Data("another")), StatusCode::kMismatch,
                      {"'weight'", "3 bytes", "7 other bytes"}));
  EXPECT_EQ(store.SizeBytes(), 3u);
  // Also when the store knows those bytes under another key.
  ASSERT_TRUE(IsOk(store.Add("other", Data("another"))));
  EXPECT_TRUE(IsError(store.Add("weight", Data("another")), StatusCode::kMismatch, {"'weight'"}));
}

TEST(NamedDataStoreTest, TheSameKeyWithAnotherLayoutOrFileIsAnErrorThatNamesIt) {
  NamedDataStore store;
  NamedDataOptions options = Tagged("f");
  options.layout = PtdTensorLayout{ScalarType::kByte, {2, 2}, {}};
  ASSERT_TRUE(IsOk(store.Add("k", Data("four"), options)));
  EXPECT_TRUE(IsOk(store.Add("k", Data("four"), options)));
  EXPECT_TRUE(IsError(store.Add("k", Data("four"), Tagged("f")), StatusCode::kMismatch, {"'k'"}));
  options.layout->sizes = {4};
  EXPECT_TRUE(IsError(store.Add("k", Data("four"), options), StatusCode::kMismatch, {"'k'"}));
  options.layout->sizes = {2, 2};
  options.tag = "g";
  EXPECT_TRUE(
      IsError(store.Add("k", Data("four"), options), StatusCode::kMismatch, {"'k'", "'f'", "'g'"}));
}

TEST(NamedDataStoreTest, ContentKeysAreTheSha256OfTheBytes) {
  NamedDataStore store;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string key, store.AddByContent(Data("abc")));
  EXPECT_EQ(key, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string scale,
                               store.AddByContent(Data("abc"), {}, "scale_"));
  EXPECT_EQ(scale, "scale_" + key);
  EXPECT_EQ(store.data().size(), 1u);
}

TEST(NamedDataStoreTest, EachTagIsAFileAndTheRestIsTheProgramsOwn) {
  NamedDataStore store;
  ASSERT_TRUE(IsOk(store.Add("base", Data("shared"), Tagged("foundation"))));
  ASSERT_TRUE(IsOk(store.Add("a", Data("adapter"), Tagged("lora"))));
  ASSERT_TRUE(IsOk(store.Add("again", Data("shared"), Tagged("lora"))));
  ASSERT_TRUE(IsOk(store.Add("own", Data("mine"))));
  ASSERT_TRUE(IsOk(store.Add("own too", Data("mine"))));
  EXPECT_EQ(store.Tags(), (std::vector<std::string>{"foundation", "lora"}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> lora, OpenTag(store, "lora"));
  EXPECT_EQ(lora->entries().size(), 2u);
  EXPECT_EQ(TextUnder(*lora, "again"), "shared");  // each file stands alone

  ProgramWriter program;
  program.AddMethod(MethodPlan());
  store.AddOwnData(program);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> opened, OpenProgram(program.Finish()));
  EXPECT_EQ(opened->named_data()->entries().size(), 2u);
  EXPECT_EQ(TextUnder(*opened->named_data(), "own"), "mine");
  EXPECT_EQ(opened->named_data()->Find("own")->segment.offset,
            opened->named_data()->Find("own too")->segment.offset);
}

TEST(NamedDataStoreTest, AMergeTakesAllOrNothing) {
  NamedDataStore a;
  ASSERT_TRUE(IsOk(a.Add("k", Data("one"), Tagged("f"))));
  NamedDataStore b;
  ASSERT_TRUE(IsOk(b.Add("k", Data("one"), Tagged("f"))));
  ASSERT_TRUE(IsOk(b.Add("l", Data("two"), Tagged("f"))));
  ASSERT_TRUE(IsOk(a.Merge(b)));
  EXPECT_EQ(a.entries().size(), 2u);
  EXPECT_EQ(a.data().size(), 2u);

  NamedDataStore clash;
  ASSERT_TRUE(IsOk(clash.Add("a new key", Data("three"))));
  ASSERT_TRUE(IsOk(clash.Add("l", Data("not two"), Tagged("f"))));
  EXPECT_TRUE(IsError(a.Merge(clash), StatusCode::kMismatch, {"'l'"}));
  EXPECT_EQ(a.entries().size(), 2u);
  EXPECT_EQ(a.SizeBytes(), 6u);
}

// Random stores, written and read back.
TEST(NamedDataStoreTest, RandomStoresAreReadBackEqual) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](uint32_t bound) { return static_cast<uint32_t>(random() % bound); };
    struct Expected {
      std::vector<uint8_t> bytes;
      std::string tag;
      bool is_tensor;
    };
    std::map<std::string, Expected> expected;
    NamedDataStore store;
    const uint32_t count = below(20);
    for (uint32_t i = 0; i < count; ++i) {
      // Few lengths and few letters, so that some are equal.
      std::vector<uint8_t> bytes(1 + below(3) * 50, static_cast<uint8_t>('a' + below(3)));
      NamedDataOptions options = Tagged(std::array{"", "f", "g"}[below(3)]);
      options.alignment = size_t{1} << below(13);
      if (below(2) == 1) {
        options.layout =
            PtdTensorLayout{ScalarType::kByte, {static_cast<int32_t>(bytes.size()), 1}, {}};
      }
      const std::string key = "key" + std::to_string(i);
      expected[key] = {bytes, options.tag, options.layout.has_value()};
      const uint32_t kind = below(2);
      ASSERT_TRUE(IsOk(
          store.Add(key,
                    kind == 0 ? DataBytes::Owned(bytes)
                              : DataBytes::Produced(bytes.size(),
                                                    [bytes](const Append& append) {
                                                      for (const uint8_t& byte : bytes) {
                                                        ONEPACK_RETURN_IF_ERROR(append({&byte, 1}));
                                                      }
                                                      return Status::Ok();
                                                    }),
                    options)));
    }
    ProgramWriter program;
    program.AddMethod(MethodPlan());
    store.AddOwnData(program);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> opened, OpenProgram(program.Finish()));
    size_t found = opened->named_data()->entries().size();
    std::map<std::string, Ref<NamedDataMap>> maps = {{"", opened->named_data()}};
    for (const std::string& tag : store.Tags()) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(maps[tag], OpenTag(store, tag.c_str()));
      found += maps[tag]->entries().size();
    }
    EXPECT_EQ(found, expected.size());
    for (const auto& [key, what] : expected) {
      const NamedData* data = maps[what.tag]->Find(key);
      ASSERT_NE(data, nullptr) << key;
      // A program's own data has no layouts.
      EXPECT_EQ(data->is_tensor, what.is_tensor && !what.tag.empty());
      EXPECT_EQ(data->segment.offset % store.data()[store.entries().at(key).data].alignment, 0u);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, data->Load());
      EXPECT_EQ(std::vector<uint8_t>(buffer.bytes.begin(), buffer.bytes.end()), what.bytes);
    }
  }
}

}  // namespace
}  // namespace onepack
