// Files that end too early, and files with a damaged byte: an error, never a crash.

#include <string.h>

#include <memory>
#include <string>
#include <vector>

#include "onepack/method.h"
#include "tests/support/files.h"
#include "tests/support/recording_backend.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

// The first `size` bytes in an allocation of just that size, so that a sanitizer sees a read past
// the end.
class Prefix {
 public:
  Prefix(const std::vector<uint8_t>& bytes, size_t size) : copy_(new uint8_t[size]) {
    if (size > 0) memcpy(copy_.get(), bytes.data(), size);
    auto source = WrapMemory({copy_.get(), size}, "cut");
    EXPECT_TRUE(IsOk(source));
    if (source.ok()) source_ = *source;
  }

  const Ref<DataSource>& source() const { return source_; }

 private:
  std::unique_ptr<uint8_t[]> copy_;
  Ref<DataSource> source_;
};

TEST(TruncationTest, AProgramCutAtAnyByteIsRefused) {
  for (const char* name : {"cases/lora_fp32/base.pte", "cases/lora_fp32/lora0.pte"}) {
    const std::vector<uint8_t> file = ReadFile(TestData(name));
    for (size_t size = 0; size < file.size(); ++size) {
      const Prefix cut(file, size);
      ASSERT_TRUE(IsError(Program::Open(cut.source()), StatusCode::kInvalidFile, {"cut: "}))
          << name << " cut to " << size << " of " << file.size();
    }
    EXPECT_TRUE(IsOk(Program::Open(Prefix(file, file.size()).source())));
  }
}

TEST(TruncationTest, ADataFileCutAtAnyByteIsRefused) {
  for (const char* name : {"cases/lora_fp32/lora0.ptd", "cases/scale_8da4w/one.ptd"}) {
    const std::vector<uint8_t> file = ReadFile(TestData(name));
    for (size_t size = 0; size < file.size(); ++size) {
      const Prefix cut(file, size);
      ASSERT_TRUE(IsError(NamedDataMap::Open(cut.source()), StatusCode::kInvalidFile, {"cut: "}))
          << name << " cut to " << size << " of " << file.size();
    }
    const Prefix whole(file, file.size());
    EXPECT_TRUE(IsOk(NamedDataMap::Open(whole.source())));
  }
}

TEST(TruncationTest, ADamagedProgramLoadsAndRunsOrSaysWhyNot) {
  const std::vector<uint8_t> file = ReadFile(TestData("cases/lora_fp32/lora0.pte"));
  BackendRecord record;
  MethodOptions options;
  const Ref<Backend> backends[] = {MakeRecordingBackend("XnnpackBackend", &record)};
  options.backends = backends;
  options.max_instructions_per_run = 1000;
  // The payload behind this is the backend's business.
  const size_t flatbuffer_size = 1280;
  for (size_t i = 0; i < flatbuffer_size; ++i) {
    for (const uint8_t flip : std::initializer_list<uint8_t>{0x01, 0x10, 0x80, 0xff}) {
      std::vector<uint8_t> damaged = file;
      damaged[i] = static_cast<uint8_t>(damaged[i] ^ flip);
      auto program = OpenProgram(std::move(damaged));
      if (!program.ok()) continue;
      auto method = Method::Load(*program, "forward", options);
      if (!method.ok()) continue;
      const Status status = (*method)->Execute();
      if (!status.ok()) {
        ASSERT_STRNE(status.message(), "");
      }
    }
  }
}

TEST(TruncationTest, ADamagedDataFileOpensOrSaysWhyNot) {
  const std::vector<uint8_t> file = ReadFile(TestData("cases/scale_8da4w/one.ptd"));
  for (size_t i = 0; i < 384; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<uint8_t> damaged = file;
      damaged[i] = static_cast<uint8_t>(damaged[i] ^ (1 << bit));
      auto map = OpenData(std::move(damaged));
      if (!map.ok()) continue;
      for (const NamedData& entry : (*map)->entries()) EXPECT_TRUE(IsOk(entry.Load()));
    }
  }
}

}  // namespace
}  // namespace onepack
