#include "schema/verify_program.h"

#include <string.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "aot/pte_writer.h"
#include "base/rounding.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr StatusCode kInvalid = StatusCode::kInvalidFile;
constexpr StatusCode kUnsupported = StatusCode::kUnsupported;

Status Verify(const std::vector<uint8_t>& file) {
  ONEPACK_ASSIGN_OR_RETURN(const ProgramHeader header, ParseProgramHeader(file, file.size()));
  auto verified = VerifyProgram(Bytes(file).subspan(0, header.flatbuffer_size), header);
  return verified.ok() ? Status::Ok() : verified.TakeStatus();
}

// A sound method that uses every part a program can have; tests break one thing in it.
class VerifyProgramTest : public testing::Test {
 protected:
  VerifyProgramTest() {
    const std::vector<uint8_t> bytes(16);
    TensorPlan constant;
    constant.sizes = {2, 2};
    constant.data_buffer_idx = program_.AddConstant(bytes);
    TensorPlan planned;
    planned.sizes = {2, 2};
    planned.place = PlannedPlace{1, 16};
    TensorPlan state = planned;
    state.place = PlannedPlace{1, 32};
    state.data_buffer_idx = program_.AddInitialValue(bytes);
    TensorPlan external;
    external.sizes = {3};
    external.external_key = "weight";
    method_.values = {constant,
                      planned,
                      state,
                      external,
                      int64_t{5},
                      true,
                      2.5,
                      "text",
                      IntListPlan{{4, 4}},
                      TensorListPlan{{0, 1}},
                      OptionalTensorListPlan{{-1, 2, 11}},
                      std::monostate(),
                      std::vector<bool>{true},
                      std::vector<double>{1.5}};
    method_.inputs = {1};
    method_.outputs = {2};
    method_.operators = {{"aten::add", "out"}};
    method_.delegates = {DelegatePlan::InSegment("XnnpackBackend", program_.AddSegment(bytes)),
                         DelegatePlan::Inline("Other", program_.AddInlinePayload(bytes))};
    method_.delegates[0].compile_specs = {{"key", bytes}};
    method_.buffer_sizes = {0, 48};
    method_.chains = {{KernelCallPlan{0, {0, 1, 2}}, DelegateCallPlan{1, {1, 2}}},
                      {MoveCallPlan{4, 4}, JumpFalseCallPlan{5, 3}, FreeCallPlan{1}}};
    program_.AddNamedData("own", 0);
  }

  Status VerifyMethod() const {
    ProgramWriter program = program_;
    program.AddMethod(method_);
    return Verify(program.Finish());
  }

  TensorPlan& tensor(size_t index) { return std::get<TensorPlan>(method_.values[index]); }

  ProgramWriter program_;
  MethodPlan method_;
};

TEST_F(VerifyProgramTest, ASoundProgramPasses) { EXPECT_TRUE(IsOk(VerifyMethod())); }

TEST_F(VerifyProgramTest, RealProgramsPass) {
  for (const char* name : {"cases/lora_fp32/base.pte", "cases/lora_fp32/lora0.pte",
                           "cases/lora_8da4w/lora1.pte", "cases/scale_8da4w/one.pte"}) {
    EXPECT_TRUE(IsOk(Verify(ReadFile(TestData(name))))) << name;
  }
}

TEST_F(VerifyProgramTest, InputsAndOutputsMustBeValues) {
  method_.inputs = {1, 14};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"method 'forward'", "input 1", "value 14 of 14"}));
  method_.inputs = {1};
  method_.outputs = {-1};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"output 0", "value -1 of 14"}));
}

TEST_F(VerifyProgramTest, ArgumentsMustBeValues) {
  method_.chains[0][0] = KernelCallPlan{0, {0, 99}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid,
                      {"chain 0, instruction 0", "argument 1", "value 99 of 14"}));
  method_.chains[0][0] = DelegateCallPlan{0, {-2}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"chain 0, instruction 0", "value -2"}));
}

TEST_F(VerifyProgramTest, OperatorsAndDelegatesOfCallsMustBeThere) {
  method_.chains[0][0] = KernelCallPlan{1, {}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"chain 0, instruction 0", "operator 1 of 1"}));
  method_.chains[0][0] = KernelCallPlan{-1, {}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"operator -1 of 1"}));
  method_.chains[0][0] = DelegateCallPlan{2, {}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"chain 0, instruction 0", "delegate 2 of 2"}));
}

TEST_F(VerifyProgramTest, JumpsMustStayInTheirChain) {
  method_.chains[1][1] = JumpFalseCallPlan{5, 4};
  EXPECT_TRUE(
      IsError(VerifyMethod(), kInvalid, {"chain 1, instruction 1", "jump to instruction 4 of 4"}));
  method_.chains[1][1] = JumpFalseCallPlan{5, -1};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"jump to instruction -1"}));
  method_.chains[1][1] = JumpFalseCallPlan{14, 0};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"condition: value 14 of 14"}));
}

