// A packed weight in another layout than XNNPACK wants is not served: the program packs its own,
// for itself alone, and computes the right numbers.

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "delegate/xnn/layout_tag.h"
#include "onepack/xnnpack_backend.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_plans.h"
#include "weight_cache/pack_transaction.h"

namespace onepack {
namespace {

constexpr uint32_t kWidth = 32;
constexpr size_t kSize = 16384;  // of an entry that XNNPACK did not make: more than a real one has
constexpr uint8_t kFilling = 0x7f;
constexpr LayoutTag kNoTag = 0x123456789abcdef;

// A program of three layers and a data file of its own.
struct Files {
  Files(WeightKind kind, uint64_t seed, bool delegate_per_layer = false) {
    program.delegate_per_layer = delegate_per_layer;
    for (const char* key : {"a", "b", "c"}) {
      program.layers.push_back({key, kWidth, kWidth, kind, seed++});
    }
    source = SourceOf(MakeLinearProgram(program), "model.pte");
    data = SourceOf(MakeData(DataOf(program.layers)), "model.ptd");
  }

  // A null backend: one of its own.
  Result<Ref<Method>> Load(const Ref<Backend>& backend) const {
    LoadOptions options;
    options.backend = backend;
    return LoadMethod(source, {data}, nullptr, options);
  }

  LinearProgram program;
  Ref<DataSource> source;
  Ref<DataSource> data;
};

std::vector<float> Answer(Method& method) {
  auto output = RunLinear(method, MakeRows(3, kWidth), kWidth);
  EXPECT_TRUE(IsOk(output));
  return output.ok() ? *output : std::vector<float>();
}

// Which of the three layers' weights are in the cache already, in no layout of XNNPACK's.
class RefusedWeightTest
    : public testing::TestWithParam<std::tuple<WeightKind, std::vector<size_t>>> {
 protected:
  WeightKind kind() const { return std::get<0>(GetParam()); }
  size_t refused() const { return std::get<1>(GetParam()).size(); }

  void SetUp() override {
    XnnpackBackendOptions options;
    options.weight_cache = cache_;
    options.linears = LinearLayout::kPacked;
    ONEPACK_ASSERT_OK_AND_ASSIGN(backend_, CreateXnnpackBackend(options));
    TestPlans plans(cache_->contents(), files_.data);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, plans.Make(MakeLinearPayload(files_.program)));
    ASSERT_EQ(plan.weights.size(), 3u);
    contents_ = plan.contents;
    for (const size_t i : std::get<1>(GetParam())) {
      PackTransaction transaction(cache_);
      ASSERT_FALSE(transaction.LookUp({plan.weights[i].identity, LayoutFingerprint()}));
      memset(transaction.Reserve(kSize), kFilling, kSize);
      foreign_.push_back(transaction.Commit(kNoTag));
    }
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> alone, files_.Load(Ref<Backend>()));
    expected_ = Answer(*alone);
    // Quantized layers round their input, too.
    const auto reference = ReferenceChain(files_.program.layers, MakeRows(3, kWidth));
    const float largest = LargestDifference(reference, std::vector<float>(reference.size()));
    ASSERT_LT(LargestDifference(expected_, reference), largest * 0.02f);
  }

  const std::shared_ptr<PackedWeightCache> cache_ = PackedWeightCache::Create();
  Ref<Backend> backend_;  // programs that it loads share runtimes
  const Files files_{kind(), 1};
  std::vector<PackedWeight> foreign_;
  std::shared_ptr<const PayloadContents> contents_;  // so that the keys stay what they are
  std::vector<float> expected_;
};

std::string NameOf(const testing::TestParamInfo<RefusedWeightTest::ParamType>& test) {
  const char* const kinds[] = {"Float", "Int8", "Int4"};
  const auto& [kind, refused] = test.param;
  return std::string(refused.size() == 1 ? "One" : "All") + kinds[static_cast<size_t>(kind)];
}

