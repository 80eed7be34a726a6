// A payload, and which bytes its constants are: proved by the cache's ContentRegistry, not believed
// because of a name.
//
// Ownership: counted; keeps the payload. While it lives it is a witness for its constants: others
//            may read them here to compare.
// Threads:   immutable; any thread.

#ifndef ONEPACK_DELEGATE_PLAN_PAYLOAD_CONTENTS_H_
#define ONEPACK_DELEGATE_PLAN_PAYLOAD_CONTENTS_H_

#include <stdint.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "delegate/graph/payload.h"
#include "weight_cache/content_registry.h"

namespace onepack {

class PayloadContents {
 public:
  // Reads a constant only where its name stands in another file too, to see whether the two are the
  // same. Errors: those of reading, which name the constant; kResourceExhausted.
  static Result<std::shared_ptr<const PayloadContents>> Identify(
      std::shared_ptr<const Payload> payload, ContentRegistry& registry);

  const Payload& payload() const { return *payload_; }
  // REQUIRES: 0 < index < ConstantCount(payload().graph()).
  const std::shared_ptr<Content>& content(uint32_t index) const { return contents_[index - 1]; }
  // Of all constants, by index; what stands at 0 means nothing.
  std::vector<Digest> ids() const;

 private:
  // A constant as others may read it.
  class Witness final : public RawBytes {
   public:
    explicit Witness(const Constant& constant) : constant_(constant) {}
    Status Read(const std::function<void(Bytes)>& use) const override;

   private:
    const Constant& constant_;
  };

  explicit PayloadContents(std::shared_ptr<const Payload> payload) : payload_(std::move(payload)) {}
  // `self` owns this.
  Status Register(ContentRegistry& registry, const std::shared_ptr<const PayloadContents>& self);

  const std::shared_ptr<const Payload> payload_;
  std::vector<Witness> witnesses_;  // from index 1 on
  std::vector<std::shared_ptr<Content>> contents_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_PAYLOAD_CONTENTS_H_
