#include <gtest/gtest.h>
#include <math.h>
#include <string.h>

#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "delegate/xnn/xnnpack.h"
#include "linear/activation_layout.h"
#include "linear/linear.h"
#include "tests/linear/linear_fixture.h"

namespace onepack::linear {
namespace {

struct QuantizedRow {
  uint32_t scale_bits = 0;
  int32_t zero_point = 0;
  std::vector<int8_t> values;

  bool operator==(const QuantizedRow& other) const {
    return scale_bits == other.scale_bits && zero_point == other.zero_point &&
           values == other.values;
  }
};

void PrintTo(const QuantizedRow& row, std::ostream* out) {
  float scale = 0;
  memcpy(&scale, &row.scale_bits, sizeof(scale));
  *out << "scale " << scale << " (" << row.scale_bits << "), zero point " << row.zero_point << ":";
  for (const int8_t value : row.values) *out << ' ' << int{value};
}

QuantizedRow ByXnnpack(const std::vector<float>& x) {
  xnn_operator_t convert = nullptr;
  EXPECT_EQ(xnn_initialize(nullptr), xnn_status_success);
  EXPECT_EQ(xnn_create_convert_nc_f32_qd8(0, &convert), xnn_status_success);
  const std::unique_ptr<xnn_operator, decltype(&xnn_delete_operator)> owner(convert,
                                                                            &xnn_delete_operator);
  EXPECT_EQ(xnn_reshape_convert_nc_f32_qd8(convert, 1, x.size(), x.size(), x.size(), nullptr),
            xnn_status_success);
  QuantizedRow row;
  row.values.resize(x.size() + XNN_EXTRA_BYTES);
  std::vector<xnn_quantization_params> params(1 + XNN_EXTRA_QUANTIZATION_PARAMS);
  EXPECT_EQ(xnn_setup_convert_nc_f32_qd8(convert, x.data(), row.values.data(), params.data()),
            xnn_status_success);
  EXPECT_EQ(xnn_run_operator(convert, nullptr), xnn_status_success);
  memcpy(&row.scale_bits, &params[0].scale, sizeof(float));
  row.zero_point = params[0].zero_point;
  row.values.resize(x.size());
  return row;
}

// Through int4's form, whose bytes are those of XNNPACK but for their order; in one row of `rows`
// equal ones.
QuantizedRow ByQuantize(const std::vector<float>& x, size_t rows) {
  const ActivationForm form = {x.size(), 0, true};
  std::vector<float> equal;
  for (size_t m = 0; m < rows; ++m) equal.insert(equal.end(), x.begin(), x.end());
  std::vector<uint8_t> quantized(QuantizedBytes(form, rows));
  Quantize(form, equal.data(), rows, quantized.data(), nullptr);
  const size_t m = rows / 2;
  RowHeader header;
  memcpy(&header, quantized.data() + m * sizeof(header), sizeof(header));
  QuantizedRow row;
  memcpy(&row.scale_bits, &header.scale, sizeof(float));
  row.zero_point = header.zero_point;
  const ActivationLayout layout = LayoutOf(form, rows);
  const ActivationLayout::RowPlaces places = layout.PlacesOf(m);
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t group = i / 32;
    const size_t in_step = layout.is_row_by_row() ? group % layout.step_groups() : 0;
    // Of few rows the even quads of a step stand before the odd ones.
    const size_t at = layout.is_row_by_row()
                          ? places.quads + (group - in_step) * 32 +
                                (i % 2 * layout.step_groups() + in_step) * 16 + i % 32 / 2
                          : places.quads + group * places.group_step +
                                (i % 32 / 8 * 2 + i % 2) * places.quad_step + i % 8 / 2;
    row.values.push_back(static_cast<int8_t>(quantized[at]));
  }
  return row;
}

// A NaN is not equal to itself, whatever its bits: which of them comes out is of no meaning.
void ExpectSame(QuantizedRow ours, QuantizedRow theirs) {
  for (QuantizedRow* row : {&ours, &theirs}) {
    float scale = 0;
    memcpy(&scale, &row->scale_bits, sizeof(scale));
    if (isnan(scale)) row->scale_bits = 0x7FC00000;
  }
  EXPECT_EQ(ours, theirs);
}

// Alone and as one of many, which are stored otherwise.
void ExpectXnnpacks(const std::vector<float>& x) {
  const QuantizedRow theirs = ByXnnpack(x);
  ExpectSame(ByQuantize(x, 1), theirs);
  ExpectSame(ByQuantize(x, 13), theirs);
}

const int64_t kBestTarget = AllTargets().front();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
constexpr float kGreatest = std::numeric_limits<float>::max();

class QuantizeTest : public testing::TestWithParam<int64_t> {
 protected:
  TargetScope target_{GetParam()};
  std::mt19937 random_{7};
};

TEST_P(QuantizeTest, RandomRowsAreXnnpacks) {
  for (size_t inputs = 1; inputs < 300; ++inputs) {
    const float least = RandomFloats(1, random_, -2, 1)[0];
    const float greatest = least + RandomFloats(1, random_, 0, 3)[0];
    const std::vector<float> x = RandomFloats(inputs, random_, least, greatest);
    SCOPED_TRACE(inputs);
    ExpectXnnpacks(x);
  }
}

TEST_P(QuantizeTest, HalfwayValuesRoundAsXnnpacks) {
  for (int least = -255; least <= 0; ++least) {
    std::vector<float> x;
    for (int i = 0; i <= 510; ++i)
      x.push_back(static_cast<float>(least) + static_cast<float>(i) / 2);
    ExpectXnnpacks(x);
  }
}

TEST_P(QuantizeTest, RowsOfOneValueAreXnnpacks) {
  for (const float value : {0.0F, -0.0F, 1.0F, -1.0F, 3e-39F, -3e-39F, kDenormal, -kDenormal,
                            kGreatest, -kGreatest, kInfinity, -kInfinity, 0.3F}) {
    for (const size_t inputs : {1, 15, 16, 17, 64, 100}) {
      SCOPED_TRACE(testing::Message() << value << " x " << inputs);
      const std::vector<float> x(inputs, value);
      ExpectXnnpacks(x);
    }
  }
}

TEST_P(QuantizeTest, ExtremeValuesAreXnnpacks) {
  const std::vector<float> extremes = {0.0F,      -0.0F,      1.0F,     -1.0F,     1e-30F,
                                       kDenormal, -kDenormal, 1.2e-38F, kGreatest, -kGreatest,
                                       kInfinity, -kInfinity, -1e30F,   255.0F,    -256.0F};
  for (int round = 0; round < 2000; ++round) {
    std::vector<float> x = RandomFloats(1 + random_() % 100, random_);
    for (int i = 0; i < 3; ++i) x[random_() % x.size()] = extremes[random_() % extremes.size()];
    SCOPED_TRACE(testing::PrintToString(x));
    ExpectXnnpacks(x);
    if (HasFailure()) break;
  }
}

TEST_P(QuantizeTest, NanIsTakenAsXnnpackTakesItWithTheSameInstructions) {
  if (GetParam() != kBestTarget) {
    GTEST_SKIP() << "XNNPACK uses the processor's best instructions, and its NaN depend on them";
  }
  for (int round = 0; round < 2000; ++round) {
    std::vector<float> x = RandomFloats(1 + random_() % 200, random_, -1, 1);
    for (int i = 0; i < 1 + round % 5; ++i) x[random_() % x.size()] = kNan;
    SCOPED_TRACE(testing::PrintToString(x));
    ExpectXnnpacks(x);
    if (HasFailure()) break;
  }
}

TEST_P(QuantizeTest, NothingOutsideTheArraysIsTouched) {
  for (const auto where : {GuardedBytes::Where::kAtBegin, GuardedBytes::Where::kAtEnd}) {
    for (const bool is_for_int4 : {false, true}) {
      for (size_t inputs = 1; inputs < 140; ++inputs) {
        for (const size_t rows : {1, 5}) {
          const size_t block_size = is_for_int4 && inputs % 32 == 0 ? 32 : 0;
          const ActivationForm form = {inputs, block_size, is_for_int4};
          const size_t bytes = QuantizedBytes(form, rows);
          const GuardedBytes x(inputs * rows * sizeof(float), where);
          const GuardedBytes quantized(bytes, where);
          Quantize(form, x.floats(), rows, quantized.data(), nullptr);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, QuantizeTest, testing::ValuesIn(AllTargets()),
                         [](const auto& test) { return NameOf(test.param); });

}  // namespace
}  // namespace onepack::linear
