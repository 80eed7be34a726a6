#include "tests/support/packed_bytes.h"

#include <gtest/gtest.h>

#include "delegate/graph/payload.h"
#include "delegate/plan/graph_builder.h"
#include "tests/support/recording_backend.h"
#include "tests/support/status_matchers.h"

namespace onepack {

std::vector<std::vector<uint8_t>> PackedFor(const LoadWith& load, WeightCache& cache) {
  std::vector<std::vector<uint8_t>> packed;
  BackendRecord record;
  record.on_load = [&](const DelegateRequest& request) -> Status {
    GraphStore graphs;
    ONEPACK_ASSIGN_OR_RETURN(const auto payload, Payload::Open(request, cache.contents(), graphs));
    RawWeights raw_weights(nullptr, {});
    ONEPACK_ASSIGN_OR_RETURN(
        const BuiltGraph graph,
        BuildGraph(*payload, GraphOptions{cache, raw_weights, /*max_activation_bytes=*/1 << 30}));
    for (const DescribedWeight& weight : graph.weights) {
      for (const PackedWeight& pin :
           cache.PinAll(weight.description.identity, LayoutFingerprint())) {
        packed.emplace_back(pin.bytes().begin(), pin.bytes().end());
      }
    }
    return Status::Ok();
  };
  EXPECT_TRUE(IsOk(load(MakeRecordingBackend("XnnpackBackend", &record))));
  return packed;
}

}  // namespace onepack
