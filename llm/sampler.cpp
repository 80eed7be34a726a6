#include "llm/sampler.h"

#include <algorithm>
#include <cmath>

namespace onepack {
namespace {

Status CheckLogits(Span<const float> logits) {
  bool is_possible = false;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == INFINITY) {
      return Status::Error(StatusCode::kInvalidArgument, "the logit of token %zu is %f", i,
                           static_cast<double>(logits[i]));
    }
    is_possible |= logits[i] != -INFINITY;
  }
  if (is_possible) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "none of %zu tokens is possible",
                       logits.size());
}

}  // namespace

Result<Sampler> Sampler::Create(const SamplerOptions& options) {
  if (!(options.temperature >= 0) || options.temperature == INFINITY) {
    return Status::Error(StatusCode::kInvalidArgument, "temperature %f, 0 or more expected",
                         static_cast<double>(options.temperature));
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return Status::Error(StatusCode::kInvalidArgument, "top_p %f, above 0 and at most 1 expected",
                         static_cast<double>(options.top_p));
  }
  return Sampler(options);
}

Result<int64_t> Sampler::Sample(Span<const float> logits) {
  ONEPACK_RETURN_IF_ERROR(CheckLogits(logits));
  if (options_.temperature == 0) {
    return std::max_element(logits.begin(), logits.end()) - logits.begin();
  }
  return SampleByProbability(logits);
}

void Sampler::KeepTopK(Span<const float> logits) {
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    candidates_.push_back({logits[i], static_cast<int64_t>(i)});
  }
  // A total order, so that equal logits do not make the choice depend on the library.
  const auto is_likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  const size_t kept = options_.top_k == 0 ? logits.size() : std::min(options_.top_k, logits.size());
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(kept),
                    candidates_.end(), is_likelier);
  candidates_.resize(kept);
}

int64_t Sampler::SampleByProbability(Span<const float> logits) {
  KeepTopK(logits);
  probabilities_.clear();
  double total = 0;
  for (const Candidate& candidate : candidates_) {
    const double exponent =
        (static_cast<double>(candidate.logit) - static_cast<double>(candidates_[0].logit)) /
        static_cast<double>(options_.temperature);
    probabilities_.push_back(std::exp(exponent));
    total += probabilities_.back();
  }
  // The fewest likeliest ones that reach top_p together.
  double kept = 0;
  size_t count = 0;
  while (count < probabilities_.size() && kept < static_cast<double>(options_.top_p) * total) {
    kept += probabilities_[count++];
  }
  // 53 random bits: a number in [0, 1) that is the same with every standard library.
  double left = static_cast<double>(random_() >> 11) * 0x1p-53 * kept;
  for (size_t i = 0; i + 1 < count; ++i) {
    left -= probabilities_[i];
    if (left < 0) return candidates_[i].token;
  }
  return candidates_[count - 1].token;
}

}  // namespace onepack
