// Writes an XNNPACK payload: the graph that the delegate is given.
//
// Values and nodes are added in any order that names a value before it is used; each Add returns
// the index or id that later calls take. For what has no function of its own there is builder(),
// and AddNode and AddQuantized that take what was made with it.
//
//     PayloadWriter payload;
//     const uint32_t filter = payload.AddNamedConstant(key, 4 * 8 * 4);
//     const uint32_t x = payload.AddInput({2, 8});
//     const uint32_t y = payload.AddOutput({2, 4});
//     payload.AddFullyConnected(x, payload.AddConstant({4, 8}, filter), y);
//     std::vector<uint8_t> bytes = payload.Finish();
//
// A constant may also be given with its data, for Preprocess to put in a store and to name.
//
// Ownership: owns everything but what is given as DataBytes. Threads: one at a time.
// Errors:    none of its own; it writes what it is told, also what is wrong.

#ifndef ONEPACK_AOT_PAYLOAD_WRITER_H_
#define ONEPACK_AOT_PAYLOAD_WRITER_H_

#include <stdint.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aot/data_bytes.h"
#include "onepack/span.h"
#include "xnnpack_graph_generated.h"

namespace onepack {

struct PayloadOptions {
  // False: the payload is all flatbuffer, as older exporters wrote it. Its own constants then go to
  // constant_buffer.
  bool has_header = true;
  const char* identifier = "XN01";
  // Puts the payload's own constants in `constant_buffer` also when there is a header.
  bool uses_constant_buffer = false;
};

// Exactly what the file says of a value. The Add functions fill it in for the usual cases.
struct PayloadTensor {
  wire::xnnpack::XNNDatatype datatype = wire::xnnpack::XNNDatatype::fp32;
  std::vector<uint32_t> dims;
  uint32_t constant = 0;  // 0: none
  uint32_t external_id = UINT32_MAX;
  uint32_t flags = 0;
  wire::xnnpack::XNNDatatype dq_datatype = wire::xnnpack::XNNDatatype::invalid;
};

// Scales of a quantized value: `inline_scales`, or `count` of them in constant number `constant`.
struct PayloadScales {
  std::vector<float> inline_scales;
  uint32_t constant = 0;
  uint32_t count = 0;
};

// A constant that is not in the payload.
struct PayloadConstant {
  std::string key;  // empty until Preprocess
  DataBytes data;
  // Of the store, see NamedDataOptions; empty: Preprocess decides.
  std::string tag;
  // What Preprocess puts before the SHA-256 of the data to make the key.
  std::string key_prefix;
};

class PayloadWriter {
 public:
  static constexpr uint32_t kNoValue = UINT32_MAX;
  // Bits of xnnpack.h.
  static constexpr uint32_t kExternalInput = 1;
  static constexpr uint32_t kExternalOutput = 2;

  explicit PayloadWriter(const PayloadOptions& options = {}) : options_(options) {}

  // Constants: each returns its index, which is never 0.

  // Bytes that are found under `key` in the named data.
  uint32_t AddNamedConstant(std::string key, uint64_t size_bytes);
  // The same, with the bytes themselves. Without a key the payload is of no use before Preprocess.
  uint32_t AddData(PayloadConstant constant);
  // Bytes that the payload carries. `constant_buffer` cannot name keys: a payload with named
  // constants keeps its own in the constant region, whatever the options say.
  uint32_t AddOwnConstant(Bytes bytes) { return AddOwnConstant(DataBytes::Copied(bytes)); }
  uint32_t AddOwnConstant(const DataBytes& bytes);

  // Values: each returns its id.

