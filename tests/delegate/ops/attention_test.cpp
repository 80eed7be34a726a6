// Softmax, products of computed matrices, attention.

#include <string>

#include "delegate/xnn/differences.h"
#include "tests/delegate/ops/graph_test.h"

namespace onepack {
namespace {

constexpr uint32_t kTransposeB = 1;

std::vector<float> SoftmaxOf(const std::vector<float>& x, size_t width) {
  std::vector<float> y = x;
  for (size_t row = 0; row < x.size() / width; ++row) {
    float sum = 0;
    for (size_t i = 0; i < width; ++i) sum += std::exp(x[row * width + i]);
    for (size_t i = 0; i < width; ++i) y[row * width + i] = std::exp(x[row * width + i]) / sum;
  }
  return y;
}

AddNode Softmax() {
  return [](PayloadWriter& payload, uint32_t in, uint32_t out) {
    payload.AddUnary(XNodeUnion::XNNSoftmax, in, out);
  };
}

TEST(SoftmaxTest, IsOverTheInnermostDim) {
  const std::vector<float> x = Mixed(2 * 3 * 19);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, RunOne({2, 3, 19}, {2, 3, 19}, x, Softmax()));
  EXPECT_LT(LargestDifference(FloatsOf(found[0]), SoftmaxOf(x, 19)), 1e-6f);
}

TEST(SoftmaxErrorsTest, OfAScalarIsRefused) {
  EXPECT_TRUE(
      IsError(LoadOne({}, {}, Softmax()), StatusCode::kInvalidFile, {"XNNSoftmax", "scalar"}));
}

struct Product {
  std::vector<uint32_t> a, b, y;
  bool is_transposed = false;
};

Result<GraphProgram> LoadProduct(const Product& product) {
  PayloadWriter payload;
  const uint32_t a = payload.AddInput(product.a);
  const uint32_t b = payload.AddInput(product.b);
  const uint32_t y = payload.AddOutput(product.y);
  const auto node = wire::xnnpack::CreateXNNNode2x1(payload.builder(), a, b, y,
                                                    product.is_transposed ? kTransposeB : 0);
  payload.AddNode(XNodeUnion::XNNBatchMatrixMultiply, node.Union());
  return GraphProgram::Load(
      payload, {Input(SizesOf(product.a)), Input(SizesOf(product.b)), Output(SizesOf(product.y))});
}

// Of batches [batch of the output], of which either operand may have one only.
std::vector<float> ExpectedProduct(const std::vector<float>& a, const std::vector<float>& b,
                                   size_t m, size_t k, size_t n, size_t batches,
                                   bool is_transposed) {
  std::vector<float> y(batches * m * n);
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t batch = i / (m * n);
    const size_t row = i / n % m;
    const size_t column = i % n;
    const float* left = a.data() + (a.size() == m * k ? 0 : batch * m * k);
    const float* right = b.data() + (b.size() == k * n ? 0 : batch * k * n);
    for (size_t j = 0; j < k; ++j) {
      y[i] += left[row * k + j] * (is_transposed ? right[column * k + j] : right[j * n + column]);
    }
  }
  return y;
}

TEST(ProductTest, OfMatricesAndOfBatchesThatBroadcast) {
  const Product products[] = {{{4, 5}, {5, 3}, {4, 3}},
                              {{2, 4, 5}, {2, 5, 3}, {2, 4, 3}},
                              {{2, 4, 5}, {1, 5, 3}, {2, 4, 3}},
                              {{1, 4, 5}, {2, 5, 3}, {2, 4, 3}},
                              {{2, 4, 5}, {2, 3, 5}, {2, 4, 3}, true},
                              {{2, 3, 4, 5}, {5, 3}, {2, 3, 4, 3}}};
  for (const Product& product : products) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, LoadProduct(product));
    const std::vector<float> a = Mixed(CountOfDims(product.a), 1);
    const std::vector<float> b = Mixed(CountOfDims(product.b), 2);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found, program.Run({Floats(SizesOf(product.a), a),
                                                                Floats(SizesOf(product.b), b)}));
    const std::vector<float> expected =
        ExpectedProduct(a, b, 4, 5, 3, CountOfDims(product.y) / 12, product.is_transposed);
    EXPECT_LT(LargestDifference(FloatsOf(found[0]), expected), 1e-5f);
  }
}

TEST(ProductTest, FollowsSizesThatGrowAndShrink) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, LoadProduct({{8, 16}, {16, 8}, {8, 8}}));
  for (const size_t k : {3u, 16u, 1u, 7u}) {
    for (const size_t m : {2u, 8u, 1u}) {
      const auto rows = static_cast<int32_t>(m);
      const auto inner = static_cast<int32_t>(k);
      const std::vector<float> a = Mixed(m * k, 3);
      const std::vector<float> b = Mixed(k * 8, 4);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                   program.Run({Floats({rows, inner}, a), Floats({inner, 8}, b)}));
      EXPECT_LT(LargestDifference(FloatsOf(found[0]), ExpectedProduct(a, b, m, k, 8, 1, false)),
                1e-5f);
    }
  }
}

