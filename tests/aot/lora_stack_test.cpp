#include "aot/lora_stack.h"

#include <math.h>
#include <openssl/sha.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/hex.h"
#include "onepack/named_data_map.h"
#include "onepack/program.h"
#include "program_generated.h"
#include "runtime/program_contents.h"
#include "schema/verify_payload.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

LoraStackOptions TinyOptions() {
  LoraStackOptions options;
  options.width = 8;
  options.hidden = 20;
  options.blocks = 2;
  options.rank = 2;
  options.adapters = 2;
  return options;
}

class LoraStackTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(IsOk(WriteLoraStack(folder_.path(), TinyOptions()))); }

  nlohmann::json Case(const std::string& name) const {
    const std::vector<uint8_t> text = ReadFile(folder_.File(name + ".json"));
    return nlohmann::json::parse(std::string(text.begin(), text.end()));
  }

  const TempFolder folder_;
};

std::string Sha256(Bytes bytes) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(bytes.data(), bytes.size(), digest.data());
  return HexText(digest).c_str();
}

TEST_F(LoraStackTest, DataFilesOpenAndTheirKeysAreTheHashesOfTheirBytes) {
  for (const char* name : {"foundation.ptd", "lora0.ptd", "lora1.ptd"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map,
                                 OpenData(ReadFile(folder_.File(name))));
    EXPECT_EQ(map->entries().size(), std::string(name) == "foundation.ptd" ? 6u : 8u);
    for (const NamedData& entry : map->entries()) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, entry.Load());
      EXPECT_EQ(entry.key, Sha256(buffer.bytes));
    }
  }
}

TEST_F(LoraStackTest, ProgramsOpenAndEveryKeyTheyNameIsInTheirDataFiles) {
  for (const std::string name : {"base", "lora0", "lora1"}) {
    std::set<std::string> keys;
    const nlohmann::json recorded = Case(name);
    for (const std::string file : recorded["data"]) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map,
                                   OpenData(ReadFile(folder_.File(file))));
      for (const NamedData& entry : map->entries()) keys.emplace(entry.key);
    }
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program,
                                 OpenProgram(ReadFile(folder_.File(name + ".pte"))));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const ProgramContents::PayloadBytes payload,
                                 ProgramContents(*program).LoadPayload(false, 0));
    const Bytes bytes = payload.buffer.bytes;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const PayloadHeader header, ParsePayloadHeader(bytes));
    const std::vector<uint8_t> flatbuffer(
        bytes.begin() + header.flatbuffer.offset,
        bytes.begin() + header.flatbuffer.offset + header.flatbuffer.size);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto* graph, VerifyPayload(flatbuffer, header));
    EXPECT_EQ(graph->constant_data()->size(), 1u + (name == "base" ? 6u : 14u));
    for (uint32_t i = 1; i < graph->constant_data()->size(); ++i) {
      EXPECT_EQ(keys.count(graph->constant_data()->Get(i)->named_key()->str()), 1u);
    }
  }
}

TEST_F(LoraStackTest, CasesDescribeCallsWithOneAndFourRows) {
  for (const std::string name : {"base", "lora0", "lora1"}) {
    const nlohmann::json recorded = Case(name);
    EXPECT_EQ(recorded["program"], name + ".pte");
    EXPECT_EQ(recorded["method"], "forward");
    EXPECT_EQ(recorded["atol"], 1e-3);
    ASSERT_EQ(recorded["calls"].size(), 2u);
    const std::vector<uint8_t> bytes = ReadFile(folder_.File(name + ".bin"));
    for (size_t call = 0; call < 2; ++call) {
      for (const char* side : {"inputs", "outputs"}) {
        const nlohmann::json& value = recorded["calls"][call][side].at(0);
        const std::vector<int> sizes = value["sizes"];
        EXPECT_EQ(sizes, (std::vector<int>{call == 0 ? 1 : 4, 8}));
        EXPECT_EQ(value["dtype"], "float32");
        const size_t offset = value["offset"];
        const size_t size = value["nbytes"];
        EXPECT_EQ(offset % 16, 0u);
        EXPECT_EQ(size, static_cast<size_t>(sizes[0]) * 8 * sizeof(float));
        ASSERT_LE(offset + size, bytes.size());
      }
    }
  }
}