  // f32, given or taken by the caller. External ids are counted up from 0, over inputs and outputs,
  // in order of calls.
  uint32_t AddInput(const std::vector<uint32_t>& dims);
  uint32_t AddOutput(const std::vector<uint32_t>& dims);
  // The same for what is not f32: `tensor` gets external id and flag.
  uint32_t AddBorder(PayloadTensor tensor, bool is_output);
  uint32_t AddQuantizedBorder(PayloadTensor tensor, bool is_output,
                              wire::xnnpack::XNNQuantParams kind, flatbuffers::Offset<void> params);
  // An external id that no value has: an argument of the call that the graph does not read.
  void AddUnusedArgument() { ++external_count_; }
  // f32, between nodes.
  uint32_t AddInternal(const std::vector<uint32_t>& dims);
  // f32.
  uint32_t AddConstant(const std::vector<uint32_t>& dims, uint32_t constant);
  // qdint8, one scale for each run of the last `num_nonbatch_dims` dimensions.
  uint32_t AddDynamicInt8(const std::vector<uint32_t>& dims, int32_t num_nonbatch_dims = 1);
  // qcint8, one scale for each index of `channel_dim`.
  uint32_t AddPerChannelInt8(const std::vector<uint32_t>& dims, uint32_t constant,
                             const PayloadScales& scales, int32_t channel_dim = 0);
  // qbint4, one scale for each `group_size` inputs of a channel. Scales in a constant are bfloat16.
  uint32_t AddBlockwiseInt4(const std::vector<uint32_t>& dims, uint32_t constant,
                            const PayloadScales& scales, int32_t group_size);
  uint32_t AddTensor(const PayloadTensor& tensor);
  // `params` is made with builder(): CreatePerTensorQuant(payload.builder(), ...).Union().
  uint32_t AddQuantized(const PayloadTensor& tensor, wire::xnnpack::XNNQuantParams kind,
                        flatbuffers::Offset<void> params);

  // Nodes.

  using OutputRange = std::optional<std::pair<float, float>>;
  void AddFullyConnected(uint32_t input, uint32_t filter, uint32_t output, uint32_t bias = kNoValue,
                         uint32_t flags = 0, OutputRange range = {});
  void AddAdd(uint32_t a, uint32_t b, uint32_t output) { AddBinary(Kind::XNNAdd, a, b, output); }
  void AddMultiply(uint32_t a, uint32_t b, uint32_t output) {
    AddBinary(Kind::XNNMultiply, a, b, output);
  }
  void AddSigmoid(uint32_t input, uint32_t output) { AddUnary(Kind::XNNSigmoid, input, output); }
  void AddConvert(uint32_t input, uint32_t output) { AddUnary(Kind::XNNConvert, input, output); }
  // Any node of the form XNNNode2x1 or XNNNode1x1.
  void AddBinary(wire::xnnpack::XNodeUnion kind, uint32_t a, uint32_t b, uint32_t output,
                 OutputRange range = {});
  void AddUnary(wire::xnnpack::XNodeUnion kind, uint32_t input, uint32_t output,
                OutputRange range = {});
  void AddConcatenate2(uint32_t axis, uint32_t a, uint32_t b, uint32_t output);
  // Any node: `node` is made with builder() and is of the table that `kind` says.
  void AddNode(wire::xnnpack::XNodeUnion kind, flatbuffers::Offset<void> node,
               OutputRange range = {});

  flatbuffers::FlatBufferBuilder& builder() { return builder_; }

  // How many external values there are, and so the id of the next.
  uint32_t external_count() const { return external_count_; }

  // Calls `name` for each constant of AddData; it sets the key.
  Status NameData(const std::function<Status(PayloadConstant& constant)>& name);

  // The payload. The writer is used up. REQUIRES: no constant of its own that fails to be produced.
  std::vector<uint8_t> Finish();

 private:
  using Kind = wire::xnnpack::XNodeUnion;

  struct Constant {
    PayloadConstant constant;
    uint64_t size_bytes;
    enum class Kind { kNamed, kData, kOwn } kind;
  };

  void MarkAsBorder(PayloadTensor& tensor, bool is_output);
  flatbuffers::Offset<wire::xnnpack::XNNTensorValue> CreateTensor(const PayloadTensor& tensor,
                                                                  uint32_t id);
  uint32_t AddValue(wire::xnnpack::XValueUnion kind, flatbuffers::Offset<void> value);
  bool UsesConstantBuffer() const;
  flatbuffers::Offset<wire::xnnpack::XNNGraph> CreateGraph(std::vector<uint8_t>* region);

  PayloadOptions options_;
  flatbuffers::FlatBufferBuilder builder_;
  std::vector<Constant> constants_;
  std::vector<flatbuffers::Offset<wire::xnnpack::XValue>> values_;
  std::vector<flatbuffers::Offset<wire::xnnpack::XNode>> nodes_;
  std::vector<uint32_t> input_ids_;
  std::vector<uint32_t> output_ids_;
  uint32_t external_count_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_PAYLOAD_WRITER_H_
