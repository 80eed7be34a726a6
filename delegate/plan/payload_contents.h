// A payload, and which bytes its constants are, as the cache's ContentRegistry has proved; and how
// many of them a graph may use.
//
// Ownership: counted; keeps the payload. While it lives it is a witness for its constants: others
//            may read them here to compare.
// Threads:   immutable; any thread.

#ifndef ONEPACK_DELEGATE_PLAN_PAYLOAD_CONTENTS_H_
#define ONEPACK_DELEGATE_PLAN_PAYLOAD_CONTENTS_H_

#include <stdint.h>

#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/checked_math.h"
#include "base/digest.h"
#include "delegate/graph/payload.h"
#include "onepack/result.h"
#include "weight_cache/content_registry.h"

namespace onepack {

// How many bytes of constants a graph may have packed, or copied: a budget for each. A small file
// could ask for the same weight in as many ways as it has nodes. Threads: one at a time.
class ByteBudget {
 public:
  explicit ByteBudget(const Payload& payload) {
    std::unordered_set<const DataSource*> sources;
    for (uint32_t i = 1; i < ConstantCount(payload.graph()); ++i) {
      const DataSource& source = payload.constant(i).source();
      // Of a few files: the sum fits. What has no bytes is found packed, or not at all.
      if (source.has_bytes() && sources.insert(&source).second) left_ += source.size();
    }
    if (!CheckedMultiply(left_, kMaxTimesTaken, &left_)) left_ = UINT64_MAX;
  }

  bool Holds(uint64_t size) const { return size <= left_; }
  // kInvalidFile when `what` takes more than is left.
  Status Take(uint64_t size, const char* what) {
    if (!Holds(size)) {
      return Status::Error(
          StatusCode::kInvalidFile,
          "%s takes more than %llu times the bytes of the files with the constants", what,
          static_cast<unsigned long long>(kMaxTimesTaken));
    }
    left_ -= size;
    return Status::Ok();
  }

 private:
  // Of the bytes of the files that the constants come from, in the mean. Exporters need once.
  static constexpr uint64_t kMaxTimesTaken = 16;

  uint64_t left_ = 0;
};

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
    // Of a source that could serve other bytes than it says, what it says is not believed.
    const uint8_t* FindHash() const override {
      const DataSource& source = constant_.source();
      const bool is_kept = !source.has_bytes() || source.identity().IsOfSha256();
      return is_kept ? source.FindHash(constant_.segment()) : nullptr;
    }

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
