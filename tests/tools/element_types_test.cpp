// Programs with element types that are not computed with: everything else of them is shown.

#include <gtest/gtest.h>

#include "aot/pte_writer.h"
#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

// y = op(x), of two elements each.
MethodPlan PlanCall(const std::string& method_name, const std::string& op, ScalarType type) {
  TensorPlan x;
  x.scalar_type = type;
  x.sizes = {2};
  x.place = PlannedPlace{1, 0};
  TensorPlan y = x;
  y.place = PlannedPlace{1, 64};
  MethodPlan method;
  method.name = method_name;
  method.values = {x, y};
  method.operators = {{"aten::" + op, "out"}};
  method.chains = {{KernelCallPlan{0, {0, 1, 1}}}};
  method.buffer_sizes = {0, 128};
  method.inputs = {0};
  method.outputs = {1};
  return method;
}

class ElementTypesTest : public testing::TestWithParam<ScalarType> {
 protected:
  ElementTypesTest() : path_(folder_.File("p.pte")), name_(ScalarTypeName(GetParam())) {
    ProgramWriter program;
    program.AddMethod(PlanCall("forward", "exp", GetParam()));
    program.AddMethod(PlanCall("move", "alias_copy", GetParam()));
    program.AddMethod(PlanCall("floats", "exp", ScalarType::kFloat));
    WriteFile(path_, program.Finish());
  }

  const TempFolder folder_;
  const std::string path_;
  const std::string name_;
};

TEST_P(ElementTypesTest, AreShownAndVerified) {
  const CommandResult shown = RunOnepack({"inspect", path_});
  EXPECT_EQ(shown.exit_status, 0) << shown.err;
  EXPECT_TRUE(Contains(shown.out, "tensor " + name_ + " [2]")) << shown.out;
  EXPECT_TRUE(Contains(shown.out, "method 'floats'")) << shown.out;
  const CommandResult verified = RunOnepack({"verify", path_});
  EXPECT_EQ(verified.exit_status, 0) << verified.err;
  EXPECT_TRUE(Contains(verified.out, "1 passed, 0 failed")) << verified.out;
}

TEST_P(ElementTypesTest, AreNamedWhereTheyWouldBeComputedWithAndElseMoved) {
  const CommandResult computed = RunOnepack({"run", path_});
  EXPECT_EQ(computed.exit_status, 1);
  EXPECT_TRUE(Contains(computed.err, "argument 'self' is " + name_ + " [2]")) << computed.err;
  EXPECT_TRUE(Contains(computed.err, "aten::exp.out")) << computed.err;
  const CommandResult moved = RunOnepack({"run", path_, "--method", "move"});
  EXPECT_EQ(moved.exit_status, 0) << moved.err;
  EXPECT_TRUE(Contains(moved.out, "output 0  " + name_ + " [2]: ")) << moved.out;
  const CommandResult floats = RunOnepack({"run", path_, "--method", "floats"});
  EXPECT_TRUE(Contains(floats.out, "float32 [2]: 1 1")) << floats.out << floats.err;
}

INSTANTIATE_TEST_SUITE_P(Types, ElementTypesTest,
                         testing::Values(ScalarType::kComplexHalf, ScalarType::kComplexFloat,
                                         ScalarType::kComplexDouble, ScalarType::kQInt8,
                                         ScalarType::kQUInt4x2, ScalarType::kBits16,
                                         ScalarType::kFloat8E5M2, ScalarType::kFloat8E4M3FNUZ),
                         [](const testing::TestParamInfo<ScalarType>& type) {
                           return ScalarTypeName(type.param);
                         });

}  // namespace
}  // namespace onepack
