#include "schema/state_sharing.h"

#include "aot/pte_writer.h"
#include "schema/verify_program.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

TensorPlan Placed(uint32_t buffer, uint64_t offset, std::vector<int32_t> sizes = {4}) {
  TensorPlan tensor;
  tensor.sizes = std::move(sizes);
  tensor.place = PlannedPlace{buffer, offset};
  return tensor;
}

// Values: 0 in buffer 2, 1 the input, 2 the output in buffer 1, 3 a number, 4 in buffer 2 as well
// but used by nothing; buffer 2 has 64 bytes.
MethodPlan PlanOf(const char* name, std::vector<InstructionPlan> instructions) {
  MethodPlan plan;
  plan.name = name;
  plan.values = {Placed(2, 0), Placed(1, 0), Placed(1, 16), int64_t{1}, Placed(2, 16)};
  plan.inputs = {1};
  plan.outputs = {2};
  plan.buffer_sizes = {0, 32, 64};
  plan.operators = {{"aten::add", "out"}, {"aten::copy_", ""}, {"aten::topk", "values"}};
  plan.delegates = {{"Backend", 0, 0, {}}};
  plan.chains = {std::move(instructions)};
  return plan;
}

const InstructionPlan kReadState = KernelCallPlan{0, {0, 1, 3, 2, 2}};
const InstructionPlan kWriteState = KernelCallPlan{1, {0, 1, 3, 0}};

class StateSharingTest : public testing::Test {
 protected:
  // Which of the methods share.
  std::vector<bool> Sharing(const std::vector<MethodPlan>& plans) {
    ProgramOptions options;
    options.header_size = 0;
    ProgramWriter writer(options);
    writer.AddInlinePayload(AsBytes("payload"));
    for (const MethodPlan& plan : plans) writer.AddMethod(plan);
    const std::vector<uint8_t> file = writer.Finish();
    auto* aligned = static_cast<uint8_t*>(HeapAllocator().Allocate(file.size(), 16));
    memcpy(aligned, file.data(), file.size());
    std::vector<bool> shares;
    size_bytes_ = 0;
    auto program = VerifyProgram({aligned, file.size()}, ProgramHeader{});
    EXPECT_TRUE(IsOk(program));
    if (program.ok()) {
      auto sharing = StateSharing::Of(**program, HeapAllocator());
      EXPECT_TRUE(IsOk(sharing));
      for (size_t i = 0; sharing.ok() && i < plans.size(); ++i) {
        shares.push_back(sharing->Shares(i));
      }
      if (sharing.ok()) size_bytes_ = sharing->size_bytes();
    }
    HeapAllocator().Deallocate(aligned, file.size());
    return shares;
  }

  size_t size_bytes_ = 0;
};

using Methods = std::vector<bool>;

TEST_F(StateSharingTest, MethodsThatReadAndWriteOneBufferShareIt) {
  const std::vector<InstructionPlan> both = {kReadState, kWriteState};
  EXPECT_EQ(Sharing({PlanOf("prefill", both), PlanOf("decode", both)}), (Methods{true, true}));
  EXPECT_EQ(size_bytes_, 64u);
}

TEST_F(StateSharingTest, OneThatOnlyReadsAndOneThatOnlyWritesShareIt) {
  MethodPlan get = PlanOf("get_state", {});
  get.inputs = {};
  get.outputs = {0};
  EXPECT_EQ(Sharing({PlanOf("forward", {kReadState}), PlanOf("set_state", {kWriteState}), get}),
            (Methods{true, true, true}));
}

TEST_F(StateSharingTest, AMethodThatDoesNotUseTheBufferDoesNotShare) {
  MethodPlan constant;
  constant.name = "get_max_seq_len";
  EXPECT_EQ(Sharing({PlanOf("forward", {kReadState}), PlanOf("encode", {}), constant}),
            (Methods{false, false, false}));
  EXPECT_EQ(Sharing({PlanOf("forward", {kReadState}), PlanOf("encode", {}),
                     PlanOf("reset", {kWriteState})}),
            (Methods{true, false, true}));
}

TEST_F(StateSharingTest, BuffersAtOtherPlacesAreNotShared) {
  EXPECT_EQ(Sharing({PlanOf("a", {kReadState}), PlanOf("b", {KernelCallPlan{0, {4, 1, 3, 2, 2}}})}),
            (Methods{false, false}));
}

TEST_F(StateSharingTest, AViewOfAnotherShapeIsTheSameBuffer) {
  MethodPlan viewed = PlanOf("b", {KernelCallPlan{0, {5, 1, 3, 2, 2}}, kWriteState});
  viewed.values.push_back(Placed(2, 0, {2, 2}));
  EXPECT_EQ(Sharing({PlanOf("a", {kReadState}), viewed}), (Methods{true, true}));
}

TEST_F(StateSharingTest, MethodsMayHaveBuffersOfDifferentSizes) {
  MethodPlan larger = PlanOf("b", {kReadState});
  larger.buffer_sizes[2] = 4096;
  EXPECT_EQ(Sharing({PlanOf("a", {kReadState}), larger}), (Methods{true, true}));
  EXPECT_EQ(size_bytes_, 4096u);
}

