#include "onepack/model_info.h"

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

TEST(ModelInfoTest, WhatTheProgramDoesNotSayIsUnknown) {
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

TEST(ModelInfoTest, EndsOfTextHaveTwoNames) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ModelInfo one,
                               InfoOf({ConstantMethod("get_eos_id", {int64_t{5}})}));
  EXPECT_EQ(one.eos_ids, std::vector<int64_t>{5});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ModelInfo both,
                               InfoOf({ConstantMethod("get_eos_id", {int64_t{5}, int64_t{6}}),
                                       ConstantMethod("get_eos_ids", {int64_t{7}})}));
  EXPECT_EQ(both.eos_ids, (std::vector<int64_t>{7, 5, 6}));
}

// Exporters put in what their user's configuration has.
TEST(ModelInfoTest, NumbersMayComeInAnyForm) {
  TensorPlan tensor;
  tensor.scalar_type = ScalarType::kInt;
  tensor.sizes = {2};
  ProgramWriter writer;
  const int32_t ids[] = {3, 4};
  tensor.data_buffer_idx = writer.AddConstant({reinterpret_cast<const uint8_t*>(ids), sizeof(ids)});
  writer.AddMethod(ConstantMethod("get_eos_ids", {tensor, int64_t{5}, std::monostate()}));
  MethodPlan list = ConstantMethod("get_vocab_size", {int64_t{100}, IntListPlan{{0}}});
  list.outputs = {1};
  writer.AddMethod(list);
  writer.AddMethod(ConstantMethod("get_max_seq_len", {2048.0}));
  writer.AddMethod(ConstantMethod("use_kv_cache", {int64_t{0}}));
  writer.AddMethod(ConstantMethod("get_bos_id", {std::vector<double>{1.0}}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(writer.Finish()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ModelInfo info, ReadModelInfo(program));
  EXPECT_EQ(info.eos_ids, (std::vector<int64_t>{3, 4, 5}));
  EXPECT_EQ(info.vocab_size, 100);
  EXPECT_EQ(info.max_seq_len, 2048);
  EXPECT_EQ(info.bos_id, 1);
  EXPECT_FALSE(info.use_kv_cache);
  EXPECT_TRUE(info.ignored.empty());
}

TEST(ModelInfoTest, WhatMeansNothingCountsAsNotThereAndIsNamed) {
  MethodPlan computing = ConstantMethod("get_max_context_len", {int64_t{1}});
  computing.operators = {{"test::unknown", "out"}};
  computing.chains = {{KernelCallPlan{0, {0}}}};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ModelInfo info,
                               InfoOf({ConstantMethod("get_vocab_size", {std::string("many")}),
                                       ConstantMethod("get_bos_id", {0.5}), computing,
                                       ConstantMethod("get_eos_id", {int64_t{2}})}));
  EXPECT_EQ(info.vocab_size, 0);
  EXPECT_EQ(info.bos_id, -1);
  EXPECT_EQ(info.eos_ids, std::vector<int64_t>{2});
  ASSERT_EQ(info.ignored.size(), 3u);
  EXPECT_NE(info.ignored[0].find("get_max_context_len"), std::string::npos) << info.ignored[0];
  EXPECT_EQ(info.ignored[1], "method 'get_vocab_size': it gives string, numbers expected");
  EXPECT_EQ(info.ignored[2], "method 'get_bos_id': it gives 0.5, whole numbers expected");
}

TEST(ModelInfoTest, MoreNumbersThanAnyModelHasAreNotCollected) {
  TensorPlan tensor;
  tensor.scalar_type = ScalarType::kByte;
  tensor.sizes = {1 << 30};
  tensor.place = PlannedPlace{1, 0};
  MethodPlan plan = ConstantMethod("get_eos_ids", {tensor});
  plan.buffer_sizes = {0, 1 << 30};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const ModelInfo info, InfoOf({plan}));
  EXPECT_TRUE(info.eos_ids.empty());
  ASSERT_EQ(info.ignored.size(), 1u);
  EXPECT_NE(info.ignored[0].find("more than 65536"), std::string::npos);
}

}  // namespace
}  // namespace onepack
