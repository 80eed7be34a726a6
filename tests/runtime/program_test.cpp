#include "onepack/program.h"

#include <string>
#include <vector>

#include "aot/pte_writer.h"
#include "program_generated.h"
#include "runtime/program_contents.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

MethodPlan EmptyMethod(const char* name) {
  MethodPlan method;
  method.name = name;
  return method;
}

TEST(ProgramTest, ListsItsMethods) {
  ProgramWriter writer;
  writer.AddMethod(EmptyMethod("forward"));
  writer.AddMethod(EmptyMethod("encode"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(writer.Finish()));
  ASSERT_EQ(program->method_count(), 2u);
  EXPECT_EQ(program->method_name(0), "forward");
  EXPECT_EQ(program->method_name(1), "encode");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto* plan, ProgramContents(*program).FindMethod("encode"));
  EXPECT_EQ(plan->name()->str(), "encode");
}

TEST(ProgramTest, AMissingMethodIsAnsweredWithThoseThereAre) {
  ProgramWriter writer;
  writer.AddMethod(EmptyMethod("forward"));
  writer.AddMethod(EmptyMethod("encode"));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(writer.Finish(), "two.pte"));
  EXPECT_TRUE(IsError(ProgramContents(*program).FindMethod("decode"), StatusCode::kNotFound,
                      {"two.pte", "'decode'", "'forward'", "'encode'"}));
}

TEST(ProgramTest, ManyLongMethodNamesDoNotOverflowTheMessage) {
  ProgramWriter writer;
  for (int i = 0; i < 50; ++i) {
    writer.AddMethod(EmptyMethod((std::to_string(i) + std::string(100, 'm')).c_str()));
  }
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(writer.Finish()));
  EXPECT_TRUE(
      IsError(ProgramContents(*program).FindMethod("none"), StatusCode::kNotFound, {"'0mmm"}));
}

TEST(ProgramTest, ItsNamedDataIsFoundAndOutlivesIt) {
  ProgramWriter writer;
  writer.AddMethod(EmptyMethod("forward"));
  writer.AddNamedData("weights", writer.AddSegment(AsBytes("of the program")));
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Program> program, OpenProgram(writer.Finish()));
  const Ref<NamedDataMap> map = program->named_data();
  program = nullptr;
  ASSERT_NE(map->Find("weights"), nullptr);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, map->Find("weights")->Load());
  EXPECT_EQ(std::string(buffer.bytes.begin(), buffer.bytes.end()), "of the program");
}

TEST(ProgramTest, NamedDataThatContradictItselfAreRefused) {
  ProgramWriter writer;
  writer.AddMethod(EmptyMethod("forward"));
  writer.AddNamedData("twin", writer.AddSegment(AsBytes("this")));
  writer.AddNamedData("twin", writer.AddSegment(AsBytes("that")));
  EXPECT_TRUE(IsError(OpenProgram(writer.Finish(), "bad.pte"), StatusCode::kInvalidFile,
                      {"bad.pte", "'twin'"}));
}

TEST(ProgramTest, PayloadsAreFoundInSegmentsAndInline) {
  ProgramWriter writer;
  writer.AddMethod(EmptyMethod("forward"));
  const uint32_t segment = writer.AddSegment(AsBytes("in a segment"));
  const uint32_t inlined = writer.AddInlinePayload(AsBytes("in line"));
  const std::vector<uint8_t> file = writer.Finish();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(file));
  for (const bool is_inline : {false, true}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(
        const ProgramContents::PayloadBytes payload,
        ProgramContents(*program).LoadPayload(is_inline, is_inline ? inlined : segment));
    const std::string text(payload.buffer.bytes.begin(), payload.buffer.bytes.end());
    EXPECT_EQ(text, is_inline ? "in line" : "in a segment");
    EXPECT_EQ(std::string(file.begin() + static_cast<ptrdiff_t>(payload.offset),
                          file.begin() + static_cast<ptrdiff_t>(payload.offset + text.size())),
              text);
  }
}

TEST(ProgramTest, ErrorsNameTheFile) {
  EXPECT_TRUE(IsError(OpenProgram(ReadFile(TestData("cases/lora_fp32/lora0.ptd")), "wrong.pte"),
                      StatusCode::kInvalidFile, {"wrong.pte", "\"FT01\"", "\"ET12\""}));
  EXPECT_TRUE(IsError(OpenProgram({}, "empty.pte"), StatusCode::kInvalidFile, {"empty.pte"}));
}

TEST(ProgramTest, RealProgramsOpen) {
  for (const char* name : {"lora_fp32/base", "lora_fp32/lora1", "lora_8da4w/base",
                           "lora_8da8w/lora0", "scale_8da4w/two"}) {
    const std::string path = TestData(std::string("cases/") + name + ".pte");
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, Program::Open(source));
    ASSERT_EQ(program->method_count(), 1u);
    EXPECT_EQ(program->method_name(0), "forward");
  }
}

}  // namespace
}  // namespace onepack
