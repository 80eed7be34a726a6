// Numbers that size memory or work, in files that are sound otherwise.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"
#include "onepack/method.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/recording_backend.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

MethodPlan PlannedMethod(int64_t bytes) {
  TensorPlan tensor;
  tensor.sizes = {4};
  tensor.place = PlannedPlace{1, 0};
  MethodPlan method;
  method.values = {tensor};
  method.buffer_sizes = {0, bytes};
  return method;
}

Result<Ref<Method>> LoadForward(const ProgramWriter& writer, const MethodOptions& options = {}) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, OpenProgram(writer.Finish()));
  return Method::Load(program, "forward", options);
}

TEST(PlannedMemoryLimitTest, TheApplicationSetsIt) {
  ProgramWriter writer;
  writer.AddMethod(PlannedMethod(1 << 20));
  MethodOptions options;
  options.max_planned_bytes = 1 << 19;
  EXPECT_TRUE(IsError(LoadForward(writer, options), StatusCode::kResourceExhausted,
                      {"test.pte", "planned memory", "at most 524288 allowed"}));
  options.max_planned_bytes = (1 << 20) + 4096;
  EXPECT_TRUE(IsOk(LoadForward(writer, options)));
}

TEST(PlannedMemoryLimitTest, IsTheMachinesMemoryByDefault) {
  ProgramWriter writer;
  writer.AddMethod(PlannedMethod(int64_t{1} << 45));
  EXPECT_TRUE(IsError(LoadForward(writer), StatusCode::kResourceExhausted,
                      {"test.pte", "planned memory", "allowed"}));
}

// Tensors that the program plans no memory for get some here: those count too.
TEST(PlannedMemoryLimitTest, CountsLooseTensors) {
  TensorPlan loose;
  loose.sizes = {1 << 18};
  MethodPlan method;
  method.values = {loose, loose};
  ProgramWriter writer;
  writer.AddMethod(method);
  MethodOptions options;
  options.max_planned_bytes = 1 << 20;
  EXPECT_TRUE(IsError(LoadForward(writer, options), StatusCode::kResourceExhausted, {"test.pte"}));
}

// Two vectors of 1000 floats, of which one broadcasts over the other: a million floats.
std::vector<uint8_t> OuterProduct() {
  const std::vector<float> numbers(1000, 0.5f);
  PayloadWriter payload;
  const uint32_t column = payload.AddConstant({1000, 1}, payload.AddOwnConstant(AsBytes(numbers)));
  const uint32_t row = payload.AddConstant({1, 1000}, payload.AddOwnConstant(AsBytes(numbers)));
  const uint32_t x = payload.AddInput({1000, 1000});
  const uint32_t y = payload.AddOutput({1000, 1000});
  const uint32_t product = payload.AddInternal({1000, 1000});
  const uint32_t sum = payload.AddInternal({1000, 1000});
  payload.AddMultiply(column, row, product);
  payload.AddAdd(product, x, sum);
  payload.AddMultiply(sum, product, y);
  return MakeProgramAround(payload.Finish(), 1000, 1000, 1000);
}

// Two vectors of 64 KB make 16 GB, of which 4 by 4 numbers are needed.
std::vector<uint8_t> HugeProduct() {
  const std::vector<float> numbers(65536, 0.5f);
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({4, 4});
  const uint32_t y = payload.AddOutput({4, 4});
  const uint32_t column = payload.AddConstant({65536, 1}, payload.AddOwnConstant(AsBytes(numbers)));
  const uint32_t row = payload.AddConstant({1, 65536}, payload.AddOwnConstant(AsBytes(numbers)));
  const uint32_t product = payload.AddInternal({65536, 65536});
  const uint32_t corner = payload.AddInternal({4, 4});
  payload.AddMultiply(column, row, product);
  const std::vector<uint32_t> offsets = {0, 0};
  const std::vector<uint32_t> sizes = {4, 4};
  const auto slice = wire::xnnpack::CreateXNNStaticSliceDirect(payload.builder(), 2, &offsets,
                                                               &sizes, product, corner);
  payload.AddNode(wire::xnnpack::XNodeUnion::XNNStaticSlice, slice.Union());
  payload.AddAdd(corner, x, y);
  return MakeProgramAround(payload.Finish(), 4, 4, 4);
}

Status LoadWithLimit(const std::vector<uint8_t>& file, uint64_t max_planned_bytes) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, OpenProgram(file));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, CreateXnnpackBackend({}));
  MethodOptions options;
  options.backends = {&backend, 1};
  options.max_planned_bytes = max_planned_bytes;
  auto method = Method::Load(program, "forward", options);
  return method.ok() ? Status::Ok() : method.TakeStatus();
}

TEST(ActivationLimitTest, WhatIsNeededAtOnceMustFit) {
  const std::vector<uint8_t> file = OuterProduct();
  constexpr uint64_t kValue = uint64_t{1000} * 1000 * sizeof(float);
  // Input and output are planned memory of twice that, with a page more at most.
  EXPECT_TRUE(IsOk(LoadWithLimit(file, 2 * kValue + 4096)));
  EXPECT_TRUE(IsError(LoadWithLimit(HugeProduct(), 1 << 20), StatusCode::kResourceExhausted,
                      {"delegate 0", "graph value 4", "at most 1048576 allowed"}));
}

