#include "aot/pte_writer.h"

#include "onepack/program.h"
#include "program_generated.h"
#include "runtime/program_contents.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

MethodPlan MethodWithADelegate(uint32_t segment) {
  MethodPlan method;
  TensorPlan tensor;
  tensor.sizes = {2, 3};
  tensor.place = PlannedPlace{1, (uint64_t{1} << 33) + 8};
  method.values = {tensor, int64_t{3}, 0.5};
  method.buffer_sizes = {0, int64_t{1} << 34};
  method.delegates = {DelegatePlan::InSegment("Test", segment)};
  method.chains = {{DelegateCallPlan{0, {0}}}};
  return method;
}

TEST(PteWriterTest, WhatIsWrittenIsReadBack) {
  ProgramWriter writer;
  writer.AddMethod(MethodWithADelegate(writer.AddSegment(AsBytes("payload"))));
  writer.AddNamedData("key", writer.AddSegment(AsBytes("data")));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(writer.Finish()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto* plan, ProgramContents(*program).FindMethod("forward"));
  EXPECT_EQ(plan->values()->size(), 3u);
  const auto* tensor = plan->values()->Get(0)->val_as_Tensor();
  EXPECT_EQ(tensor->sizes()->Get(1), 3);
  EXPECT_EQ(tensor->dim_order()->Get(1), 1);
  EXPECT_EQ(tensor->allocation_info()->memory_offset_high(), 2u);
  EXPECT_EQ(tensor->allocation_info()->memory_offset_low(), 8u);
  EXPECT_EQ(plan->delegates()->Get(0)->id()->str(), "Test");
  EXPECT_NE(program->named_data()->Find("key"), nullptr);
}

// Where `list` starts in memory that is aligned to 16 bytes, as a file is.
template <typename List>
bool IsAlignedToEight(const List* list) {
  return reinterpret_cast<uintptr_t>(list->Data()) % 8 == 0;
}

TEST(PteWriterTest, ListsWithoutItemsAreAlignedAsIfTheyHadSome) {
  for (const size_t header_size : {size_t{0}, size_t{24}, size_t{32}}) {
    for (std::string name = "m"; name.size() < 9; name += "m") {
      ProgramOptions options;
      options.header_size = header_size;
      ProgramWriter writer(options);
      MethodPlan method;
      method.name = name;
      method.buffer_sizes.clear();
      method.values = {std::vector<double>{}, IntListPlan{}, name, IntListPlan{}};
      writer.AddMethod(method);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(writer.Finish()));
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto* plan, ProgramContents(*program).FindMethod(name));
      EXPECT_TRUE(IsAlignedToEight(plan->non_const_buffer_sizes()));
      const auto& values = *plan->values();
      EXPECT_TRUE(IsAlignedToEight(values.Get(0)->val_as_DoubleList()->items()));
      EXPECT_TRUE(IsAlignedToEight(values.Get(1)->val_as_IntList()->items()));
      EXPECT_TRUE(IsAlignedToEight(values.Get(3)->val_as_IntList()->items()));
      EXPECT_EQ(values.Get(3)->val_as_IntList()->items()->size(), 0u);
    }
  }
}

TEST(PteWriterTest, EveryFormOfHeaderIsRead) {
  for (const size_t header_size : {size_t{24}, size_t{32}}) {
    ProgramOptions options;
    options.header_size = header_size;
    ProgramWriter writer(options);
    writer.AddMethod(MethodWithADelegate(writer.AddSegment(AsBytes("payload"))));
    const std::vector<uint8_t> file = writer.Finish();
    EXPECT_EQ(file[12], header_size);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(file));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const ProgramContents::PayloadBytes payload,
                                 ProgramContents(*program).LoadPayload(false, 0));
    EXPECT_EQ(std::string(payload.buffer.bytes.begin(), payload.buffer.bytes.end()), "payload");
  }
  ProgramOptions options;
  options.header_size = 0;
  ProgramWriter writer(options);
  MethodPlan method = MethodWithADelegate(writer.AddInlinePayload(AsBytes("payload")));
  method.delegates[0].location = 0;
  writer.AddMethod(method);
  EXPECT_TRUE(IsOk(OpenProgram(writer.Finish())));
}

TEST(PteWriterTest, FrontIsLaidOutAsTheExporterDoes) {
  const std::vector<uint8_t> real = ReadFile(TestData("cases/lora_fp32/base.pte"));
  ProgramWriter writer;
  writer.AddMethod(MethodWithADelegate(writer.AddSegment(AsBytes("payload"))));
  const std::vector<uint8_t> ours = writer.Finish();
  // Identifiers and header length.
  EXPECT_EQ(std::vector<uint8_t>(ours.begin() + 4, ours.begin() + 16),
            std::vector<uint8_t>(real.begin() + 4, real.begin() + 16));
}

TEST(PteWriterTest, FinishingTwiceGivesTheSameFile) {
  ProgramWriter writer;
  writer.AddMethod(MethodWithADelegate(writer.AddSegment(AsBytes("payload"))));
  EXPECT_EQ(writer.Finish(), writer.Finish());
}

}  // namespace
}  // namespace onepack
