// The weights of the demo model: which matrices there are, and their numbers, which are computed
// and never stored.

#ifndef ONEPACK_AOT_LORA_STACK_WEIGHTS_H_
#define ONEPACK_AOT_LORA_STACK_WEIGHTS_H_

#include <stdint.h>

#include <functional>
#include <string>
#include <vector>

#include "aot/lora_stack.h"
#include "base/span.h"

namespace onepack {

// A linear layer's weight, outputs by inputs. Row r is the same whoever asks.
struct LoraMatrix {
  uint64_t seed = 0;
  uint32_t outputs = 0;
  uint32_t inputs = 0;

  uint64_t size_bytes() const { return uint64_t{outputs} * inputs * sizeof(float); }
  // Writes `inputs` numbers, uniform in ±1/sqrt(inputs) as torch initializes Linear.
  void FillRow(uint32_t row, float* numbers) const;
  // Calls `take` with the bytes, from the first to the last, in pieces of whole rows.
  Status ForEachPiece(const std::function<Status(Bytes)>& take) const;
  // Lower-case hexadecimal SHA-256 of the bytes.
  std::string Key() const;
};

// The layers of one block that have a weight in the foundation.
enum class LoraLayer : uint32_t { kGate, kUp, kDown };
// A layer's matrices in an adapter.
enum class LoraPart : uint32_t { kA, kB };

// Names every matrix of the model.
class LoraWeights {
 public:
  explicit LoraWeights(const LoraStackOptions& options) : options_(options) {}

  LoraMatrix Base(uint32_t block, LoraLayer layer) const;
  // REQUIRES: layer is kGate or kDown.
  LoraMatrix Adapter(uint32_t adapter, uint32_t block, LoraLayer layer, LoraPart part) const;

 private:
  LoraStackOptions options_;
};

// Fills `numbers` with uniform numbers in ±bound that depend on `seed` alone.
void FillUniform(uint64_t seed, float bound, Span<float> numbers);

}  // namespace onepack

#endif  // ONEPACK_AOT_LORA_STACK_WEIGHTS_H_
