// What the tests of nodes share.

#ifndef ONEPACK_TESTS_DELEGATE_OPS_GRAPH_TEST_H_
#define ONEPACK_TESTS_DELEGATE_OPS_GRAPH_TEST_H_

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "tests/support/graph_program.h"
#include "tests/support/status_matchers.h"

namespace onepack {

using wire::xnnpack::XNNDatatype;
using wire::xnnpack::XNodeUnion;

// Dims of the graph as sizes of the program.
inline std::vector<int32_t> SizesOf(const std::vector<uint32_t>& dims) {
  return {dims.begin(), dims.end()};
}

inline size_t CountOfDims(const std::vector<uint32_t>& dims) {
  size_t count = 1;
  for (const uint32_t dim : dims) count *= dim;
  return count;
}

// A graph of one f32 input and one f32 output, loaded and run with `numbers`. `add` adds its node.
using AddNode = std::function<void(PayloadWriter& payload, uint32_t input, uint32_t output)>;
inline Result<std::vector<GraphTensor>> RunOne(const std::vector<uint32_t>& in,
                                               const std::vector<uint32_t>& out,
                                               const std::vector<float>& numbers,
                                               const AddNode& add) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput(in);
  add(payload, x, payload.AddOutput(out));
  ONEPACK_ASSIGN_OR_RETURN(const GraphProgram program,
                           GraphProgram::Load(payload, {Input(SizesOf(in)), Output(SizesOf(out))}));
  return program.Run({Floats(SizesOf(in), numbers)});
}

// The status of loading it.
inline Status LoadOne(const std::vector<uint32_t>& in, const std::vector<uint32_t>& out,
                      const AddNode& add) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput(in);
  add(payload, x, payload.AddOutput(out));
  auto program = GraphProgram::Load(payload, {Input(SizesOf(in)), Output(SizesOf(out))});
  return program.ok() ? Status::Ok() : program.TakeStatus();
}

// A value without quantization that the caller gives or takes.
inline uint32_t AddBorderOf(PayloadWriter& payload, XNNDatatype datatype,
                            const std::vector<uint32_t>& dims, bool is_output) {
  PayloadTensor tensor;
  tensor.datatype = datatype;
  tensor.dims = dims;
  return payload.AddBorder(tensor, is_output);
}

// One of qint8 or quint8, between nodes or at the border.
enum class Place { kInside, kInput, kOutput };
inline uint32_t AddQuantizedValue(PayloadWriter& payload, XNNDatatype datatype,
                                  const std::vector<uint32_t>& dims, float scale,
                                  int32_t zero_point, Place place = Place::kInside) {
  PayloadTensor tensor;
  tensor.datatype = datatype;
  tensor.dims = dims;
  const auto params =
      wire::xnnpack::CreatePerTensorQuant(payload.builder(), scale, zero_point).Union();
  const auto kind = wire::xnnpack::XNNQuantParams::PerTensorQuant;
  if (place == Place::kInside) return payload.AddQuantized(tensor, kind, params);
  return payload.AddQuantizedBorder(tensor, place == Place::kOutput, kind, params);
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_DELEGATE_OPS_GRAPH_TEST_H_
