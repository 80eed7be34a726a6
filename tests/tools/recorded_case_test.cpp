#include "tools/recorded_case.h"

#include <gtest/gtest.h>
#include <string.h>

#include <nlohmann/json.hpp>

#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using Json = nlohmann::json;

// A good case of one call: a tensor goes in; a tensor and a number of each kind come out.
class RecordedCaseTest : public testing::Test {
 protected:
  RecordedCaseTest() {
    const Json tensor = {{"dtype", "float32"},
                         {"sizes", {2, 3}},
                         {"dim_order", {0, 1}},
                         {"offset", 4},
                         {"nbytes", 24}};
    document_ = {{"name", "a/b"},
                 {"program", "b.pte"},
                 {"data", {"f.ptd", "../g.ptd"}},
                 {"method", "forward"},
                 {"atol", 0.5},
                 {"rtol", 0},
                 {"calls",
                  {{{"inputs", {tensor}},
                    {"outputs", {tensor, {{"int", -7}}, {{"bool", true}}, {{"double", 1.5}}}}}}}};
    WriteFile(folder_.File("b.bin"), std::vector<uint8_t>(28, 0x40));
  }

  Json& input() { return document_["calls"][0]["inputs"][0]; }

  Result<RecordedCase> Read() {
    const std::string text = document_.dump();
    WriteFile(folder_.File("b.json"), AsBytes(text));
    return ReadRecordedCase(folder_.File("b.json"));
  }
  // Refused, with the file's name and these parts.
  void ExpectInvalid(std::string_view field, std::string_view expected) {
    EXPECT_TRUE(IsError(Read(), StatusCode::kInvalidFile,
                        {folder_.File("b.json"), "field", field, expected}));
  }

  const TempFolder folder_;
  Json document_;
};

TEST_F(RecordedCaseTest, AGoodCaseIsReadWithPathsBesideIt) {
  auto read = Read();
  ASSERT_TRUE(IsOk(read));
  const RecordedCase& recorded = *read;
  EXPECT_EQ(recorded.name, "a/b");
  EXPECT_EQ(recorded.program, folder_.File("b.pte"));
  ASSERT_EQ(recorded.data.size(), 2u);
  EXPECT_EQ(recorded.data[0], folder_.File("f.ptd"));
  EXPECT_EQ(recorded.data[1], folder_.File("../g.ptd"));
  EXPECT_EQ(recorded.method, "forward");
  EXPECT_EQ(recorded.tolerance.atol, 0.5);
  EXPECT_EQ(recorded.tolerance.rtol, 0);
  ASSERT_EQ(recorded.calls.size(), 1u);
  ASSERT_EQ(recorded.calls[0].outputs.size(), 4u);
}

TEST_F(RecordedCaseTest, ItsValuesAreGivenAsTheRuntimeTakesThem) {
  auto read = Read();
  ASSERT_TRUE(IsOk(read));
  const RecordedCase& recorded = *read;
  const std::vector<RecordedValue>& outputs = recorded.calls[0].outputs;
  Tensor tensor;
  ASSERT_TRUE(recorded.ToValue(outputs[0], &tensor).is(ValueKind::kTensor));
  EXPECT_EQ(tensor.size_bytes(), 24u);
  EXPECT_EQ(tensor.data(), recorded.tensors.data() + 4);
  EXPECT_EQ(recorded.ToValue(outputs[1], &tensor).int_value(), -7);
  EXPECT_TRUE(recorded.ToValue(outputs[2], &tensor).bool_value());
  EXPECT_EQ(recorded.ToValue(outputs[3], &tensor).double_value(), 1.5);
}

TEST_F(RecordedCaseTest, OtherFieldsAreIgnored) {
  document_["recorded_by"] = {{"anything", 1}};
  EXPECT_TRUE(IsOk(Read()));
}

TEST_F(RecordedCaseTest, EveryMissingFieldIsNamed) {
  for (const char* name : {"name", "program", "data", "method", "atol", "rtol", "calls"}) {
    const Json whole = document_;
    document_.erase(name);
    ExpectInvalid(name, "is missing");
    document_ = whole;
  }
  for (const char* name : {"inputs", "outputs"}) {
    const Json whole = document_;
    document_["calls"][0].erase(name);
    ExpectInvalid(std::string("calls[0].") + name, "is missing");
    document_ = whole;
  }
  for (const char* name : {"sizes", "dim_order", "offset", "nbytes"}) {
    const Json whole = document_;
    input().erase(name);
    ExpectInvalid(std::string("calls[0].inputs[0].") + name, "is missing");
    document_ = whole;
  }
}

TEST_F(RecordedCaseTest, EveryFieldOfAWrongKindIsNamedWithWhatWasExpected) {
  const std::pair<const char*, const char*> fields[] = {{"name", "a text"},
                                                        {"program", "a text"},
                                                        {"data", "a list"},
                                                        {"method", "a text"},
                                                        {"calls", "a list"}};
  for (const auto& [name, expected] : fields) {
    const Json whole = document_;
    document_[name] = 5;
    ExpectInvalid(name, expected);
    document_ = whole;
  }
  document_["data"][1] = nullptr;
  ExpectInvalid("data[1]", "a text");
}

