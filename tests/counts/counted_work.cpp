#include "tests/counts/counted_work.h"

#include "tests/support/fault_injector.h"

namespace onepack {

Result<Counts> CountsOf(const std::function<Status()>& work) {
  Status status = Status::Ok();
  const std::function<void()> counted = [&] { status = work(); };
  FaultPlan plan;
  plan.of_all_threads = true;
  FaultInjector::Arm(plan);
  OnepackCountedWork(counted);
  const FaultReport report = FaultInjector::Disarm();
  ONEPACK_RETURN_IF_ERROR(std::move(status));
  const auto sum = [](const auto& of) {
    return of[static_cast<size_t>(FaultKind::kNew)] + of[static_cast<size_t>(FaultKind::kHeap)];
  };
  Counts counts;
  counts.allocations = sum(report.events);
  counts.bytes = sum(report.bytes);
  counts.mappings = report.events[static_cast<size_t>(FaultKind::kMap)];
  counts.mapped_bytes = report.bytes[static_cast<size_t>(FaultKind::kMap)];
  return counts;
}

}  // namespace onepack

__attribute__((noinline)) void OnepackCountedWork(const std::function<void()>& work) { work(); }