// Programs with several planned buffers for reasons of their own.

// The result of an operator, given as exporters write it: once, or twice, or in a list.
TEST_F(StateSharingTest, ABufferOfResultsIsNotShared) {
  const std::vector<std::vector<int32_t>> calls = {{1, 1, 3, 5, 5}, {1, 1, 3, 5}};
  for (const std::vector<int32_t>& arguments : calls) {
    std::vector<MethodPlan> plans;
    for (const char* name : {"a", "b"}) {
      plans.push_back(
          PlanOf(name, {KernelCallPlan{0, arguments}, KernelCallPlan{0, {5, 1, 3, 2}}}));
      plans.back().values.push_back(Placed(2, 0));
    }
    EXPECT_EQ(Sharing(plans), (Methods{false, false}));
  }
  std::vector<MethodPlan> plans;
  for (const char* name : {"a", "b"}) {
    plans.push_back(PlanOf(name, {KernelCallPlan{2, {1, 3, 5, 6, 7}}}));
    plans.back().values.insert(plans.back().values.end(),
                               {Placed(2, 0), Placed(2, 16), TensorListPlan{{5, 6}}});
  }
  EXPECT_EQ(Sharing(plans), (Methods{false, false}));
}

TEST_F(StateSharingTest, ABufferOfAListThatAnOperatorFillsIsNotShared) {
  std::vector<MethodPlan> plans;
  for (const char* name : {"a", "b"}) {
    plans.push_back(PlanOf(name, {KernelCallPlan{2, {1, 3, 7, 7}}}));
    plans.back().values.insert(plans.back().values.end(),
                               {Placed(2, 0), Placed(2, 16), TensorListPlan{{5, 6}}});
  }
  EXPECT_EQ(Sharing(plans), (Methods{false, false}));
}

TEST_F(StateSharingTest, ABufferOfWhatADelegateComputesIsNotShared) {
  std::vector<MethodPlan> plans;
  for (const char* name : {"a", "b"}) {
    plans.push_back(PlanOf(name, {DelegateCallPlan{0, {1, 5}}, KernelCallPlan{0, {5, 1, 3, 2}}}));
    plans.back().values.push_back(Placed(2, 0));
  }
  EXPECT_EQ(Sharing(plans), (Methods{false, false}));
}

TEST_F(StateSharingTest, ABufferOfInputsIsNotShared) {
  std::vector<MethodPlan> plans;
  for (const char* name : {"a", "b"}) {
    plans.push_back(PlanOf(name, {kReadState}));
    plans.back().inputs = {0, 1};
  }
  EXPECT_EQ(Sharing(plans), (Methods{false, false}));
}

TEST_F(StateSharingTest, BuffersThatLieAcrossEachOtherAreNotShared) {
  MethodPlan shifted = PlanOf("b", {KernelCallPlan{0, {5, 1, 3, 2, 2}}});
  shifted.values.push_back(Placed(2, 8));
  EXPECT_EQ(Sharing({PlanOf("a", {kReadState}), shifted}), (Methods{false, false}));
  MethodPlan shorter = PlanOf("b", {KernelCallPlan{0, {5, 1, 3, 2, 2}}});
  shorter.values.push_back(Placed(2, 0, {3}));
  EXPECT_EQ(Sharing({PlanOf("a", {kReadState}), shorter}), (Methods{false, false}));
}

TEST_F(StateSharingTest, StateInAnotherBufferIsNotShared) {
  std::vector<MethodPlan> plans;
  for (const char* name : {"a", "b"}) {
    plans.push_back(PlanOf(name, {kReadState, kWriteState}));
    plans.back().values[0] = Placed(1, 16);
  }
  EXPECT_EQ(Sharing(plans), (Methods{false, false}));
}

// A delegate may read state through a view, and an operator of the application's may change what it
// is given last.
TEST_F(StateSharingTest, StateIsKnownHoweverItIsUsed) {
  const std::vector<InstructionPlan> uses = {DelegateCallPlan{0, {0, 1, 2}},
                                             DelegateCallPlan{0, {1, 5, 2}},
                                             KernelCallPlan{1, {1, 0, 0}},
                                             KernelCallPlan{0, {1, 0, 0}},
                                             KernelCallPlan{0, {0, 1, 3, 0, 0}},
                                             KernelCallPlan{2, {6, 3, 2, 2}},
                                             MoveCallPlan{0, 2}};
  for (size_t i = 0; i < uses.size(); ++i) {
    std::vector<MethodPlan> plans;
    for (const char* name : {"a", "b"}) {
      plans.push_back(PlanOf(name, {uses[i]}));
      plans.back().values.insert(plans.back().values.end(),
                                 {Placed(2, 0, {2, 2}), OptionalTensorListPlan{{-1, 0}}});
    }
    EXPECT_EQ(Sharing(plans), (Methods{true, true})) << i;
  }
}

}  // namespace
}  // namespace onepack