TEST_F(RecordedCaseTest, ACaseWithoutCallsIsRefusedBecauseItWouldAlwaysPass) {
  document_["calls"] = Json::array();
  ExpectInvalid("calls", "at least one call");
}

TEST_F(RecordedCaseTest, AToleranceMustBeZeroOrPositive) {
  for (const Json& bad : {Json(-1), Json("0.5"), Json(nullptr)}) {
    document_["atol"] = bad;
    ExpectInvalid("atol", "number");
  }
}

TEST_F(RecordedCaseTest, ATensorMustFitItsTypeItsSizesAndTheFile) {
  const Json whole = document_;
  input()["nbytes"] = 20;
  ExpectInvalid("calls[0].inputs[0].nbytes", "24 for its dtype and sizes");
  document_ = whole;
  input()["offset"] = 5;
  ExpectInvalid("calls[0].inputs[0]", "24 bytes at 5, but the .bin file has 28 bytes");
  document_ = whole;
  input()["dtype"] = "float33";
  ExpectInvalid("calls[0].inputs[0].dtype", "an element type");
  document_ = whole;
  input()["dim_order"] = {0, 0};
  ExpectInvalid("calls[0].inputs[0]", "dim_order");
  document_ = whole;
  input()["sizes"] = {INT32_MAX, INT32_MAX};
  input()["nbytes"] = 4;
  ExpectInvalid("calls[0].inputs[0]", "63 bits");
}

TEST_F(RecordedCaseTest, NumbersOutOfRangeAreNamed) {
  const Json whole = document_;
  input()["sizes"][0] = -1;
  ExpectInvalid("calls[0].inputs[0].sizes[0]", "from 0 to 2147483647");
  document_ = whole;
  input()["sizes"][0] = UINT64_MAX;
  ExpectInvalid("calls[0].inputs[0].sizes[0]", "a whole number");
  document_ = whole;
  input()["offset"] = 1.5;
  ExpectInvalid("calls[0].inputs[0].offset", "a whole number");
  document_ = whole;
  input()["dim_order"][1] = 256;
  ExpectInvalid("calls[0].inputs[0].dim_order[1]", "from 0 to 255");
}

TEST_F(RecordedCaseTest, AValueOfUnknownKindIsNamed) {
  for (const Json& bad : {Json::object(), Json(5), Json({{"text", "x"}})}) {
    input() = bad;
    ExpectInvalid("calls[0].inputs[0]", "a tensor");
  }
  input() = {{"bool", 1}};
  ExpectInvalid("calls[0].inputs[0].bool", "true or false");
  input() = {{"int", 1.5}};
  ExpectInvalid("calls[0].inputs[0].int", "a whole number");
  input() = {{"double", "x"}};
  ExpectInvalid("calls[0].inputs[0].double", "a number");
}

TEST_F(RecordedCaseTest, WhatIsFoundIsCutShort) {
  document_["data"] = std::string(10000, 'x');
  auto read = Read();
  ASSERT_FALSE(read.ok());
  EXPECT_LT(strlen(read.status().message()), 300u);
}

TEST_F(RecordedCaseTest, MissingFilesAreNamed) {
  EXPECT_TRUE(IsError(ReadRecordedCase(folder_.File("c.json")), StatusCode::kNotFound,
                      {folder_.File("c.json"), "No such file"}));
  const TempFolder without_tensors;
  WriteFile(without_tensors.File("c.json"), AsBytes("{}"));
  EXPECT_TRUE(IsError(ReadRecordedCase(without_tensors.File("c.json")), StatusCode::kNotFound,
                      {without_tensors.File("c.json"), without_tensors.File("c.bin")}));
}

TEST_F(RecordedCaseTest, AFolderIsRefusedAsOne) {
  EXPECT_TRUE(IsError(ReadRecordedCase(folder_.path()), StatusCode::kInvalidArgument,
                      {folder_.path(), "a folder"}));
}

TEST_F(RecordedCaseTest, WhatIsNotJsonOrNoObjectIsRefused) {
  for (const char* text : {"", "{", "{\"name\": \"\xff\"}", "not json", "{} {}"}) {
    WriteFile(folder_.File("b.json"), AsBytes(text));
    EXPECT_TRUE(IsError(ReadRecordedCase(folder_.File("b.json")), StatusCode::kInvalidFile,
                        {folder_.File("b.json"), "not valid JSON"}))
        << text;
  }
  for (const char* text : {"[]", "5", "null"}) {
    WriteFile(folder_.File("b.json"), AsBytes(text));
    EXPECT_TRUE(IsError(ReadRecordedCase(folder_.File("b.json")), StatusCode::kInvalidFile,
                        {folder_.File("b.json"), "field name is missing"}))
        << text;
  }
}

}  // namespace
}  // namespace onepack
