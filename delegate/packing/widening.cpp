#include "delegate/packing/widening.h"

#include <string.h>

#include "base/small_floats.h"

namespace onepack {
namespace {

using wire::xnnpack::XNNDatatype;

// What stands for zero in 4 bits.
constexpr int kInt4Zero = 8;

// Rows begin at a whole byte each.
void WidenInt4(Bytes from, size_t row_length, uint8_t* to) {
  const size_t bytes_each = row_length / 2 + row_length % 2;
  size_t end = 0;
  for (size_t row = 0; row < from.size() / bytes_each; ++row) {
    for (size_t i = 0; i < row_length; ++i) {
      const int both = from[row * bytes_each + i / 2];
      const int number = i % 2 == 0 ? both & 15 : both >> 4;
      to[end++] = static_cast<uint8_t>(number - kInt4Zero);
    }
  }
}

void WidenFloats(XNNDatatype datatype, Bytes from, uint8_t* to) {
  for (size_t i = 0; i + sizeof(uint16_t) <= from.size(); i += sizeof(uint16_t)) {
    uint16_t bits;
    memcpy(&bits, from.data() + i, sizeof(bits));
    const float wide = datatype == XNNDatatype::bf16 ? FloatOfBfloat16(bits) : FloatOfFloat16(bits);
    memcpy(to + kWidening * i, &wide, sizeof(wide));
  }
}

}  // namespace

// Where they overlap, no byte is written before those that stand there were read.
void Widen(const GraphValue& value, Bytes raw, uint8_t* to) {
  const XNNDatatype datatype = value.tensor().datatype();
  if (datatype == XNNDatatype::qcint4) {
    WidenInt4(raw, value.rank() > 0 ? value.dim(value.rank() - 1) : 1, to);
  } else {
    WidenFloats(datatype, raw, to);
  }
}

}  // namespace onepack
