// Chooses the next token from logits.
//
// Threads: belongs to one thread at a time.

#ifndef ONEPACK_SAMPLER_H_
#define ONEPACK_SAMPLER_H_

#include <stdint.h>

#include <random>
#include <vector>

#include "onepack/export.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

// The defaults choose the likeliest token, always the same one.
struct SamplerOptions {
  float temperature = 0;  // logits are divided by it; 0: the likeliest token
  size_t top_k = 0;       // among the so many likeliest only; 0: all
  float top_p = 1;        // among the likeliest that have so much of all probability together
  // The same seed, options and logits give the same tokens on any machine: all that is computed
  // here are single operations of IEEE 754, in one order, and integers.
  uint64_t seed = 0;
};

class ONEPACK_API Sampler {
 public:
  // Errors: kInvalidArgument for a temperature below 0, or a top_p outside (0, 1].
  static Result<Sampler> Create(const SamplerOptions& options);

  // The index of one of `logits`; the lowest of equally likely ones when the temperature is 0.
  // Errors: kInvalidArgument for no logits, or when one is NaN or +inf or all are -inf;
  // kResourceExhausted.
  Result<int64_t> Sample(Span<const float> logits);

 private:
  struct Candidate {
    int64_t token;
    float logit;
    float weight;  // its probability, but for a factor
  };

  explicit Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {}

  // Each leaves candidates in the order of tokens; the last three return what they weigh together.
  void KeepTopK(Span<const float> logits);
  double Weigh(float highest_logit);
  double KeepTopP(double total);
  double KeepFrom(int32_t order, double needed);
  int64_t DrawBelow(double total);

  SamplerOptions options_;
  std::mt19937_64 random_;
  std::vector<Candidate> candidates_;  // of the current call; kept for its memory
  std::vector<Candidate> undecided_;   // likewise
};

}  // namespace onepack

#endif  // ONEPACK_SAMPLER_H_
