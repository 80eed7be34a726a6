// An XNNPACK payload read from a file, whose constants can be given other homes. All else stays as
// it is.
//
// Ownership: keeps the file it was read from. Threads: one at a time.
// Errors:    kInvalidFile for a payload that is not in order.

#ifndef ONEPACK_AOT_EDITABLE_PAYLOAD_H_
#define ONEPACK_AOT_EDITABLE_PAYLOAD_H_

#include <string>
#include <vector>

#include "aot/data_bytes.h"
#include "aot/source_bytes.h"
#include "xnnpack_graph_edit.h"

namespace onepack {

class EditablePayload {
 public:
  struct Constant {
    std::string key;  // empty: the payload carries the bytes itself
    DataBytes bytes;  // when it does
    uint64_t size_bytes = 0;
  };

  // `range` is where the payload lies in `source`.
  static Result<EditablePayload> Read(const Ref<const DataSource>& source, const Segment& range,
                                      const Watch& watch);

  // By their index in the graph; the first stands for none.
  const std::vector<Constant>& constants() const { return constants_; }
  // From now on the constant is found under `key`. REQUIRES: 0 < index < constants().size().
  void MoveOut(size_t index, std::string key);

  bool is_changed() const { return is_changed_; }
  // The payload as it is now, with a header, whether or not it had one.
  DataBytes Encode() const;

 private:
  Status ReadConstants(const Ref<const DataSource>& source, const Segment& region,
                       const Watch& watch);

  edit::xnnpack::XNNGraphT graph_;  // without its constants
  std::string identifier_;
  std::vector<Constant> constants_;
  bool is_changed_ = false;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_EDITABLE_PAYLOAD_H_
