#include "llm/logits.h"

#include <string.h>

#include "base/small_floats.h"

namespace onepack {
namespace {

template <typename T, typename Convert>
void ConvertAll(const uint8_t* bytes, std::vector<float>& floats, Convert convert) {
  for (float& number : floats) {
    T element;
    memcpy(&element, bytes, sizeof(element));
    bytes += sizeof(element);
    number = convert(element);
  }
}

void ToFloats(ScalarType type, const uint8_t* bytes, std::vector<float>& floats) {
  if (type == ScalarType::kHalf) {
    ConvertAll<uint16_t>(bytes, floats, FloatOfFloat16);
  } else if (type == ScalarType::kBFloat16) {
    ConvertAll<uint16_t>(bytes, floats, FloatOfBfloat16);
  } else {
    ConvertAll<double>(bytes, floats, [](double number) { return static_cast<float>(number); });
  }
}

}  // namespace

bool IsLogits(const Value& value) {
  if (!value.is(ValueKind::kTensor)) return false;
  const Tensor& tensor = value.tensor();
  if (!IsFloatingPoint(tensor.scalar_type())) return false;
  if (tensor.rank() < 1 || tensor.rank() > 3) return false;
  const size_t last = tensor.rank() - 1;
  return tensor.bounds()[last] > 0 && tensor.dim_order()[last] == last;
}

Result<Span<const float>> LastRow(const Tensor& logits, std::vector<float>& converted) {
  const auto width = static_cast<size_t>(logits.sizes()[logits.rank() - 1]);
  const size_t element = ElementSize(logits.scalar_type());
  const size_t count = logits.size_bytes() / element;
  if (width == 0 || count < width) {
    return Status::Error(StatusCode::kInternal, "the method gave no logits");
  }
  const uint8_t* row = logits.data() + (count - width) * element;
  if (logits.scalar_type() == ScalarType::kFloat) {
    return Span<const float>(reinterpret_cast<const float*>(row), width);
  }
  converted.resize(width);
  ToFloats(logits.scalar_type(), row, converted);
  return Span<const float>(converted);
}

}  // namespace onepack
