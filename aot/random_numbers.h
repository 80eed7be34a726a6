// Numbers that look random and depend on a seed alone, for weights and inputs that are computed
// wherever they are needed and never stored.

#ifndef ONEPACK_AOT_RANDOM_NUMBERS_H_
#define ONEPACK_AOT_RANDOM_NUMBERS_H_

#include <stdint.h>

#include "onepack/span.h"

namespace onepack {

// A seed of its own for part `number` of what `seed` stands for.
uint64_t CombineSeeds(uint64_t seed, uint64_t number);

// Uniform in ±bound.
void FillUniform(uint64_t seed, float bound, Span<float> numbers);
// Uniform in all 256 values.
void FillBytes(uint64_t seed, Span<uint8_t> bytes);

}  // namespace onepack

#endif  // ONEPACK_AOT_RANDOM_NUMBERS_H_
