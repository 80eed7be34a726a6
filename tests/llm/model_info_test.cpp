#include "llm/model_info.h"

#include <gtest/gtest.h>

#include "tests/llm/sum_model.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

Result<ModelInfo> InfoOf(std::vector<MethodPlan> methods) {
  ProgramWriter writer;
  for (MethodPlan& method : methods) writer.AddMethod(std::move(method));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, OpenProgram(writer.Finish()));
  return ReadModelInfo(program);
}

TEST(ModelInfoTest, ReadsWhatTheExporterWrites) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> file,
                               OpenMappedFile(TestData("cases/llm_fp32/base.pte").c_str()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, Program::Open(file));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ModelInfo info, ReadModelInfo(program));
  EXPECT_EQ(info.max_seq_len, 64);
  EXPECT_EQ(info.max_context_len, 64);
  EXPECT_EQ(info.vocab_size, 256);
  EXPECT_EQ(info.bos_id, 1);
  EXPECT_EQ(info.eos_ids, std::vector<int64_t>{2});
  EXPECT_TRUE(info.use_kv_cache);
}

TEST(ModelInfoTest, WhatTheProgramDoesNotSayIsLeftOpen) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ModelInfo info, InfoOf({ConstantMethod("other", {})}));
  EXPECT_EQ(info.max_context_len, 0);
  EXPECT_EQ(info.bos_id, -1);
  EXPECT_TRUE(info.eos_ids.empty());
}

TEST(ModelInfoTest, SeveralEndsOfTextAreOutputsOrAList) {
  const std::vector<ValuePlan> outputs = {int64_t{5}, int64_t{6}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ModelInfo two,
                               InfoOf({ConstantMethod("get_eos_ids", outputs)}));
  EXPECT_EQ(two.eos_ids, (std::vector<int64_t>{5, 6}));
  MethodPlan list = ConstantMethod("get_eos_ids", {int64_t{5}, int64_t{6}, IntListPlan{{0, 1}}});
  list.outputs = {2};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ModelInfo listed, InfoOf({list}));
  EXPECT_EQ(listed.eos_ids, (std::vector<int64_t>{5, 6}));
}

TEST(ModelInfoTest, AnotherKindOfValueIsNamed) {
  EXPECT_TRUE(IsError(InfoOf({ConstantMethod("get_vocab_size", {true})}), StatusCode::kUnsupported,
                      {"test.pte", "get_vocab_size", "bool", "int"}));
  EXPECT_TRUE(IsError(InfoOf({ConstantMethod("use_kv_cache", {int64_t{1}})}),
                      StatusCode::kUnsupported, {"use_kv_cache", "int", "bool"}));
}

}  // namespace
}  // namespace onepack
