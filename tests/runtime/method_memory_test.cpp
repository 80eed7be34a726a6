// Where a method's tensors are: constants, data files, planned memory, state.

#include <sys/resource.h>

#include <algorithm>

#include "tests/runtime/method_fixture.h"

namespace onepack {
namespace {

const std::vector<float> kConstant = {10, 20, 30, 40};

// y = x + constant, with x and y planned and the constant at value 2.
class ConstantTest : public MethodTest {
 protected:
  void PlanAdd(const TensorPlan& constant) {
    RegisterAdd();
    plan_.values = {Planned({4}, 0), Planned({4}, 16), constant};
    plan_.buffer_sizes = {0, 32};
    plan_.inputs = {0};
    plan_.outputs = {1};
    plan_.operators = {{"test::add", "out"}};
    plan_.chains = {{KernelCallPlan{0, {0, 2, 1}}}};
  }

  void ExpectSum() {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
    HostTensor x({4}, {1, 2, 3, 4});
    ASSERT_TRUE(IsOk(method->SetInput(0, x.value())));
    ASSERT_TRUE(IsOk(method->Execute()));
    EXPECT_EQ(Floats(method->output(0)), (std::vector<float>{11, 22, 33, 44}));
  }

  static TensorPlan External(std::vector<int32_t> sizes, const char* key) {
    TensorPlan tensor;
    tensor.sizes = std::move(sizes);
    tensor.external_key = key;
    return tensor;
  }
};

TEST_F(ConstantTest, ComesFromTheConstantSegment) {
  TensorPlan constant;
  constant.sizes = {4};
  constant.data_buffer_idx = program_.AddConstant(AsBytes(kConstant));
  PlanAdd(constant);
  ExpectSum();
}

TEST_F(ConstantTest, ComesFromTheConstantBufferOfOldFiles) {
  ProgramOptions options;
  options.uses_constant_buffer = true;
  options.header_size = 0;
  program_ = ProgramWriter(options);
  TensorPlan constant;
  constant.sizes = {4};
  constant.data_buffer_idx = program_.AddConstant(AsBytes(kConstant));
  PlanAdd(constant);
  ExpectSum();
}

TEST_F(ConstantTest, ComesFromADataFile) {
  PtdWriter data;
  data.AddBytes("bias", AsBytes(kConstant), PtdTensorLayout{ScalarType::kFloat, {4}, {}});
  data.AddBytes("more", AsBytes(kConstant));
  AddData(data, "weights.ptd");
  PlanAdd(External({4}, "bias"));
  ExpectSum();
}

TEST_F(ConstantTest, ComesFromAnOpaqueBlobThatIsLargeEnough) {
  PtdWriter data;
  std::vector<float> longer = kConstant;
  longer.push_back(50);
  data.AddBytes("bias", AsBytes(longer));
  AddData(data, "weights.ptd");
  PlanAdd(External({4}, "bias"));
  ExpectSum();
}

TEST_F(ConstantTest, ComesFromTheProgramsOwnNamedData) {
  program_.AddNamedData("bias", program_.AddSegment(AsBytes(kConstant)));
  PlanAdd(External({4}, "bias"));
  ExpectSum();
}

TEST_F(ConstantTest, TheProgramAndADataFileMustNotContradictEachOther) {
  program_.AddNamedData("bias", program_.AddSegment(AsBytes(std::vector<float>(4))));
  PtdWriter data;
  data.AddBytes("bias", AsBytes(kConstant));
  AddData(data, "weights.ptd");
  PlanAdd(External({4}, "bias"));
  EXPECT_TRUE(IsError(Load(), StatusCode::kMismatch, {"'bias'", "test.pte", "weights.ptd"}));
}

TEST_F(ConstantTest, IsNotWritable) {
  TensorPlan constant;
  constant.sizes = {4};
  constant.data_buffer_idx = program_.AddConstant(AsBytes(kConstant));
  PlanAdd(constant);
  plan_.inputs = {0, 2};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  HostTensor x({4}, {1, 2, 3, 4});
  EXPECT_TRUE(method->input(1).tensor().is_constant());
  EXPECT_TRUE(IsError(method->SetInput(1, x.value()), StatusCode::kInvalidArgument,
                      {"test.pte", "method 'forward'", "input 1", "constant"}));
}

TEST_F(ConstantTest, AMissingKeyIsNamedWithAllFilesSearched) {
  PlanAdd(External({4}, "lost.weight"));
  EXPECT_TRUE(IsError(Load(), StatusCode::kNotFound,
                      {"test.pte", "method 'forward'", "'lost.weight'", "none was given"}));
  PtdWriter data;
  data.AddBytes("bias", AsBytes(kConstant));
  AddData(data, "foundation.ptd");
  data = PtdWriter();
  data.AddBytes("other", AsBytes(kConstant));
  AddData(data, "adapter.ptd");
  EXPECT_TRUE(
      IsError(Load(), StatusCode::kNotFound, {"'lost.weight'", "foundation.ptd", "adapter.ptd"}));
}

TEST_F(ConstantTest, AnotherTypeOrShapeIsNamedWithFileKeyAndBothLayouts) {
  PtdWriter data;
  data.AddBytes("half", AsBytes(kConstant), PtdTensorLayout{ScalarType::kHalf, {8}, {}});
  data.AddBytes("square", AsBytes(kConstant), PtdTensorLayout{ScalarType::kFloat, {2, 2}, {}});
  AddData(data, "weights.ptd");
  PlanAdd(External({4}, "half"));
  EXPECT_TRUE(IsError(Load(), StatusCode::kMismatch,
                      {"test.pte", "weights.ptd", "'half'", "float16 [8]", "float32 [4]"}));
  PlanAdd(External({4}, "square"));
  EXPECT_TRUE(IsError(Load(), StatusCode::kMismatch, {"'square'", "float32 [2, 2]"}));
}

TEST_F(ConstantTest, ADimensionOfSizeOneMayHaveAnyPlaceInTheOrderOfADataFile) {
  PtdWriter data;
  data.AddBytes("bias", AsBytes(kConstant),
                PtdTensorLayout{ScalarType::kFloat, {1, 4}, std::vector<uint8_t>{1, 0}});
  data.AddBytes("square", AsBytes(kConstant),
                PtdTensorLayout{ScalarType::kFloat, {2, 2}, std::vector<uint8_t>{1, 0}});
  AddData(data, "weights.ptd");
  PlanAdd(External({1, 4}, "bias"));
  ExpectSum();
  PlanAdd(External({2, 2}, "square"));
  EXPECT_TRUE(IsError(Load(), StatusCode::kMismatch, {"'square'", "dim_order [1, 0]"}));
}

TEST_F(ConstantTest, TooFewBytesAreNamedWithFileKeyAndBothSizes) {
  PtdWriter data;
  data.AddBytes("bias", AsBytes(kConstant));
  AddData(data, "weights.ptd");
  PlanAdd(External({5}, "bias"));
  EXPECT_TRUE(IsError(Load(), StatusCode::kMismatch,
                      {"weights.ptd", "'bias'", "16 bytes", "20", "float32 [5]"}));
}

TEST_F(ConstantTest, MappedConstantsAreNotCopied) {
  const TempFolder folder;
  PtdWriter data;
  data.AddBytes("bias", AsBytes(kConstant));
  ASSERT_TRUE(IsOk(data.ToFile(folder.File("weights.ptd"))));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source,
                               OpenMappedFile(folder.File("weights.ptd").c_str()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(options_.named_data, NamedDataMap::Open(source));
  PlanAdd(External({4}, "bias"));
  plan_.outputs = {2};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, options_.named_data->Find("bias")->Load());
  EXPECT_EQ(method->output(0).tensor().data(), buffer.bytes.data());
}

TEST_F(ConstantTest, TheMethodSaysWhichKeysItUsed) {
  PtdWriter foundation;
  foundation.AddBytes("a", AsBytes(kConstant));
  foundation.AddBytes("bias", AsBytes(kConstant));
  AddData(foundation, "foundation.ptd");
  PtdWriter adapter;
  adapter.AddBytes("z", AsBytes(kConstant));
  AddData(adapter, "adapter.ptd");
  PlanAdd(External({4}, "bias"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ASSERT_EQ(options_.named_data->entries()[1].key, "bias");
  EXPECT_FALSE(method->UsesData(0));
  EXPECT_TRUE(method->UsesData(1));
  EXPECT_FALSE(method->UsesData(2));
  EXPECT_FALSE(method->UsesData(3)) << "there is no such entry";
}

TEST_F(ConstantTest, AKeyThatTheProgramHasAsWellIsUsed) {
  program_.AddNamedData("bias", program_.AddSegment(AsBytes(kConstant)));
  PtdWriter data;
  data.AddBytes("bias", AsBytes(kConstant));
  AddData(data, "weights.ptd");
  PlanAdd(External({4}, "bias"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(method->UsesData(0));
}

TEST_F(ConstantTest, TheMethodKeepsWhatItNeedsOpen) {
  PtdWriter data;
  data.AddBytes("bias", AsBytes(kConstant));
  AddData(data, "weights.ptd");
  PlanAdd(External({4}, "bias"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  options_.named_data = nullptr;
  HostTensor x({4}, {1, 2, 3, 4});
  ASSERT_TRUE(IsOk(method->SetInput(0, x.value())));
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(Floats(method->output(0))[3], 44);
}

// state = state + x, at each run.
class StateTest : public MethodTest {
 protected:
  void PlanState(TensorPlan state) {
    RegisterAdd();
    plan_.values = {Planned({2}, 0), std::move(state)};
    plan_.buffer_sizes = {0, 16};
    plan_.inputs = {0};
    plan_.outputs = {1};
    plan_.operators = {{"test::add", "out"}};
    plan_.chains = {{KernelCallPlan{0, {1, 0, 1}}}};
  }

  static std::vector<float> RunWith(Method& method, float number) {
    HostTensor x({2}, {number, number});
    EXPECT_TRUE(IsOk(method.SetInput(0, x.value())));
    EXPECT_TRUE(IsOk(method.Execute()));
    return Floats(method.output(0));
  }
};

TEST_F(StateTest, StartsWithItsInitialValueAndIsCarriedOn) {
  const std::vector<float> initial = {100, 200};
  TensorPlan state = Planned({2}, 8);
  state.data_buffer_idx = program_.AddInitialValue(AsBytes(initial));
  PlanState(state);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(RunWith(*method, 1), (std::vector<float>{101, 201}));
  EXPECT_EQ(RunWith(*method, 2), (std::vector<float>{103, 203}));
}

TEST_F(StateTest, StartsWithZerosWithoutAnInitialValue) {
  PlanState(Planned({2}, 8));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(RunWith(*method, 1), (std::vector<float>{1, 1}));
  EXPECT_EQ(RunWith(*method, 2), (std::vector<float>{3, 3}));
}

TEST_F(StateTest, BelongsToOneLoadedMethodAlone) {
  const std::vector<float> initial = {100, 200};
  TensorPlan state = Planned({2}, 8);
  state.initial_value_group = 1;
  state.data_buffer_idx = program_.AddInitialValue(AsBytes(initial), 1);
  PlanState(state);
  program_.AddMethod(plan_);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(program_.Finish()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(program, "forward"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(program, "forward"));
  EXPECT_EQ(RunWith(*first, 1), (std::vector<float>{101, 201}));
  EXPECT_EQ(RunWith(*second, 5), (std::vector<float>{105, 205}));
  EXPECT_EQ(RunWith(*first, 1), (std::vector<float>{102, 202}));
}

TEST_F(StateTest, ResetBringsBackTheInitialValue) {
  const std::vector<float> initial = {100, 200};
  TensorPlan state = Planned({2}, 8);
  state.data_buffer_idx = program_.AddInitialValue(AsBytes(initial));
  PlanState(state);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(RunWith(*method, 1), (std::vector<float>{101, 201}));
  ASSERT_TRUE(IsOk(method->Reset()));
  EXPECT_EQ(RunWith(*method, 2), (std::vector<float>{102, 202}));
}

TEST_F(StateTest, ResetBringsBackZerosAndForgetsInputs) {
  PlanState(Planned({2}, 8));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(RunWith(*method, 1), (std::vector<float>{1, 1}));
  HostTensor x({2}, {1, 1});
  ASSERT_TRUE(IsOk(method->SetInput(0, x.value())));
  ASSERT_TRUE(IsOk(method->Reset()));
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kFailedPrecondition, {"input 0"}));
  EXPECT_EQ(RunWith(*method, 2), (std::vector<float>{2, 2}));
}

TEST_F(StateTest, ResetBringsBackConstantsThatAreCopies) {
  TensorPlan constant;
  constant.sizes = {2};
  constant.data_buffer_idx = program_.AddConstant(AsBytes(std::vector<float>{7, 8}));
  PlanState(Planned({2}, 8));
  plan_.values.push_back(constant);
  plan_.outputs = {1, 2};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ASSERT_TRUE(IsOk(method->Reset()));
  EXPECT_EQ(RunWith(*method, 1), (std::vector<float>{1, 1}));
  EXPECT_EQ(Floats(method->output(1)), (std::vector<float>{7, 8}));
}

TEST_F(StateTest, ASavedStateCanBeGoneBackToAgainAndAgain) {
  PlanState(Planned({2}, 8));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(RunWith(*method, 5), (std::vector<float>{5, 5}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> state, method->SaveState());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(RunWith(*method, 1), (std::vector<float>{6, 6}));
    EXPECT_EQ(RunWith(*method, 1), (std::vector<float>{7, 7}));
    ASSERT_TRUE(IsOk(method->RestoreState(*state)));
  }
}

TEST_F(StateTest, ASavedStateFitsAnyLoadOfItsMethodAndNoOtherMethod) {
  PlanState(Planned({2}, 8));
  program_.AddMethod(plan_);
  plan_.name = "other";
  program_.AddMethod(plan_);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(program_.Finish()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(program, "forward"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(program, "forward"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> other, Load(program, "other"));
  EXPECT_EQ(RunWith(*first, 5), (std::vector<float>{5, 5}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> state, first->SaveState());
  ASSERT_TRUE(IsOk(second->RestoreState(*state)));
  EXPECT_EQ(RunWith(*second, 1), (std::vector<float>{6, 6}));
  EXPECT_EQ(RunWith(*other, 3), (std::vector<float>{3, 3}));
  EXPECT_TRUE(IsError(other->RestoreState(*state), StatusCode::kInvalidArgument,
                      {"method 'other'", "method 'forward'", "test.pte"}));
  EXPECT_EQ(RunWith(*other, 1), (std::vector<float>{4, 4}));
}

template <typename T>
Array<T> Copied(const std::vector<T>& items) {
  auto array = Array<T>::Create(HeapAllocator(), items.size());
  EXPECT_TRUE(IsOk(array));
  std::copy(items.begin(), items.end(), array->begin());
  return std::move(array).value();
}

TEST_F(StateTest, AStateIsMadeOfThePartsOfAnother) {
  PlanState(Planned({2}, 8));
  program_.AddMethod(plan_);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(program_.Finish()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load(program, "forward"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load(program, "forward"));
  EXPECT_EQ(RunWith(*first, 5), (std::vector<float>{5, 5}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> state, first->SaveState());
  const std::vector<uint64_t> blocks(state->blocks().begin(), state->blocks().end());
  const std::vector<uint8_t> contents(state->contents().begin(), state->contents().end());
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const Ref<MethodState> same,
      second->StateOfParts(state->memory_size(), Copied(blocks), Copied(contents)));
  ASSERT_TRUE(IsOk(second->RestoreState(*same)));
  EXPECT_EQ(RunWith(*second, 1), (std::vector<float>{6, 6}));
}

TEST_F(StateTest, PartsThatNoStateHasAreRefused) {
  PlanState(Planned({2}, 8));
  plan_.buffer_sizes = {0, 10000};  // 3 blocks
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  RunWith(*method, 5);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> state, method->SaveState());
  const size_t size = state->memory_size();
  const auto make = [&](size_t memory, const std::vector<uint64_t>& blocks, size_t bytes) {
    return method->StateOfParts(memory, Copied(blocks), Copied(std::vector<uint8_t>(bytes)));
  };
  const size_t last = size - 2 * 4096;
  EXPECT_TRUE(IsOk(make(size, {0, 2}, 4096 + last)));
  EXPECT_TRUE(IsOk(make(size, {}, 0)));
  EXPECT_TRUE(IsError(make(size + 1, {0}, 4096), StatusCode::kInvalidArgument, {"memory"}));
  for (const std::vector<uint64_t>& blocks :
       {std::vector<uint64_t>{3}, {uint64_t{1} << 60}, {0, 0}, {1, 0}}) {
    EXPECT_TRUE(IsError(make(size, blocks, 4096 * blocks.size()), StatusCode::kInvalidArgument,
                        {"test.pte", "'forward'", "block"}));
  }
  EXPECT_TRUE(IsError(make(size, {2}, 100), StatusCode::kInvalidArgument, {"100 bytes"}));
}

TEST_F(StateTest, ASavedStateHoldsOnlyBlocksThatAreNotZero) {
  TensorPlan large = Planned({1 << 20}, 16);
  PlanState(Planned({2}, 8));
  plan_.values.push_back(large);
  plan_.buffer_sizes = {0, 16 + (4 << 20)};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> zeros, method->SaveState());
  EXPECT_EQ(zeros->size_bytes(), 0u);
  RunWith(*method, 5);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> state, method->SaveState());
  EXPECT_GT(state->size_bytes(), 0u);
  EXPECT_LT(state->size_bytes(), 8192u);
}

long PageFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// A program may plan for more than it ever fills: a page fault for each page takes seconds.
TEST_F(StateTest, SavingDoesNotReadUntouchedMemory) {
  constexpr int64_t kPages = 65536;
  PlanState(Planned({2}, 8));
  plan_.values.push_back(Planned({kPages * 1024}, 4096));
  plan_.buffer_sizes = {0, (kPages + 1) * 4096};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  RunWith(*method, 5);
  const long before = PageFaults();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<MethodState> state, method->SaveState());
  EXPECT_LT(PageFaults() - before, kPages / 16);
  EXPECT_GT(state->size_bytes(), 0u);
  EXPECT_LT(state->size_bytes(), 8192u);
}

using PlannedMemoryTest = MethodTest;

TEST_F(PlannedMemoryTest, TensorsLieWhereTheProgramSays) {
  TensorPlan second = Planned({4}, 0);
  second.place = PlannedPlace{2, 64};
  plan_.values = {Planned({4}, 0), Planned({4}, 32), second, TensorPlan()};
  plan_.buffer_sizes = {0, 48, 80};
  plan_.outputs = {0, 1, 2, 3};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  const uint8_t* first = method->output(0).tensor().data();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  EXPECT_EQ(method->output(1).tensor().data(), first + 32);
  // The second buffer does not overlap the first, nor the scalar without a place either of them.
  const uint8_t* other = method->output(2).tensor().data() - 64;
  EXPECT_GE(other, first + 48);
  EXPECT_GE(method->output(3).tensor().data(), other + 80);
}

TEST_F(PlannedMemoryTest, MoreThanTheAddressSpaceIsAnError) {
  plan_.buffer_sizes = {0, INT64_MAX, INT64_MAX, INT64_MAX};
  EXPECT_TRUE(IsError(Load(), StatusCode::kResourceExhausted, {"test.pte", "method 'forward'"}));
  plan_.buffer_sizes = {0, int64_t{1} << 60};
  EXPECT_TRUE(IsError(Load(), StatusCode::kResourceExhausted, {"test.pte"}));
}

TEST_F(PlannedMemoryTest, AMethodWithNothingInItLoadsAndRuns) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(method->input_count(), 0u);
  EXPECT_TRUE(IsOk(method->Execute()));
}

// y = x + x, up to 4 rows of 2.
class DynamicShapeTest : public MethodTest {
 protected:
  DynamicShapeTest() {
    RegisterAdd();
    plan_.values = {Planned({4, 2}, 0, true), Planned({4, 2}, 32, true)};
    plan_.buffer_sizes = {0, 64};
    plan_.inputs = {0};
    plan_.outputs = {1};
    plan_.operators = {{"test::add", "out"}};
    plan_.chains = {{KernelCallPlan{0, {0, 0, 1}}}};
  }
};

TEST_F(DynamicShapeTest, FewerRowsThanTheBoundAreAccepted) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  for (const int32_t rows : {4, 1, 3, 0, 2}) {
    const auto count = static_cast<size_t>(rows) * 2;
    HostTensor x({rows, 2}, std::vector<float>(count, 1.5f));
    ASSERT_TRUE(IsOk(method->SetInput(0, x.value())));
    ASSERT_TRUE(IsOk(method->Execute()));
    EXPECT_EQ(Sizes(method->output(0)), (std::vector<int32_t>{rows, 2}));
    EXPECT_EQ(Floats(method->output(0)), std::vector<float>(count, 3.0f));
  }
}

TEST_F(DynamicShapeTest, MoreRowsThanTheBoundAreRefusedWithBoth) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  HostTensor five({5, 2}, std::vector<float>(10));
  EXPECT_TRUE(IsError(method->SetInput(0, five.value()), StatusCode::kInvalidArgument,
                      {"test.pte", "input 0", "float32 [5, 2]", "at most float32 [4, 2]"}));
  HostTensor flat({8}, std::vector<float>(8));
  EXPECT_TRUE(IsError(method->SetInput(0, flat.value()), StatusCode::kInvalidArgument,
                      {"float32 [8]", "float32 [4, 2]"}));
}

TEST_F(DynamicShapeTest, AFixedShapeIsKept) {
  std::get<TensorPlan>(plan_.values[0]).is_dynamic = false;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  HostTensor fewer({3, 2}, std::vector<float>(6));
  EXPECT_TRUE(IsError(method->SetInput(0, fewer.value()), StatusCode::kInvalidArgument,
                      {"float32 [3, 2] given", "float32 [4, 2] expected"}));
}

}  // namespace
}  // namespace onepack