TEST_F(VerifyProgramTest, MovesAndFreesMustNameValues) {
  method_.chains[1][0] = MoveCallPlan{14, 0};
  EXPECT_TRUE(
      IsError(VerifyMethod(), kInvalid, {"chain 1, instruction 0", "move from value 14 of 14"}));
  method_.chains[1][0] = MoveCallPlan{0, -5};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"move to value -5 of 14"}));
  method_.chains[1][0] = FreeCallPlan{20};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"free value 20 of 14"}));
}

// Whether a program passes when `field` of `table` refers to each place behind it at which a list
// of this length would start; by whether items of eight bytes are aligned there.
template <typename Table>
std::map<bool, std::set<bool>> PassesWithListAt(std::vector<uint8_t>& file, const Table* table,
                                                flatbuffers::voffset_t field, uint32_t length) {
  std::map<bool, std::set<bool>> passes;
  auto* fields = reinterpret_cast<flatbuffers::Table*>(const_cast<Table*>(table));
  const size_t first = static_cast<size_t>(reinterpret_cast<uint8_t*>(fields) - file.data()) + 4;
  for (size_t place = RoundUp(first, 4); place + 4 <= file.size(); place += 4) {
    uint32_t found;
    memcpy(&found, file.data() + place, sizeof(found));
    if (found != length) continue;
    fields->SetPointer(field, file.data() + place);
    passes[(place + 4) % 8 == 0].insert(Verify(file).ok());
  }
  return passes;
}

// Flatbuffers aligns a list for the items that it has.
TEST_F(VerifyProgramTest, AListWithoutItemsMayLieAtEveryPlaceOfALength) {
  ProgramOptions options;
  options.header_size = 0;
  ProgramWriter program(options);
  MethodPlan method;
  // What is created first lies behind the others.
  method.values = {std::string(16, '\0'), IntListPlan{{}}, std::vector<double>{}};
  program.AddMethod(method);
  std::vector<uint8_t> file = program.Finish();
  const auto* plan = wire::program::GetProgram(file.data())->execution_plan()->Get(0);
  const std::map<bool, std::set<bool>> always = {{false, {true}}, {true, {true}}};
  EXPECT_EQ(PassesWithListAt(file, plan->values()->Get(1)->val_as_IntList(),
                             wire::program::IntList::VT_ITEMS, 0),
            always);
  EXPECT_EQ(PassesWithListAt(file, plan->values()->Get(2)->val_as_DoubleList(),
                             wire::program::DoubleList::VT_ITEMS, 0),
            always);
  EXPECT_EQ(
      PassesWithListAt(file, plan, wire::program::ExecutionPlan::VT_NON_CONST_BUFFER_SIZES, 0),
      always);
}

TEST_F(VerifyProgramTest, AListOfEightByteItemsIsReadInPlaceAndSoMustBeAligned) {
  ProgramOptions options;
  options.header_size = 0;
  ProgramWriter program(options);
  MethodPlan method;
  const std::string ones("\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0", 16);
  method.values = {ones, std::vector<double>{1.5}};
  program.AddMethod(method);
  std::vector<uint8_t> file = program.Finish();
  const auto* plan = wire::program::GetProgram(file.data())->execution_plan()->Get(0);
  const auto passes = PassesWithListAt(file, plan->values()->Get(1)->val_as_DoubleList(),
                                       wire::program::DoubleList::VT_ITEMS, 1);
  EXPECT_EQ(passes.at(false), (std::set<bool>{false}));
  EXPECT_EQ(passes.at(true).count(true), 1u);
}

