// Plans of payloads, made as a load makes them, without a program around them.
//
//     TestPlans plans(cache->contents(), SourceOf(MakeData(data), "test.ptd"));
//     PayloadWriter payload;
//     ...
//     ONEPACK_ASSERT_OK_AND_ASSIGN(const Plan plan, plans.Make(payload.Finish()));

#ifndef ONEPACK_TESTS_SUPPORT_TEST_PLANS_H_
#define ONEPACK_TESTS_SUPPORT_TEST_PLANS_H_

#include <stdint.h>

#include <memory>
#include <string_view>
#include <vector>

#include "delegate/graph/graph_store.h"
#include "delegate/plan/plan.h"
#include "onepack/named_data_map.h"
#include "weight_cache/content_registry.h"

namespace onepack {

class TestPlans {
 public:
  // `contents` outlives it; `data` null: there is no data file.
  explicit TestPlans(ContentRegistry& contents, const Ref<DataSource>& data = nullptr,
                     LinearLayout linears = LinearLayout::kPacked);

  Result<Plan> Make(std::vector<uint8_t> payload, uint64_t max_activation_bytes = 1 << 30);
  // REQUIRES: the same graph, but for the names of constants.
  Result<Plan> MakeLike(const Plan& like, std::vector<uint8_t> payload);

  // Where the named bytes are in the data file. REQUIRES: they are there.
  Segment SegmentOf(std::string_view key) const;

 private:
  Result<std::shared_ptr<const PayloadContents>> Identify(std::vector<uint8_t> payload);

  ContentRegistry& contents_;
  Ref<NamedDataMap> data_;
  GraphStore graphs_;
  const LinearLayout linears_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_TEST_PLANS_H_
