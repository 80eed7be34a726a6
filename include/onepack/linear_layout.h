// Whether linear layers run over their weights as files have them, or over packed ones.

#ifndef ONEPACK_LINEAR_LAYOUT_H_
#define ONEPACK_LINEAR_LAYOUT_H_

#include <stdint.h>

namespace onepack {

enum class LinearLayout : uint8_t {
  kAuto,     // in place where that was measured to cost little or no time (docs/linears.md)
  kInPlace,  // in place all that can be: nothing is packed, and no memory taken for it
  kPacked,   // XNNPACK packs all: needs the file while it packs, and not while it runs
};

}  // namespace onepack

#endif  // ONEPACK_LINEAR_LAYOUT_H_
