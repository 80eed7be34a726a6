#include "onepack/context_file.h"

#include <gtest/gtest.h>
#include <string.h>

#include "base/sha256.h"
#include "tests/llm/exported_model.h"
#include "tests/llm/sum_model.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Model = std::unique_ptr<LanguageModel>;
using Tokens = std::vector<int64_t>;

ModelFiles Adapter(const std::string& name) {
  return {"cases/llm_8da4w/" + name + ".pte",
          {"cases/llm_8da4w/foundation.ptd", "cases/llm_8da4w/" + name + ".ptd"}};
}

Model LoadSum(const SumModelOptions& options = {}) {
  auto model = LanguageModel::Load(SumModel(options).program(), SumModel::LoadOptions());
  EXPECT_TRUE(IsOk(model));
  return model.ok() ? std::move(model).value() : nullptr;
}

class ContextFileTest : public testing::Test {
 protected:
  std::string path() const { return folder_.File("context"); }

  // What a model that has read 1, 2 and 4 writes.
  std::vector<uint8_t> SumContext() const {
    const Model model = LoadSum();
    EXPECT_TRUE(IsOk(model->Append(Tokens{1, 2, 4})));
    EXPECT_TRUE(IsOk(SaveContextFile(*model, path().c_str())));
    return ReadFile(path());
  }

  // Another load of the program, as in another process.
  Status LoadSumFrom(Bytes bytes, const SumModelOptions& options = {}) const {
    WriteFile(path(), bytes);
    const Model model = LoadSum(options);
    EXPECT_TRUE(IsOk(model->Append(Tokens{3})));
    Status status = LoadContextFile(*model, path().c_str());
    if (status.ok()) return status;
    EXPECT_EQ(model->context(), Tokens{3});
    return status;
  }

  // With a checksum that is right, as who means harm would write it.
  static std::vector<uint8_t> Sealed(std::vector<uint8_t> bytes) {
    Sha256Hasher hasher;
    hasher.Add(Bytes(bytes).subspan(0, bytes.size() - 32));
    auto digest = hasher.Finish();
    EXPECT_TRUE(IsOk(digest));
    memcpy(bytes.data() + bytes.size() - 32, digest->data(), 32);
    return bytes;
  }

  const TempFolder folder_;
};

TEST_F(ContextFileTest, AnotherLoadGoesOnFromIt) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model first, LoadExported(Adapter("a0")));
  ASSERT_TRUE(IsOk(first->Append(Tokens{3, 17, 99})));
  ASSERT_TRUE(IsOk(SaveContextFile(*first, path().c_str())));
  const Tokens expected = Answer(*first, {5}, 6);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model second, LoadExported(Adapter("a0")));
  ASSERT_TRUE(IsOk(LoadContextFile(*second, path().c_str())));
  EXPECT_EQ(second->context(), (Tokens{3, 17, 99}));
  EXPECT_EQ(Answer(*second, {5}, 6), expected);
}

TEST_F(ContextFileTest, CopiesOfTheFilesAreTheSameModelInAnyOrder) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model first, LoadExported(Adapter("a0")));
  ModelFiles copies;
  for (const std::string file : {"a0.ptd", "foundation.ptd", "a0.pte"}) {
    const std::string copy = folder_.File(file);
    WriteFile(copy, ReadFile(TestData("cases/llm_8da4w/" + file)));
    copies.data.push_back(copy);
  }
  copies.program = copies.data.back();
  copies.data.pop_back();
  ASSERT_TRUE(IsOk(first->Append(Tokens{3, 17, 99})));
  ASSERT_TRUE(IsOk(SaveContextFile(*first, path().c_str())));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model second, LoadExported(copies));
  EXPECT_TRUE(IsOk(LoadContextFile(*second, path().c_str())));
}

TEST_F(ContextFileTest, AnotherAdaptersCacheIsRefused) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model first, LoadExported(Adapter("a0")));
  ASSERT_TRUE(IsOk(first->Append(Tokens{3, 17, 99})));
  ASSERT_TRUE(IsOk(SaveContextFile(*first, path().c_str())));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model other, LoadExported(Adapter("a1")));
  EXPECT_TRUE(IsError(LoadContextFile(*other, path().c_str()), StatusCode::kMismatch,
                      {path(), "another program"}));
  // The same program with the other one's weights, whose keys are the same names.
  ModelFiles swapped = Adapter("a0");
  swapped.data.push_back("cases/llm_8da4w/a1.ptd");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Model more, LoadExported(swapped));
  EXPECT_TRUE(IsError(LoadContextFile(*more, path().c_str()), StatusCode::kMismatch,
                      {path(), "other data files"}));
}

