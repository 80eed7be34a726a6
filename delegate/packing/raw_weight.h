// The raw bytes of one weight while XNNPACK packs them whole, or keeps them (Packing).
//
// They are read when this is made, and let go of when it goes: the pages of a mapped file are
// dropped, what was read or widened is unmapped. So peak memory while loading is what is packed so
// far, and the raw weights in hand.
//
// Threads: one at a time; several threads may read one constant at once, each through its own.
// Errors:  those of reading; kInvalidFile for scales that XNNPACK would refuse; they name the graph
//          value.

#ifndef ONEPACK_DELEGATE_PACKING_RAW_WEIGHT_H_
#define ONEPACK_DELEGATE_PACKING_RAW_WEIGHT_H_

#include "base/mapping.h"
#include "delegate/ops/scale_storage.h"
#include "delegate/packing/node_packer.h"
#include "delegate/plan/plan.h"
#include "delegate/xnn/ones.h"
#include "onepack/result.h"

namespace onepack {

// One constant of a weight, in the datatype that XNNPACK is given.
class RawConstant {
 public:
  RawConstant() = default;
  RawConstant(RawConstant&& other) noexcept;
  RawConstant& operator=(RawConstant&& other) = delete;
  ~RawConstant();

  // `registry` gets the hash of the bytes; null for none. REQUIRES: an operand that is there.
  Status Read(const Plan& plan, const WeightOperand& operand, ContentRegistry* registry);

  const ShownConstant& shown() const { return shown_; }

 private:
  Status ReadBytes(const PayloadContents& contents, const GraphValue& value,
                   const WeightOperand& operand, ContentRegistry* registry);
  Status ReadScales(const Payload& payload, const GraphValue& value, uint32_t scale_index);

  const Constant* constant_ = nullptr;  // that is read
  const Constant* scales_ = nullptr;    // null if they are not in a file
  Buffer mapped_;                       // of a mapped source
  Mapping copy_;                        // of another, and of bytes that are widened
  ScaleStorage scale_storage_;
  ShownConstant shown_;
};

class RawWeight {
 public:
  static Result<RawWeight> Read(const Plan& plan, const Weight& weight, ContentRegistry* registry);

  ShownWeight shown() const { return {kernel_.shown(), bias_.shown(), {}}; }

 private:
  RawConstant kernel_;
  RawConstant bias_;
};

// Whether XNNPACK may read elements of any datatype at the address.
inline bool IsAligned(const void* address) {
  return reinterpret_cast<uintptr_t>(address) % alignof(float) == 0;
}

// The scales of a value, checked; null for a value without. `storage` keeps them.
Result<const void*> ScalesFor(const Payload& payload, const GraphValue& value,
                              ScaleStorage& storage);
// As many ones, for a weight that XNNPACK will find packed.
const void* OnesFor(const GraphValue& value, OnesStore& ones);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_RAW_WEIGHT_H_