TEST_F(VerifyProgramTest, ListItemsMustBeValuesOfTheirKind) {
  method_.values[8] = IntListPlan{{4, 70}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 8", "list item 1", "value 70 of 14"}));
  method_.values[8] = IntListPlan{{5}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 8", "list item 0", "Bool", "Int"}));
  method_.values[8] = IntListPlan{{-1}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 8", "value -1"}));
  method_.values[8] = IntListPlan{{int64_t{1} << 32}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 8", "4294967296"}));
  method_.values[8] = int64_t{0};
  method_.values[9] = TensorListPlan{{0, -1}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 9", "value -1"}));
  method_.values[9] = TensorListPlan{{4}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 9", "Int", "Tensor expected"}));
  method_.values[9] = TensorListPlan{{0}};
  method_.values[10] = OptionalTensorListPlan{{-2}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 10", "value -2"}));
  method_.values[10] = OptionalTensorListPlan{{4}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 10", "Int"}));
}

TEST_F(VerifyProgramTest, AListThatHoldsItselfIsRefused) {
  method_.values[9] = TensorListPlan{{9}};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 9", "TensorList"}));
}

TEST_F(VerifyProgramTest, PlannedMemoryMustLieInItsBuffer) {
  tensor(1).place = PlannedPlace{1, 33};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid,
                      {"value 1", "planned at 33 with 16 bytes in a buffer of 48"}));
  tensor(1).place = PlannedPlace{1, uint64_t{1} << 32};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 1", "planned at 4294967296"}));
  tensor(1).place = PlannedPlace{1, UINT64_MAX - 7};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 1", "planned at"}));
  tensor(1).place = PlannedPlace{2, 0};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 1", "buffer 2, 1 to 1"}));
  tensor(1).place = PlannedPlace{0, 0};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 1", "buffer 0"}));
}

TEST_F(VerifyProgramTest, PlannedBuffersMustHaveASizeAndBeOnTheCpu) {
  method_.buffer_sizes = {0, 48, -1};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"planned buffer 2 has -1 bytes"}));
  method_.buffer_sizes = {0, 48};
  method_.devices = {{1, 0}};
  EXPECT_TRUE(IsOk(VerifyMethod()));
  method_.devices = {{1, 1}};
  EXPECT_TRUE(IsError(VerifyMethod(), kUnsupported, {"planned buffer 1", "device 1"}));
}

// Entry 0 stands for no buffer: nothing is planned in it, whatever it says.
TEST_F(VerifyProgramTest, TheReservedBufferHasNoBytes) {
  method_.buffer_sizes = {1 << 20, 48};
  EXPECT_TRUE(IsOk(VerifyMethod()));
  tensor(1).place = PlannedPlace{0, 16};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 1", "buffer 0"}));
}

TEST_F(VerifyProgramTest, ConstantsMustLieInTheirSegment) {
  tensor(0).data_buffer_idx = 2;
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 0", "constant 2 of 2"}));
  tensor(0).data_buffer_idx = 1;
  tensor(0).sizes = {2, 3};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 0", "constant_segment", "24 bytes", "16"}));
}

TEST_F(VerifyProgramTest, ConstantsOfOldFilesMustLieInTheirBuffer) {
  ProgramOptions options;
  options.uses_constant_buffer = true;
  ProgramWriter program(options);
  MethodPlan method;
  TensorPlan constant;
  constant.sizes = {4};
  constant.data_buffer_idx = program.AddConstant(std::vector<uint8_t>(16));
  method.values = {constant};
  const auto verify = [&] {
    ProgramWriter copy = program;
    copy.AddMethod(method);
    return Verify(copy.Finish());
  };
  EXPECT_TRUE(IsOk(verify()));
  std::get<TensorPlan>(method.values[0]).sizes = {5};
  EXPECT_TRUE(IsError(verify(), kInvalid, {"value 0", "constant_buffer", "20 bytes", "16"}));
  std::get<TensorPlan>(method.values[0]).data_buffer_idx = 2;
  EXPECT_TRUE(IsError(verify(), kInvalid, {"value 0", "constant 2 of 2"}));
}

TEST_F(VerifyProgramTest, InitialValuesMustLieInTheirSegment) {
  tensor(2).data_buffer_idx = 2;
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 2", "initial value 2 of 2"}));
  tensor(2).data_buffer_idx = 1;
  tensor(2).initial_value_group = 3;
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 2", "mutable data 3 of 1"}));
  tensor(2).initial_value_group = 0;
  tensor(2).sizes = {2, 3};
  tensor(2).place = PlannedPlace{1, 0};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 2", "mutable_data_segments", "24"}));
}

TEST_F(VerifyProgramTest, LayoutsMustBeSound) {
  tensor(1).dim_order = std::vector<uint8_t>{0, 0};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 1", "permutation"}));
  tensor(1).dim_order = std::vector<uint8_t>{0};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 1", "dim_order has 1 entries"}));
  tensor(1).dim_order.reset();
  tensor(1).scalar_type = static_cast<ScalarType>(99);
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 1", "scalar type 99"}));
  tensor(1).scalar_type = ScalarType::kFloat;
  tensor(1).sizes = {-2, 2};
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 1", "negative size -2"}));
}

TEST_F(VerifyProgramTest, WhatIsNotSupportedSaysSo) {
  tensor(1).storage_offset = 4;
  EXPECT_TRUE(IsError(VerifyMethod(), kUnsupported, {"value 1", "storage_offset 4"}));
  tensor(1).storage_offset = 0;
  tensor(1).shape_dynamism = 2;
  EXPECT_TRUE(IsError(VerifyMethod(), kUnsupported, {"value 1", "shape dynamism 2"}));
  tensor(1).shape_dynamism = -1;
  tensor(1).device_type = 1;
  EXPECT_TRUE(IsError(VerifyMethod(), kUnsupported, {"value 1", "device 1"}));
}

TEST_F(VerifyProgramTest, ExternalTensorsNeedAName) {
  tensor(3).external_key = "";
  tensor(3).location = 1;
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"value 3", "external tensor without a name"}));
}