TEST_F(ContextFileTest, AnotherProgramOfTheSameShapeIsRefused) {
  const std::vector<uint8_t> bytes = SumContext();
  EXPECT_TRUE(IsOk(LoadSumFrom(bytes)));
  SumModelOptions other;
  other.eos_ids = {8};
  EXPECT_TRUE(IsError(LoadSumFrom(bytes, other), StatusCode::kMismatch, {path(), "program"}));
}

TEST_F(ContextFileTest, CutAnywhereItIsRefused) {
  const std::vector<uint8_t> bytes = SumContext();
  ASSERT_GT(bytes.size(), 4096u);
  for (size_t size = 0; size < bytes.size(); size += size < 300 ? 1 : 97) {
    EXPECT_TRUE(
        IsError(LoadSumFrom(Bytes(bytes).subspan(0, size)), StatusCode::kInvalidFile, {path()}))
        << size;
  }
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  EXPECT_TRUE(IsError(LoadSumFrom(longer), StatusCode::kInvalidFile, {path()}));
}

TEST_F(ContextFileTest, AFlippedBitAnywhereIsNoticed) {
  std::vector<uint8_t> bytes = SumContext();
  for (size_t i = 0; i < bytes.size(); i += i < 300 ? 1 : 61) {
    bytes[i] = static_cast<uint8_t>(bytes[i] ^ (1 << (i % 8)));
    const Status status = LoadSumFrom(bytes);
    const bool is_version = i >= 8 && i < 16;
    EXPECT_EQ(status.code(), is_version ? StatusCode::kUnsupported : StatusCode::kInvalidFile) << i;
    bytes[i] = static_cast<uint8_t>(bytes[i] ^ (1 << (i % 8)));
  }
}

// Each number of the header and each part, changed to what hurts most, under a good checksum.
TEST_F(ContextFileTest, AForgedFileIsRefused) {
  const std::vector<uint8_t> good = SumContext();
  for (size_t field = 16; field < 64; field += 4) {
    for (const uint32_t number : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      std::vector<uint8_t> bytes = good;
      memcpy(&bytes[field], &number, sizeof(number));
      if (bytes == good) continue;
      EXPECT_FALSE(LoadSumFrom(Sealed(bytes)).ok()) << field << " " << number;
    }
  }
  const size_t tokens = 96 + strlen("forward");
  const size_t blocks = tokens + 3 * sizeof(int64_t);
  for (const auto& [place, number] : {std::pair{tokens, int64_t{-1}},
                                      {tokens, int64_t{10}},
                                      {blocks, int64_t{-1}},
                                      {blocks, int64_t{1} << 40}}) {
    std::vector<uint8_t> bytes = good;
    memcpy(&bytes[place], &number, sizeof(number));
    EXPECT_TRUE(IsError(LoadSumFrom(Sealed(bytes)), StatusCode::kInvalidArgument, {path()}));
  }
}

TEST_F(ContextFileTest, WhatIsNoFileIsNamed) {
  const Model model = LoadSum();
  EXPECT_TRUE(IsError(LoadContextFile(*model, folder_.File("none").c_str()), StatusCode::kNotFound,
                      {"none"}));
  EXPECT_TRUE(IsError(LoadContextFile(*model, folder_.path().c_str()), StatusCode::kInvalidFile,
                      {folder_.path()}));
  EXPECT_TRUE(IsError(LoadContextFile(*model, nullptr), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(SaveContextFile(*model, nullptr), StatusCode::kInvalidArgument));
  EXPECT_TRUE(IsError(SaveContextFile(*model, folder_.File("no/context").c_str()),
                      StatusCode::kNotFound, {"no/context"}));
  EXPECT_TRUE(FilesIn(folder_.path()).empty());
}

TEST_F(ContextFileTest, ItReplacesAnOlderOne) {
  WriteFile(path(), Bytes());
  SumContext();
  EXPECT_EQ(FilesIn(folder_.path()), std::vector<std::string>{"context"});
}

}  // namespace
}  // namespace onepack
