#include "schema/verify_bundled_program.h"

#include <functional>
#include <string>
#include <vector>

#include "bundled_program_edit.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using edit::bundled_program::BundledProgramT;
using edit::bundled_program::TensorT;

constexpr StatusCode kInvalid = StatusCode::kInvalidFile;

std::vector<uint8_t> Sample() { return ReadFile(TestData("programs/linear.bpte")); }

Status Verify(const std::vector<uint8_t>& file) {
  auto verified = VerifyBundledProgram(file);
  return verified.ok() ? Status::Ok() : verified.TakeStatus();
}

std::vector<uint8_t> Pack(const BundledProgramT& bundle) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(edit::bundled_program::CreateBundledProgram(builder, &bundle),
                 edit::bundled_program::BundledProgramIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

// The sample with something changed.
Status VerifyChanged(const std::function<void(BundledProgramT& bundle)>& change) {
  BundledProgramT bundle;
  edit::bundled_program::GetBundledProgram(Sample().data())->UnPackTo(&bundle);
  change(bundle);
  return Verify(Pack(bundle));
}

// The input of test case 1 of method 'forward', the second suite.
TensorT& InputOf(BundledProgramT& bundle) {
  return *bundle.method_test_suites[1]->test_cases[1]->inputs[0]->val.AsTensor();
}

TEST(VerifyBundledProgramTest, AFileOfTheExporterPasses) {
  EXPECT_TRUE(IsOk(Verify(Sample())));
  const std::vector<uint8_t> file = Sample();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto* bundle, VerifyBundledProgram(file));
  ASSERT_EQ(bundle->method_test_suites()->size(), 2u);
  EXPECT_EQ(bundle->method_test_suites()->Get(0)->method_name()->str(), "count");
  const auto* tensor =
      bundle->method_test_suites()->Get(1)->test_cases()->Get(1)->inputs()->Get(0)->val_as_Tensor();
  EXPECT_STREQ(LayoutText(LayoutOf(*tensor)).c_str(), "float32 [4, 8]");
  const Segment program = EmbeddedProgram(*bundle, file);
  EXPECT_EQ(std::string(file.begin() + static_cast<ptrdiff_t>(program.offset) + 4,
                        file.begin() + static_cast<ptrdiff_t>(program.offset) + 8),
            "ET12");
  EXPECT_LE(program.offset + program.size, file.size());
}

TEST(VerifyBundledProgramTest, WhatIsPackedAgainPasses) {
  EXPECT_TRUE(IsOk(VerifyChanged([](BundledProgramT&) {})));
}

TEST(VerifyBundledProgramTest, EveryTruncationIsRefused) {
  const std::vector<uint8_t> file = Sample();
  // Behind the last text, "count", and its terminator.
  constexpr size_t kPadding = 2;
  for (size_t size = 0; size < file.size() - kPadding; ++size) {
    EXPECT_TRUE(
        IsError(Verify({file.begin(), file.begin() + static_cast<ptrdiff_t>(size)}), kInvalid))
        << size;
  }
}

TEST(VerifyBundledProgramTest, AnyByteMayBeDamagedWithoutACrash) {
  std::vector<uint8_t> file = Sample();
  for (uint8_t& byte : file) {
    const uint8_t good = byte;
    for (const int changed : {good ^ 1, good ^ 0x80, 0, 0xff}) {
      byte = static_cast<uint8_t>(changed);
      (void)Verify(file).ok();
    }
    byte = good;
  }
}

TEST(VerifyBundledProgramTest, AnotherIdentifierIsNamedWithTheExpectedOne) {
  EXPECT_TRUE(IsError(Verify(ReadFile(TestData("cases/lora_fp32/base.pte"))), kInvalid,
                      {"not a bundled program (.bpte) but a program (.pte)", "ET12", "BP08"}));
  std::vector<uint8_t> newer = Sample();
  newer[7] = '9';
  EXPECT_TRUE(IsError(Verify(newer), kInvalid, {"BP09", "BP08"}));
}

