// A recorded case: a program, what to call, and the expected results, in the files NAME.pte,
// NAME.json and NAME.bin.
//
//     name, program, data[]  files in the order the loader is given them, relative to NAME.json
//     method                 which method to load
//     calls[]                {inputs[], outputs[]}: made in this order on one loaded method
//     atol, rtol             as in tools/compare.h
//     value                  {dtype, sizes, dim_order, offset, nbytes}: bytes in NAME.bin, laid out
//                            in dim_order | {int} | {bool} | {double}
//
// Other fields are ignored.
//
// Ownership: owns all it read; tensors made from it are views of it.
// Errors:    kInvalidFile names the file and the field.

#ifndef ONEPACK_TOOLS_RECORDED_CASE_H_
#define ONEPACK_TOOLS_RECORDED_CASE_H_

#include <stdint.h>

#include <string>
#include <variant>
#include <vector>

#include "base/mapping.h"
#include "onepack/result.h"
#include "onepack/value.h"
#include "tools/compare.h"

namespace onepack {

// Verified: the layout is sound and takes `size_bytes` bytes, which lie inside the .bin file.
struct RecordedTensor {
  ScalarType scalar_type = ScalarType::kFloat;
  std::vector<int32_t> sizes;
  std::vector<uint8_t> dim_order;
  size_t offset = 0;
  size_t size_bytes = 0;

  TensorLayout layout() const { return {scalar_type, sizes, dim_order}; }
};

using RecordedValue = std::variant<RecordedTensor, int64_t, bool, double>;

struct RecordedCall {
  std::vector<RecordedValue> inputs;
  std::vector<RecordedValue> outputs;
};

struct RecordedCase {
  // What a call finds of a method's mutable state: what the one before left, or the initial one.
  enum class State { kCarriedOver, kFreshForEachCall };

  std::string name;
  std::string program;            // path
  std::vector<std::string> data;  // paths
  std::string method;
  Tolerance tolerance;
  State state = State::kCarriedOver;
  std::vector<RecordedCall> calls;
  Mapping tensors;  // the .bin file

  // `value`, one of this case's, as the runtime takes it. A tensor is put into `*tensor`; it must
  // not be written to, and it lives as long as this case and `*tensor` stay where they are.
  Value ToValue(const RecordedValue& value, Tensor* tensor) const;
};

Result<RecordedCase> ReadRecordedCase(const std::string& path);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_RECORDED_CASE_H_
