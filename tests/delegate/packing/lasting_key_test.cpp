// The name of a weight in a packed file: the same in every process, whatever numbers that process
// has given its contents.

#include "delegate/packing/lasting_key.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_plans.h"

namespace onepack {
namespace {

// A process with a packed file of its own, over a program of one layer.
class LayerInACache {
 public:
  LayerInACache(const LinearLayer& layer, std::string packed_file)
      : layer_(layer),
        cache_(PackedWeightCache::Create(OptionsFor(std::move(packed_file)))),
        plans_(cache_->contents(), SourceOf(MakeData(DataOf(layer)), "data.ptd")) {}

  Result<Plan> MakePlan() { return plans_.Make(MakeLinearPayload({{layer_}})); }
  PackedWeightCache& cache() const { return *cache_; }

 private:
  static WeightCacheOptions OptionsFor(std::string packed_file) {
    WeightCacheOptions options;
    options.packed_file.path = std::move(packed_file);
    return options;
  }

  const LinearLayer layer_;
  const std::shared_ptr<PackedWeightCache> cache_;
  TestPlans plans_;
};

class LastingKeyTest : public testing::TestWithParam<WeightKind> {
 protected:
  LayerInACache Process(const std::string& name, uint64_t seed = 1) const {
    return {LinearLayer{"w", 64, 32, GetParam(), seed}, folder_.File(name)};
  }

  const TempFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, LastingKeyTest,
                         testing::Values(WeightKind::kFloat, WeightKind::kInt8, WeightKind::kInt4));

TEST_P(LastingKeyTest, IsTheSameWhereContentsHaveOtherIds) {
  LayerInACache first = Process("first");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, first.MakePlan());
  const LayerInACache unrelated = Process("unrelated", 2);
  LayerInACache second = Process("second");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan same, second.MakePlan());
  ASSERT_EQ(plan.weights.size(), 1u);
  EXPECT_NE(plan.weights[0].identity.kernel, same.weights[0].identity.kernel);
  EXPECT_FALSE(plan.weights[0].identity == same.weights[0].identity);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const PackKey key,
                               LastingKeyOf(plan, plan.weights[0], first.cache()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const PackKey other,
                               LastingKeyOf(same, same.weights[0], second.cache()));
  EXPECT_TRUE(key == other);
}

TEST_P(LastingKeyTest, IsAnotherForOtherBytes) {
  LayerInACache first = Process("first");
  LayerInACache second = Process("second", 2);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, first.MakePlan());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan other, second.MakePlan());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const PackKey key,
                               LastingKeyOf(plan, plan.weights[0], first.cache()));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const PackKey other_key,
                               LastingKeyOf(other, other.weights[0], second.cache()));
  EXPECT_NE(key.weight.kernel, other_key.weight.kernel);
}

// No plan that was checked has any.
TEST_P(LastingKeyTest, ScalesOfWhatIsNotPackedAreRefused) {
  LayerInACache process = Process("first");
  ONEPACK_ASSERT_OK_AND_ASSIGN(Plan plan, process.MakePlan());
  for (auto& [id, value] : plan.values) value.quant_params.scales = Digest::UnlikeAll();
  EXPECT_TRUE(IsError(LastingKeyOf(plan, plan.weights[0], process.cache()), StatusCode::kInternal,
                      {"a number of this process"}));
}

}  // namespace
}  // namespace onepack