// The model once more, from the files this time and one number at a time, which shows that files
// and recorded outputs belong together.
class FromFiles {
 public:
  FromFiles(const LoraStackOptions& options, std::vector<std::vector<uint8_t>> files)
      : options_(options), files_(std::move(files)) {}

  // Matrices of a data file in the order they were written.
  std::vector<std::vector<float>> Matrices(size_t file) const {
    auto map = OpenData(files_[file]);
    EXPECT_TRUE(IsOk(map));
    std::vector<const NamedData*> entries;
    for (const NamedData& entry : (*map)->entries()) entries.push_back(&entry);
    std::sort(entries.begin(), entries.end(), [](const NamedData* a, const NamedData* b) {
      return a->segment.offset < b->segment.offset;
    });
    std::vector<std::vector<float>> matrices;
    for (const NamedData* entry : entries) {
      matrices.emplace_back(entry->segment.size / sizeof(float));
      memcpy(matrices.back().data(), files_[file].data() + entry->segment.offset,
             entry->segment.size);
    }
    return matrices;
  }

  std::vector<double> Run(std::vector<double> x) const {
    const auto base = Matrices(0);
    std::vector<std::vector<float>> adapter;
    if (files_.size() > 1) adapter = Matrices(1);
    for (uint32_t block = 0; block < options_.blocks; ++block) {
      const auto part = [&](size_t i) {
        return adapter.empty() ? std::vector<float>() : adapter[block * 4 + i];
      };
      std::vector<double> gate = Layer(base[block * 3], part(0), part(1), x);
      const std::vector<double> up = Linear(base[block * 3 + 1], x);
      for (size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + exp(-gate[i]));
      const std::vector<double> down = Layer(base[block * 3 + 2], part(2), part(3), gate);
      for (size_t i = 0; i < x.size(); ++i) x[i] += down[i];
    }
    return x;
  }

 private:
  static std::vector<double> Linear(const std::vector<float>& matrix,
                                    const std::vector<double>& x) {
    std::vector<double> y(matrix.size() / x.size());
    for (size_t o = 0; o < y.size(); ++o) {
      for (size_t i = 0; i < x.size(); ++i) {
        y[o] += static_cast<double>(matrix[o * x.size() + i]) * x[i];
      }
    }
    return y;
  }

  static std::vector<double> Layer(const std::vector<float>& matrix, const std::vector<float>& a,
                                   const std::vector<float>& b, const std::vector<double>& x) {
    std::vector<double> y = Linear(matrix, x);
    if (a.empty()) return y;
    const std::vector<double> update = Linear(b, Linear(a, x));
    for (size_t i = 0; i < y.size(); ++i) y[i] += 2 * update[i];
    return y;
  }

  LoraStackOptions options_;
  std::vector<std::vector<uint8_t>> files_;
};

TEST_F(LoraStackTest, RecordedOutputsAreThoseOfTheWeightsInTheFiles) {
  for (const std::string name : {"base", "lora0", "lora1"}) {
    const nlohmann::json recorded = Case(name);
    std::vector<std::vector<uint8_t>> files;
    for (const std::string file : recorded["data"]) files.push_back(ReadFile(folder_.File(file)));
    const FromFiles model(TinyOptions(), std::move(files));
    const std::vector<uint8_t> bytes = ReadFile(folder_.File(name + ".bin"));
    for (const nlohmann::json& call : recorded["calls"]) {
      const auto rows = call["inputs"][0]["sizes"][0].get<size_t>();
      std::vector<float> input(rows * 8);
      std::vector<float> output(rows * 8);
      memcpy(input.data(), bytes.data() + call["inputs"][0]["offset"].get<size_t>(), rows * 32);
      memcpy(output.data(), bytes.data() + call["outputs"][0]["offset"].get<size_t>(), rows * 32);
      for (size_t row = 0; row < rows; ++row) {
        const std::vector<double> y =
            model.Run({input.begin() + static_cast<ptrdiff_t>(row * 8),
                       input.begin() + static_cast<ptrdiff_t>(row * 8 + 8)});
        for (size_t i = 0; i < 8; ++i) {
          EXPECT_NEAR(static_cast<double>(output[row * 8 + i]), y[i], 1e-5);
        }
      }
    }
  }
}

