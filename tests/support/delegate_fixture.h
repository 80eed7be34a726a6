// Small programs for the XNNPACK delegate, made in memory: chains of linear layers without bias, as
// a foundation layer with an adapter's layers behind it.
//
//     LinearLayer foundation{"foundation", 32, 64};
//     LinearLayer adapter{"adapter", 64, 8, WeightKind::kInt4, 1};
//     auto program = SourceOf(MakeLinearProgram({{foundation, adapter}}), "lora.pte");
//     auto data = SourceOf(MakeData(DataOf(foundation)), "foundation.ptd");
//     auto more = SourceOf(MakeData(DataOf(adapter)), "adapter.ptd");
//     ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, LoadMethod(program, {data, more}, cache));
//     auto found = RunLinear(*method, MakeRows(2, 32), 32);
//     // *found is near ReferenceChain({foundation, adapter}, MakeRows(2, 32))

#ifndef ONEPACK_TESTS_SUPPORT_DELEGATE_FIXTURE_H_
#define ONEPACK_TESTS_SUPPORT_DELEGATE_FIXTURE_H_

#include <stdint.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "aot/payload_writer.h"
#include "onepack/allocator.h"
#include "onepack/method.h"
#include "onepack/xnnpack_backend.h"
#include "tests/support/sources.h"
#include "weight_cache/packed_weight_cache.h"

namespace onepack {

enum class WeightKind {
  kFloat,  // f32
  kInt8,   // qcint8 weights, a float scale for each output
  kInt4,   // qbint4 weights, a bfloat16 scale for each kInt4Group inputs of an output
};

inline constexpr uint32_t kInt4Group = 32;

// y = weight * x. Its bytes depend on `seed`, sizes and kind, not on the key.
struct LinearLayer {
  std::string key;  // of the weight; the scales of a quantized one are under key + ".scale"
  uint32_t inputs = 32;
  uint32_t outputs = 32;
  WeightKind kind = WeightKind::kFloat;
  uint64_t seed = 0;
};

struct LinearProgram {
  std::vector<LinearLayer> layers;  // each takes the output of the one before; at least one
  uint32_t max_rows = 8;            // bound of the dynamic dimension
  bool delegate_per_layer = false;  // else one delegate computes all
};

// Named bytes, as for a data file.
using NamedBytes = std::map<std::string, std::vector<uint8_t>>;

// A program with the method "forward": one input of at most max_rows rows, one output.
std::vector<uint8_t> MakeLinearProgram(const LinearProgram& program);

// The payload of its delegate. REQUIRES: there is one for all layers.
std::vector<uint8_t> MakeLinearPayload(const LinearProgram& program);

// A program around a payload of the caller's own: the delegate call takes an input of [max_rows,
// inputs] and an output of [max_rows, outputs].
std::vector<uint8_t> MakeProgramAround(Bytes payload, uint32_t max_rows, uint32_t inputs,
                                       uint32_t outputs);

// Adds `layer` to a graph that is being written: its constants, values and nodes. `rows` is the
// bound of the first dimension.
void AddLinearLayer(PayloadWriter& payload, const LinearLayer& layer, uint32_t rows, uint32_t input,
                    uint32_t output);

// The weight of `layer`, and its scales.
NamedBytes DataOf(const LinearLayer& layer);
NamedBytes DataOf(const std::vector<LinearLayer>& layers);

// A data file.
std::vector<uint8_t> MakeData(const NamedBytes& data);

struct LoadOptions {
  pthreadpool* threadpool = nullptr;
  ProgressCallback on_progress;
  size_t packing_threads = 1;
  LinearLayout linears = LinearLayout::kPacked;
  // Of program, data maps and method.
  Allocator allocator = HeapAllocator();
  // Instead of one of its own, with the options above; then it has the cache.
  Ref<Backend> backend;
};

// Opens program and data and loads "forward" with the XNNPACK backend. `cache` null: the method
// packs for itself.
Result<Ref<Method>> LoadMethod(const Ref<DataSource>& program,
                               const std::vector<Ref<DataSource>>& data,
                               const std::shared_ptr<PackedWeightCache>& cache,
                               const LoadOptions& options = {});

// `count` rows of numbers that differ.
std::vector<float> MakeRows(uint32_t count, uint32_t width);

// Runs a method of one f32 input [rows.size() / width, width] and one f32 output.
Result<std::vector<float>> RunLinear(Method& method, const std::vector<float>& rows,
                                     uint32_t width);

// What the layers give, in plain loops over the dequantized weights. Quantized layers round their
// input too; this does not, so theirs is near it only.
std::vector<float> ReferenceChain(const std::vector<LinearLayer>& layers, std::vector<float> rows);

// Not a weight, not a byte and not a pin is in the cache.
void ExpectNothingIn(const PackedWeightCache& cache);

// The largest difference between two elements; infinite for vectors of different size.
float LargestDifference(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_DELEGATE_FIXTURE_H_