TEST(ProductErrorsTest, MatricesThatDoNotFitAreNamedWithBothShapes) {
  EXPECT_TRUE(IsError(LoadProduct({{4, 5}, {4, 3}, {4, 3}}), StatusCode::kInvalidFile,
                      {"XNNBatchMatrixMultiply", "[4, 5]", "[4, 3]"}));
  EXPECT_TRUE(IsError(LoadProduct({{5}, {5, 3}, {3}}), StatusCode::kInvalidFile,
                      {"XNNBatchMatrixMultiply", "[5]"}));
  EXPECT_TRUE(IsError(LoadProduct({{2, 4, 5}, {3, 5, 3}, {3, 4, 3}}), StatusCode::kInvalidFile,
                      {"XNNBatchMatrixMultiply", "batches"}));
}

// Attention.

struct Attention {
  std::vector<uint32_t> query = {2, 3, 4};  // heads, tokens, channels
  std::vector<uint32_t> key = {2, 5, 4};
  std::vector<uint32_t> value = {2, 5, 6};
  std::vector<uint32_t> scale = {4};
  std::vector<uint32_t> mask = {3, 5};
  std::vector<uint32_t> output = {2, 3, 6};
};

Result<GraphProgram> LoadAttention(const Attention& attention) {
  PayloadWriter payload;
  std::vector<GraphBorder> borders;
  std::vector<uint32_t> ids;
  for (const auto* dims :
       {&attention.query, &attention.key, &attention.value, &attention.scale, &attention.mask}) {
    ids.push_back(payload.AddInput(*dims));
    borders.push_back(Input(SizesOf(*dims)));
  }
  const uint32_t y = payload.AddOutput(attention.output);
  borders.push_back(Output(SizesOf(attention.output)));
  const auto node = wire::xnnpack::CreateXNNScaledDotProductAttention(
      payload.builder(), ids[0], ids[1], ids[2], ids[3], ids[4], y);
  payload.AddNode(XNodeUnion::XNNScaledDotProductAttention, node.Union());
  return GraphProgram::Load(payload, borders);
}

TEST(AttentionTest, IsTheSoftmaxOfScaledProductsTimesTheValues) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GraphProgram program, LoadAttention({}));
  const std::vector<float> query = Mixed(24, 1), key = Mixed(40, 2), value = Mixed(60, 3);
  const std::vector<float> scale = {0.5f, 0.5f, 0.25f, 1};
  const std::vector<float> mask = Mixed(15, 4);
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const auto found,
      program.Run({Floats({2, 3, 4}, query), Floats({2, 5, 4}, key), Floats({2, 5, 6}, value),
                   Floats({4}, scale), Floats({3, 5}, mask)}));
  std::vector<float> expected;
  for (size_t head = 0; head < 2; ++head) {
    for (size_t token = 0; token < 3; ++token) {
      std::vector<float> logits(5);
      for (size_t other = 0; other < 5; ++other) {
        logits[other] = mask[token * 5 + other];
        for (size_t c = 0; c < 4; ++c) {
          logits[other] +=
              query[(head * 3 + token) * 4 + c] * scale[c] * key[(head * 5 + other) * 4 + c];
        }
      }
      const std::vector<float> weights = SoftmaxOf(logits, 5);
      for (size_t c = 0; c < 6; ++c) {
        float sum = 0;
        for (size_t other = 0; other < 5; ++other) {
          sum += weights[other] * value[(head * 5 + other) * 6 + c];
        }
        expected.push_back(sum);
      }
    }
  }
  EXPECT_LT(LargestDifference(FloatsOf(found[0]), expected), 1e-5f);
}

TEST(AttentionErrorsTest, OperandsThatDoNotFitAreNamed) {
  const auto refused = [](void (*change)(Attention&), const char* what) {
    Attention attention;
    change(attention);
    return IsError(LoadAttention(attention), StatusCode::kInvalidFile,
                   {"XNNScaledDotProductAttention", what});
  };
  EXPECT_TRUE(refused([](Attention& a) { a.key = {2, 5, 3}; }, "query and key"));
  EXPECT_TRUE(refused([](Attention& a) { a.key = {5}; }, "query and key"));
  EXPECT_TRUE(refused([](Attention& a) { a.value = {2, 4, 6}; }, "key and value"));
  EXPECT_TRUE(refused([](Attention& a) { a.scale = {5}; }, "query and scale"));
  EXPECT_TRUE(refused([](Attention& a) { a.mask = {3, 4}; }, "query and mask"));
  if (!kComposesAttention) {  // else it is a bound, which calls have to keep
    EXPECT_TRUE(refused([](Attention& a) { a.output = {2, 3, 4}; }, "XNNPACK says"));
  }
  EXPECT_TRUE(refused([](Attention& a) { a.output = {2, 18}; }, "[2, 3, 6]"));
  EXPECT_TRUE(refused([](Attention& a) { a.query = {3, 4}; }, "query and key"));
}

}  // namespace
}  // namespace onepack
