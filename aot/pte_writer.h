// Writes a program (.pte) from a plain description of its methods.
//
// The structs say exactly what the file says, so that a test can also describe what is wrong:
// nothing is checked.
//
//     ProgramWriter program;
//     MethodPlan method;
//     method.values = {planned_tensor, planned_tensor};
//     method.inputs = {0};
//     method.outputs = {1};
//     method.buffer_sizes = {0, 128};
//     method.delegates = {DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(payload))};
//     method.chains = {{DelegateCallPlan{0, {0, 1}}}};
//     program.AddMethod(method);
//     std::vector<uint8_t> bytes = program.Finish();
//
// Ownership: owns copies of everything but what is given as DataBytes. Threads: one at a time.
// Errors:    those of produced bytes; of writing a file, naming the path.

#ifndef ONEPACK_AOT_PTE_WRITER_H_
#define ONEPACK_AOT_PTE_WRITER_H_

#include <stdint.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "aot/data_bytes.h"
#include "aot/program_file.h"
#include "onepack/scalar_type.h"
#include "onepack/span.h"

namespace onepack {

// Where in the planned memory a tensor lives.
struct PlannedPlace {
  uint32_t buffer = 1;
  uint64_t offset = 0;
};

struct TensorPlan {
  ScalarType scalar_type = ScalarType::kFloat;
  std::vector<int32_t> sizes;
  std::optional<std::vector<uint8_t>> dim_order;  // not set: contiguous
  // From AddConstant, or, for a tensor with a place, from AddInitialValue. 0: none.
  uint32_t data_buffer_idx = 0;
  uint32_t initial_value_group = 0;
  std::optional<PlannedPlace> place;
  bool is_dynamic = false;   // sizes are bounds
  std::string external_key;  // not empty: the bytes are in a data file

  // For tests of what is refused.
  int32_t storage_offset = 0;
  int8_t shape_dynamism = -1;  // -1: as is_dynamic says
  int8_t location = -1;        // -1: as external_key says
  int8_t device_type = 0;
};

// Lists of value indices; in the optional one -1 is none.
struct IntListPlan {
  std::vector<int64_t> items;
};
struct TensorListPlan {
  std::vector<int32_t> items;
};
struct OptionalTensorListPlan {
  std::vector<int32_t> items;
};

// A value; std::monostate is None.
using ValuePlan =
    std::variant<std::monostate, int64_t, bool, double, std::string, TensorPlan, IntListPlan,
                 std::vector<bool>, std::vector<double>, TensorListPlan, OptionalTensorListPlan>;

struct KernelCallPlan {
  int32_t op = 0;
  std::vector<int32_t> arguments;
};
struct DelegateCallPlan {
  int32_t delegate = 0;
  std::vector<int32_t> arguments;
};
struct MoveCallPlan {
  int32_t from = 0;
  int32_t to = 0;
};
struct JumpFalseCallPlan {
  int32_t condition = 0;
  int32_t destination = 0;
};
struct FreeCallPlan {
  int32_t value = 0;
};
using InstructionPlan =
    std::variant<KernelCallPlan, DelegateCallPlan, MoveCallPlan, JumpFalseCallPlan, FreeCallPlan>;

struct OperatorPlan {
  std::string name;
  std::string overload;
};

struct DelegatePlan {
  std::string backend;
  int8_t location = 1;  // 0: inline, 1: a segment
  uint32_t index = 0;
  std::vector<std::pair<std::string, std::vector<uint8_t>>> compile_specs;

  static DelegatePlan InSegment(std::string backend, uint32_t segment) {
    return {std::move(backend), 1, segment, {}};
  }
  static DelegatePlan Inline(std::string backend, uint32_t payload) {
    return {std::move(backend), 0, payload, {}};
  }
};

struct MethodPlan {
  std::string name = "forward";
  std::vector<ValuePlan> values;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::vector<OperatorPlan> operators;
  std::vector<DelegatePlan> delegates;
  std::vector<std::vector<InstructionPlan>> chains;
  std::vector<int64_t> buffer_sizes = {0};          // entry 0 is reserved
  std::vector<std::pair<int32_t, int8_t>> devices;  // {buffer, device type}; as a rule none
};

struct ProgramOptions {
  // 32, or 24 as older exporters wrote it, or 0 for none: such a program cannot have segments.
  size_t header_size = 32;
  // Constants go to `constant_buffer`, as older exporters wrote them, not to a segment.
  bool uses_constant_buffer = false;
  // Of segments.
  size_t alignment = 128;
};

class ProgramWriter {
 public:
  explicit ProgramWriter(const ProgramOptions& options = {}) : options_(options) {}

  // Each returns the index that plans refer to.
  uint32_t AddSegment(Bytes bytes) { return AddSegment(DataBytes::Copied(bytes)); }
  uint32_t AddSegment(DataBytes bytes, size_t alignment = 1);
  uint32_t AddInlinePayload(Bytes bytes);
  // For TensorPlan::data_buffer_idx, never 0.
  uint32_t AddConstant(Bytes bytes) { return AddConstant(DataBytes::Copied(bytes)); }
  uint32_t AddConstant(DataBytes bytes);
  uint32_t AddInitialValue(Bytes bytes, uint32_t group = 0);

  void AddNamedData(std::string key, uint32_t segment);
  void AddMethod(MethodPlan method) { methods_.push_back(std::move(method)); }

  // Appends the whole file. Leaves the writer as it is, so that a test can change something and
  // write again.
  Status Write(const Append& append) const;
  // Replaces the file at `path`, when all of it is written and can be read.
  Status ToFile(const std::string& path) const;
  // How the written file is read.
  static Status ReadBack(const std::string& path);
  // The file in memory. REQUIRES: no bytes that are produced.
  std::vector<uint8_t> Finish() const;

 private:
  class Encoder;

  // Those that were added, then constants, then initial values.
  SegmentList AllSegments() const;
  // Without constants it is empty, but there: ExecuTorch takes a program that has none for an old
  // one.
  bool HasConstantSegment() const {
    return !options_.uses_constant_buffer && options_.header_size > 0;
  }

  ProgramOptions options_;
  std::vector<std::pair<DataBytes, size_t>> segments_;  // with their alignments
  std::vector<std::vector<uint8_t>> inline_payloads_;
  std::vector<DataBytes> constant_buffers_;  // without the empty first
  BufferGroup constants_;
  std::vector<BufferGroup> initial_values_;
  std::vector<std::pair<std::string, uint32_t>> named_data_;
  std::vector<MethodPlan> methods_;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_PTE_WRITER_H_
