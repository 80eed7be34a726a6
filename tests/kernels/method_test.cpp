// Our operators in a method: what is missing, what is not copied, what an error leaves behind.

#include <numeric>
#include <optional>

#include "onepack/cpu_operators.h"
#include "tests/runtime/method_fixture.h"

namespace onepack {
namespace {

class OperatorsInMethodTest : public MethodTest {
 protected:
  Result<Ref<Method>> LoadWithOurs() {
    program_.AddMethod(plan_);
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, OpenProgram(program_.Finish()));
    ONEPACK_ASSIGN_OR_RETURN(CpuOperators operators, CpuOperators::Create({}));
    operators_.emplace(std::move(operators));
    options_.operators = operators_->registry();
    return Method::Load(program, "forward", options_);
  }

  // y = table[x : x + rows], where the table has 100 rows of 128.
  void PlanSlice(int32_t rows) {
    std::vector<float> numbers(100 * 128);
    std::iota(numbers.begin(), numbers.end(), 0.0F);
    TensorPlan table;
    table.sizes = {100, 128};
    table.data_buffer_idx = program_.AddConstant(AsBytes(numbers));
    plan_.operators = {{"aten::slice_copy", "Tensor_out"}, {"executorch_prim::add", "Scalar"}};
    plan_.values = {table,         int64_t{0}, int64_t{0},
                    int64_t{rows}, int64_t{1}, Planned({rows, 128}, 0),
                    int64_t{0}};
    plan_.chains = {{KernelCallPlan{1, {2, 3, 6}}, KernelCallPlan{0, {0, 1, 2, 6, 4, 5, 5}}}};
    plan_.buffer_sizes = {0, int64_t{rows} * 128 * 4};
    plan_.inputs = {2};
    plan_.outputs = {5};
  }

 private:
  std::optional<CpuOperators> operators_;
};

TEST_F(OperatorsInMethodTest, AllThatAreMissingAreNamed) {
  plan_.operators = {{"aten::exp", "out"}, {"unknown::first", "out"}, {"unknown::second", ""}};
  plan_.values = {int64_t{0}};
  EXPECT_TRUE(
      IsError(LoadWithOurs(), StatusCode::kNotFound, {"unknown::first.out, unknown::second"}));
}

TEST_F(OperatorsInMethodTest, ALargeSliceOfAConstantIsNotCopied) {
  PlanSlice(40);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, LoadWithOurs());
  for (const int64_t start : {10, 3}) {
    ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfInt(start))));
    ASSERT_TRUE(IsOk(method->Execute()));
    EXPECT_TRUE(method->output(0).tensor().is_view());
    const std::vector<float> found = Floats(method->output(0));
    EXPECT_EQ(found.front(), static_cast<float>(start * 128));
    EXPECT_EQ(found.back(), static_cast<float>((start + 40) * 128 - 1));
  }
}

TEST_F(OperatorsInMethodTest, ASmallSliceIsCopied) {
  PlanSlice(2);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, LoadWithOurs());
  ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfInt(7))));
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_FALSE(method->output(0).tensor().is_view());
  EXPECT_EQ(Floats(method->output(0)).front(), 7.0F * 128);
}

TEST_F(OperatorsInMethodTest, ALargeSliceOfAConstantCanBeChangedInPlace) {
  PlanSlice(40);
  TensorPlan row;
  row.sizes = {128};
  const std::vector<float> sevens(128, 7.0F);
  row.data_buffer_idx = program_.AddConstant(AsBytes(sevens));
  plan_.values.emplace_back(row);
  plan_.operators.push_back({"executorch_prim::et_copy_index", "tensor"});
  plan_.chains[0].push_back(KernelCallPlan{2, {5, 7, 4}});
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, LoadWithOurs());
  for (const int64_t start : {10, 3}) {
    ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfInt(start))));
    ASSERT_TRUE(IsOk(method->Execute()));
    const std::vector<float> found = Floats(method->output(0));
    EXPECT_EQ(found.front(), static_cast<float>(start * 128));
    EXPECT_EQ(found[128], 7);
    EXPECT_EQ(found[255], 7);
    EXPECT_EQ(found.back(), static_cast<float>((start + 40) * 128 - 1));
  }
}

TEST_F(OperatorsInMethodTest, AfterAnErrorTheMethodCanBeUsedAgain) {
  PlanSlice(40);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, LoadWithOurs());
  ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfInt(90))));
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kInvalidArgument,
                      {"aten::slice_copy.Tensor_out", "[10, 128]", "[40, 128]"}));
  ASSERT_TRUE(IsOk(method->SetInput(0, Value::OfInt(60))));
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(Floats(method->output(0)).back(), 100.0F * 128 - 1);
}

}  // namespace
}  // namespace onepack
