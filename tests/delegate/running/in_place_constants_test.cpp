// Constants that XNNPACK reads where they are: one place for each, whatever number of stages reads
// it, and however often a stage is defined.

#include "delegate/running/in_place_constants.h"

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "delegate/xnn/layout_tag.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_plans.h"
#include "tests/support/watched_source.h"
#include "weight_cache/pack_transaction.h"

namespace onepack {
namespace {

using Storage = WatchedSource::Storage;

constexpr uint32_t kWidth = 32;
constexpr uint32_t kRows = 4;
constexpr LayoutTag kNoTag = 0x123456789abcdef;

LinearLayer Layer() { return {"w", kWidth, kWidth}; }

// y = w(x + c) + c, where all of each sum is added to `adds` times more.
std::vector<uint8_t> Payload(uint32_t rows_of_c = 1, size_t adds = 0) {
  PayloadWriter payload;
  const std::vector<uint32_t> dims = {rows_of_c == 1 ? kRows : rows_of_c, kWidth};
  const uint32_t x = payload.AddInput(dims), y = payload.AddOutput(dims);
  // A constant of its own each time where there are many.
  const auto constant = [&] {
    return payload.AddNamedConstant("c", size_t{rows_of_c} * kWidth * sizeof(float));
  };
  const uint32_t index = constant();
  const auto add = [&](uint32_t from, uint32_t to) {
    for (size_t i = 0; i < adds; ++i) {
      const uint32_t sum = payload.AddInternal(dims);
      payload.AddAdd(from, payload.AddConstant({rows_of_c, kWidth}, constant()), sum);
      from = sum;
    }
    payload.AddAdd(from, payload.AddConstant({rows_of_c, kWidth}, index), to);
  };
  const uint32_t before = payload.AddInternal(dims), after = payload.AddInternal(dims);
  add(x, before);
  AddLinearLayer(payload, Layer(), dims[0], before, after);
  add(after, y);
  return payload.Finish();
}

Ref<DataSource> Program(const std::vector<uint8_t>& payload, uint32_t rows = kRows) {
  return SourceOf(MakeProgramAround(payload, rows, kWidth, kWidth), "model.pte");
}

std::vector<uint8_t> Data(uint32_t rows_of_c = 1) {
  NamedBytes data = DataOf(Layer());
  const std::vector<float> c = MakeRows(rows_of_c, kWidth);
  const auto* first = reinterpret_cast<const uint8_t*>(c.data());
  data["c"] = {first, first + c.size() * sizeof(float)};
  return MakeData(data);
}

std::vector<float> Expected() {
  const std::vector<float> c = MakeRows(1, kWidth);
  const auto plus_c = [&](std::vector<float> rows) {
    for (size_t i = 0; i < rows.size(); ++i) rows[i] += c[i % kWidth];
    return rows;
  };
  return plus_c(ReferenceChain({Layer()}, plus_c(MakeRows(kRows, kWidth))));
}

Segment PlaceOfC(const Ref<WatchedSource>& source) {
  auto map = NamedDataMap::Open(Ref<DataSource>(source));
  EXPECT_TRUE(IsOk(map));
  return (*map)->Find("c")->segment;
}

// A place is found with one read.
TEST(InPlaceConstantsTest, WhatTwoStagesReadHasOnePlace) {
  for (const Storage storage : {Storage::kMapped, Storage::kReadOnRequest}) {
    const Ref<WatchedSource> data = WatchedSource::Create(Data(), "model.ptd", storage);
    const Segment c = PlaceOfC(data);
    data->Forget();
    LoadOptions options;
    options.linears = LinearLayout::kInPlace;
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                                 LoadMethod(Program(Payload()), {data}, nullptr, options));
    EXPECT_EQ(data->ReadsOf(c), 1u);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                                 RunLinear(*method, MakeRows(kRows, kWidth), kWidth));
    EXPECT_LT(LargestDifference(found, Expected()), 1e-4f);
    EXPECT_EQ(data->ReadsOf(c), 1u);
  }
}