INSTANTIATE_TEST_SUITE_P(
    , RefusedWeightTest,
    testing::Combine(testing::Values(WeightKind::kFloat, WeightKind::kInt8, WeightKind::kInt4),
                     testing::Values(std::vector<size_t>{1}, std::vector<size_t>{0, 1, 2})),
    NameOf);

TEST_P(RefusedWeightTest, IsPackedPrivatelyAndTheAnswerIsRight) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> method, files_.Load(backend_));
  EXPECT_EQ(Answer(*method), expected_);
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_EQ(stats.hits, refused()) << "the entries were looked at";
  EXPECT_GT(stats.private_bytes, 0u);
  EXPECT_EQ(stats.entries, 3u) << "the entries that were there, and those of the other weights";
  for (const PackedWeight& entry : foreign_) {
    EXPECT_EQ(entry.tag(), kNoTag);
    EXPECT_TRUE(std::all_of(entry.bytes().begin(), entry.bytes().end(),
                            [](uint8_t byte) { return byte == kFilling; }));
  }
  method = nullptr;
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
  EXPECT_EQ(cache_->Stats().entries, refused());
  EXPECT_EQ(cache_->Stats().pins, refused());
}

TEST_P(RefusedWeightTest, EachProgramPacksItsOwnAndSharesTheOthers) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, files_.Load(backend_));
  const WeightCacheStats one = cache_->Stats();
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> second, files_.Load(backend_));
  EXPECT_EQ(cache_->Stats().private_bytes, 2 * one.private_bytes);
  EXPECT_EQ(cache_->Stats().entries, 3u);
  EXPECT_EQ(Answer(*second), expected_);
  EXPECT_EQ(Answer(*first), expected_);
  second = nullptr;
  EXPECT_EQ(cache_->Stats().private_bytes, one.private_bytes);
  EXPECT_EQ(Answer(*first), expected_);
}

// Their graphs differ in the names of weights only, so that they share runtimes otherwise.
TEST_P(RefusedWeightTest, AProgramOfOtherWeightsIsNotServedTheRuntimeWithPrivateOnes) {
  const Files others(kind(), 100);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> alone, others.Load(Ref<Backend>()));
  const std::vector<float> expected_of_others = Answer(*alone);
  ASSERT_NE(expected_of_others, expected_);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, files_.Load(backend_));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> other, others.Load(backend_));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Answer(*first), expected_);
    EXPECT_EQ(Answer(*other), expected_of_others);
  }
}

// Then it is loaded without a runtime, and makes one when it runs, in the lane that both use.
TEST_P(RefusedWeightTest, AProgramWhoseStructureIsKnownGetsARuntimeOfItsOwnWhenItRuns) {
  const Files others(kind(), 100);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> alone, others.Load(Ref<Backend>()));
  const std::vector<float> expected_of_others = Answer(*alone);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> other, others.Load(backend_));
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> second, files_.Load(backend_));
  EXPECT_EQ(cache_->Stats().private_bytes, 0u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Answer(*second), expected_);
    EXPECT_EQ(Answer(*other), expected_of_others);
  }
  EXPECT_GT(cache_->Stats().private_bytes, 0u);
  second = nullptr;
  EXPECT_EQ(cache_->Stats().private_bytes, 0u) << "its runtime goes with it";
  EXPECT_EQ(Answer(*other), expected_of_others);
}

// Of equal layers, each a delegate: none is in the others' way.
TEST_P(RefusedWeightTest, DelegatesOfOneStructureKeepTheirRuntimesFromRunToRun) {
  const Files layers(kind(), 1, /*delegate_per_layer=*/true);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, layers.Load(backend_));
  EXPECT_EQ(Answer(*method), expected_);
  const WeightCacheStats stats = cache_->Stats();
  EXPECT_GT(stats.private_bytes, 0u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Answer(*method), expected_);
  EXPECT_EQ(cache_->Stats().packed_bytes, stats.packed_bytes) << "packed again";
}

}  // namespace
}  // namespace onepack