TEST_F(LoraStackTest, TheSameSeedGivesTheSameFilesAndAnotherOthers) {
  const TempFolder again;
  ASSERT_TRUE(IsOk(WriteLoraStack(again.path(), TinyOptions())));
  for (const char* name : {"foundation.ptd", "base.pte", "lora1.ptd", "lora1.bin"}) {
    EXPECT_EQ(ReadFile(again.File(name)), ReadFile(folder_.File(name))) << name;
  }
  LoraStackOptions options = TinyOptions();
  options.seed = 1;
  options.existing = ExistingFile::kReplace;
  ASSERT_TRUE(IsOk(WriteLoraStack(again.path(), options)));
  EXPECT_NE(ReadFile(again.File("foundation.ptd")), ReadFile(folder_.File("foundation.ptd")));
}

TEST_F(LoraStackTest, TheFoundationHasTheSizeThatWasAnnounced) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> map,
                               OpenData(ReadFile(folder_.File("foundation.ptd"))));
  uint64_t size = 0;
  for (const NamedData& entry : map->entries()) size += entry.segment.size;
  EXPECT_EQ(size, FoundationSizeBytes(TinyOptions()));
}

TEST(LoraStackErrorTest, SizesOfZeroAreRefused) {
  const TempFolder folder;
  LoraStackOptions options;
  options.hidden = 0;
  EXPECT_TRUE(IsError(WriteLoraStack(folder.path(), options), StatusCode::kInvalidArgument));
  options = LoraStackOptions();
  options.max_rows = 3;
  EXPECT_TRUE(IsError(WriteLoraStack(folder.path(), options), StatusCode::kInvalidArgument));
}

TEST_F(LoraStackTest, ExistingFilesAreReplacedOnlyOnRequest) {
  const std::vector<uint8_t> before = ReadFile(folder_.File("foundation.ptd"));
  LoraStackOptions options = TinyOptions();
  options.seed = 1;
  EXPECT_TRUE(IsError(WriteLoraStack(folder_.path(), options), StatusCode::kFailedPrecondition,
                      {"foundation.ptd", "already"}));
  EXPECT_EQ(ReadFile(folder_.File("foundation.ptd")), before);
}

// Stopped after each of its pieces in turn.
TEST(LoraStackErrorTest, WhatIsInterruptedLeavesNothing) {
  for (const DataPlace data : {DataPlace::kDataFiles, DataPlace::kProgram, DataPlace::kPayload}) {
    int pieces = 1;
    for (int stop_after = 0; stop_after < pieces; ++stop_after) {
      const TempFolder folder;
      LoraStackOptions options = TinyOptions();
      options.data = data;
      int seen = 0;
      options.watch = [&](uint64_t) {
        return seen++ < stop_after ? Status::Ok() : Status::Error(StatusCode::kCancelled, "stop");
      };
      Status status = WriteLoraStack(folder.path(), options);
      pieces = std::max(pieces, seen + 1);
      if (status.ok()) break;
      EXPECT_TRUE(IsError(status, StatusCode::kCancelled, {"stop"}));
      EXPECT_TRUE(FilesIn(folder.path()).empty()) << stop_after;
    }
    EXPECT_GT(pieces, 2);
  }
}

TEST(LoraStackErrorTest, AFolderThatIsNotThereIsNamed) {
  EXPECT_TRUE(IsError(WriteLoraStack("/nowhere/at/all", TinyOptions()), StatusCode::kNotFound,
                      {"/nowhere/at/all"}));
}

}  // namespace
}  // namespace onepack