TEST(VerifyBundledProgramTest, WithoutTestCasesItPassesWithoutAProgramItDoesNot) {
  EXPECT_TRUE(IsOk(VerifyChanged([](BundledProgramT& b) { b.method_test_suites.clear(); })));
  EXPECT_TRUE(
      IsOk(VerifyChanged([](BundledProgramT& b) { b.method_test_suites[0]->test_cases.clear(); })));
  EXPECT_TRUE(IsError(VerifyChanged([](BundledProgramT& b) { b.program.clear(); }), kInvalid,
                      {"no program"}));
}

TEST(VerifyBundledProgramTest, MethodsHaveNamesThatDiffer) {
  EXPECT_TRUE(IsError(
      VerifyChanged([](BundledProgramT& b) { b.method_test_suites[1]->method_name = "count"; }),
      kInvalid, {"two test suites of method 'count'"}));
  for (const std::string& name : {std::string(), std::string("a\0b", 3)}) {
    EXPECT_TRUE(IsError(
        VerifyChanged([&](BundledProgramT& b) { b.method_test_suites[1]->method_name = name; }),
        kInvalid, {"test suite 1 has no usable method name"}));
  }
}

TEST(VerifyBundledProgramTest, AValueOfNoKindIsRefused) {
  EXPECT_TRUE(IsError(VerifyChanged([](BundledProgramT& b) {
                        b.method_test_suites[1]->test_cases[2]->expected_outputs[0]->val.Reset();
                      }),
                      kInvalid,
                      {"method 'forward'", "test case 2", "expected output 0", "of kind 0"}));
}

TEST(VerifyBundledProgramTest, ATensorHasTheBytesThatItsLayoutTakes) {
  // The exporter writes all of a storage, of which the tensor may be a part.
  EXPECT_TRUE(IsOk(VerifyChanged([](BundledProgramT& b) { InputOf(b).data.push_back(0); })));
  EXPECT_TRUE(IsError(VerifyChanged([](BundledProgramT& b) { InputOf(b).data.pop_back(); }),
                      kInvalid,
                      {"test case 1", "input 0", "float32 [4, 8] needs 128 bytes, 127 are there"}));
  EXPECT_TRUE(IsOk(VerifyChanged([](BundledProgramT& b) {
    InputOf(b).data.clear();
    InputOf(b).sizes = {0, 8};
  })));
}

TEST(VerifyBundledProgramTest, LayoutsMustBeSound) {
  const std::function<void(TensorT&)> changes[] = {
      [](TensorT& t) { t.sizes = {-4, 8}; },
      [](TensorT& t) { t.sizes = {1 << 30, 1 << 30, 1 << 30}; },
      [](TensorT& t) { t.dim_order = {0, 0}; }, [](TensorT& t) { t.dim_order.clear(); },
      [](TensorT& t) { t.scalar_type = static_cast<edit::ScalarType>(9); }};
  for (const auto& change : changes) {
    EXPECT_TRUE(IsError(VerifyChanged([&](BundledProgramT& b) { change(InputOf(b)); }), kInvalid,
                        {"test case 1", "input 0"}));
  }
}

TEST(VerifyBundledProgramTest, OneTensorReferredToFromAGreatManyPlacesIsRefused) {
  namespace wire_bundle = wire::bundled_program;
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<uint8_t> bytes(65536);
  const std::vector<uint8_t> dim_order = {0};
  const std::vector<int32_t> sizes = {65536};
  const auto tensor =
      wire_bundle::CreateTensorDirect(builder, wire::ScalarType::BYTE, &sizes, &bytes, &dim_order);
  const auto value =
      wire_bundle::CreateValue(builder, wire_bundle::ValueUnion::Tensor, tensor.Union());
  const std::vector inputs(300, value);
  const std::vector test_cases = {
      wire_bundle::CreateBundledMethodTestCaseDirect(builder, &inputs, nullptr)};
  const std::vector suites = {
      wire_bundle::CreateBundledMethodTestSuiteDirect(builder, "forward", &test_cases)};
  builder.Finish(wire_bundle::CreateBundledProgramDirect(builder, 0, &suites, &bytes),
                 wire_bundle::BundledProgramIdentifier());
  const Bytes file(builder.GetBufferPointer(), builder.GetSize());
  EXPECT_TRUE(IsError(VerifyBundledProgram(file), kInvalid, {"too many places"}));
}

}  // namespace
}  // namespace onepack
