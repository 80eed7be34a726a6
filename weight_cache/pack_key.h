// The name of a packed weight.
//
// What equality promises: two equal keys mean bit-identical packed bytes. The argument: the bytes
// that are packed are a function of the raw kernel and bias, of the numbers that packing folds in,
// and of the code that packs. The first two are `kernel` and `bias`; the second are all in
// `quantization` and `consumer`, which hold whatever the weight's own description and its consuming
// node say; the third is `layout`, because every weight is packed in the same way, through a
// runtime of its node alone, and which kernels XNNPACK chooses for that depends on its build and on
// the processor. `kernel` and `bias` are ids of contents, and equal ones mean equal bytes
// (content_registry.h); of the others, equal digests mean equal parts (base/digest.h): hence equal
// input to the same function.
//
// Of a weight that is used as it is stored nothing is packed, and `layout` says so: "as stored".
// Its entry has what is computed of it, a float for each output, the bias as floats and scales of
// the graph's: again a function of what the first four parts name, by code that depends on the
// processor alone, which one process has one of. And it has the raw bytes of the kernel and of
// scales in a file, wherever they were found first: equal ones, because equal `kernel` and
// `quantization` are. Where a source does not keep its bytes alive, `layout` names it, too: so such
// an entry is not even found by others.
//
// What XNNPACK asks with when it looks a weight up is not part of the key, because it is known only
// when XNNPACK asks: it is the entry's LayoutTag, and compared at each look-up.
//
// Where XNNPACK has no kernel for raw bytes they are widened before it packs them: a pure function
// of the bytes and of the datatypes and flags of weight and node, which are all in the key. So it
// is part of the function above, and `kernel` and `bias` name the bytes as they were.
//
// Left out: names of tensors (two names may have equal bytes), pointers (two programs have
// different ones), batch sizes and other activations' shapes (packing does not see them).

#ifndef ONEPACK_WEIGHT_CACHE_PACK_KEY_H_
#define ONEPACK_WEIGHT_CACHE_PACK_KEY_H_

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

namespace onepack {

// What a weight is to the node that uses it. The delegate knows it; XNNPACK's own look-up key does
// not hold it.
struct WeightIdentity {
  Digest kernel;        // identity of the raw kernel's bytes
  Digest bias;          // identity of the raw bias' bytes, or of "no bias"
  Digest quantization;  // kernel and bias: datatype, dims, scales, zero points, block size
  Digest consumer;  // operator, flags, geometry, clamp, datatype and quantization of its input and
                    // output

  bool operator==(const WeightIdentity& other) const {
    return kernel == other.kernel && bias == other.bias && quantization == other.quantization &&
           consumer == other.consumer;
  }
};
static_assert(sizeof(WeightIdentity) == 4 * sizeof(Digest), "no padding");

// The identity of a bias that is not there.
inline const Digest& IdentityOfNothing() {
  static const Digest nothing = DigestBuilder("nothing").Finish();
  return nothing;
}

struct PackKey {
  WeightIdentity weight;
  // The XNNPACK build, and the CPU features it chooses kernels from; or "as stored".
  Digest layout;

  bool operator==(const PackKey& other) const {
    return weight == other.weight && layout == other.layout;
  }
};
static_assert(sizeof(PackKey) == sizeof(WeightIdentity) + sizeof(Digest), "no padding");

// By what they point to.
struct WeightIdentityHash {
  // Digests are uniform already, and no file chooses the id of a content; the parts that usually
  // differ are enough.
  size_t operator()(const WeightIdentity* weight) const {
    const DigestHash hash;
    return hash(weight->kernel) ^ (hash(weight->quantization) << 1);
  }
};
struct WeightIdentityEqual {
  bool operator()(const WeightIdentity* a, const WeightIdentity* b) const { return *a == *b; }
};

struct PackKeyHash {
  size_t operator()(const PackKey& key) const { return WeightIdentityHash()(&key.weight); }
};

// What the packer says of the layout it made; a user of the bytes compares it. Equal for one
// layout. The cache does not know what it means.
using LayoutTag = uint64_t;

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACK_KEY_H_
