#include "tests/support/test_plans.h"

#include <stdexcept>
#include <utility>

#include "delegate/graph/payload.h"
#include "delegate/plan/plan.h"
#include "onepack/backend.h"
#include "runtime/method_scope.h"
#include "tests/support/sources.h"

namespace onepack {

TestPlans::TestPlans(ContentRegistry& contents, const Ref<DataSource>& data, LinearLayout linears)
    : contents_(contents), linears_(linears) {
  if (!data) return;
  auto map = NamedDataMap::Open(data);
  if (!map.ok()) throw std::runtime_error(map.status().message());
  data_ = std::move(map).value();
}

Result<Plan> TestPlans::Make(std::vector<uint8_t> payload, uint64_t max_activation_bytes) {
  ONEPACK_ASSIGN_OR_RETURN(auto contents, Identify(std::move(payload)));
  return MakePlan(std::move(contents), PlanOptions{max_activation_bytes, linears_});
}

Result<Plan> TestPlans::MakeLike(const Plan& like, std::vector<uint8_t> payload) {
  ONEPACK_ASSIGN_OR_RETURN(auto contents, Identify(std::move(payload)));
  return MakePlanLike(like, std::move(contents));
}

Result<std::shared_ptr<const PayloadContents>> TestPlans::Identify(std::vector<uint8_t> payload) {
  const uint64_t size = payload.size();
  const Ref<DataSource> source = SourceOf(std::move(payload), "test.pte");
  const MethodScope named_data(nullptr, data_, HeapAllocator());
  DelegateRequest request;
  ONEPACK_ASSIGN_OR_RETURN(request.payload, source->LoadWhole({0, size}));
  request.source = source.get();
  request.named_data = &named_data;
  ONEPACK_ASSIGN_OR_RETURN(auto opened, Payload::Open(request, graphs_));
  return PayloadContents::Identify(std::move(opened), contents_);
}

Segment TestPlans::SegmentOf(std::string_view key) const { return data_->Find(key)->segment; }

}  // namespace onepack
