#include "tests/conformance/operators_page.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "delegate/ops/op.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using wire::xnnpack::XNodeUnion;

class OperatorsPageTest : public testing::Test {
 protected:
  void SetUp() override {
    auto coverage = CoverageOf(CasesIn(ONEPACK_CONFORMANCE_DIR "/cases"));
    ASSERT_TRUE(IsOk(coverage));
    coverage_ = std::move(coverage).value();
  }

  Coverage coverage_;
};

TEST_F(OperatorsPageTest, ThePageInTheRepositoryIsUpToDate) {
  std::ifstream file(ONEPACK_OPERATORS_PAGE, std::ios::binary);
  std::ostringstream found;
  found << file.rdbuf();
  EXPECT_EQ(found.str(), OperatorsPage(coverage_))
      << "out of date; run: cmake --build --preset dev --target operators_page";
}

TEST_F(OperatorsPageTest, EveryTypeOfNodeIsInACaseOrHasAReasonNotToBe) {
  for (const XNodeUnion type : wire::xnnpack::EnumValuesXNodeUnion()) {
    if (type == XNodeUnion::NONE) continue;
    const bool has_case = coverage_.inputs.count(type) != 0;
    EXPECT_NE(has_case, ReasonForNoCase(type) != nullptr) << NodeTypeName(type);
    // A case that passes cannot hold what is refused.
    if (has_case) {
      EXPECT_NE(FindOp(type), nullptr) << NodeTypeName(type);
    }
  }
}

TEST_F(OperatorsPageTest, NodesAreCountedByWhatTheirOperandsAre) {
  const auto& linear = coverage_.filters[XNodeUnion::XNNFullyConnected];
  ASSERT_EQ(linear.count("qdint8 x qbint4"), 1u);
  EXPECT_EQ(linear.at("qdint8 x qbint4").count("conformance/linear_8da4w_group32"), 1u);
  EXPECT_EQ(linear.at("fp32 x fp32").count("conformance/linear_8da4w_group32"), 0u);
  const auto& convert = coverage_.inputs[XNodeUnion::XNNConvert];
  EXPECT_EQ(convert.at("fp32").count("conformance/linear_8da4w_group32"), 1u);
  EXPECT_EQ(coverage_.operators["aten::cat.out"].count("conformance/cat_same_input_f32"), 1u);
}

TEST_F(OperatorsPageTest, ACaseThatCannotBeReadIsNamed) {
  auto coverage = CoverageOf({"/no/such/case.json"});
  ASSERT_FALSE(coverage.ok());
  EXPECT_NE(std::string(coverage.status().message()).find("/no/such/case.json"), std::string::npos);
}

}  // namespace
}  // namespace onepack
