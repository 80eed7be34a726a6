#include "onepack/key_integrity.h"

#include <string>
#include <vector>

#include "aot/data_bytes.h"
#include "aot/ptd_writer.h"
#include "runtime/key_verifier.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

std::string HashOf(const char* text) {
  auto hash = DataBytes::Borrowed(AsBytes(text)).Sha256();
  EXPECT_TRUE(IsOk(hash));
  return hash.ok() ? *hash : "";
}

// A data file that counts what is loaded of it.
class CountedFile {
 public:
  explicit CountedFile(const PtdWriter& writer) {
    auto bytes = writer.ToBytes();
    EXPECT_TRUE(IsOk(bytes));
    auto source = MakeRef<Source>(HeapAllocator(), SourceOf(std::move(bytes).value(), "test.ptd"));
    EXPECT_TRUE(IsOk(source));
    source_ = *source;
    auto map = NamedDataMap::Open(source_);
    EXPECT_TRUE(IsOk(map));
    map_ = *map;
    source_->loads = 0;
  }

  const Ref<NamedDataMap>& map() const { return map_; }
  size_t loads() const { return source_->loads; }

 private:
  struct Source final : DataSource {
    explicit Source(Ref<DataSource> bytes) : bytes_(std::move(bytes)) {}
    const char* name() const override { return bytes_->name(); }
    uint64_t size() const override { return bytes_->size(); }
    Result<Buffer> Load(const Segment& range) const override {
      ++loads;
      return bytes_->Load(range);
    }
    mutable size_t loads = 0;
    Ref<DataSource> bytes_;
  };

  Ref<Source> source_;
  Ref<NamedDataMap> map_;
};

CountedFile FileOf(const std::vector<std::pair<std::string, const char*>>& entries) {
  PtdWriter writer;
  for (const auto& [key, text] : entries) writer.AddBytes(key, AsBytes(text));
  return CountedFile(writer);
}

TEST(KeyIntegrityTest, AContentKeyIs64DigitsInLowerCaseAfterScaleOrNothing) {
  const std::string digits(64, 'a');
  for (const std::string& key : {digits, "scale_" + digits, HashOf("bytes")}) {
    EXPECT_TRUE(IsContentKey(key)) << key;
  }
  for (const std::string& key :
       {std::string(), digits.substr(1), digits + "a", "bias_" + digits, std::string("scale_"),
        "scale_scale_" + digits, std::string(64, 'A'), std::string(64, 'g'),
        digits.substr(1) + '\0'}) {
    EXPECT_FALSE(IsContentKey(key)) << key;
  }
}

TEST(KeyIntegrityTest, KeysThatAreTheHashOfTheirBytesOrNoHashAreAccepted) {
  const CountedFile file = FileOf(
      {{HashOf("weight"), "weight"}, {"scale_" + HashOf("scales"), "scales"}, {"bias", "any"}});
  for (const NamedData& data : file.map()->entries()) EXPECT_TRUE(IsOk(VerifyKey(data)));
  EXPECT_EQ(file.loads(), 2u);  // of the bias nothing
}

TEST(KeyIntegrityTest, AKeyOfOtherBytesIsNamedWithTheFileAndTheHashOfWhatIsThere) {
  for (const char* prefix : {"", "scale_"}) {
    const std::string key = prefix + HashOf("weight");
    const CountedFile file = FileOf({{key, "forged"}});
    EXPECT_TRUE(IsError(VerifyKey(file.map()->entries()[0]), StatusCode::kInvalidFile,
                        {"test.ptd", key, "6 bytes", HashOf("forged")}));
  }
}

TEST(KeyVerifierTest, ReadsEachEntryOfAProgramAndOfItsDataFilesOnce) {
  const CountedFile own = FileOf({{HashOf("a"), "a"}, {HashOf("b"), "b"}});
  const CountedFile other = FileOf({{HashOf("c"), "c"}, {HashOf("d"), "d"}, {HashOf("e"), "e"}});
  const NamedDataScope scope(own.map(), other.map(), HeapAllocator());
  KeyVerifier verifier;
  for (int time = 0; time < 2; ++time) {
    for (const char* text : {"a", "b", "c", "d", "e"}) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const NamedData* data, scope.Find(HashOf(text)));
      ASSERT_TRUE(IsOk(verifier.Verify(scope, *data)));
    }
    EXPECT_EQ(own.loads(), 2u);
    EXPECT_EQ(other.loads(), 3u);
  }
}

TEST(KeyVerifierTest, AForgedEntryIsRefusedEveryTimeWhereverItStands) {
  const CountedFile sound = FileOf({{HashOf("a"), "a"}});
  const CountedFile forged = FileOf({{HashOf("b"), "c"}});
  for (const bool is_own : {true, false}) {
    const NamedDataScope scope((is_own ? forged : sound).map(), (is_own ? sound : forged).map(),
                               HeapAllocator());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const NamedData* data, scope.Find(HashOf("b")));
    KeyVerifier verifier;
    for (int time = 0; time < 2; ++time) {
      EXPECT_TRUE(IsError(verifier.Verify(scope, *data), StatusCode::kInvalidFile));
    }
  }
}

TEST(KeyVerifierTest, WithoutMemoryItIsResourceExhausted) {
  const CountedFile file = FileOf({{HashOf("a"), "a"}});
  const NamedDataScope scope(nullptr, file.map(), HeapAllocator());
  KeyVerifier verifier(Allocator{});
  EXPECT_TRUE(
      IsError(verifier.Verify(scope, file.map()->entries()[0]), StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace onepack
