// The payload of one delegate: its verified graph and the constants the graph refers to.
//
// Ownership: counted; keeps a copy of the graph, which it may share with others, and the files of
//            constants. Constants it hands out live as long.
// Threads:   immutable; any thread.
// Errors:    name the constant, its key, its file, and what was expected.

#ifndef ONEPACK_DELEGATE_GRAPH_PAYLOAD_H_
#define ONEPACK_DELEGATE_GRAPH_PAYLOAD_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "delegate/graph/graph_store.h"
#include "delegate/graph/key_verifier.h"
#include "onepack/backend.h"
#include "onepack/result.h"
#include "schema/verify_payload.h"

namespace onepack {

// A run of raw bytes that the graph refers to by index. Part of a payload, which has its key.
class Constant {
 public:
  // `key`, which is not copied, is empty for what stands in the payload itself, as constant number
  // `index`.
  Constant(const DataSource& source, const Segment& segment, std::string_view key, uint32_t index)
      : source_(Ref<const DataSource>::Share(&source)),
        segment_(segment),
        key_(key),
        index_(index) {}

  const DataSource& source() const { return *source_; }
  const Segment& segment() const { return segment_; }
  uint64_t size() const { return segment_.size; }
  std::string_view key() const { return key_; }
  // "key 'abc' in foundation.ptd", for messages.
  std::string place() const;

  Result<Buffer> Load() const { return source_->LoadWhole(segment_); }
  // What was loaded will not be read again soon.
  void Discard() const { source_->Discard(segment_); }

 private:
  Ref<const DataSource> source_;
  Segment segment_;
  std::string_view key_;
  uint32_t index_;
};

class Payload {
 public:
  // Verifies the graph and finds every named constant, and reads none. With a `verifier`, constants
  // that are named after their content are read and checked.
  static Result<std::shared_ptr<const Payload>> Open(const DelegateRequest& request,
                                                     GraphStore& graphs,
                                                     KeyVerifier* verifier = nullptr);

  // Without the names of constants: they are blank.
  const wire::xnnpack::XNNGraph& graph() const { return *graph_->root; }

  // What graph() is read from.
  const Ref<const AlignedCopy>& graph_bytes() const { return graph_->bytes; }
  // Equal for graphs that are in use and differ in the names of their constants alone, as those of
  // two layers do, or of two adapters. None for old files.
  const std::optional<Digest>& graph_id() const { return graph_->id; }

  // REQUIRES, for all: 0 < index < ConstantCount(graph()).
  const Constant& constant(uint32_t index) const { return constants_[index - 1]; }
  // Whether the constant is one of `size_bytes`. It may have more, if the graph says so too: of a
  // tensor that is the first part of another's storage, exporters write all of the storage.
  bool Holds(uint32_t index, uint64_t size_bytes) const;

 private:
  Payload() = default;

  // How the files of a delegate say what a constant is.
  struct Sources {
    const DelegateRequest& request;
    const PayloadHeader& header;
    std::vector<std::string_view> keys;  // by index; empty where the payload has the bytes itself
    GraphStore& graphs;
    KeyVerifier* verifier;
  };

  // Fills in the keys.
  Status ReadGraph(Sources& sources);
  Status ReadNamelessGraph(const Sources& sources, const Ref<AlignedCopy>& flatbuffer);
  Status CheckPlaces(const Sources& sources) const;
  Status FindConstants(const Sources& sources);
  Result<Constant> FindConstant(const Sources& sources, uint32_t index);
  Constant InGraph(const DelegateRequest& request, const PayloadHeader& header,
                   uint32_t index) const;

  GraphStore::GraphPtr graph_;
  std::string keys_;                 // of all constants, one after the other
  std::vector<Constant> constants_;  // from index 1 on: 0 stands for none
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_PAYLOAD_H_