TEST_F(VerifyProgramTest, DelegatesNeedABackendAndAPayload) {
  method_.delegates[0].index = 9;
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"delegate 0", "segment 9 of 3"}));
  method_.delegates[0].index = 0;
  method_.delegates[1].index = 1;
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"delegate 1", "backend_delegate_data 1 of 1"}));
  method_.delegates[1].index = 0;
  method_.delegates[1].location = 5;
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"delegate 1", "payload location 5"}));
  method_.delegates[1].location = 0;
  method_.delegates[1].backend = "";
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"delegate 1", "no usable backend name"}));
}

TEST_F(VerifyProgramTest, NamesMustBeUsable) {
  method_.operators[0].name = "";
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"operator 0 has no usable name"}));
  method_.operators[0].name = "aten::add";
  method_.delegates[0].compile_specs[0].first = "";
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"delegate 0", "compile spec 0"}));
  method_.delegates[0].compile_specs.clear();
  method_.name = "";
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"method 0 has no usable name"}));
}

// A reader that stops at NUL would see another name.
TEST_F(VerifyProgramTest, NamesMustNotHoldNul) {
  ProgramWriter program = program_;
  program.AddMethod(method_);
  const std::vector<uint8_t> file = program.Finish();
  for (const auto& [name, complaint] :
       {std::pair("forward", "method 0"), std::pair("aten::add", "operator 0"),
        std::pair("weight", "external tensor"), std::pair("XnnpackBackend", "delegate 0"),
        std::pair("own", "named_data entry 0")}) {
    std::vector<uint8_t> damaged = file;
    const auto at = std::search(damaged.begin(), damaged.end(), name, name + strlen(name));
    ASSERT_NE(at, damaged.end()) << name;
    at[1] = 0;
    EXPECT_TRUE(IsError(Verify(damaged), kInvalid, {complaint}));
  }
}

TEST_F(VerifyProgramTest, MethodsMustHaveDifferentNames) {
  ProgramWriter program = program_;
  program.AddMethod(method_);
  program.AddMethod(method_);
  EXPECT_TRUE(IsError(Verify(program.Finish()), kInvalid, {"two methods are named 'forward'"}));
  EXPECT_TRUE(IsError(Verify(program_.Finish()), kInvalid, {"0 methods"}));
}

TEST_F(VerifyProgramTest, NamedDataMustPointToASegment) {
  program_.AddNamedData("lost", 5);
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"named_data key 'lost'", "segment 5 of 3"}));
}

TEST_F(VerifyProgramTest, NamedDataMustHaveAKey) {
  program_.AddNamedData("", 0);
  EXPECT_TRUE(IsError(VerifyMethod(), kInvalid, {"named_data entry 1 has no usable key"}));
}

TEST_F(VerifyProgramTest, SegmentsMustLieInTheFile) {
  ProgramWriter program = program_;
  program.AddMethod(method_);
  std::vector<uint8_t> file = program.Finish();
  file[8 + 24] -= 1;  // segment data size
  EXPECT_TRUE(IsError(Verify(file), kInvalid, {"segment 2: 16 bytes", "hold all segments"}));
}

TEST_F(VerifyProgramTest, AProgramWithoutHeaderHasNoSegments) {
  ProgramOptions options;
  options.header_size = 0;
  ProgramWriter program(options);
  program.AddMethod(MethodPlan());
  EXPECT_TRUE(IsOk(Verify(program.Finish())));
  program.AddSegment(AsBytes("lost"));
  EXPECT_TRUE(IsError(Verify(program.Finish()), kInvalid, {"segment 0", "0 bytes"}));
}

TEST_F(VerifyProgramTest, AnyByteMayBeDamagedWithoutACrash) {
  ProgramWriter program = program_;
  program.AddMethod(method_);
  const std::vector<uint8_t> file = program.Finish();
  for (size_t i = 0; i < file.size(); ++i) {
    for (const uint8_t flip : std::initializer_list<uint8_t>{0x01, 0x80, 0xff}) {
      std::vector<uint8_t> damaged = file;
      damaged[i] = static_cast<uint8_t>(damaged[i] ^ flip);
      const Status status = Verify(damaged);
      if (!status.ok()) {
        EXPECT_STRNE(status.message(), "");
      }
    }
  }
}

}  // namespace
}  // namespace onepack
