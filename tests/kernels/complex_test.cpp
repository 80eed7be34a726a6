// Complex numbers, and types that nothing computes with.

#include <cmath>

#include "kernels/element.h"
#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

using Ints = std::vector<int64_t>;
constexpr ScalarType kC = ScalarType::kComplexFloat;
constexpr ScalarType kComplexTypes[] = {ScalarType::kComplexHalf, ScalarType::kComplexFloat,
                                        ScalarType::kComplexDouble};

TEST(ComplexTest, AreViewedAsPairsOfRealNumbersAndBack) {
  for (const ScalarType type : kComplexTypes) {
    for (const std::vector<uint8_t>& order : {std::vector<uint8_t>{0, 1}, {1, 0}}) {
      TestTensor self(type, {2, 3}, {}, order);
      self.SetParts(Counting(12, -3));
      TestTensor real(RealTypeOf(type), {2, 3, 2});
      ASSERT_TRUE(IsOk(Call("aten::view_as_real_copy.out", {self, real})));
      ExpectNumbers(real, Counting(12, -3));
      TestTensor back(type, {2, 3}, {}, order);
      ASSERT_TRUE(IsOk(Call("aten::view_as_complex_copy.out", {real, back})));
      ExpectNumbers(back.Parts(), Counting(12, -3));
    }
  }
  TestTensor real(kF, {2, 3});
  TestTensor complex(kC, {2});
  EXPECT_TRUE(IsError(Call("aten::view_as_complex_copy.out", {real, complex}),
                      StatusCode::kInvalidArgument, {"pairs"}));
  EXPECT_TRUE(IsError(Call("aten::view_as_real_copy.out", {real, complex}),
                      StatusCode::kInvalidArgument, {"complex numbers"}));
}

TEST(ComplexTest, AreAddedMultipliedAndDivided) {
  TestTensor a(kC, {2});
  a.SetParts({1, 2, -3, 0.5});
  TestTensor b(kC, {2});
  b.SetParts({3, -4, 0, 2});
  TestTensor out(kC, {2});
  ASSERT_TRUE(IsOk(Call("aten::add.out", {a, b, 2, out})));
  ExpectNumbers(out.Parts(), {7, -6, -3, 4.5});
  ASSERT_TRUE(IsOk(Call("aten::sub.out", {a, b, 1, out})));
  ExpectNumbers(out.Parts(), {-2, 6, -3, -1.5});
  ASSERT_TRUE(IsOk(Call("aten::mul.out", {a, b, out})));
  ExpectNumbers(out.Parts(), {11, 2, -1, -6});
  ASSERT_TRUE(IsOk(Call("aten::div.out", {a, b, out})));
  ExpectNumbers(out.Parts(), {-0.2, 0.4, 0.25, 1.5}, 1e-7);
  ASSERT_TRUE(IsOk(Call("aten::neg.out", {a, out})));
  ExpectNumbers(out.Parts(), {-1, -2, 3, -0.5});
  ASSERT_TRUE(IsOk(Call("aten::_conj_physical.out", {a, out})));
  ExpectNumbers(out.Parts(), {1, -2, -3, -0.5});
}

TEST(ComplexTest, MeetRealNumbersOfAnyType) {
  TestTensor a(kC, {2});
  a.SetParts({1, 2, -3, 0.5});
  TestTensor out(kC, {2});
  for (const ScalarType type : {kF, kL, ScalarType::kHalf, ScalarType::kDouble}) {
    TestTensor real(type, {1}, {2});
    ASSERT_TRUE(IsOk(Call("aten::mul.out", {a, real, out})));
    ExpectNumbers(out.Parts(), {2, 4, -6, 1});
  }
  ASSERT_TRUE(IsOk(Call("aten::add.Scalar_out", {a, 2.5, 1, out})));
  ExpectNumbers(out.Parts(), {3.5, 2, -0.5, 0.5});
  using kernels::PromoteTypes;
  EXPECT_EQ(PromoteTypes(kC, ScalarType::kDouble), ScalarType::kComplexDouble);
  EXPECT_EQ(PromoteTypes(ScalarType::kLong, kC), kC);
  EXPECT_EQ(PromoteTypes(ScalarType::kComplexHalf, ScalarType::kHalf), ScalarType::kComplexHalf);
  EXPECT_EQ(PromoteTypes(ScalarType::kBFloat16, ScalarType::kComplexHalf), kC);
}

