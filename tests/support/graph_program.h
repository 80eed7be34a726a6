// A graph as the only delegate of a program, for tests of what its nodes compute.
//
//     PayloadWriter payload;
//     const uint32_t x = payload.AddInput({2, 3});
//     payload.AddUnary(XNodeUnion::XNNAbs, x, payload.AddOutput({2, 3}));
//     auto program = GraphProgram::Load(payload, {Input({2, 3}), Output({2, 3})});
//     auto found = program->Run({Floats({2, 3}, {-1, 2, -3, 4, -5, 6})});
//     // FloatsOf((*found)[0])

#ifndef ONEPACK_TESTS_SUPPORT_GRAPH_PROGRAM_H_
#define ONEPACK_TESTS_SUPPORT_GRAPH_PROGRAM_H_

#include <stdint.h>
#include <string.h>

#include <memory>
#include <vector>

#include "aot/payload_writer.h"
#include "onepack/method.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"

namespace onepack {

// An argument of the delegate call. They are listed by external id.
struct GraphBorder {
  bool is_output = false;
  std::vector<int32_t> sizes;  // bounds
  ScalarType type = ScalarType::kFloat;
  std::vector<uint8_t> dim_order;  // empty: contiguous
  int64_t offset = -1;             // in planned memory; -1: a place of its own
  int64_t same_as = -1;            // the tensor of a border before it; -1: one of its own
};
GraphBorder Input(std::vector<int32_t> sizes, ScalarType type = ScalarType::kFloat);
GraphBorder Output(std::vector<int32_t> sizes, ScalarType type = ScalarType::kFloat);

// What goes in and comes out. Elements are in the order of storage.
struct GraphTensor {
  ScalarType type = ScalarType::kFloat;
  std::vector<int32_t> sizes;
  std::vector<uint8_t> dim_order;  // empty: contiguous
  std::vector<uint8_t> bytes;
};

template <typename T>
GraphTensor TensorOfNumbers(ScalarType type, std::vector<int32_t> sizes,
                            const std::vector<T>& numbers) {
  const Bytes bytes = AsBytes(numbers);
  return {type, std::move(sizes), {}, {bytes.begin(), bytes.end()}};
}
GraphTensor Floats(std::vector<int32_t> sizes, const std::vector<float>& numbers);
// fp16.
GraphTensor Halves(std::vector<int32_t> sizes, const std::vector<float>& numbers);
GraphTensor Bfloats(std::vector<int32_t> sizes, const std::vector<float>& numbers);

template <typename T>
std::vector<T> NumbersOf(const GraphTensor& tensor) {
  std::vector<T> numbers(tensor.bytes.size() / sizeof(T));
  if (!numbers.empty()) {
    memcpy(numbers.data(), tensor.bytes.data(), numbers.size() * sizeof(T));
  }
  return numbers;
}
// Of float32, float16 or bfloat16.
std::vector<float> FloatsOf(const GraphTensor& tensor);

// fp16 and bf16 bits of numbers that need no rounding.
std::vector<uint16_t> HalfBits(const std::vector<float>& numbers);
std::vector<uint16_t> BfloatBits(const std::vector<float>& numbers);

// `count` numbers in (-1, 1), multiples of 1/64, that depend on `seed`.
std::vector<float> Mixed(size_t count, uint32_t seed = 1);

class GraphProgram {
 public:
  struct Options {
    std::shared_ptr<PackedWeightCache> cache;
    NamedBytes data;
    ProgressCallback on_progress;
    size_t packing_threads = 1;
    Ref<Backend> backend;  // as in LoadOptions
  };

  // Uses the writer up.
  static Result<GraphProgram> Load(PayloadWriter& payload, const std::vector<GraphBorder>& borders,
                                   const Options& options);
  static Result<GraphProgram> Load(PayloadWriter& payload,
                                   const std::vector<GraphBorder>& borders) {
    return Load(payload, borders, Options());
  }

  Result<GraphProgram> Fork() const {
    ONEPACK_ASSIGN_OR_RETURN(Ref<Method> fork, method_->Fork());
    return GraphProgram(std::move(fork));
  }

  // Inputs in the order of the borders; the outputs in that order.
  Result<std::vector<GraphTensor>> Run(const std::vector<GraphTensor>& inputs) const;

 private:
  explicit GraphProgram(Ref<Method> method) : method_(std::move(method)) {}

  Ref<Method> method_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_GRAPH_PROGRAM_H_
