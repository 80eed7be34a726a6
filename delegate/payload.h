// The payload of one delegate: its verified graph and the constants the graph refers to.
//
// Ownership: counted; keeps the payload's bytes and the files of named constants. Constants it hands out live as long.
// Threads:   immutable; any thread.
// Errors:    name the constant, its key, its file, and what was expected.

#ifndef ONEPACK_DELEGATE_PAYLOAD_H_
#define ONEPACK_DELEGATE_PAYLOAD_H_

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/aligned_copy.h"
#include "runtime/backend.h"
#include "schema/verify_payload.h"
#include "weight_cache/digest.h"

namespace onepack {

// A run of raw bytes that the graph refers to by index.
struct Constant {
  const DataSource* source = nullptr;
  Segment segment;              // in the source
  Ref<const RefCounted> owner;  // of the source
  Digest identity;              // equal identities, equal bytes
  std::string place;            // "key 'abc' in foundation.ptd", for messages

  Result<Buffer> Load() const { return source->Load(segment); }
};

class Payload {
 public:
  // Verifies the graph and finds every named constant. Reads no constant.
  static Result<std::shared_ptr<const Payload>> Open(const DelegateRequest& request);

  const wire::xnnpack::XNNGraph& graph() const { return *graph_; }

  // REQUIRES: 0 < index < ConstantCount(graph()).
  const Constant& constant(uint32_t index) const { return constants_[index]; }

 private:
  Payload() = default;

  Status FindConstants(const DelegateRequest& request, const PayloadHeader& header);
  Result<Constant> FindConstant(const DelegateRequest& request, const PayloadHeader& header,
                                uint32_t index) const;

  Ref<AlignedCopy> flatbuffer_;
  const wire::xnnpack::XNNGraph* graph_ = nullptr;  // in *flatbuffer_
  std::vector<Constant> constants_;                 // entry 0 stands for none
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PAYLOAD_H_
