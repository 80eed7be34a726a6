// Hadamard transforms, against their matrices.

#include <cmath>

#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

constexpr char kOperator[] = "llama::fast_hadamard_transform.out";

std::vector<double> Transformed(const std::vector<double>& row, ScalarType type = kF) {
  const auto length = static_cast<int32_t>(row.size());
  TestTensor from(type, {length}, row);
  TestTensor to(type, {length});
  EXPECT_TRUE(IsOk(Call(kOperator, {from, to})));
  return to.Numbers();
}

std::vector<double> UnitVector(size_t length, size_t at) {
  std::vector<double> row(length);
  row[at] = 1;
  return row;
}

// Of the matrix of order 2^n that is a power of {{1, 1}, {1, -1}}.
double SignAt(size_t row, size_t column) {
  return __builtin_popcountll(row & column) % 2 == 0 ? 1 : -1;
}

TEST(HadamardTest, UnitVectorsGiveTheColumnsOfAPowerOfTwo) {
  for (const size_t length : {1u, 2u, 4u, 16u, 64u, 512u}) {
    for (size_t at = 0; at < length; at += 1 + length / 16) {
      const std::vector<double> column = Transformed(UnitVector(length, at));
      for (size_t i = 0; i < length; ++i) {
        EXPECT_NEAR(column[i], SignAt(i, at) / std::sqrt(static_cast<double>(length)), 1e-7);
      }
    }
  }
}

TEST(HadamardTest, TwiceIsTheIdentity) {
  for (const size_t length : {2u, 128u, 4096u}) {
    const std::vector<double> row = Noise(length);
    const std::vector<double> twice = Transformed(Transformed(row));
    for (size_t i = 0; i < length; ++i) EXPECT_NEAR(twice[i], row[i], 1e-6);
  }
}

// Columns of the matrix of order 28.
std::vector<std::vector<double>> MatrixOfOrder28() {
  std::vector<std::vector<double>> columns;
  for (size_t i = 0; i < 28; ++i) columns.push_back(Transformed(UnitVector(28, i)));
  return columns;
}

// Rows of the matrix that SpinQuant and QuaRot rotate weights with.
TEST(HadamardTest, UnitVectorsGiveTheColumnsOfTheMatrixOfOrder28) {
  const std::vector<std::vector<double>> columns = MatrixOfOrder28();
  struct {
    size_t row;
    const char* signs;
  } constexpr kRows[] = {{0, "+------++----++-+--+-+--++--"},
                         {1, "-+-----+++-----+-+--+-+--++-"},
                         {9, "+---+++--+----++-++--+-+-+--"},
                         {17, "+-+-+-++--+--+---+---++---++"},
                         {27, "++--++-+-++-+-+----++------+"}};
  for (const auto& known : kRows) {
    std::string found;
    for (size_t i = 0; i < 28; ++i) found += columns[i][known.row] > 0 ? '+' : '-';
    EXPECT_EQ(found, known.signs) << known.row;
  }
}

TEST(HadamardTest, TheMatrixOfOrder28IsOrthogonalAndNotScaled) {
  const std::vector<std::vector<double>> columns = MatrixOfOrder28();
  for (size_t a = 0; a < 28; ++a) {
    for (size_t b = 0; b < 28; ++b) {
      double product = 0;
      for (size_t i = 0; i < 28; ++i) product += columns[a][i] * columns[b][i];
      EXPECT_EQ(product, a == b ? 28 : 0);
      EXPECT_EQ(std::fabs(columns[a][b]), 1);
    }
  }
}

TEST(HadamardTest, RowsOf28TimesAPowerOfTwoAreMatrices) {
  const std::vector<std::vector<double>> columns = MatrixOfOrder28();
  for (const size_t size : {2u, 8u, 32u, 64u}) {
    const std::vector<double> row = Noise(28 * size);
    const std::vector<double> found = Transformed(row);
    for (size_t r = 0; r < 28; ++r) {
      for (size_t c = 0; c < size; ++c) {
        double expected = 0;
        for (size_t k = 0; k < 28; ++k) {
          for (size_t d = 0; d < size; ++d) {
            expected += columns[k][r] * SignAt(c, d) * row[k * size + d];
          }
        }
        EXPECT_NEAR(found[r * size + c], expected / std::sqrt(static_cast<double>(size)), 1e-5);
      }
    }
  }
}

TEST(HadamardTest, InOtherTypes) {
  const std::vector<double> row = Noise(56);
  const std::vector<double> expected = Transformed(row, ScalarType::kDouble);
  const auto error_in = [&](ScalarType type) {
    const std::vector<double> found = Transformed(row, type);
    double error = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      error = std::fmax(error, std::fabs(found[i] - expected[i]));
    }
    return error;
  };
  EXPECT_LT(error_in(kF), 1e-5);
  EXPECT_LT(error_in(ScalarType::kHalf), 1e-2);
  EXPECT_LT(error_in(ScalarType::kBFloat16), 1e-1);
}

TEST(HadamardTest, EachRowOfAnyOrderOnAnyThreads) {
  const std::vector<double> numbers = Noise(5 * 2 * 8);
  std::vector<double> expected;
  for (size_t row = 0; row < 10; ++row) {
    const auto begin = numbers.begin() + static_cast<ptrdiff_t>(row) * 8;
    const std::vector<double> transformed = Transformed({begin, begin + 8});
    expected.insert(expected.end(), transformed.begin(), transformed.end());
  }
  const std::unique_ptr<pthreadpool, void (*)(pthreadpool*)> pool(pthreadpool_create(3),
                                                                  pthreadpool_destroy);
  for (const pthreadpool_t threads : {pthreadpool_t{nullptr}, pool.get()}) {
    TestTensor from(kF, {5, 2, 8}, numbers, {2, 0, 1});
    TestTensor to(kF, {5, 2, 8}, {}, {1, 2, 0});
    ASSERT_TRUE(IsOk(Call(kOperator, {from, to}, threads)));
    ExpectNumbers(to, expected);
  }
}

TEST(HadamardTest, AScalarIsUnchangedAndAnEmptyTensorIsAccepted) {
  TestTensor number(kF, {}, {3});
  TestTensor same(kF, {});
  ASSERT_TRUE(IsOk(Call(kOperator, {number, same})));
  ExpectNumbers(same, {3});
  TestTensor nothing(kF, {3, 0});
  TestTensor out(kF, {3, 0});
  EXPECT_TRUE(IsOk(Call(kOperator, {nothing, out})));
}

TEST(HadamardTest, OtherLengthsAndTypesAreErrors) {
  for (const int32_t length : {3, 12, 20, 3 * 28, 40, 28 * 28}) {
    TestTensor row(kF, {2, length});
    TestTensor out(kF, {2, length});
    EXPECT_TRUE(IsError(Call(kOperator, {row, out}), StatusCode::kInvalidArgument,
                        {std::to_string(length), "a power of two or 28 times one"}));
  }
  TestTensor integers(kL, {4});
  TestTensor out(kL, {4});
  EXPECT_TRUE(IsError(Call(kOperator, {integers, out}), StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace onepack
