// Small files that describe something huge by referring to the same bytes again and again.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "flat_tensor_generated.h"
#include "program_generated.h"
#include "schema/verify_flat_tensor.h"
#include "schema/verify_payload.h"
#include "schema/verify_program.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"
#include "xnnpack_graph_generated.h"

namespace onepack {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

constexpr size_t kMany = 2000;

// 16-byte aligned, as the verifiers want it.
template <typename Finish>
std::vector<uint8_t> Bytes16(FlatBufferBuilder& builder, const Finish& finish) {
  builder.ForceVectorAlignment(0, 1, 16);
  finish();
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

// A program of one method: kMany values of `kind`, each a table of its own, made by `create`.
template <typename Create>
std::vector<uint8_t> ProgramOf(FlatBufferBuilder& builder, wire::program::KernelTypes kind,
                               const Create& create) {
  const auto number = wire::program::CreateInt(builder, 1);
  std::vector<Offset<wire::program::EValue>> values = {
      wire::program::CreateEValue(builder, wire::program::KernelTypes::Int, number.Union())};
  while (values.size() < kMany) {
    values.push_back(wire::program::CreateEValue(builder, kind, create().Union()));
  }
  const auto plan = wire::program::CreateExecutionPlan(builder, builder.CreateString("forward"), 0,
                                                       builder.CreateVector(values));
  const auto program =
      wire::program::CreateProgram(builder, 0, builder.CreateVector(std::vector{plan}));
  return Bytes16(builder, [&] { wire::program::FinishProgramBuffer(builder, program); });
}

TEST(SharingTest, ManyListsWithTheSameItemsAreRefused) {
  FlatBufferBuilder builder;
  const auto items = builder.CreateVector(std::vector<int64_t>(kMany, 0));
  const std::vector<uint8_t> file = ProgramOf(builder, wire::program::KernelTypes::IntList, [&] {
    return wire::program::CreateIntList(builder, items);
  });
  EXPECT_TRUE(IsError(OpenProgram(file), StatusCode::kInvalidFile,
                      {"test.pte", "referred to from too many places"}));
}

std::vector<uint8_t> ProgramOfOneText(size_t length) {
  FlatBufferBuilder builder;
  const auto text = builder.CreateString(std::string(length, 'x'));
  return ProgramOf(builder, wire::program::KernelTypes::String,
                   [&] { return wire::program::CreateString(builder, text); });
}

TEST(SharingTest, ManyValuesOfOneLongTextAreRefused) {
  EXPECT_TRUE(IsError(OpenProgram(ProgramOfOneText(kMany)), StatusCode::kInvalidFile,
                      {"test.pte", "referred to from too many places"}));
}

TEST(SharingTest, AShortTextThatIsWrittenOnceIsAccepted) {
  EXPECT_TRUE(IsOk(OpenProgram(ProgramOfOneText(8))));
}

TEST(SharingTest, ManyKeysThatAreOneKeyAreRefused) {
  FlatBufferBuilder builder;
  const auto segment = wire::flat_tensor::CreateDataSegment(builder, 0, 0);
  const auto key = builder.CreateString(std::string(kMany, 'k'));
  std::vector<Offset<wire::flat_tensor::NamedData>> entries;
  while (entries.size() < kMany) {
    entries.push_back(wire::flat_tensor::CreateNamedData(builder, key, 0));
  }
  const auto data = wire::flat_tensor::CreateFlatTensor(
      builder, 0, builder.CreateVector(std::vector{segment}), builder.CreateVector(entries));
  const std::vector<uint8_t> bytes = Bytes16(builder, [&] { builder.Finish(data, "FT01"); });
  EXPECT_TRUE(IsError(VerifyFlatTensor(bytes, FlatTensorHeader()), StatusCode::kInvalidFile,
                      {"referred to from too many places"}));
}

TEST(SharingTest, ManyValuesWithTheSameScalesAreRefused) {
  namespace xnn = wire::xnnpack;
  FlatBufferBuilder builder;
  const auto quant =
      xnn::CreatePerChannelQuant(builder, builder.CreateVector(std::vector<float>(kMany, 1.0f)), 0);
  std::vector<Offset<xnn::XValue>> values;
  for (uint32_t i = 0; i < kMany; ++i) {
    const auto dims = builder.CreateVector(std::vector<uint32_t>{kMany});
    const auto tensor =
        xnn::CreateXNNTensorValue(builder, xnn::XNNDatatype::qcint8, 1, dims, 0, UINT32_MAX, 0, i);
    const auto value = xnn::CreateXNNQuantizedTensorValue(
        builder, tensor, xnn::XNNQuantParams::PerChannelQuant, quant.Union());
    values.push_back(
        xnn::CreateXValue(builder, xnn::XValueUnion::XNNQuantizedTensorValue, value.Union()));
  }
  const auto graph = xnn::CreateXNNGraph(builder, 0, 0, builder.CreateVector(values));
  const std::vector<uint8_t> bytes = Bytes16(builder, [&] { builder.Finish(graph, "XN01"); });
  EXPECT_TRUE(IsError(VerifyPayload(bytes, PayloadHeader()), StatusCode::kInvalidFile,
                      {"referred to from too many places"}));
}

// 64 methods that are one method of 2000 values that are one value.
TEST(SharingTest, MoreTablesThanTheFileCouldHoldAreRefused) {
  FlatBufferBuilder builder;
  const auto item = wire::program::CreateInt(builder, 7);
  const auto value =
      wire::program::CreateEValue(builder, wire::program::KernelTypes::Int, item.Union());
  const std::vector<Offset<wire::program::EValue>> values(kMany, value);
  const auto plan = wire::program::CreateExecutionPlan(builder, builder.CreateString("forward"), 0,
                                                       builder.CreateVector(values));
  const std::vector<Offset<wire::program::ExecutionPlan>> plans(64, plan);
  const auto program = wire::program::CreateProgram(builder, 0, builder.CreateVector(plans));
  const std::vector<uint8_t> file =
      Bytes16(builder, [&] { wire::program::FinishProgramBuffer(builder, program); });
  EXPECT_TRUE(IsError(OpenProgram(file), StatusCode::kInvalidFile, {"test.pte", "is damaged"}));
}

}  // namespace
}  // namespace onepack