TEST(InPlaceConstantsTest, AStageThatIsDefinedOnceMoreForARefusedWeightFindsThemWhereTheyAre) {
  const auto cache = PackedWeightCache::Create();
  const Ref<WatchedSource> data =
      WatchedSource::Create(Data(), "model.ptd", Storage::kReadOnRequest);
  const Segment c = PlaceOfC(data);
  const std::vector<uint8_t> payload = Payload();
  TestPlans plans(cache->contents(), data);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, plans.Make(payload));
  ASSERT_EQ(plan.stages.size(), 1u);
  ASSERT_EQ(plan.weights.size(), 1u);
  PackTransaction transaction(cache);
  ASSERT_FALSE(transaction.LookUp({plan.weights[0].identity, LayoutFingerprint()}));
  constexpr size_t kSize = 16384;
  memset(transaction.Reserve(kSize), 0x7f, kSize);
  const PackedWeight foreign = transaction.Commit(kNoTag);
  data->Forget();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                               LoadMethod(Program(payload), {data}, cache));
  EXPECT_GT(cache->Stats().private_bytes, 0u) << "it was refused";
  EXPECT_EQ(data->ReadsOf(c), 1u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto found,
                               RunLinear(*method, MakeRows(kRows, kWidth), kWidth));
  EXPECT_LT(LargestDifference(found, Expected()), 1e-4f);
}

// Of a small file that has one constant under many numbers, and reads half of them in either stage.
TEST(InPlaceConstantsTest, TheBudgetIsOneForAllStages) {
  constexpr uint32_t kRowsOfC = 512;
  const auto load = [&](size_t adds) {
    LoadOptions options;
    options.linears = LinearLayout::kInPlace;
    return LoadMethod(Program(Payload(kRowsOfC, adds), kRowsOfC),
                      {WatchedSource::Create(Data(kRowsOfC), "model.ptd", Storage::kReadOnRequest)},
                      nullptr, options);
  };
  EXPECT_TRUE(IsOk(load(6)));
  EXPECT_TRUE(IsError(load(10), StatusCode::kInvalidFile, {"copying all constants", "16 times"}));
}

// Of two programs of one structure over one backend, which otherwise run with one runtime. That
// nothing of the first is read is shown by changing it, which no application may do.
TEST(InPlaceConstantsTest, InMemoryOfTheApplicationsTheyAreReadByTheirOwnProgramAlone) {
  constexpr uint32_t kRowsOfC = 512;  // too many to be copied
  XnnpackBackendOptions backend_options;
  backend_options.weight_cache = PackedWeightCache::Create();
  backend_options.linears = LinearLayout::kPacked;  // so that nothing else is read in place
  LoadOptions options;
  ONEPACK_ASSERT_OK_AND_ASSIGN(options.backend, CreateXnnpackBackend(backend_options));
  const auto load = [&](const std::vector<uint8_t>& bytes) -> Result<Ref<Method>> {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> data, WrapMemory(bytes, "memory"));
    return LoadMethod(Program(Payload(kRowsOfC), kRowsOfC), {data}, nullptr, options);
  };
  std::vector<uint8_t> first_bytes = Data(kRowsOfC);
  const std::vector<uint8_t> second_bytes = first_bytes;
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Method> first, load(first_bytes));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, load(second_bytes));
  const auto answer = [](const Ref<Method>& method) {
    auto found = RunLinear(*method, MakeRows(kRowsOfC, kWidth), kWidth);
    EXPECT_TRUE(IsOk(found));
    return found.ok() ? *found : std::vector<float>();
  };
  const std::vector<float> expected = answer(first);
  EXPECT_EQ(answer(second), expected);
  std::fill(first_bytes.begin(), first_bytes.end(), uint8_t{0});
  EXPECT_EQ(answer(second), expected);
  EXPECT_NE(answer(first), expected) << "it reads them in place";
  first = nullptr;
  EXPECT_EQ(answer(second), expected);
}

}  // namespace
}  // namespace onepack
