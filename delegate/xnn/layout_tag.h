// What XNNPACK says of the layout of a weight when it looks one up: a seed, which has the tile
// sizes of its microkernel and the numbers of channels in it, and in newer versions the fingerprint
// of the packing function.

#ifndef ONEPACK_DELEGATE_XNN_LAYOUT_TAG_H_
#define ONEPACK_DELEGATE_XNN_LAYOUT_TAG_H_

#include "base/digest.h"
#include "delegate/xnn/xnnpack.h"
#include "weight_cache/pack_key.h"

namespace onepack {

LayoutTag TagOf(const xnn_weights_cache_look_up_key& key);

// Names the code that packs: the XNNPACK build, and the CPU features and core type it chooses
// kernels from. The same for the whole life of a process.
const Digest& LayoutFingerprint();

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_XNN_LAYOUT_TAG_H_
