// Data that ExecuTorch has mapped from a file.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <vector>

#include "aot/payload_writer.h"
#include "aot/ptd_writer.h"
#include "base/fd.h"
#include "integrations/executorch/file_place.h"
#include "integrations/executorch/tests/backend_stats.h"
#include "integrations/executorch/tests/direct_program.h"
#include "onepack/named_data_map.h"
#include "tests/support/files.h"

namespace onepack {
namespace {

constexpr uint32_t kWidth = 32;

// As of ExecuTorch's MmapDataLoader: what is asked for is where the file is mapped.
class MappedMap final : public CountingMap {
 public:
  explicit MappedMap(const std::string& path) {
    auto source = OpenMappedFile(path.c_str());
    auto entries = onepack::NamedDataMap::Open(*source);
    entries_ = *entries;
    auto file = Fd::OpenForReading(path.c_str());
    size_ = (*source)->size();
    bytes_ = static_cast<uint8_t*>(mmap(nullptr, size_, PROT_READ, MAP_SHARED, file->get(), 0));
    EXPECT_NE(static_cast<void*>(bytes_), MAP_FAILED);
  }
  ~MappedMap() override { munmap(bytes_, size_); }

  bool IsRecognisedHere() const { return FilePlaces().Find(bytes_, size_).has_value(); }

 private:
  et::Result<et::FreeableBuffer> Find(std::string_view key) const override {
    const NamedData* const data = entries_->Find(key);
    if (data == nullptr) return et::Error::NotFound;
    return et::FreeableBuffer(bytes_ + data->segment.offset, data->segment.size, nullptr);
  }

  Ref<onepack::NamedDataMap> entries_;
  uint8_t* bytes_ = nullptr;
  size_t size_ = 0;
};

std::vector<uint8_t> Floats(float number) { return FloatWeight(size_t{kWidth} * kWidth, number); }

// Two linears, one after the other, over the weights of these names.
std::vector<uint8_t> TwoLinears(const std::string& first, const std::string& second) {
  PayloadWriter payload;
  const uint32_t a = payload.AddNamedConstant(first, Floats(0).size());
  const uint32_t b = payload.AddNamedConstant(second, Floats(0).size());
  const uint32_t x = payload.AddInput({4, kWidth});
  const uint32_t middle = payload.AddInternal({4, kWidth});
  const uint32_t y = payload.AddOutput({4, kWidth});
  payload.AddFullyConnected(x, payload.AddConstant({kWidth, kWidth}, a), middle);
  payload.AddFullyConnected(middle, payload.AddConstant({kWidth, kWidth}, b), y);
  return payload.Finish();
}

class MappedDataTest : public testing::Test {
 protected:
  void SetUp() override {
    PtdWriter writer;
    const std::vector<uint8_t> half = Floats(0.5f), quarter = Floats(0.25f);
    writer.AddBytes("half", {half.data(), half.size()});
    writer.AddBytes("quarter", {quarter.data(), quarter.size()});
    auto bytes = writer.ToBytes();
    ASSERT_TRUE(bytes.ok());
    WriteFile(path_, {bytes->data(), bytes->size()});
    if (!MappedMap(path_).IsRecognisedHere()) {
      GTEST_SKIP() << "this file system gives a mapping other numbers than stat";
    }
  }

  static std::vector<float> RunOnOnes(DirectDelegate& delegate) {
    return delegate.Run({1, kWidth}, std::vector<float>(kWidth, 1.0f), {4, kWidth});
  }

  const TempFolder folder_;
  const std::string path_ = folder_.File("data.ptd");
  const std::vector<float> expected_ = std::vector<float>(kWidth, 0.5f * kWidth * 0.25f * kWidth);
};

TEST_F(MappedDataTest, OneKeyIsAskedForAndTheOthersAreFoundInTheFile) {
  const MappedMap map(path_);
  DirectDelegate first(TwoLinears("half", "quarter"), &map);
  EXPECT_EQ(map.requests, 1u);
  EXPECT_EQ(RunOnOnes(first), expected_);
  const auto before = BackendStats();
  DirectDelegate second(TwoLinears("half", "quarter"), &map);
  EXPECT_EQ(map.requests, 2u);
  EXPECT_EQ(BackendStats()["misses"], before.at("misses"));
  EXPECT_EQ(RunOnOnes(second), expected_);
}

TEST_F(MappedDataTest, LinearsRunOverTheFileAndCopyNothing) {
  const auto before = BackendStats();
  const MappedMap map(path_);
  DirectDelegate delegate(TwoLinears("half", "quarter"), &map);
  EXPECT_EQ(BackendStats()["in_place_bytes"], before.at("in_place_bytes") + 2 * Floats(0).size());
  EXPECT_EQ(BackendStats()["copied_bytes"], before.at("copied_bytes"));
}

TEST_F(MappedDataTest, WhatWasMappedStaysWhenExecuTorchUnmapsIt) {
  auto map = std::make_unique<MappedMap>(path_);
  DirectDelegate delegate(TwoLinears("half", "quarter"), map.get());
  map.reset();
  EXPECT_EQ(RunOnOnes(delegate), expected_);
}

TEST_F(MappedDataTest, AFileThatWasReplacedIsReadThroughExecuTorch) {
  const MappedMap map(path_);
  WriteFile(path_ + ".new", AsBytes("nothing"));
  ASSERT_EQ(rename((path_ + ".new").c_str(), path_.c_str()), 0);
  DirectDelegate delegate(TwoLinears("half", "quarter"), &map);
  EXPECT_EQ(delegate.error, et::Error::Ok);
  EXPECT_GT(map.requests, 1u);
  EXPECT_EQ(RunOnOnes(delegate), expected_);
}

TEST_F(MappedDataTest, AKeyThatTheFileDoesNotHaveIsNotFound) {
  const MappedMap map(path_);
  DirectDelegate delegate(TwoLinears("half", "nothing"), &map);
  EXPECT_EQ(delegate.error, et::Error::NotFound);
}

}  // namespace
}  // namespace onepack