TEST(ActivationLimitTest, DimsThatNoNodeComputesAskForNoMemory) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({4, 4});
  const uint32_t y = payload.AddOutput({4, 4});
  const uint32_t big = payload.AddInternal({65536, 65536});
  payload.AddSigmoid(x, big);
  payload.AddSigmoid(big, y);
  const std::vector<uint8_t> wrong = MakeProgramAround(payload.Finish(), 4, 4, 4);
  EXPECT_TRUE(IsError(LoadWithLimit(wrong, 1 << 20), StatusCode::kResourceExhausted,
                      {"delegate 0", "graph value 2", "at most 1048576 allowed"}));
}

TEST(ActivationLimitTest, ValuesThatAreAliveTogetherAddUp) {
  PayloadWriter payload;
  const std::vector<uint32_t> dims = {64, 64};
  const uint32_t x = payload.AddInput(dims);
  const uint32_t y = payload.AddOutput(dims);
  const uint32_t a = payload.AddInternal(dims);
  const uint32_t b = payload.AddInternal(dims);
  const uint32_t c = payload.AddInternal(dims);
  payload.AddSigmoid(x, a);
  payload.AddSigmoid(x, b);
  payload.AddSigmoid(x, c);
  const uint32_t ab = payload.AddInternal(dims);
  payload.AddAdd(a, b, ab);
  payload.AddAdd(ab, c, y);
  const std::vector<uint8_t> file = MakeProgramAround(payload.Finish(), 64, 64, 64);
  constexpr uint64_t kValue = 64 * 64 * sizeof(float);
  EXPECT_TRUE(IsOk(LoadWithLimit(file, 3 * kValue)));
  EXPECT_TRUE(IsError(LoadWithLimit(file, 3 * kValue - 1), StatusCode::kResourceExhausted,
                      {"graph node 2 (XNNSigmoid)", "intermediate values"}));
}

TEST(SharedPayloadTest, ManyDelegatesOfOnePayloadAreRefused) {
  ProgramWriter writer;
  const uint32_t segment = writer.AddSegment(std::vector<uint8_t>(8192));
  MethodPlan method;
  BackendRecord record;
  const Ref<Backend> backend = MakeRecordingBackend("Other", &record);
  MethodOptions options;
  options.backends = {&backend, 1};
  method.delegates.assign(8, DelegatePlan::InSegment("Other", segment));
  ProgramWriter few = writer;
  few.AddMethod(method);
  EXPECT_TRUE(IsOk(LoadForward(few, options)));
  method.delegates.assign(200, DelegatePlan::InSegment("Other", segment));
  writer.AddMethod(method);
  EXPECT_TRUE(
      IsError(LoadForward(writer, options), StatusCode::kInvalidFile, {"test.pte", "payloads of"}));
}

TEST(SharedConstantTest, ManyInitialValuesOfOneRangeAreRefused) {
  ProgramWriter writer;
  TensorPlan state;
  state.sizes = {2048};
  state.place = PlannedPlace{1, 0};
  state.data_buffer_idx = writer.AddInitialValue(std::vector<uint8_t>(8192));
  MethodPlan method;
  method.buffer_sizes = {0, 8192};
  method.values.assign(400, state);
  writer.AddMethod(method);
  EXPECT_TRUE(IsError(LoadForward(writer), StatusCode::kInvalidFile,
                      {"test.pte", "constants and initial values"}));
}

// Keys of two files that are equal, each with all of its file: comparing them all takes the square.
TEST(SharedConstantTest, ManyKeysOverOneSegmentAreNotComparedOneByOne) {
  const auto make = [](uint8_t last) {
    PtdWriter writer;
    std::vector<uint8_t> bytes(1 << 16);
    bytes.back() = last;
    const uint32_t segment = writer.AddBytes("key", bytes);
    for (int i = 0; i < 100; ++i) writer.AddKey("key" + std::to_string(i), segment);
    return std::move(writer.ToBytes()).value();
  };
  std::vector<Ref<NamedDataMap>> maps;
  for (const char* name : {"a.ptd", "b.ptd"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<NamedDataMap> map, OpenData(make(0), name));
    maps.push_back(std::move(map));
  }
  EXPECT_TRUE(IsError(NamedDataMap::Merge(maps), StatusCode::kInvalidFile,
                      {"more bytes under equal keys than the files have"}));
}

TEST(PlannedPlaceTest, MustBeAMultipleOfTheElement) {
  MethodPlan method = PlannedMethod(64);
  std::get<TensorPlan>(method.values[0]).place = PlannedPlace{1, 2};
  ProgramWriter writer;
  writer.AddMethod(method);
  EXPECT_TRUE(IsError(LoadForward(writer), StatusCode::kInvalidFile, {"test.pte", "planned at 2"}));
}

}  // namespace
}  // namespace onepack
