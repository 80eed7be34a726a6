#include "tests/support/packed_bytes.h"

#include <gtest/gtest.h>

#include <utility>

#include "delegate/graph/payload.h"
#include "delegate/plan/plan.h"
#include "delegate/xnn/layout_tag.h"
#include "tests/support/recording_backend.h"
#include "tests/support/status_matchers.h"

namespace onepack {

std::vector<std::vector<uint8_t>> PackedFor(const LoadWith& load, PackedWeightCache& cache) {
  std::vector<std::vector<uint8_t>> packed;
  BackendRecord record;
  record.on_load = [&](const DelegateRequest& request) -> Status {
    GraphStore graphs;
    ONEPACK_ASSIGN_OR_RETURN(auto payload, Payload::Open(request, graphs));
    ONEPACK_ASSIGN_OR_RETURN(auto contents,
                             PayloadContents::Identify(std::move(payload), cache.contents()));
    ONEPACK_ASSIGN_OR_RETURN(
        const Plan plan,
        MakePlan(std::move(contents), PlanOptions{1 << 30, LinearLayout::kPacked}));
    for (const Weight& weight : plan.weights) {
      const PackedWeight pin = cache.Find({weight.identity, LayoutFingerprint()});
      if (pin) packed.emplace_back(pin.bytes().begin(), pin.bytes().end());
    }
    return Status::Ok();
  };
  EXPECT_TRUE(IsOk(load(MakeRecordingBackend("XnnpackBackend", &record))));
  return packed;
}

}  // namespace onepack
