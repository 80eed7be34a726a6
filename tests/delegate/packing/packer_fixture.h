// What the tests of the Packer share: plans of small weights, and loads of them.

#ifndef ONEPACK_TESTS_DELEGATE_PACKING_PACKER_FIXTURE_H_
#define ONEPACK_TESTS_DELEGATE_PACKING_PACKER_FIXTURE_H_

#include <gtest/gtest.h>
#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delegate/packing/packer.h"
#include "tests/delegate/packing/xor_packer.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_plans.h"
#include "tests/support/watched_source.h"

namespace onepack {

// Of a fully connected node.
struct TestWeight {
  std::string key;  // its bytes depend on it, too
  uint32_t outputs = 32;
  uint32_t inputs = 32;
  WeightKind kind = WeightKind::kFloat;
  bool has_bias = false;  // under key + ".bias"; of floats

  std::string bias_key() const { return key + ".bias"; }
};

class PackerTest : public testing::Test {
 protected:
  using Pins = std::vector<PinnedWeights>;

  // A plan for each delegate, whose nodes stand side by side; all weights are in one data file. A
  // key that occurs several times is one weight.
  void MakePlans(const std::vector<std::vector<TestWeight>>& delegates,
                 WatchedSource::Storage storage = WatchedSource::Storage::kMapped);

  // A load of all plans. The packer is gone then.
  Result<Pins> Pin(const PackerOptions& options = {}, const ProgressCallback& on_progress = {});

  // Of one thread each, or of `threads` if there is so much to do.
  static PackerOptions Threads(size_t threads) { return {threads, 1, 0}; }
  // Every weight is large, and each slice is as small as it can be.
  static PackerOptions Slices(size_t threads = 1) { return {threads, 1, 1}; }

  // What progress runs up to.
  uint64_t RawBytes() const;
  // A claim that was left behind ends in ctest's timeout.
  void ExpectNothingLeft();

  static std::vector<uint8_t> BytesOf(const PackedWeight& pin) {
    return {pin.bytes().begin(), pin.bytes().end()};
  }
  // Of all pins, plan by plan.
  static std::vector<std::vector<uint8_t>> BytesOf(const Pins& pins);

  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  XorPacker packer_;
  Ref<WatchedSource> data_;
  std::optional<TestPlans> files_;
  std::vector<Plan> plans_;
};

// What the test's XorPacker makes of a weight, from its file's bytes.
std::vector<uint8_t> PackedByHand(const TestWeight& weight);
// Its named bytes.
NamedBytes DataOf(const TestWeight& weight);

}  // namespace onepack

#endif  // ONEPACK_TESTS_DELEGATE_PACKING_PACKER_FIXTURE_H_
