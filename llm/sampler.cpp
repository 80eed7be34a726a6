#include "onepack/sampler.h"

#include <string.h>

#include <algorithm>
#include <cmath>

#include "llm/no_throw.h"
#include "llm/portable_exp.h"

namespace onepack {
namespace {

// Logits that are looked at before the next decision.
constexpr size_t kBlock = 1024;

// Integers in the order of the floats, -0 like 0; NaN of either sign is above +inf. Compilers take
// the maximum of many integers at a time, which NaN does not let them do with floats.
int32_t OrderOf(float number) {
  constexpr uint32_t kOrderOfMinusInfinity = 0x807fffff;
  const float without_minus_zero = number + 0.0F;
  int32_t bits;
  memcpy(&bits, &without_minus_zero, sizeof(bits));
  const auto order = static_cast<uint32_t>(bits ^ ((bits >> 31) & INT32_MAX));
  return static_cast<int32_t>((order - kOrderOfMinusInfinity) ^ 0x80000000);
}

int32_t HighestOrder(Span<const float> numbers) {
  int32_t highest = INT32_MIN;
  for (const float number : numbers) highest = std::max(highest, OrderOf(number));
  return highest;
}

Status NotALogit(Span<const float> logits, size_t start) {
  while (OrderOf(logits[start]) < OrderOf(INFINITY)) ++start;
  return Status::Error(StatusCode::kInvalidArgument, "the logit of token %zu is %f", start,
                       static_cast<double>(logits[start]));
}

// The likeliest token, the first of equals.
Result<size_t> FindLikeliest(Span<const float> logits) {
  int32_t highest = OrderOf(-INFINITY);
  size_t likeliest = 0;  // where the first block with it begins
  for (size_t start = 0; start < logits.size(); start += kBlock) {
    const size_t length = std::min(kBlock, logits.size() - start);
    const int32_t order = HighestOrder(logits.subspan(start, length));
    if (order >= OrderOf(INFINITY)) return NotALogit(logits, start);
    if (order <= highest) continue;
    highest = order;
    likeliest = start;
  }
  if (highest == OrderOf(-INFINITY)) {
    return Status::Error(StatusCode::kInvalidArgument, "none of %zu tokens is possible",
                         logits.size());
  }
  while (OrderOf(logits[likeliest]) != highest) ++likeliest;
  return likeliest;
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
  ONEPACK_ASSIGN_OR_RETURN(const size_t likeliest, FindLikeliest(logits));
  if (options_.temperature == 0) return static_cast<int64_t>(likeliest);
  return NoThrow([&]() -> Result<int64_t> {
    KeepTopK(logits);
    return DrawBelow(KeepTopP(Weigh(logits[likeliest])));
  });
}

void Sampler::KeepTopK(Span<const float> logits) {
  const size_t kept = options_.top_k == 0 ? logits.size() : std::min(options_.top_k, logits.size());
  const auto keep_likeliest = [&] {
    // A total order, so that equal logits do not make the choice depend on the library.
    std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(kept - 1),
                     candidates_.end(), [](const Candidate& a, const Candidate& b) {
                       return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
                     });
    candidates_.resize(kept);
  };
  candidates_.clear();
  float least = -INFINITY;  // what is no likelier is none of the likeliest
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] > least)) continue;
    candidates_.push_back({static_cast<int64_t>(i), logits[i], 0});
    if (candidates_.size() < 2 * kept) continue;
    keep_likeliest();
    least = candidates_.back().logit;
  }
  if (kept == logits.size()) return;
  if (candidates_.size() > kept) keep_likeliest();
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.token < b.token; });
}

double Sampler::Weigh(float highest_logit) {
  double total = 0;
  for (Candidate& candidate : candidates_) {
    const float distance = (candidate.logit - highest_logit) / options_.temperature;
    candidate.weight = static_cast<float>(PortableExp(static_cast<double>(distance)));
    total += static_cast<double>(candidate.weight);
  }
  return total;
}

// Narrows the range in which the weight of the last candidate to keep is, and never sorts.
double Sampler::KeepTopP(double total) {
  if (options_.top_p == 1) return total;
  double needed = static_cast<double>(options_.top_p) * total;
  int32_t lowest = OrderOf(0);  // of the undecided
  int32_t highest = OrderOf(1);
  undecided_ = candidates_;
  while (lowest < highest) {
    // Any of them; but below the highest, so that something is decided.
    const int32_t pivot = std::min(OrderOf(undecided_[undecided_.size() / 2].weight), highest - 1);
    double above = 0;
    for (const Candidate& candidate : undecided_) {
      above += OrderOf(candidate.weight) > pivot ? static_cast<double>(candidate.weight) : 0;
    }
    const bool is_enough = above >= needed;
    if (is_enough) {
      lowest = pivot + 1;
    } else {
      highest = pivot;
      needed -= above;
    }
    size_t left = 0;
    for (const Candidate& candidate : undecided_) {
      const bool is_above = OrderOf(candidate.weight) > pivot;
      undecided_[left] = candidate;
      left += is_above == is_enough ? 1 : 0;
    }
    undecided_.resize(left);
    if (left == 0) break;
  }
  return KeepFrom(highest, needed);
}

// Keeps what weighs more than the order says, and of equals the first ones that weigh `needed`.
double Sampler::KeepFrom(int32_t order, double needed) {
  double total = 0;
  size_t kept = 0;
  for (const Candidate& candidate : candidates_) {
    const int32_t own = OrderOf(candidate.weight);
    if (own < order || (own == order && needed <= 0)) continue;
    if (own == order) needed -= static_cast<double>(candidate.weight);
    total += static_cast<double>(candidate.weight);
    candidates_[kept++] = candidate;
  }
  candidates_.resize(kept);
  return total;
}

int64_t Sampler::DrawBelow(double total) {
  // 53 random bits: a number in [0, 1) that is the same with every standard library.
  double left = static_cast<double>(random_() >> 11) * 0x1p-53 * total;
  int64_t token = candidates_[0].token;
  for (const Candidate& candidate : candidates_) {
    if (candidate.weight == 0) continue;
    token = candidate.token;
    left -= static_cast<double>(candidate.weight);
    if (left < 0) break;
  }
  return token;
}

}  // namespace onepack