TEST(ComplexTest, AQuotientOfLargeNumbersDoesNotOverflow) {
  TestTensor a(ScalarType::kComplexDouble, {1});
  a.SetParts({1e300, 1e300});
  TestTensor b(ScalarType::kComplexDouble, {1});
  b.SetParts({2e300, -2e300});
  TestTensor out(ScalarType::kComplexDouble, {1});
  ASSERT_TRUE(IsOk(Call("aten::div.out", {a, b, out})));
  ExpectNumbers(out.Parts(), {0, 0.5}, 1e-15);
}

TEST(ComplexTest, TheirSizeIsReal) {
  TestTensor a(kC, {3});
  a.SetParts({3, 4, -5, 12, 0, -1});
  TestTensor size(kF, {3});
  ASSERT_TRUE(IsOk(Call("aten::abs.out", {a, size})));
  ExpectNumbers(size, {5, 13, 1});
}

TEST(ComplexTest, AreSummedAndMultipliedAsMatrices) {
  TestTensor a(kC, {1, 2, 2});
  a.SetParts({1, 1, 2, 0, 0, 3, -1, 0});
  TestTensor sum(kC, {1, 2});
  ASSERT_TRUE(IsOk(Call("aten::sum.IntList_out", {a, Ints{1}, false, nullptr, sum})));
  ExpectNumbers(sum.Parts(), {1, 4, 1, 0});
  TestTensor product(kC, {1, 2, 2});
  ASSERT_TRUE(IsOk(Call("aten::bmm.out", {a, a, product})));
  ExpectNumbers(product.Parts(), {0, 8, 0, 2, -3, 0, 1, 6});
}

TEST(ComplexTest, AreMovedJoinedAndFilled) {
  for (const ScalarType type : kComplexTypes) {
    TestTensor a(type, {2, 3});
    a.SetParts(Counting(12));
    TestTensor turned(type, {3, 2});
    ASSERT_TRUE(IsOk(Call("aten::permute_copy.out", {a, Ints{1, 0}, turned})));
    ExpectNumbers(turned.Parts(), {0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11});
    TestTensor joined(type, {2, 4});
    TestTensor last(type, {2, 1});
    ASSERT_TRUE(IsOk(Call("aten::slice_copy.Tensor_out", {a, 1, 2, 3, 1, last})));
    ASSERT_TRUE(IsOk(Call("aten::cat.out", {std::vector<TestTensor*>{&a, &last}, -1, joined})));
    ExpectNumbers(joined.Parts(), {0, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 10, 11, 10, 11});
    TestTensor index(kL, {1}, {1});
    TestTensor picked(type, {1, 3});
    ASSERT_TRUE(IsOk(Call("aten::index_select.out", {a, 0, index, picked})));
    ExpectNumbers(picked.Parts(), Counting(6, 6));
    TestTensor full(type, {2});
    ASSERT_TRUE(IsOk(Call("aten::full.out", {Ints{2}, 2.5, full})));
    ExpectNumbers(full.Parts(), {2.5, 0, 2.5, 0});
  }
}

TEST(ComplexTest, AreConvertedFromAndToRealNumbers) {
  TestTensor real(kF, {2}, {1.5, -2});
  TestTensor complex(ScalarType::kComplexDouble, {2});
  ASSERT_TRUE(IsOk(Call("dim_order_ops::_to_dim_order_copy.out", {real, false, nullptr, complex})));
  ExpectNumbers(complex.Parts(), {1.5, 0, -2, 0});
  complex.SetParts({3, 4, 5, 6});
  TestTensor half(ScalarType::kComplexHalf, {2});
  ASSERT_TRUE(IsOk(Call("aten::_to_copy.out", {complex, false, nullptr, half})));
  ExpectNumbers(half.Parts(), {3, 4, 5, 6});
  ASSERT_TRUE(IsOk(Call("aten::_to_copy.out", {complex, false, nullptr, real})));
  ExpectNumbers(real, {3, 5});
}

