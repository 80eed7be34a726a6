// The random weight of a linear layer: its numbers are computed from a seed, row by row, wherever
// they are needed. Also how such a layer stands in a payload's graph.
//
// Memory:  a few rows at a time.
// Threads: WeightBank and LinearLayers one at a time.

#ifndef ONEPACK_AOT_LINEAR_WEIGHT_H_
#define ONEPACK_AOT_LINEAR_WEIGHT_H_

#include <stdint.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "aot/data_bytes.h"
#include "aot/payload_writer.h"

namespace onepack {

// kInt8: one float scale for each output. kInt4: one bfloat16 scale for each group of inputs of an
// output. Inputs of both are quantized while the layer runs.
enum class WeightType { kFloat32, kInt8, kInt4 };

// Outputs by inputs. REQUIRES, for kInt4: `group` divides `inputs` and is even.
struct LinearWeight {
  uint64_t seed = 0;
  uint32_t outputs = 0;
  uint32_t inputs = 0;
  WeightType type = WeightType::kFloat32;
  uint32_t group = 32;

  uint64_t row_bytes() const;
  uint64_t size_bytes() const { return outputs * row_bytes(); }  // without scales
  uint32_t scales_in_row() const;
  uint64_t scale_bytes() const;

  // What the row stands for: `inputs` numbers, about uniform in ±1/sqrt(inputs) as torch
  // initializes Linear.
  void FillRow(uint32_t row, float* numbers) const;

  // As in files.
  DataBytes Data() const;
  DataBytes Scales() const;  // REQUIRES: not kFloat32
};

// Each weight's bytes, so that all users of a weight share their digest.
class WeightBank {
 public:
  // `watch` is told each time that bytes are made: for their digest, and for a file.
  explicit WeightBank(Watch watch = {}) : watch_(std::move(watch)) {}

  struct Files {
    DataBytes data;
    DataBytes scales;
  };
  const Files& Of(const LinearWeight& weight);

 private:
  DataBytes Watched(const DataBytes& bytes) const;

  const Watch watch_;
  std::map<uint64_t, Files> by_seed_;
};

// Whether a payload carries its constants itself, or leaves them to Preprocess.
enum class ConstantPlace { kPayload, kStore };

// Adds linear layers to one payload.
class LinearLayers {
 public:
  // `rows` are the leading dims of all values. What is referred to outlives this.
  LinearLayers(PayloadWriter& payload, WeightBank& bank, ConstantPlace place,
               std::vector<uint32_t> rows)
      : payload_(payload), bank_(bank), place_(place), rows_(std::move(rows)) {}

  std::vector<uint32_t> Dims(uint32_t width) const;

  // y = x * weight^T; returns y, a new internal value, or fills in the given one.
  uint32_t Add(const LinearWeight& weight, uint32_t x);
  void AddTo(const LinearWeight& weight, uint32_t x, uint32_t y);

 private:
  uint32_t AddBytes(const DataBytes& bytes, const char* key_prefix);
  uint32_t AddFilter(const LinearWeight& weight);
  uint32_t Quantized(uint32_t x, uint32_t width);

  PayloadWriter& payload_;
  WeightBank& bank_;
  const ConstantPlace place_;
  const std::vector<uint32_t> rows_;
  std::map<uint32_t, uint32_t> quantized_;  // by the value it is made of
};

}  // namespace onepack

#endif  // ONEPACK_AOT_LINEAR_WEIGHT_H_