// What has no order, or no result that is a complex number, has no operator for them.
TEST(ComplexTest, OtherOperatorsNameThem) {
  TestTensor a(kC, {2});
  TestTensor out(kC, {2});
  for (const char* name : {"aten::exp.out", "aten::relu.out", "aten::sign.out"}) {
    EXPECT_TRUE(IsError(Call(name, {a, out}), StatusCode::kUnsupported,
                        {"argument 'self' is complex64 [2]"}))
        << name;
  }
  EXPECT_TRUE(IsError(Call("aten::maximum.out", {a, a, out}), StatusCode::kUnsupported,
                      {"argument 'self' is complex64 [2]"}));
  EXPECT_TRUE(IsError(Call("aten::amax.out", {a, Ints{0}, true, out}), StatusCode::kUnsupported,
                      {"argument 'self' is complex64 [2]"}));
  TestTensor real(kF, {2});
  EXPECT_TRUE(IsError(Call("aten::exp.out", {real, out}), StatusCode::kUnsupported,
                      {"argument 'out' is complex64 [2]"}));
}

class OpaqueTypesTest : public testing::TestWithParam<ScalarType> {
 protected:
  // Copied by bytes: the fixture cannot write their elements.
  static void Fill(TestTensor& tensor) {
    for (size_t i = 0; i < tensor.tensor().size_bytes(); ++i) {
      tensor.tensor().mutable_data()[i] = static_cast<uint8_t>(i + 1);
    }
  }
};

TEST_P(OpaqueTypesTest, AreMovedButNotComputedWithNorConverted) {
  TestTensor a(GetParam(), {2, 2});
  Fill(a);
  TestTensor turned(GetParam(), {2, 2});
  ASSERT_TRUE(IsOk(Call("aten::permute_copy.out", {a, Ints{1, 0}, turned})));
  const size_t size = ElementSize(GetParam());
  EXPECT_EQ(turned.tensor().data()[size], 2 * size + 1);
  EXPECT_EQ(turned.tensor().data()[2 * size], size + 1);
  TestTensor joined(GetParam(), {4, 2});
  ASSERT_TRUE(IsOk(Call("aten::cat.out", {std::vector<TestTensor*>{&a, &a}, 0, joined})));
  EXPECT_EQ(joined.tensor().data()[4 * size], 1);

  const std::string named = std::string(ScalarTypeName(GetParam())) + " [2, 2]";
  TestTensor floats(kF, {2, 2});
  EXPECT_TRUE(IsError(Call("aten::exp.out", {a, floats}), StatusCode::kUnsupported,
                      {"argument 'self' is " + named}));
  EXPECT_TRUE(IsError(Call("aten::permute_copy.out", {a, Ints{1, 0}, floats}),
                      StatusCode::kUnsupported, {named + " as float32"}));
  EXPECT_TRUE(IsError(Call("aten::_to_copy.out", {a, false, nullptr, floats}),
                      StatusCode::kUnsupported, {named + " as float32"}));
  for (const char* name : {"aten::cat.out", "aten::stack.out"}) {
    TestTensor out(kF, {name[6] == 'c' ? 4 : 2, 2});
    EXPECT_FALSE(Call(name, {std::vector<TestTensor*>{&a, &a}, 0, out}).ok());
  }
  TestTensor index(kL, {1}, {0});
  TestTensor row(kF, {1, 2});
  EXPECT_TRUE(IsError(Call("aten::index_select.out", {a, 0, index, row}), StatusCode::kUnsupported,
                      {"as float32"}));
  EXPECT_TRUE(
      IsError(Call("aten::copy_", {floats, a, false}), StatusCode::kUnsupported, {"as float32"}));
}

INSTANTIATE_TEST_SUITE_P(Types, OpaqueTypesTest,
                         testing::Values(ScalarType::kQInt8, ScalarType::kQUInt8,
                                         ScalarType::kQInt32, ScalarType::kBits16,
                                         ScalarType::kFloat8E5M2, ScalarType::kFloat8E4M3FN),
                         [](const testing::TestParamInfo<ScalarType>& type) {
                           return ScalarTypeName(type.param);
                         });

}  // namespace
}  // namespace onepack
